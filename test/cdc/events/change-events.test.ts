/** Changes of a table as events: bodies and headers to the letter. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CapturedColumn, CapturedTable, ValueKind } from '../../../src/cdc/captured-table.ts'
import { TableEvents } from '../../../src/cdc/events/change-events.ts'
import { rowOfTexts } from '../../../src/cdc/events/row-bytes.ts'
import type { CapturedEvents } from '../../../src/cdc/worker/capture-protocol.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { eventsOfHeaded } from '../../../storage/slices.ts'
import { type TextChange, TextEvents } from '../../support/text-events.ts'

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

function eventsOf(table: CapturedTable, ...changes: TextChange[]): unknown[] {
  const events = new TableEvents(table, SOURCE)
  for (const change of changes) addTo(events, change)
  return printed(events.take())
}

function addTo(events: TableEvents, { before, after, ...change }: TextChange): void {
  events.add({
    ...change,
    before: before && rowOfTexts(before),
    after: after && rowOfTexts(after),
  })
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
  for (let n = 0; n < 3; n++) addTo(events, { op: 'c', after: [long, 'de', String(n)], ...STREAMED })
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
  addTo(events, { op: 'd', before: [null, 'de', '1'], ...STREAMED })
  expect(printed(events.take())).toHaveLength(2)
})

/** Texts of each kind, in the forms of PostgreSQL and in others. */
const TEXTS: Readonly<Record<ValueKind, fc.Arbitrary<string>>> = {
  integer: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  float: fc.oneof(fc.double().map(String), fc.constantFrom('NaN', 'Infinity', '-Infinity', '1e-07')),
  numeric: fc.constantFrom('0', '-1.50', '12345678901234567890.000000000000000001', 'NaN', 'Infinity'),
  money: fc.constantFrom('$1.00', '-$1,234.50', '1.234,50 €'),
  boolean: fc.constantFrom('t', 'f'),
  text: fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.string({ minLength: 250, maxLength: 300 }),
    fc.constantFrom('', '"', '\\', '\n', '\x7f', '\u2028', 'é'.repeat(130), 't'.repeat(256)),
  ),
  json: fc.json(),
  timestamp: fc.constantFrom(
    ...['2026-11-21 02:52:56.817123', '2026-11-21 02:52:56', '0044-03-15 12:00:00 BC', 'infinity'],
    ...['-infinity', '12026-11-21 00:00:00'],
  ),
  timestamptz: fc.constantFrom(
    ...['2026-11-21 02:52:56.817123+00', '2026-11-21 02:52:56+00', '2026-11-21 02:52:56+05:30'],
    ...['0044-03-15 12:00:00+00 BC', 'infinity', '12026-11-21 00:00:00+00', '2026-11-21 02:52:56-00:00:44'],
  ),
  date: fc.constantFrom('2026-11-21', '12026-11-21', '0044-03-15 BC', 'infinity', '-infinity'),
  time: fc.constantFrom('02:52:56.817', '24:00:00'),
  timetz: fc.constantFrom('02:52:56+00', '02:52:56.8-05'),
  bytes: fc.uint8Array({ maxLength: 9 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
}

const columns = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('id', 'a "b"', 'é', 'note', 'n'),
    kind: fc.constantFrom(...(Object.keys(TEXTS) as ValueKind[])),
    isArray: fc.boolean(),
  }),
  { minLength: 1, maxLength: 5, selector: ({ name }) => name },
)

function textOf({ kind, isArray }: { kind: ValueKind; isArray: boolean }): fc.Arbitrary<string> {
  if (!isArray) return TEXTS[kind]
  const element = TEXTS[kind].map((text) => `"${text.replaceAll(/["\\]/g, (c) => `\\${c}`)}"`)
  return fc.array(fc.oneof(element, fc.constant('NULL'))).map((elements) => `{${elements.join(',')}}`)
}

const scenes = columns.chain((list) => {
  const row = fc.tuple(...list.map((one) => fc.option(textOf(one), { freq: 4 })))
  const short = fc.tuple(row, fc.nat(list.length)).map(([values, length]) => values.slice(0, length))
  const change = fc.record({
    op: fc.constantFrom(...(['r', 'c', 'u', 'd', 't'] as const)),
    before: fc.oneof(row, row, short),
    after: row,
    hasBefore: fc.boolean(),
    snapshot: fc.constantFrom(...(['true', 'first', 'false'] as const)),
    lsn: fc.constantFrom(
      0n,
      9n,
      10n,
      39_249_568n,
      39_249_569n,
      99_999_999n,
      100_000_000n,
      2n ** 53n,
      2n ** 64n - 1n,
    ),
    lastCommitLsn: fc.constantFrom(null, 1n, 39_249_048n),
    txId: fc.constantFrom(1, 728),
    commitUs: fc.constantFrom(1_795_229_576_817_123n, 1_795_229_576_817_124n),
    processedNs: fc.constantFrom(1_795_229_577_300_412_000n, 1_795_229_577_300_412_001n),
  })
  const keys = fc.shuffledSubarray(
    list.map(({ name }) => name),
    { minLength: 1 },
  )
  return fc.tuple(fc.constant(list), keys, fc.array(change, { maxLength: 8 }))
})

test('all events are to the byte those that are made as texts', () => {
  fc.assert(
    fc.property(scenes, ([list, key, changes]) => {
      const described = list.map(({ name, kind, isArray }) => ({
        ...column(name, kind, { kind: 'STRING' }),
        isArray,
      }))
      const table = { schema: 'my "own"', table: 'wörds', oid: 1, columns: described, key }
      const events = new TableEvents(table, SOURCE)
      const expected = new TextEvents(table, SOURCE)
      for (const { before, after, hasBefore, ...rest } of changes) {
        const change: TextChange = {
          ...rest,
          ...((rest.op === 'd' || (rest.op === 'u' && hasBefore)) && { before }),
          ...(rest.op !== 'd' && rest.op !== 't' && { after }),
        }
        addTo(events, change)
        expected.add(change)
      }
      const taken = events.take()
      expect(Buffer.from(taken?.bytes ?? []).toString('latin1')).toBe(
        Buffer.concat(expected.events).toString('latin1'),
      )
      let at = 0
      const ends = expected.events.map((bytes) => {
        at += bytes.length
        return at
      })
      expect([...(taken?.bounds ?? [])].filter((_, i) => i > 0 && i % 2 === 0)).toEqual(ends)
    }),
    { numRuns: 400 },
  )
})
