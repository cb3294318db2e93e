/** Changes of a table as events: bodies and headers to the letter. */
import { expect, test } from 'vitest'
import type { CapturedColumn, CapturedTable, ValueKind } from '../../../src/cdc/captured-table.ts'
import { type RowChange, TableEvents } from '../../../src/cdc/events/change-events.ts'
import type { CapturedEvents } from '../../../src/cdc/worker/capture-protocol.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { eventsOfHeaded } from '../../../storage/slices.ts'

const SOURCE = { environment: 'env1', database: 'shop', version: '0.3.0' }

function column(name: string, kind: ValueKind, type: DataType): CapturedColumn {
  return { name, kind, type, databaseType: kind, typeOid: 1, isArray: false, nullable: true }
}

const ORDERS: CapturedTable = {
  schema: 'public',
  table: 'orders',
  oid: 16_400,
  columns: [
    column('id', 'integer', { kind: 'INT' }),
    column('customer_id', 'integer', { kind: 'INT' }),
    column('amount', 'numeric', { kind: 'DECIMAL', precision: 10, scale: 2 }),
    column('created_at', 'timestamptz', { kind: 'TIMESTAMP_LTZ', precision: 6 }),
  ],
  key: ['id'],
}

const ROW = ['1', '1', '20.00', '2026-11-21 02:52:56.817123+00']
const CHANGED = ['1', '1', '1.00', '2026-11-21 02:52:56.817123+00']
const ROW_JSON = '{"id":1,"customer_id":1,"amount":"20.00","created_at":"2026-11-21T02:52:56.817123Z"}'
const CHANGED_JSON = ROW_JSON.replace('20.00', '1.00')

const STREAMED = {
  snapshot: 'false',
  lsn: 39_249_568n,
  lastCommitLsn: 39_249_048n,
  txId: 728,
  commitUs: 1_795_229_576_817_123n,
  processedNs: 1_795_229_577_300_412_000n,
} as const

const SOURCE_JSON = String.raw`"source":{"version":"millrace-0.3.0","connector":"postgresql","name":"env1","ts_ms":1795229576817,"snapshot":"false","db":"shop","sequence":"[\"39249048\",\"39249568\"]","ts_us":1795229576817123,"ts_ns":1795229576817123000,"schema":"public","table":"orders","txId":728,"lsn":39249568,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null`
const TIMES_JSON = '"ts_ms":1795229577300,"ts_us":1795229577300412,"ts_ns":1795229577300412000}'

function envelope(op: string, before: string, after: string, source = SOURCE_JSON): string {
  return `{"before":${before},"after":${after},${source},"op":"${op}",${TIMES_JSON}`
}

function printed(events: CapturedEvents | undefined): unknown[] {
  if (events === undefined) return []
  return eventsOfHeaded(events).map(({ headers, body }) => [
    Buffer.from(body).toString(),
    Object.fromEntries(headers),
  ])
}

function eventsOf(table: CapturedTable, ...changes: RowChange[]): unknown[] {
  const events = new TableEvents(table, SOURCE)
  for (const change of changes) events.add(change)
  return printed(events.take())
}

const JSON_TYPE = { 'content.type': 'application/json' }
const headers = (key: string, more: object = {}) => ({ key, ...JSON_TYPE, ...more })

test('an insert', () => {
  expect(eventsOf(ORDERS, { op: 'c', after: ROW, ...STREAMED })).toEqual([
    [envelope('c', 'null', ROW_JSON), headers('{"id":1}')],
  ])
})

test('the event of an insert is one line of JSON, to the letter', () => {
  const [[body]] = eventsOf(ORDERS, { op: 'c', after: ROW, ...STREAMED }) as [[string]]
  expect(body).toBe(
    String.raw`{"before":null,"after":{"id":1,"customer_id":1,"amount":"20.00","created_at":"2026-11-21T02:52:56.817123Z"},"source":{"version":"millrace-0.3.0","connector":"postgresql","name":"env1","ts_ms":1795229576817,"snapshot":"false","db":"shop","sequence":"[\"39249048\",\"39249568\"]","ts_us":1795229576817123,"ts_ns":1795229576817123000,"schema":"public","table":"orders","txId":728,"lsn":39249568,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"c","ts_ms":1795229577300,"ts_us":1795229577300412,"ts_ns":1795229577300412000}`,
  )
})

test('an update has both rows', () => {
  expect(eventsOf(ORDERS, { op: 'u', before: ROW, after: CHANGED, ...STREAMED })).toEqual([
    [envelope('u', ROW_JSON, CHANGED_JSON), headers('{"id":1}')],
  ])
})

test('an update of a row that is not known has no row before', () => {
  expect(eventsOf(ORDERS, { op: 'u', after: CHANGED, ...STREAMED })).toEqual([
    [envelope('u', 'null', CHANGED_JSON), headers('{"id":1}')],
  ])
})

test('a delete is followed by a tombstone', () => {
  expect(eventsOf(ORDERS, { op: 'd', before: ROW, ...STREAMED })).toEqual([
    [envelope('d', ROW_JSON, 'null'), headers('{"id":1}')],
    ['', headers('{"id":1}', { tombstone: 'true' })],
  ])
})

test('an update of the key is a delete, a tombstone and an insert', () => {
  const after = ['20', ...ROW.slice(1)]
  expect(eventsOf(ORDERS, { op: 'u', before: ROW, after, ...STREAMED })).toEqual([
    [envelope('d', ROW_JSON, 'null'), headers('{"id":1}', { '__debezium.newkey': '{"id":20}' })],
    ['', headers('{"id":1}', { tombstone: 'true', '__debezium.newkey': '{"id":20}' })],
    [
      envelope('c', 'null', ROW_JSON.replace('"id":1', '"id":20')),
      headers('{"id":20}', { '__debezium.oldkey': '{"id":1}' }),
    ],
  ])
})

test('a truncation has neither rows nor a key', () => {
  expect(eventsOf(ORDERS, { op: 't', ...STREAMED })).toEqual([[envelope('t', 'null', 'null'), JSON_TYPE]])
})

test.each(['first', 'first_in_data_collection', 'true', 'last_in_data_collection', 'last'] as const)(
  'a row of a snapshot that is %s',
  (snapshot) => {
    const source = SOURCE_JSON.replace('"snapshot":"false"', `"snapshot":"${snapshot}"`).replace(
      String.raw`[\"39249048\",`,
      '[null,',
    )
    expect(eventsOf(ORDERS, { op: 'r', after: ROW, ...STREAMED, snapshot, lastCommitLsn: null })).toEqual([
      [envelope('r', 'null', ROW_JSON, source), headers('{"id":1}')],
    ])
  },
)

test('positions beyond 2^53 and of several transactions are exact', () => {
  const bodies = eventsOf(
    ORDERS,
    { op: 'c', after: ROW, ...STREAMED, lsn: 0xffff_ffff_ffff_fff0n, lastCommitLsn: 0xffff_ffff_ffff_ff00n },
    { op: 'c', after: ROW, ...STREAMED, txId: 4_294_967_295, commitUs: 1_795_229_576_999_001n },
    { op: 'c', after: ROW, ...STREAMED },
  ).map((event) => (event as [string])[0])
  const { source } = JSON.parse(bodies[1]!) as { source: Record<string, unknown> }
  expect(bodies[0]).toContain('"lsn":18446744073709551600,')
  expect(bodies[0]).toContain(String.raw`"sequence":"[\"18446744073709551360\",\"18446744073709551600\"]"`)
  expect([source.txId, source.ts_ms, source.ts_us]).toEqual([
    4_294_967_295, 1_795_229_576_999, 1_795_229_576_999_001,
  ])
  expect(bodies[2]).toBe(envelope('c', 'null', ROW_JSON))
})

const WORDS: CapturedTable = {
  schema: 'my "own"',
  table: 'wörds',
  oid: 16_401,
  columns: [
    column('note', 'text', { kind: 'STRING' }),
    column('langue "é"', 'text', { kind: 'STRING' }),
    column('n', 'integer', { kind: 'BIGINT' }),
  ],
  key: ['n', 'langue "é"'],
}

test('names and values outside of ASCII, a key of several columns in its order, and NULL', () => {
  const [[body, its]] = eventsOf(WORDS, {
    op: 'c',
    after: [null, 'a"é😀\n', '9007199254740993'],
    ...STREAMED,
  }) as [[string, Record<string, string>]]
  expect(body).toContain(String.raw`"after":{"note":null,"langue \"é\"":"a\"é😀\n","n":9007199254740993}`)
  expect(body).toContain(String.raw`"schema":"my \"own\"","table":"wörds"`)
  expect(its.key).toBe(String.raw`{"n":9007199254740993,"langue \"\u00e9\"":"a\"\u00e9\ud83d\ude00\n"}`)
})

test('a kept row without the columns that were added later has NULL in them', () => {
  const [[body]] = eventsOf(WORDS, {
    op: 'u',
    before: ['x', 'de'],
    after: ['x', 'de', '1'],
    ...STREAMED,
  }) as [[string]]
  expect(body).toContain(String.raw`"before":{"note":"x","langue \"é\"":"de","n":null}`)
})

test('events are taken once; large ones make the buffer grow', () => {
  const events = new TableEvents(WORDS, SOURCE)
  expect([events.take(), events.byteLength]).toEqual([undefined, 0])
  const long = 'é'.repeat(400_000)
  for (let n = 0; n < 3; n++) events.add({ op: 'c', after: [long, 'de', String(n)], ...STREAMED })
  expect(events.byteLength).toBeGreaterThan(2_400_000)
  const taken = events.take()!
  expect(taken.table).toEqual({ schema: 'my "own"', table: 'wörds' })
  const rows = printed(taken).map((event) => {
    const { after } = JSON.parse((event as [string])[0]) as { after: { note: string; n: number } }
    return [after.note === long, after.n]
  })
  expect(rows).toEqual([
    [true, 0],
    [true, 1],
    [true, 2],
  ])
  expect([events.take(), events.byteLength]).toEqual([undefined, 0])
  events.add({ op: 'd', before: [null, 'de', '1'], ...STREAMED })
  expect(printed(events.take())).toHaveLength(2)
})
