import { expect, test } from 'vitest'
import type { SharedStoreOptions } from '../support/shared-engine/shared-store.ts'
import { ON_KAFKA, STREAMS, type TestApp } from '../support/test-app.ts'
import { type TwoNodes, twoNodes } from '../support/two-nodes.ts'

const S = `${STREAMS}/s`

/** With faults that only the store in memory can have. */
const testInMemory = test.skipIf(ON_KAFKA)

async function bodies(app: TestApp): Promise<string[] | number> {
  const response = await app.get(`${S}/events`)
  if (response.status !== 200) return response.status
  return (response.json() as { body: string }[]).map(({ body }) => body)
}

/** Each does something on one node, and returns what the other one shows right after the answer. */
const orders: readonly {
  name: string
  run(nodes: TwoNodes, from: TestApp, to: TestApp): Promise<unknown>
  wanted: unknown
}[] = [
  {
    name: 'a stream that was created takes events',
    async run(_, from, to) {
      const statuses = [await from.put(S), await to.post(S, { body: '1' }), await from.post(S, { body: '2' })]
      return [statuses.map(({ status }) => status), await bodies(to)]
    },
    wanted: [
      [200, 200, 200],
      ['1', '2'],
    ],
  },
  {
    name: 'a stream that was truncated is empty, and takes events',
    async run(_, from, to) {
      await from.put(S)
      await to.post(S, { body: '1' })
      const { status } = await from.post(`${S}/truncate`)
      const empty = await bodies(to)
      await to.post(S, { body: '2' })
      return [status, empty, await bodies(from)]
    },
    wanted: [200, 204, ['2']],
  },
  {
    name: 'a stream that was deleted is not found',
    async run(_, from, to) {
      await from.put(S)
      await to.post(S, { body: '1' })
      await from.delete(S)
      return [await bodies(to), (await to.post(S, { body: '2' })).status, (await to.get(S)).status]
    },
    wanted: [404, 404, 404],
  },
  {
    name: 'a stream that was deleted and created anew is empty',
    async run(_, from, to) {
      await from.put(S)
      await to.post(S, { body: '1' })
      await to.delete(S)
      await from.put(S)
      return [await bodies(to), await bodies(from)]
    },
    wanted: [204, 204],
  },
  {
    name: 'events older than a shorter ttl are hidden',
    async run(nodes, from, to) {
      await from.put(S)
      await to.post(S, { body: '1' })
      nodes.setNowMs(1_100_000)
      await to.post(S, { body: '2' })
      await from.put(`${S}/properties`, { body: JSON.stringify({ ttl: 50 }) })
      return bodies(to)
    },
    wanted: ['2'],
  },
  {
    name: 'properties are those that were set',
    async run(_, from, to) {
      await from.put(S)
      await from.put(`${S}/properties`, { body: JSON.stringify({ description: 'of a node' }) })
      return ((await to.get(S)).json() as { description: string }).description
    },
    wanted: 'of a node',
  },
  {
    name: 'views are there, and gone',
    async run(_, from, to) {
      await from.put(S)
      const view = `${S}/views/v`
      await from.put(view, { body: JSON.stringify({ format: { name: 'text' } }) })
      const made = (await to.get(view)).status
      await from.delete(view)
      return [made, (await to.get(view)).status]
    },
    wanted: [200, 404],
  },
  {
    name: 'namespaces are there, and gone with their streams',
    async run(_, from, to) {
      const namespace = '/v3/namespaces/n'
      await from.put(namespace)
      const made = await to.put(`${namespace}/streams/s`)
      const found = await from.get(`${namespace}/streams/s`)
      await from.delete('/v3/unrecoverable/namespaces/n')
      const gone = [await to.get(namespace), await to.get(`${namespace}/streams/s`)]
      return [made, found, ...gone].map(({ status }) => status)
    },
    wanted: [200, 200, 404, 404],
  },
]

test.each(orders)('on another node $name', async ({ run, wanted }) => {
  const nodes = await twoNodes()
  expect(await run(nodes, nodes.a, nodes.b)).toEqual(wanted)
  expect([nodes.a.reported, nodes.b.reported]).toEqual([[], []])
})

/** What a store without a part of the protocol gets wrong: so the tests above would notice it. */
const without: readonly { name: string; options: SharedStoreOptions }[] = [
  { name: 'the barrier', options: { barrier: false, confirmation: false } },
]

testInMemory.each(without)('without $name another node shows an old state', async ({ options }) => {
  const nodes = await twoNodes({ ...options, lagTurns: 400 })
  let wrong = 0
  for (let i = 0; i < 20 && wrong === 0; i++) {
    const stream = `${STREAMS}/s${i}`
    await nodes.a.put(stream)
    if ((await nodes.b.post(stream, { body: '1' })).status !== 200) wrong++
  }
  expect(wrong).toBeGreaterThan(0)
})

const N = '/v3/namespaces'
/** What is found on the coordinator, by paths of every API, right after another node has made a namespace with a stream. */
const found: readonly { name: string; find(app: TestApp, namespace: string): Promise<{ status: number }> }[] =
  [
    { name: 'a namespace', find: (app, namespace) => app.get(`${N}/${namespace}`) },
    { name: 'a stream', find: (app, namespace) => app.get(`${N}/${namespace}/streams/s`) },
    {
      name: 'the metadata of a stream',
      find: (app, namespace) => app.get(`${N}/${namespace}/streams/s/metadata/tags`),
    },
    {
      name: 'the table of a stream',
      find: (app, namespace) =>
        app.post(`${N}/${namespace}/data/explore/queries`, { body: '{"query":"SELECT body FROM stream_s"}' }),
    },
    {
      name: 'a service of Aiven',
      find: (app, namespace) => app.get(`/v1/project/p/service/${namespace}/flink/table`),
    },
    {
      name: 'a namespace of Ververica Platform',
      find: (app, namespace) => app.get(`/api/v1/namespaces/${namespace}/deployments`),
    },
  ]

testInMemory.each(found)('$name is found by a barrier that misses the last changes', async ({ find }) => {
  const { a, b } = await twoNodes({ barrier: 'certain', lagTurns: 4000 })
  const statuses: number[] = []
  for (const isNamespaceKnown of [false, true, true, true]) {
    const namespace = `n${statuses.length}`
    await b.put(`${N}/${namespace}`)
    if (isNamespaceKnown) await a.get(`${N}/${namespace}`)
    await b.put(`${N}/${namespace}/streams/s`)
    statuses.push((await find(a, namespace)).status)
  }
  expect(statuses).toEqual([200, 200, 200, 200])
})

testInMemory('without the confirmation of all nodes an emptied stream shows events', async () => {
  const run = async (confirmation: boolean) => {
    const nodes = await twoNodes({ barrier: false, confirmation, lagTurns: 400 })
    await nodes.a.put(S)
    await new Promise((resolve) => setTimeout(resolve, 100))
    let wrong = 0
    for (let i = 0; i < 20 && wrong === 0; i++) {
      await nodes.a.post(S, { body: '1' })
      await nodes.a.post(`${S}/truncate`)
      if ((await bodies(nodes.b)) !== 204) wrong++
    }
    return wrong
  }
  expect(await run(true)).toBe(0)
  expect(await run(false)).toBeGreaterThan(0)
})

test('streams that are created on all nodes at the same time have different logs', async () => {
  const { a, b } = await twoNodes()
  const names = Array.from({ length: 20 }, (_, i) => `s${i}`)
  const answers = await Promise.all(
    names.flatMap((name, i) =>
      [a, b].map((app) => app.put(`${STREAMS}/${i % 3 === 0 ? name : `${name}-${app.port}`}`)),
    ),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  const listed = [await a.get(STREAMS), await b.get(STREAMS)].map(
    (answer) => answer.json() as { name: string }[],
  )
  expect(listed[0]).toEqual(listed[1])
  expect(listed[0]).toHaveLength(7 + 13 * 2)
  for (const { name } of listed[0]!) await a.post(`${STREAMS}/${name}`, { body: name })
  for (const { name } of listed[0]!) expect((await b.events(name)).map(({ body }) => body)).toEqual([name])
})

test('changes of different properties on all nodes at the same time are all kept', async () => {
  const { a, b } = await twoNodes()
  await a.put(S)
  const put = (app: TestApp, properties: unknown) =>
    app.put(`${S}/properties`, { body: JSON.stringify(properties) })
  for (let i = 1; i <= 10; i++) {
    await Promise.all([
      put(a, { ttl: i }),
      put(b, { description: `d${i}` }),
      put(b, { 'notification.threshold.mb': i }),
    ])
    expect((await a.get(S)).json()).toMatchObject({
      ttl: i,
      description: `d${i}`,
      'notification.threshold.mb': i,
    })
  }
})

test('views of different streams cannot take the same table name', async () => {
  const { a, b } = await twoNodes()
  await a.put(S)
  await b.put(`${STREAMS}/t`)
  const body = JSON.stringify({ format: { name: 'text' }, tableName: 'same' })
  const answers = await Promise.all([
    a.put(`${S}/views/v`, { body }),
    b.put(`${STREAMS}/t/views/v`, { body }),
  ])
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 400])
})

const requests: readonly {
  name: string
  request(app: TestApp): Promise<{ status: number }>
}[] = [
  { name: 'an event', request: (app) => app.post(S, { body: '2' }) },
  { name: 'an event for later', request: (app) => app.post(`${S}/async`, { body: '2' }) },
  {
    name: 'a batch',
    request: (app) => app.post(`${S}/batch`, { body: '2\n3', headers: { 'Content-Type': 'text/plain' } }),
  },
  { name: 'a read', request: (app) => app.get(`${S}/events`) },
  { name: 'a list', request: (app) => app.get(STREAMS) },
  { name: 'a new stream', request: (app) => app.put(`${STREAMS}/new`) },
  { name: 'a truncation', request: (app) => app.post(`${S}/truncate`) },
  { name: 'properties', request: (app) => app.put(`${S}/properties`, { body: '{"ttl":1}' }) },
]

testInMemory.each(requests)('a node that is cut off answers $name with 503', async ({ request }) => {
  const { store, a, b } = await twoNodes()
  await a.put(S)
  await a.post(S, { body: '1' })
  store.cut('a')
  const soon = await request(a) // it does not know that yet
  store.expire('a')
  store.bury('a')
  const later = await request(a)
  expect([soon.status, later.status]).toEqual([503, 503])
  expect((await a.get('/ping')).status).toBe(200)
  expect(await bodies(b)).toContain('1')
  store.mend('a')
  expect(await bodies(a)).toEqual(await bodies(b))
})

testInMemory(
  'a deletion on a node that is cut off is made by the node that takes the coordinator over',
  async () => {
    const { store, a, b } = await twoNodes()
    await a.put(S)
    store.cut('a')
    expect((await a.delete(S)).status).toBe(503)
    expect((await b.get(S)).status).toBe(200)
    store.expire('a')
    store.bury('a')
    expect((await a.delete(S)).status).toBe(200)
    expect((await b.get(S)).status).toBe(404)
  },
)

testInMemory('a node that stood still while others went on without it acknowledges nothing', async () => {
  const { store, a, b } = await twoNodes()
  await a.put(S)
  await b.get(S)
  const post = a.post(S, { body: 'lost' })
  await arrived(store.data, 1)
  store.pause('a') // the event is in the log, and the answer on its way
  store.bury('a')
  store.expire('a')
  expect((await b.post(`${S}/truncate`)).status).toBe(200)
  store.resume('a')
  expect((await post).status).toBe(503)
  expect(await bodies(b)).toBe(204)
})

/** Resolves when the logs have this many events. */
async function arrived({ logs }: TwoNodes['store']['data'], events: number): Promise<void> {
  const count = () => [...logs.values()].reduce((sum, log) => sum + log.events, 0)
  while (count() < events) await new Promise((resolve) => setImmediate(resolve))
}

testInMemory('a truncation waits for a node that does not answer, until it is dead', async () => {
  const { store, a, b } = await twoNodes()
  await a.put(S)
  await b.get(S)
  store.pause('b')
  let answered = false
  const truncation = a.post(`${S}/truncate`).then((answer) => {
    answered = true
    return answer
  })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(answered).toBe(false)
  store.bury('b')
  expect((await truncation).status).toBe(200)
})

test('metrics of a stream count the events of all nodes, also after a truncation and a restart', async () => {
  const { a, b } = await twoNodes()
  await a.put(S)
  const total = async (app: TestApp) => {
    const query =
      '/v3/metrics/query?metric=system.collect.events&aggregate=true&tag=namespace:default&tag=stream:s'
    const { series } = (await app.post(query)).json() as { series: { data: { value: number }[] }[] }
    return series[0]?.data[0]?.value
  }
  for (let i = 0; i < 3; i++) await a.post(S, { body: '1' })
  await b.post(S, { body: '2' })
  await b.post(`${S}/truncate`)
  await a.post(S, { body: '3' })
  await a.restart()
  await b.restart()
  await a.post(S, { body: '4' })
  await a.restart()
  await b.get(S)
  expect([await total(a), await total(b)]).toEqual([6, 6])
})

testInMemory('totals of a stream that is deleted are removed, of every node', async () => {
  const { store, a, b } = await twoNodes()
  const totals = () =>
    [...store.data.documents.keys()].filter((key) => key.startsWith('meter-totals/')).sort()
  const written = async (id: string) => {
    await a.put(`${STREAMS}/${id}`)
    for (const app of [a, b]) await app.post(`${STREAMS}/${id}`, { body: '1' })
    await a.restart()
    await b.restart()
    await a.get(`${STREAMS}/${id}`)
  }
  await written('s')
  expect(totals()).toEqual(['meter-totals/default:s:a', 'meter-totals/default:s:b'])
  await a.delete(S)
  await b.restart()
  await a.restart()
  expect(totals()).toEqual([])

  // Node b counts an event, and writes its totals only after node a has removed the stream.
  await written('t')
  await b.post(`${STREAMS}/t`, { body: '2' })
  await a.delete(`${STREAMS}/t`)
  await b.restart()
  await a.restart()
  expect(totals()).toEqual([])

  // A stream that is made anew keeps its totals.
  await written('s')
  expect(totals()).toEqual(['meter-totals/default:s:a', 'meter-totals/default:s:b'])
})
