/**
 * SQL over streams that two nodes write: an answer has every event that was acknowledged before, by whatever node, and the table
 * that a query leaves is used again by the next one.
 */
import { expect, onTestFinished, test, vi } from 'vitest'
import { StreamSource } from '../../src/worker/event-source.ts'
import { ended, handleOf, rowsOf } from '../support/explore.ts'
import { STREAMS, type TestApp } from '../support/test-app.ts'
import { type TwoNodes, twoNodes } from '../support/two-nodes.ts'

const S = `${STREAMS}/s`
const FIELDS = ['a', 'b'].map((name) => ({ name, type: 'int' }))
const csv = (delimiter: string) => ({
  format: { name: 'csv', schema: { type: 'record', name: 'e', fields: FIELDS }, settings: { delimiter } },
})
const ALL = 'SELECT a, b FROM stream_s ORDER BY ts, a'
const SUMS = 'SELECT count(*), sum(a) FROM stream_s'

/** From which sequence on the queries of this test have read events: 0 for a table of their own. */
function watchedReads(): { readonly isReuse: boolean }[] {
  const reads: { isReuse: boolean }[] = []
  const { read } = StreamSource.prototype
  const watched = vi.spyOn(StreamSource.prototype, 'read').mockImplementation(function (
    this: StreamSource,
    ...args: Parameters<typeof read>
  ) {
    reads.push({ isReuse: args[1].after !== undefined })
    return read.apply(this, args)
  })
  onTestFinished(() => watched.mockRestore())
  return reads
}

async function put(app: TestApp, properties: object): Promise<void> {
  const { status, text } = await app.put(`${S}/properties`, { body: JSON.stringify(properties) })
  expect(status, text).toBe(200)
}

async function send(app: TestApp, ...events: readonly string[]): Promise<void> {
  const request = { headers: { 'Content-Type': 'text/plain' }, body: events.join('\n') }
  const { status } = events.length === 1 ? await app.post(S, request) : await app.post(`${S}/batch`, request)
  expect(status).toBe(200)
}

/** What happens between two queries, and the rows of the second one. The first has left a table with (1, 10) and (2, 20). */
const between: readonly {
  readonly name: string
  run(nodes: TwoNodes, writer: TestApp): Promise<void>
  readonly rows: unknown
  readonly isReuse: boolean
}[] = [
  {
    name: 'an event is appended',
    run: (_, writer) => send(writer, '3,30'),
    rows: [
      [1, 10],
      [2, 20],
      [3, 30],
    ],
    isReuse: true,
  },
  {
    name: 'nothing happens',
    run: async () => {},
    rows: [
      [1, 10],
      [2, 20],
    ],
    isReuse: true,
  },
  {
    name: 'the stream is truncated',
    run: async (_, writer) => void (await writer.post(`${S}/truncate`)),
    rows: [],
    isReuse: false,
  },
  {
    name: 'the stream is truncated and gets an event',
    async run(_, writer) {
      await writer.post(`${S}/truncate`)
      await send(writer, '4,40')
    },
    rows: [[4, 40]],
    isReuse: false,
  },
  {
    name: 'the stream is deleted and created again',
    async run(_, writer) {
      await writer.delete(S)
      await writer.put(S)
      await put(writer, csv(','))
      await send(writer, '5,50')
    },
    rows: [[5, 50]],
    isReuse: false,
  },
  {
    name: 'the ttl is lowered',
    async run({ setNowMs }, writer) {
      setNowMs(1_100_000)
      await send(writer, '6,60')
      await put(writer, { ttl: 50 })
    },
    rows: [[6, 60]],
    isReuse: true,
  },
  {
    name: 'the ttl is lowered and raised again',
    async run({ setNowMs }, writer) {
      setNowMs(1_100_000)
      await put(writer, { ttl: 50 })
      await send(writer, '7,70')
      await put(writer, { ttl: 500 })
    },
    rows: [
      [1, 10],
      [2, 20],
      [7, 70],
    ],
    isReuse: true,
  },
  {
    name: 'the format is changed',
    async run(_, writer) {
      await put(writer, csv(';'))
      await writer.post(`${S}/truncate`)
      await send(writer, '8;80')
    },
    rows: [[8, 80]],
    isReuse: false,
  },
]

test.each(between)('a query after another one in which $name on the other node', async (row) => {
  const reads = watchedReads()
  const nodes = await twoNodes()
  const { a, b } = nodes
  await b.put(S)
  await put(a, csv(','))
  await send(b, '1,10')
  await send(a, '2,20')
  expect(await rowsOf(a, ALL)).toEqual([
    [1, 10],
    [2, 20],
  ])
  await row.run(nodes, b)
  expect(await rowsOf(a, ALL)).toEqual(row.rows)
  expect(reads.at(-1)).toEqual({ isReuse: row.isReuse })
  expect(await rowsOf(b, ALL)).toEqual(row.rows) // sent on to the node that runs queries
  expect([a.reported, b.reported]).toEqual([[], []])
})

test('queries see the events of all nodes, of single events and batches, as they grow', async () => {
  const reads = watchedReads()
  const { a, b } = await twoNodes()
  await a.put(S)
  await put(b, csv(','))
  let count = 0
  let sum = 0
  for (let round = 0; round < 12; round++) {
    const writer = round % 2 === 0 ? b : a
    const values = Array.from({ length: round % 3 === 0 ? 1 : 500 * round }, (_, i) => i + round)
    await send(writer, ...values.map((value) => `${value},0`))
    count += values.length
    sum += values.reduce((total, value) => total + value, 0)
    expect(await rowsOf(round % 4 < 2 ? a : b, SUMS)).toEqual([[count, sum]])
  }
  expect(reads.map(({ isReuse }) => isReuse)).toEqual([false, ...Array.from({ length: 11 }, () => true)])
})

test('a table is there, and gone, right after the other node has made and deleted its stream', async () => {
  const { a, b } = await twoNodes()
  for (const [maker, asker] of [
    [a, b],
    [b, a],
    [a, a],
    [b, b],
  ] as const) {
    await maker.put(S)
    await put(maker, csv(','))
    await send(maker, '1,2')
    expect(await rowsOf(asker, ALL)).toEqual([[1, 2]])
    await maker.delete(S)
    const refused = await asker.post('/v3/namespaces/default/data/explore/queries', {
      body: JSON.stringify({ query: ALL }),
    })
    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringContaining("Table not found 'stream_s'"),
    ])
  }
})

test('a query whose stream is truncated while it waits has the events of the new log, or none', async () => {
  const { a, b } = await twoNodes()
  await a.put(S)
  await put(a, csv(','))
  await send(b, '1,1')
  const handles = await Promise.all(Array.from({ length: 8 }, () => handleOf(a, SUMS)))
  await b.post(`${S}/truncate`)
  await send(b, '100,1')
  for (const handle of handles) {
    expect((await ended(a, handle)).status).toBe('FINISHED')
    const { text } = await a.post(`/v3/data/explore/queries/${handle}/next`)
    expect(['[[1,1]]', '[[0,null]]', '[[1,100]]'].map((row) => row.slice(1, -1))).toContain(
      JSON.stringify((JSON.parse(text) as { columns: unknown[] }[])[0]!.columns),
    )
  }
  expect(await rowsOf(b, SUMS)).toEqual([[1, 100]])
})
