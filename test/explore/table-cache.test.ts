/** Which queries reuse a decoded table, and which make one of their own. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { columnsOf } from '../../src/explore/columns.ts'
import { Engine } from '../../src/explore/engine.ts'
import { schemaOf, type TableRequest } from '../../src/explore/stream-table.ts'
import { type Lease, TableCache } from '../../src/explore/table-cache.ts'
import type { StreamId } from '../../src/streams/names.ts'
import type { EventSource } from '../../src/worker/event-source.ts'
import type { EventBlock } from '../../storage/log.ts'

const ID = { namespace: 'default', stream: 's' } as StreamId
const FIELDS = ['a', 'b', 'c'].map((name) => ({ name, type: 'int' }))
const FORMAT = {
  name: 'csv',
  schema: JSON.stringify({ type: 'record', name: 'e', fields: FIELDS }),
  settings: new Map<string, string>(),
}
const COLUMNS = columnsOf(schemaOf(FORMAT))
const END = Number.MAX_SAFE_INTEGER

interface SourceEvent {
  readonly sequence: number
  readonly timestampMs: number
  readonly body: string
}

/** A stream whose sequences may have holes. Each event is a block. */
class TestSource implements EventSource {
  log: number | undefined = 1
  visibleFromMs = 0
  readonly events: SourceEvent[] = []
  decoded = 0

  add(timestampMs: number, body: string, sequence = (this.events.at(-1)?.sequence ?? -1) + 1): void {
    this.events.push({ sequence, timestampMs, body })
  }

  async currentLogs(ids: readonly StreamId[]) {
    return ids.map(() => this.log)
  }

  async read(_: StreamId, { startMs, endMs, limit, after }: Parameters<EventSource['read']>[1]) {
    const found = this.events
      .filter(
        ({ timestampMs }) => timestampMs >= Math.max(startMs, this.visibleFromMs) && timestampMs < endMs,
      )
      .filter(({ sequence }) => after === undefined || sequence > after.position.sequence)
      .slice(0, limit)
    if (found.length === 0) return undefined
    this.decoded += found.length
    return { log: this.log!, startMs: this.visibleFromMs, blocks: blocksOf(found) }
  }
}

async function* blocksOf(events: readonly SourceEvent[]): AsyncGenerator<EventBlock, void, undefined> {
  for (const { sequence, timestampMs, body } of events) {
    const bytes = Buffer.from(body)
    const runs = [{ begin: 0, end: 1, timestampMs, headers: [] }]
    yield {
      firstSequence: sequence,
      bytes,
      starts: Uint32Array.of(0),
      ends: Uint32Array.of(bytes.length),
      runs,
    }
  }
}

let engine: Engine
let source: TestSource
let cache: TableCache

beforeEach(async () => {
  engine = await Engine.open({ memoryBytes: 1e8, processBytes: 1e9, diskBytes: 0, spillFolder: '' })
  source = new TestSource()
  cache = new TableCache(engine, source, 1e7)
  for (const i of [1, 2, 3, 4]) source.add(i * 1000, `${i},${i * 10},${i * 100}`)
})
afterEach(() => engine.close())

interface Asked {
  readonly columns?: readonly string[]
  readonly range?: readonly [startMs: number, endMs: number]
  readonly format?: TableRequest['format']
  readonly eventsMax?: number
}

async function leaseOf({ columns = ['a'], range = [0, END], format = FORMAT, eventsMax }: Asked = {}) {
  const request: TableRequest = {
    id: ID,
    log: source.log!,
    format,
    columns: COLUMNS.filter(({ name }) => name === 'ts' || columns.includes(name)),
    range: { startMs: range[0], endMs: range[1] },
    eventsMax,
  }
  return cache.lease(request, source.visibleFromMs, { cancelled: false })
}

/** How many events the query decodes; the rest it finds decoded. */
async function decodedBy(asked?: Asked): Promise<number> {
  const before = source.decoded
  const lease = await leaseOf(asked)
  await lease.release()
  return source.decoded - before
}

async function rowsOf({ table, extent }: Lease): Promise<unknown> {
  return engine.run(`SELECT ts, f0 FROM streams.${table.name} WHERE rowid < ${extent.rows} ORDER BY rowid`)
}

test('the same query again decodes the new events only', async () => {
  expect(await decodedBy()).toBe(4)
  expect(await decodedBy()).toBe(0)
  source.add(5000, '5,50,500')
  expect(await decodedBy()).toBe(1)
})

test('events after a hole in the sequences are new events', async () => {
  expect(await decodedBy()).toBe(4)
  source.add(5000, '5,50,500', 900)
  source.add(6000, '6,60,600', 907)
  expect(await decodedBy()).toBe(2)
  expect(await decodedBy()).toBe(0)
  const lease = await leaseOf()
  expect(await rowsOf(lease)).toEqual([1, 2, 3, 4, 5, 6].map((i) => [BigInt(i * 1000), i]))
  await lease.release()
})

const otherQueries = [
  { name: 'fewer columns', first: { columns: ['a', 'b'] }, second: { columns: ['b'] }, decoded: 0 },
  { name: 'no columns', first: { columns: ['a', 'b'] }, second: { columns: [] }, decoded: 0 },
  { name: 'another column', first: { columns: ['a', 'b'] }, second: { columns: ['a', 'c'] }, decoded: 4 },
  { name: 'a range inside', first: { range: [1000, 9000] }, second: { range: [2000, 3000] }, decoded: 0 },
  { name: 'a range that begins earlier', first: { range: [2000, 9000] }, second: {}, decoded: 4 },
  {
    name: 'a range that ends later',
    first: { range: [0, 3000] },
    second: { range: [0, 4000] },
    decoded: 3,
  },
  {
    name: 'another format',
    first: {},
    second: { format: { ...FORMAT, settings: new Map([['delimiter', ';']]) } },
    decoded: 4,
  },
  { name: 'the first two events', first: {}, second: { eventsMax: 2 }, decoded: 2 },
] as const
test.each(otherQueries)(
  '$name after another query decodes $decoded events',
  async ({ first, second, decoded }) => {
    await decodedBy(first)
    expect(await decodedBy(second)).toBe(decoded)
    expect(await decodedBy(first)).toBe(0) // its own table is still there
  },
)

test('a table with a bad event serves exactly its fields, and each of several queries keeps its own', async () => {
  source.add(5000, 'x,50,500')
  expect(await decodedBy({ columns: ['a', 'b'] })).toBe(5)
  expect(await decodedBy({ columns: ['b'] })).toBe(5)
  expect(await decodedBy({ columns: ['a', 'b'] })).toBe(0)
  expect(await decodedBy({ columns: ['b'] })).toBe(0)
  const lease = await leaseOf({ columns: ['b'] })
  expect(lease.extent.badEvents).toBe(0)
  await lease.release()
})

test('a query that has reused a table makes its own when a new event is bad', async () => {
  await decodedBy({ columns: ['a', 'b'] })
  source.add(5000, 'x,50,500')
  expect(await decodedBy({ columns: ['b'] })).toBe(1 + 5)
  const lease = await leaseOf({ columns: ['b'] })
  expect(lease.extent.badEvents).toBe(0)
  await lease.release()
})

test('a query does not take a second table with other fields, in which the new event is bad too', async () => {
  await decodedBy({ columns: ['a', 'b'] })
  await decodedBy({ columns: ['a', 'c'] })
  source.add(5000, '5,x,x')
  const lease = await leaseOf({ columns: ['a'] })
  expect(lease.extent.badEvents).toBe(0)
  expect(await rowsOf(lease)).toHaveLength(5)
  await lease.release()
})

test('events that expired before they were decoded are there again with a longer TTL', async () => {
  expect(await decodedBy()).toBe(4)
  source.add(5000, '5,50,500')
  source.add(7000, '7,70,700')
  source.visibleFromMs = 6000
  expect(await decodedBy()).toBe(1)
  source.visibleFromMs = 0
  expect(await decodedBy()).toBe(6)
})

test('events that expired after they were decoded stay decoded', async () => {
  expect(await decodedBy()).toBe(4)
  source.visibleFromMs = 3000
  source.add(5000, '5,50,500', 900) // a hole is no event that expired
  expect(await decodedBy()).toBe(1)
  source.visibleFromMs = 0
  expect(await decodedBy()).toBe(0)
})

test('a new log of the stream has a new table, and the old table is dropped', async () => {
  await decodedBy()
  source.log = 2
  expect(await decodedBy()).toBe(4)
  expect(await tables()).toBe(1)
})

test('tables beyond the memory are dropped, the longest unused first', async () => {
  cache = new TableCache(engine, source, 100)
  await decodedBy({ columns: ['a'] })
  await decodedBy({ columns: ['b'] })
  expect(cache.bytes).toBeLessThanOrEqual(100)
  expect(await decodedBy({ columns: ['b'] })).toBe(0)
  expect(await decodedBy({ columns: ['a'] })).toBe(4)
})

test('tables beyond 100 are dropped', async () => {
  for (let i = 0; i < 103; i++) await decodedBy({ range: [10_000 + i, 10_001 + i] })
  expect(await tables()).toBe(100)
  const lease = await leaseOf()
  await decodedBy({ range: [1, 2] })
  expect(await rowsOf(lease)).toHaveLength(4) // a table in use stays
  await lease.release()
})

async function tables(): Promise<number> {
  const [[count]] = (await engine.run(
    "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'streams'",
  )) as [[bigint]]
  return Number(count)
}
