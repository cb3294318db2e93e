import { expect, test } from 'vitest'
import { answerOf, plain } from '../support/answer.ts'
import { STREAMS, sequenceOf, type TestApp, testApp } from '../support/test-app.ts'

const T = `${STREAMS}/s/try-format`
const TEXT = { 'Content-Type': 'text/plain' }
const CSV =
  '{"name":"csv","schema":{"type":"record","name":"e","fields":[{"name":"k","type":"string"},{"name":"n","type":"int"}]}}'

async function appWith(lines: string): Promise<TestApp> {
  const app = await testApp({ streams: ['s'] })
  await app.post(`${STREAMS}/s/batch`, { headers: TEXT, body: lines })
  return app
}

test('events are read by the format that is tried, and those that do not fit say why', async () => {
  const app = await appWith('a,1\nb,x\nc,3')
  const answer = await app.post(T, { body: CSV })
  expect(answer.status, answer.text).toBe(200)
  expect(answer.json()).toEqual({
    format: { ...(JSON.parse(CSV) as object), settings: {} },
    events: [
      { timestamp: 1_000_000, sequence: sequenceOf(0), record: { k: 'a', n: 1 } },
      {
        timestamp: 1_000_000,
        sequence: sequenceOf(1),
        error: "field n has 'x', which is not an int",
        body: 'b,x',
      },
      { timestamp: 1_000_000, sequence: sequenceOf(2), record: { k: 'c', n: 3 } },
    ],
  })
  expect((await app.get(`${STREAMS}/s`)).text, 'nothing is set').toContain('"name":"text"')
})

test('an empty body tries the format that is set', async () => {
  const app = await appWith('one')
  expect((await app.post(T)).json()).toMatchObject({
    format: { name: 'text' },
    events: [{ timestamp: 1_000_000, sequence: sequenceOf(0), record: { body: 'one' } }],
  })
})

test('at most 20 are read, from where the query says', async () => {
  const app = await appWith(Array.from({ length: 30 }, (_, i) => `line ${i}`).join('\n'))
  app.nowMs = 2_000_000
  await app.post(`${STREAMS}/s`, { body: 'later' })
  const records = async (query: string) =>
    ((await app.post(`${T}${query}`)).json() as { events: { record: { body: string } }[] }).events.map(
      ({ record }) => record.body,
    )
  expect((await records('')).length).toBe(20)
  expect(await records('?limit=2')).toEqual(['line 0', 'line 1'])
  expect(await records('?start=1500000&limit=1000')).toEqual(['later'])
})

test('values are exact', async () => {
  const app = await appWith('{"l":9223372036854775807,"d":0.1,"y":"a\\\\x00","m":{"k":[true,null]}}')
  const schema =
    '{"type":"record","name":"e","fields":[{"name":"l","type":"long"},{"name":"d","type":"double"},{"name":"y","type":"bytes"},' +
    '{"name":"m","type":{"type":"map","keys":"string","values":{"type":"array","items":["boolean","null"]}}}]}'
  const answer = await app.post(T, { body: `{"name":"json","schema":${schema}}` })
  expect(answer.text).toContain(
    '"record":{"l":9223372036854775807,"d":0.1,"y":"a\\\\x00","m":{"k":[true,null]}}',
  )
})

const refused = [
  { body: '[', answer: plain(400, 'Expected format in the body') },
  { body: '"text"', answer: plain(400, 'Expected format in the body') },
  { body: '{}', answer: plain(400, 'A format name must be specified.') },
  { body: '{"name":"nope"}', answer: plain(400, 'Invalid format, unable to instantiate format nope') },
]
test.each(refused)('$body is refused', async ({ body, answer }) => {
  const app = await appWith('x')
  expect(answerOf(await app.post(T, { body }))).toEqual(answer)
})

test('a stream that is missing is 404, one without events has none', async () => {
  const app = await testApp({ streams: ['s'] })
  expect(answerOf(await app.post(`${STREAMS}/nope/try-format`))).toEqual(
    plain(404, "'stream:default.nope' was not found."),
  )
  expect((await app.post(T)).json()).toMatchObject({ events: [] })
})

const MIB = 1024 * 1024
const BYTES =
  '{"name":"text","schema":{"type":"record","name":"e","fields":[{"name":"body","type":"string"}]}}'

test('an event that is too long is not tried, and what is read is bounded', async () => {
  const app = await testApp({ streams: ['s'] })
  await app.post(`${STREAMS}/s`, { body: 'short' })
  for (let i = 0; i < 3; i++) await app.post(`${STREAMS}/s`, { body: 'x'.repeat(15 * MIB) })
  const answer = await app.post(T, { body: BYTES })
  expect(answer.status).toBe(200)
  expect(answer.json()).toMatchObject({
    events: [
      { sequence: sequenceOf(0), record: { body: 'short' } },
      {
        sequence: sequenceOf(1),
        error: `the event has ${15 * MIB} bytes; one of at most 262144 is tried`,
        body: 'x'.repeat(1_000),
      },
    ],
    stopped:
      'the answer ends after 2 events: at most 1048576 bytes of events are read; ask for those behind them with start',
  })
})

test('a record that is too long is not shown, and says so', async () => {
  const app = await testApp({ streams: ['s'] })
  await app.post(`${STREAMS}/s`, { body: 'x'.repeat(100_000) })
  await app.post(`${STREAMS}/s`, { body: 'short' })
  const { events } = (await app.post(T, { body: BYTES })).json() as { events: unknown[] }
  expect(events).toEqual([
    {
      timestamp: 1_000_000,
      sequence: sequenceOf(0),
      cut: 'the record has 100011 characters as JSON; one of at most 65536 is shown',
      body: 'x'.repeat(1_000),
    },
    { timestamp: 1_000_000, sequence: sequenceOf(1), record: { body: 'short' } },
  ])
})
