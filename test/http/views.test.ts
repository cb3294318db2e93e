import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const V = `${STREAMS}/foo/views`
const TEXT_SCHEMA = '{"type":"record","name":"stringBody","fields":[{"name":"body","type":"string"}]}'
const TEXT = '{"format":{"name":"text"}}'
const printed = (id: string, tableName = `stream_foo_${id}`, name = 'text', schema = TEXT_SCHEMA) =>
  json(
    `{"id":"${id}","format":{"name":"${name}","schema":${schema},"settings":{}},"tableName":"${tableName}"}`,
  )
const refusedName = (view: string, stream: string, table: string) =>
  `view ${view} of stream ${stream} cannot have table ${table}: it is another's, or begins with stream_; use another tableName`
const COULD_NOT = plain(400, "Couldn't decode body as view config JSON")
const NO_STREAM = plain(404, "'stream:default.nope' was not found.")
const NO_VIEW = plain(404, "'stream_view:default.foo.nope' was not found.")

test('a view is created, changed, listed, shown and deleted', async () => {
  const app = await testApp({ streams: ['foo'] })
  expect(answerOf(await app.get(V))).toEqual(json('[]'))
  expect(answerOf(await app.put(`${V}/view1`, { body: TEXT }))).toEqual(empty(201))
  expect(answerOf(await app.get(`${V}/view1`))).toEqual(printed('view1'))
  expect(answerOf(await app.put(`${V}/view1`, { body: '{"format":{"name":"TSV"}}' }))).toEqual(empty(200))
  const tsv =
    '{"type":"record","name":"streamEvent","fields":[{"name":"body","type":{"type":"array","items":"string"}}]}'
  expect(answerOf(await app.get(`${V}/view1`))).toEqual(printed('view1', 'stream_foo_view1', 'TSV', tsv))
  expect(answerOf(await app.put(`${V}/view2`, { body: TEXT }))).toEqual(empty(201))
  expect(answerOf(await app.get(V))).toEqual(json('["view1","view2"]'))
  expect(answerOf(await app.delete(`${V}/view1`))).toEqual(empty(200))
  expect(answerOf(await app.get(V))).toEqual(json('["view2"]'))
})

describe('table names', () => {
  test('the default one is made of both names; one that is given is kept by an update without it', async () => {
    const app = await testApp({ streams: ['Web-Logs'] })
    const views = `${STREAMS}/Web-Logs/views`
    await app.put(`${views}/V-1`, { body: TEXT })
    expect(answerOf(await app.get(`${views}/V-1`))).toEqual(printed('V-1', 'stream_web_logs_v_1'))
    const named = '{"format":{"name":"text"},"tableName":"Hits"}'
    expect(answerOf(await app.put(`${views}/v2`, { body: named }))).toEqual(empty(201))
    expect(answerOf(await app.put(`${views}/v2`, { body: TEXT }))).toEqual(empty(200))
    expect(answerOf(await app.put(`${views}/v2`, { body: named }))).toEqual(empty(200))
    expect(answerOf(await app.get(`${views}/v2`))).toEqual(printed('v2', 'Hits'))
  })

  test('one cannot be changed', async () => {
    const app = await testApp({ streams: ['foo'] })
    await app.put(`${V}/v`, { body: TEXT })
    const answer = await app.put(`${V}/v`, { body: '{"format":{"name":"text"},"tableName":"other"}' })
    expect(answerOf(answer)).toEqual(
      plain(400, 'Cannot change table name for view stream_view:default.foo.v'),
    )
  })

  test('one that a stream or a view has already is refused', async () => {
    const app = await testApp({ streams: ['foo', 'foo_v'] })
    expect(answerOf(await app.put(`${V}/v`, { body: TEXT }))).toEqual(
      plain(400, refusedName('v', 'foo', 'stream_foo_v')),
    )
    const named = '{"format":{"name":"text"},"tableName":"hits"}'
    await app.put(`${V}/v`, { body: named })
    expect(
      answerOf(await app.put(`${STREAMS}/foo_v/views/w`, { body: named.replace('hits', 'HITS') })),
    ).toEqual(plain(400, refusedName('w', 'foo_v', 'hits')))
  })
})

const refused = [
  { name: 'a bad stream name', path: `${STREAMS}/inv%40lid/views/v`, answer: 'Invalid stream ID: inv@lid.' },
  { name: 'a bad view name', path: `${V}/inv%40lid`, answer: 'Invalid view ID: inv@lid.' },
  {
    name: 'a bad view name of no stream',
    path: `${STREAMS}/nope/views/a.b`,
    answer: 'Invalid view ID: a.b.',
  },
]
test.each(refused)('$name is 400', async ({ path, answer }) => {
  const app = await testApp({ streams: ['foo'] })
  const text = `java.lang.IllegalArgumentException: ${answer} Should only contain alphanumeric characters and _ or -.`
  expect(answerOf(await app.put(path, { body: TEXT }))).toEqual(plain(400, text))
  expect(answerOf(await app.get(path))).toEqual(plain(400, text))
  expect(answerOf(await app.delete(path))).toEqual(plain(400, text))
})

const badBodies = [
  { body: '', answer: plain(400, 'Missing ViewSpecification in request body') },
  { body: '[', answer: COULD_NOT },
  { body: '[]', answer: COULD_NOT },
  { body: '{}', answer: COULD_NOT },
  { body: '{"format":"text"}', answer: COULD_NOT },
  { body: '{"format":{"name":"text","schema":"nope"}}', answer: COULD_NOT },
  { body: '{"format":{"name":"text"},"tableName":{}}', answer: COULD_NOT },
  { body: '{"format":{}}', answer: plain(400, 'A format name must be specified.') },
  {
    body: '{"format":{"name":"gibberish"}}',
    answer: plain(400, 'Invalid format, unable to instantiate format gibberish'),
  },
  {
    body: '{"format":{"name":"avro"}}',
    answer: plain(
      400,
      'Format avro does not support the requested schema. Cause: the format has no schema of its own; give one',
    ),
  },
  {
    body: '{"format":{"name":"text"},"tableName":"a b"}',
    answer: plain(400, "tableName is 'a b'; use up to 256 letters, digits and _, a letter first"),
  },
]
test.each(badBodies)('PUT with $body makes no view', async ({ body, answer }) => {
  const app = await testApp({ streams: ['foo'] })
  expect(answerOf(await app.put(`${V}/v`, { body }))).toEqual(answer)
  expect(answerOf(await app.get(V))).toEqual(json('[]'))
})

test('the lenient JSON of the documents is understood', async () => {
  const app = await testApp({ streams: ['foo'] })
  expect(answerOf(await app.put(`${V}/v`, { body: "{'format': {'name': 'text'}}" }))).toEqual(empty(201))
})

test('what is not there is 404', async () => {
  const app = await testApp({ streams: ['foo'] })
  expect(answerOf(await app.put(`${STREAMS}/nope/views/v`, { body: TEXT }))).toEqual(NO_STREAM)
  for (const path of [`${STREAMS}/nope/views`, `${STREAMS}/nope/views/v`]) {
    expect(answerOf(await app.get(path))).toEqual(NO_STREAM)
  }
  expect(answerOf(await app.delete(`${STREAMS}/nope/views/v`))).toEqual(NO_STREAM)
  expect(answerOf(await app.get(`${V}/nope`))).toEqual(NO_VIEW)
  expect(answerOf(await app.delete(`${V}/nope`))).toEqual(NO_VIEW)
})

test('views die with their stream and do not come back with its name', async () => {
  const app = await testApp({ streams: ['foo'], onDisk: true })
  await app.put(`${V}/v`, { body: TEXT })
  await app.delete(`${STREAMS}/foo`)
  expect(answerOf(await app.get(V)).status).toBe(404)
  await app.put(`${STREAMS}/foo`)
  expect(answerOf(await app.get(V))).toEqual(json('[]'))
  await app.restart()
  expect(answerOf(await app.get(V))).toEqual(json('[]'))
})

test('views outlive truncate, a change of properties, and a restart', async () => {
  const app = await testApp({ streams: ['foo'], onDisk: true })
  await app.put(`${V}/v`, {
    body: '{"format":{"name":"csv","settings":{"delimiter":";"}},"tableName":"Hits"}',
  })
  const before = answerOf(await app.get(`${V}/v`))
  await app.post(`${STREAMS}/foo/truncate`)
  await app.put(`${STREAMS}/foo/properties`, { body: '{"ttl":5}' })
  await app.restart()
  expect(answerOf(await app.get(`${V}/v`))).toEqual(before)
})

test('a stream has at most 256 views', async () => {
  const app = await testApp({ streams: ['foo'] })
  for (let i = 0; i < 256; i++) expect((await app.put(`${V}/v${i}`, { body: TEXT })).status).toBe(201)
  const answer = await app.put(`${V}/v256`, { body: TEXT })
  expect(answerOf(answer)).toEqual(
    plain(400, 'stream foo has 256 views already, which is as many as it may have'),
  )
  expect((await app.put(`${V}/v7`, { body: TEXT })).status).toBe(200)
})

test('the formats of all views of a stream are bounded together', async () => {
  const app = await testApp({ streams: ['s'] })
  const fields = Array.from({ length: 20_000 }, (_, i) => `{"name":"field${i}","type":"string"}`).join(',')
  const body = `{"format":{"name":"csv","schema":{"type":"record","name":"r","fields":[${fields}]}}}`
  const put = (view: string) => app.put(`${STREAMS}/s/views/${view}`, { body })
  expect([(await put('a')).status, (await put('b')).status, (await put('a')).status]).toEqual([201, 201, 200])
  const answer = await put('c')
  expect([answer.status, answer.text]).toEqual([
    400,
    expect.stringMatching(
      /^the formats of the views of stream s would have [0-9]{7} characters; keep them within 2097152$/,
    ),
  ])
  expect((await app.get(`${STREAMS}/s/views`)).text).toBe('["a","b"]')
})
