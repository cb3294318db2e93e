/** Requests of one node that another one serves. */
import { request as httpRequest } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { coordinatorOf, serves, type TestNode, testNodes } from '../../support/nodes.ts'
import { ON_KAFKA } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const N = '/v3/namespaces/default'

/** With faults that only the store in memory can have. */
const testInMemory = test.skipIf(ON_KAFKA)

async function twoNodes(options: Parameters<ReturnType<typeof testNodes>['start']>[1] = {}) {
  const { store, start } = testNodes()
  const a = await start('a', { ...options, streams: ['s', 't'] })
  await serves(a)
  const b = await start('b', options)
  return { store, start, a, b }
}

test('what the coordinator serves is the same on every node, and /status says which one it is', async () => {
  const { a, b } = await twoNodes()
  const feed = `${N}/feeds/categories/c/names/f`
  const answers = [
    await b.put(feed, { body: '{"description":"of b"}' }),
    await a.get(feed),
    await b.get(feed),
    await b.request('HEAD', feed),
    await b.post(`${N}/streams/s/metadata/tags`, { chunks: [Buffer.from('["x"'), Buffer.from(',"y"]')] }),
    await b.get(`${N}/streams/s/metadata/tags?scope=user`),
    await b.delete(`${N}/streams/s/metadata/tags/x`),
    await b.get('/v3/namespaces/none/feeds'),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 200, 404])
  expect(answers[2]!.text).toBe(answers[1]!.text)
  expect(answers[2]!.json()).toMatchObject({ description: 'of b' })
  expect(answers[3]!.text).toBe('')
  const names = ({ headers }: (typeof answers)[0]) => Object.keys(headers).sort()
  expect(names(answers[2]!)).toEqual(names(answers[1]!))
  expect(answers[2]!.headers['x-content-type-options']).toBe('nosniff')
  expect(answers[2]!.headers['content-security-policy']).toBe(answers[1]!.headers['content-security-policy'])
  const ids = [await idOf(a), await idOf(b)] as const
  if (!ON_KAFKA) expect(ids).toEqual(['a', 'b'])
  const urls = [`${ids[0]} http://127.0.0.1:${a.port}`, `${ids[1]} http://127.0.0.1:${b.port}`].sort()
  const [lines, problems = ''] = (await b.get('/status')).text.split('problem: ')
  expect(lines).toBe(
    `OK.\nnode: ${ids[1]}\ncoordinator: ${ids[0]}\nnodes: ${urls.join(', ')}\n` +
      'replicas: 1, in sync: 1, needed for a write: 1\n',
  )
  expect(problems).toMatch(ON_KAFKA ? /has 1 replica, so the loss of a broker loses/ : /^$/)
  const metrics = (await b.get('/metrics')).text
  expect(metrics).toMatch(/^millrace_nodes 2$/m)
  expect(metrics).toMatch(/^millrace_node_live 1$/m)
  expect(metrics).toMatch(/^millrace_node_coordinator 0$/m)
  expect(metrics).toMatch(/^millrace_forwarded_total 7$/m)
  expect((await a.get('/metrics')).text).toMatch(/^millrace_node_coordinator 1$/m)
  expect([a.reported, b.reported]).toEqual([[], []])
})

test('the token of the client counts on the node that serves', async () => {
  const tokens = await tokenFile([{ name: 'all' }, { name: 'reader', grants: ['default:*:read'] }])
  const { store, start } = testNodes()
  const config = { authFile: tokens.path }
  const a = await start('a', { config })
  const b = await start('b', { config })
  const feed = `${N}/feeds/categories/c/names/f`
  await expect
    .poll(async () => (await b.get(`${N}/feeds`, { headers: tokens.bearer('all') })).status, {
      timeout: 60_000,
    })
    .toBe(200)
  const answers = [
    await b.put(feed, { body: '{}' }),
    await b.put(feed, { body: '{}', headers: { Authorization: 'Bearer mr_none' } }),
    await b.put(feed, { body: '{}', headers: tokens.bearer('reader') }),
    await b.put(feed, { body: '{}', headers: tokens.bearer('all') }),
  ]
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 403, 200])
  expect((await b.get('/status')).text).toBe('OK.\n')
  if (!ON_KAFKA) expect(store.nodes.size).toBe(2)
  expect(a.reported).toEqual([])
})

test('server-sent events arrive as they are sent, and end with the node that sends them on', async () => {
  const { b } = await twoNodes()
  const received: string[] = []
  const ended = follow(b, `${N}/streams/s/notifications`, (text) => received.push(text))
  await expect.poll(() => received.join(''), { timeout: 20_000 }).toContain('event: size')
  await b.stop()
  await ended
  expect(b.reported).toEqual([])
})

const REFUSALS = [
  {
    name: 'was sent on already',
    onKafka: true,
    prepare: async ({ b }: Awaited<ReturnType<typeof twoNodes>>) => b,
    headers: { 'Millrace-Forwarded': 'c' },
    text: 'tables, jobs and queries are moving to another node; try again later',
  },
  {
    name: 'no node can serve',
    onKafka: false,
    prepare: async ({ store, b }: Awaited<ReturnType<typeof twoNodes>>) => {
      store.expire('b')
      store.bury('a')
      return b
    },
    headers: {},
    text: 'no node runs tables, jobs and queries at the moment; try again later',
  },
] as const

test.each(REFUSALS.filter(({ onKafka }) => onKafka || !ON_KAFKA))(
  'a request that $name is answered 503 with a sentence',
  async ({ prepare, headers, text }) => {
    const node = await prepare(await twoNodes())
    const answer = await node.get(`${N}/feeds`, { headers })
    expect([answer.status, answer.text, answer.headers['retry-after']]).toEqual([503, text, '5'])
    const large = await node.post(`${N}/data/explore/queries`, {
      headers,
      chunks: [Buffer.alloc(200_000, 32)],
    })
    expect([large.status, large.text]).toEqual([503, text])
    const inAnother = await node.get('/jobs/overview', { headers })
    expect([inAnother.status, inAnother.json()]).toEqual([503, { errors: [text] }])
  },
)

testInMemory(
  'a node that does not answer is named, and one that dies ends the requests that wait for it',
  async () => {
    const { store, b } = await twoNodes({ limits: { coordinatorWaitSeconds: 0 } })
    const silent = createServer((socket) => void socket.on('error', () => {}))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    try {
      const holder = store.nodes.get('a')! as { url: string | undefined }
      const { url } = holder
      holder.url = `http://127.0.0.1:${port}`
      const waiting = b.get(`${N}/feeds`)
      await expect.poll(async () => silentConnections(silent)).toBe(1)
      store.expire('b') // so that b does not take over
      store.bury('a')
      const answer = await waiting
      expect([answer.status, answer.text]).toEqual([503, 'node a has stopped; try again later'])
      store.mend('a')
      store.mend('b')
      holder.url = 'http://127.0.0.1:1'
      const refused = await b.get(`${N}/feeds`)
      expect(refused.text).toMatch(
        /^node a, which runs tables, jobs and queries, did not answer \(.+\); try again later$/,
      )
      holder.url = undefined
      expect((await b.get(`${N}/feeds`)).text).toBe(
        'node a runs tables, jobs and queries, and has no address for other nodes; start it with --node-url; try again later',
      )
      holder.url = url
      await serves(b)
    } finally {
      silent.close()
    }
  },
)

test('an upload that stops is answered 408 by the node that sends it on', async () => {
  const { b } = await twoNodes({ limits: { uploadIdleSeconds: 0.2 } })
  const answer = await new Promise<number>((resolve, reject) => {
    const sent = httpRequest({
      ...{ host: '127.0.0.1', port: b.port, method: 'POST', path: `${N}/data/explore/queries` },
      headers: { 'Content-Length': '1000' },
    })
    sent.on('response', (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    sent.on('error', reject)
    sent.write('{"query":')
  })
  expect(answer).toBe(408)
})

test('the first request to a node that starts waits until what it needs is loaded', async () => {
  const { start } = testNodes()
  const a = await start('a')
  expect((await a.get(`${N}/feeds`)).status).toBe(200)
})

test('requests wait while no node has what they need', async () => {
  const { a, b } = await twoNodes()
  const stopped = a.stop()
  const answers: string[] = []
  for (let i = 0; i < 40; i++) {
    answers.push((await b.delete(`${N}/streams/s`)).text)
    answers.push((await b.put(`${N}/streams/s`)).text)
  }
  await stopped
  expect(answers.filter((text) => text !== '')).toEqual([])
})

/** What stands at the address of node a for a while, by what it does with a connection. */
interface Obstacle {
  readonly name: string
  readonly serve?: (socket: Socket) => void
}

const OBSTACLES: readonly Obstacle[] = [
  { name: 'accepts no connections' },
  { name: 'closes connections when a request comes in', serve: (socket: Socket) => socket.destroy() },
  {
    name: 'does not have the coordinator any more',
    serve: (socket: Socket) =>
      socket.end(
        'HTTP/1.1 503 x\r\nMillrace-Forwarded: refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      ),
  },
]
const UNKNOWN =
  /^node a, which runs .+; the outcome is unknown: look whether the request was carried out before you send it again$/
const TAG = `${N}/streams/s/metadata/tags`

async function requestsDuring(obstacle: Obstacle, nodes: Awaited<ReturnType<typeof twoNodes>>) {
  const { b } = nodes
  const restore = await standIn(nodes, obstacle.serve)
  const answers = Promise.all([
    b.get(`${N}/feeds`),
    b.post(TAG, { body: '["x"]' }),
    b.delete(`${N}/streams/t`),
    b.post(TAG, { chunks: [Buffer.from('["y"'), Buffer.alloc(300_000, 32), Buffer.from(']')] }),
  ])
  return { restore, answers }
}

testInMemory.each(OBSTACLES)(
  'while the node with the coordinator $name requests wait, and are sent again where that does no harm',
  async (obstacle) => {
    const nodes = await twoNodes()
    const { restore, answers } = await requestsDuring(obstacle, nodes)
    await delay(700)
    restore()
    const [read, ...changes] = await answers
    expect(read!.status).toBe(200)
    const isUnknown = obstacle.name.startsWith('closes')
    for (const { status, text, headers } of changes) {
      if (isUnknown)
        expect([status, headers['retry-after'], text]).toEqual([
          503,
          undefined,
          expect.stringMatching(UNKNOWN),
        ])
      else expect(status).toBe(200)
    }
    expect((await nodes.b.get('/metrics')).text).toMatch(/^millrace_forwarded_total [45]$/m)
    expect(nodes.b.reported).toEqual([])
  },
)

testInMemory('requests wait for a limited time', async () => {
  const nodes = await twoNodes({ limits: { coordinatorWaitSeconds: 1 } })
  const beginMs = performance.now()
  const { restore, answers } = await requestsDuring(OBSTACLES[2]!, nodes)
  const all = await answers
  restore()
  expect(all.map(({ status }) => status)).toEqual([503, 503, 503, 503])
  expect(all[0]!.text).toMatch(/; try again later$/)
  expect(all[0]!.headers['retry-after']).toBe('5')
  expect(performance.now() - beginMs).toBeGreaterThan(900)
})
testInMemory('a change that was sent to a node that dies has an unknown outcome', async () => {
  const nodes = await twoNodes()
  const { store, b } = nodes
  let connections = 0
  await standIn(nodes, () => void connections++)
  const changes = [b.delete(`${N}/streams/t`), b.post(TAG, { body: '["x"]' })]
  const read = b.get(`${N}/feeds`)
  await expect.poll(() => connections, { timeout: 20_000 }).toBe(3)
  store.kill('a')
  for (const { status, text } of await Promise.all(changes))
    expect([status, text]).toEqual([
      503,
      'node a has stopped; the outcome is unknown: look whether the request was carried out before you send it again',
    ])
  expect((await read).status).toBe(200)
})

/** Puts a server at the address of node a, for node b; undefined: none. Returns what takes it away. */
async function standIn(
  { store, b }: Awaited<ReturnType<typeof twoNodes>>,
  serve: ((socket: Socket) => void) | undefined,
): Promise<() => void> {
  await serves(b)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket.on('error', () => {}))
    socket.once('data', () => serve?.(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  if (serve === undefined) server.close()
  const holder = store.nodes.get('a')!
  const { url } = holder
  holder.url = `http://127.0.0.1:${port}`
  const end = () => {
    holder.url = url
    for (const socket of open) socket.destroy()
    server.close()
  }
  onTestFinished(end)
  return end
}

testInMemory('the next node takes over what the last one served', async () => {
  const { store, a, b } = await twoNodes()
  await a.post(`${N}/streams/s/metadata/tags`, { body: '["x"]' })
  store.kill('a')
  await serves(b)
  expect(await coordinatorOf(b)).toBe('b')
  expect((await b.get(`${N}/streams/s/metadata/tags?scope=user`)).text).toContain('x')
  expect((await b.delete(`${N}/streams/s`)).status).toBe(200)
  expect((await b.get(`${N}/streams/s`)).status).toBe(404)
  expect(b.reported).toEqual([])
})

testInMemory(
  'a node that loses the coordinator sends requests on at once, and may get it again',
  async () => {
    const { store, a, b } = await twoNodes()
    for (let round = 0; round < 2; round++) {
      const [holder, other, stream] = round === 0 ? [a, b, 's'] : [b, a, 't']
      store.expire(holder.id)
      await serves(other)
      expect((await other.post(`${N}/streams/${stream}/metadata/tags`, { body: '["x"]' })).status).toBe(200)
      store.mend(holder.id)
      await serves(holder)
      const tags = await holder.get(`${N}/streams/${stream}/metadata/tags?scope=user`)
      expect(tags.text).toContain('x')
      expect(await coordinatorOf(holder)).toBe(other.id)
    }
    expect([a.reported, b.reported]).toEqual([[], []])
  },
)

/** In a store in memory the id is the name with which the test has started it. */
async function idOf(node: TestNode): Promise<string | undefined> {
  return /^node: (.*)$/m.exec((await node.get('/status')).text)?.[1]
}

function follow(node: TestNode, path: string, take: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port: node.port, path }, (response) => {
      response
        .setEncoding('utf8')
        .on('data', take)
        .on('end', resolve)
        .on('error', () => resolve())
    })
    sent.on('error', reject)
    sent.end()
  })
}

function silentConnections(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
}
