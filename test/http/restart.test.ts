import { expect, test } from 'vitest'
import { avroFile, long } from '../decoders/avro-file.ts'
import { answerOf, empty, plain } from '../support/answer.ts'
import { type EventJson, STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const X = '/v3/namespaces/x'

/** The answers to these paths, as they are now. */
async function answersTo(app: TestApp, paths: readonly string[]) {
  return Promise.all(paths.map(async (path) => [path, answerOf(await app.get(path))]))
}

test('everything that was answered is there after a restart', async () => {
  const app = await testApp({
    onDisk: true,
    streams: ['plain', 'empty', 'truncated', 'deleted', 'again', 'full'],
  })
  await app.put(X, {
    body: '{"description":"d é","config":{"z":"1","__proto__":"2","a":"3","principal":"p","keytabURI":"k"}}',
  })
  await app.put('/v3/namespaces/gone')
  await app.put('/v3/namespaces/gone/streams/s')
  await app.put('/v3/namespaces/default/properties', { body: '{"description":"mine"}' })
  await app.put(`${X}/streams/plain`)
  await app.put(`${STREAMS}/full/properties`, {
    body:
      '{"ttl":9223372036854774,"description":"d \\"q\\" \\u0000","notification.threshold.mb":2147483647,' +
      '"format":{"name":"CSV","schema":{"type":"record","name":"r","fields":[{"name":"a","type":["int","null"]}]},' +
      '"settings":{"z":"1","__proto__":"2","10":"3","delimiter":";"}}}',
  })
  await app.put(`${STREAMS}/owned`, { body: '{"principal":"me/host@REALM"}' })
  for (const stream of ['plain', 'truncated', 'deleted', 'again']) {
    for (const body of ['a', '', Buffer.of(0, 255, 10, 92)]) {
      await app.post(`${STREAMS}/${stream}`, { headers: { [`${stream}.k`]: 'é', [`${stream}.`]: '' }, body })
      app.nowMs += 7
    }
  }
  await app.post(`${X}/streams/plain`, { body: 'of x' })
  await app.post(`${STREAMS}/truncated/truncate`)
  await app.delete(`${STREAMS}/deleted`)
  await app.delete(`${STREAMS}/again`)
  await app.put(`${STREAMS}/again`)
  await app.post(`${STREAMS}/again`, { body: 'new' })
  await app.delete('/v3/unrecoverable/namespaces/gone')

  const small = Array.from({ length: 100 }, (_, i) => `small ${i}`).join('\n')
  const large = Array.from({ length: 30_000 }, (_, i) => `large ${i} `.padEnd(99, 'x')).join('\n')
  for (const body of [small, large]) {
    await app.post(`${STREAMS}/full/batch`, { headers: { 'Content-Type': 'text/csv', 'full.k': 'v' }, body })
    app.nowMs += 1
  }
  const data = Buffer.concat([long(1), long(-5)])
  const avro = avroFile({ schema: 'long', codec: 'deflate', blocks: [{ count: 2, data }] })
  await app.post(`${STREAMS}/full/batch`, { headers: { 'Content-Type': 'avro/binary' }, body: avro })
  await app.post(`${STREAMS}/plain/async`, { body: 'async' })
  await app.post(`${STREAMS}/plain`, { body: 'last' })

  const streams = ['plain', 'empty', 'truncated', 'deleted', 'again', 'full', 'owned']
  const paths = [
    '/v3/namespaces',
    '/v3/namespaces/gone',
    X,
    STREAMS,
    `${X}/streams`,
    `${X}/streams/plain/events?cursor=true`,
    ...streams.map((stream) => `${STREAMS}/${stream}`),
    ...streams.map((stream) => `${STREAMS}/${stream}/events?cursor=true&encoding=base64`),
    `${STREAMS}/full/events?limit=101`,
    `${STREAMS}/full/events?start=${1_000_000 + 4 * 21 + 1}`,
  ]
  const before = await answersTo(app, paths)
  expect((await app.events('full')).map(({ body }) => body).slice(0, -2)).toEqual(
    `${small}\n${large}`.split('\n'),
  )

  await app.restart()
  expect(await answersTo(app, paths)).toEqual(before)
  await app.tidy()
  expect(await answersTo(app, paths)).toEqual(before)
  await app.restart()
  expect(await answersTo(app, paths)).toEqual(before)
  expect(app.reported).toEqual([])
})

test('life goes on where it stopped', async () => {
  const app = await testApp({ onDisk: true, streams: ['s'], nowMs: 5000 })
  await app.post(`${STREAMS}/s`, { body: '0' })
  await app.restart()
  app.nowMs = 4000 // timestamps do not go back, not even over a restart
  await app.post(`${STREAMS}/s`, { body: '1' })
  await app.restart()
  app.nowMs = 6000
  await app.post(`${STREAMS}/s/batch`, { headers: { 'Content-Type': 'text/plain' }, body: '2\n3' })
  const written = (await app.events('s')).map(({ timestamp, body }) => [timestamp, body])
  expect(written).toEqual([
    [5000, '0'],
    [5000, '1'],
    [6000, '2'],
    [6000, '3'],
  ])
})

test('cursors and links hold over restarts', async () => {
  const app = await testApp({ onDisk: true, streams: ['s'] })
  for (let i = 0; i < 10; i++) await app.post(`${STREAMS}/s`, { body: `${i}` })
  const bodies: string[] = []
  let path: string | undefined = `${STREAMS}/s/events?limit=3`
  while (path !== undefined) {
    const response = await app.get(path)
    bodies.push(...(response.json() as EventJson[]).map(({ body }) => body))
    path = /^<(.*)>; rel="next"$/.exec(String(response.headers.link))?.[1]
    await app.restart()
  }
  expect(bodies).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`))

  const { cursor } = (await app.events('s', 'cursor=true')).at(-1)!
  await app.restart()
  expect(answerOf(await app.get(`${STREAMS}/s/events?after=${cursor}`))).toEqual(empty(204))
  await app.post(`${STREAMS}/s`, { body: 'new' })
  expect((await app.events('s', `after=${cursor}`)).map(({ body }) => body)).toEqual(['new'])
})

test('a cursor from before a truncation stands before the new events after a restart as well', async () => {
  const app = await testApp({ onDisk: true, streams: ['s'] })
  for (const body of ['a', 'b']) await app.post(`${STREAMS}/s`, { body })
  const { cursor } = (await app.events('s', 'cursor=true'))[1]!
  await app.post(`${STREAMS}/s/truncate`)
  await app.restart()
  await app.tidy()
  await app.post(`${STREAMS}/s`, { body: 'c' })
  expect((await app.events('s', `after=${cursor}`)).map(({ body }) => body)).toEqual(['c'])
})

test('an old stream and a new one of its name never share events, whatever restarts in between', async () => {
  const app = await testApp({ onDisk: true, streams: ['s'] })
  for (let generation = 0; generation < 5; generation++) {
    await app.post(`${STREAMS}/s`, { body: `${generation}` })
    await app.restart()
    expect((await app.events('s')).map(({ body }) => body)).toEqual([`${generation}`])
    if (generation % 2 === 0) await app.post(`${STREAMS}/s/truncate`)
    else await app.delete(`${STREAMS}/s`)
    if (generation % 3 === 0) await app.tidy()
    await app.restart()
    await app.put(`${STREAMS}/s`)
    expect(await app.events('s')).toEqual([])
  }
})

test('what was freed stays freed, and what is left is read the same', async () => {
  const app = await testApp({ onDisk: true, streams: ['s'] })
  await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":10}' })
  await app.post(`${STREAMS}/s`, { body: 'old' })
  app.nowMs += 5_000
  await app.post(`${STREAMS}/s`, { body: 'young' })
  app.nowMs += 6_000
  await app.tidy()
  await app.restart()
  expect(await app.tidy()).toBe(0)
  await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":100}' })
  expect((await app.events('s')).map(({ body }) => body)).toEqual(['young'])
  app.nowMs += 100_000
  expect(await app.events('s')).toEqual([])
  await app.restart()
  expect(await app.events('s')).toEqual([])
})

test('a principal is still the owner after a restart', async () => {
  const app = await testApp({ onDisk: true })
  await app.put(`${STREAMS}/s`, { body: '{"principal":"me"}' })
  await app.restart()
  const refused = plain(
    403,
    "STREAM 's' already exists and the specified principal 'you' is not the same as the existing one. " +
      'The principal of an entity cannot be changed.',
  )
  expect(answerOf(await app.put(`${STREAMS}/s`, { body: '{"principal":"you"}' }))).toEqual(refused)
  expect(answerOf(await app.put(`${STREAMS}/s`, { body: '{"principal":"me"}' }))).toEqual(empty(200))
})
