/** A value that PostgreSQL prints passes through an event of its table and back: the result of a query shows the same JSON. */
import { describe, expect, test } from 'vitest'
import type { CapturedTable } from '../../../src/cdc/captured-table.ts'
import { TableEvents } from '../../../src/cdc/events/change-events.ts'
import { columnJson } from '../../../src/cdc/events/column-json.ts'
import { columnTypeOf } from '../../../src/cdc/events/column-type.ts'
import { rowOfTexts } from '../../../src/cdc/events/row-bytes.ts'
import type { FormatError } from '../../../src/formats/record-reader.ts'
import { openChangeReader } from '../../../src/formats/rows/index.ts'
import type { RowChange } from '../../../src/formats/rows/row-format.ts'
import { resultText } from '../../../src/sql/postgres-results.ts'

interface Sample {
  readonly oid: number
  readonly element?: number
  readonly typmod?: number
  readonly texts: readonly string[]
}

const NUMERIC_10_2 = ((10 << 16) | 2) + 4
const NUMERIC_38_10 = ((38 << 16) | 10) + 4
const NUMERIC_65_30 = ((65 << 16) | 30) + 4
const NUMERIC_2_2 = ((2 << 16) | 2) + 4

const SAMPLES: readonly (Sample & { readonly name: string })[] = [
  { name: 'boolean', oid: 16, texts: ['t', 'f'] },
  { name: 'smallint', oid: 21, texts: ['-32768', '0', '32767'] },
  { name: 'integer', oid: 23, texts: ['-2147483648', '2147483647'] },
  { name: 'bigint', oid: 20, texts: ['-9223372036854775808', '9007199254740993', '9223372036854775807'] },
  {
    name: 'real',
    oid: 700,
    texts: ['0.1', '1e+06', '3.4028235e+38', '1e-45', 'NaN', '-Infinity', '-0', '123456', '0.0001'],
  },
  {
    name: 'double precision',
    oid: 701,
    texts: [
      '0.1',
      '1e+15',
      '100000000000000',
      '1.7976931348623157e+308',
      '5e-324',
      'NaN',
      'Infinity',
      '-0',
      '0.0001',
      '1e-05',
    ],
  },
  {
    name: 'numeric',
    oid: 1700,
    texts: ['1.50', '-0.001', 'NaN', 'Infinity', `${'9'.repeat(60)}.${'9'.repeat(40)}`],
  },
  {
    name: 'numeric(10,2)',
    oid: 1700,
    typmod: NUMERIC_10_2,
    texts: ['0.00', '-0.05', '99999999.99', '20.00'],
  },
  { name: 'numeric(2,2)', oid: 1700, typmod: NUMERIC_2_2, texts: ['0.50', '-0.01'] },
  {
    name: 'numeric(38,10)',
    oid: 1700,
    typmod: NUMERIC_38_10,
    texts: [`${'9'.repeat(28)}.${'9'.repeat(10)}`, '-1.0000000000'],
  },
  {
    name: 'numeric(65,30)',
    oid: 1700,
    typmod: NUMERIC_65_30,
    texts: [`${'1'.repeat(35)}.${'2'.repeat(30)}`],
  },
  { name: 'text', oid: 25, texts: ['', 'a"b\\c\n\t', 'é😀', '\u2028', '\u0001'] },
  { name: 'uuid', oid: 2950, texts: ['6f9619ff-8b86-d011-b42d-00c04fc964ff'] },
  { name: 'jsonb', oid: 3802, texts: ['{"a": 1.10, "b": [null]}', '"x"'] },
  { name: 'bytea', oid: 17, texts: ['\\x', '\\x00ff10'] },
  {
    name: 'date',
    oid: 1082,
    texts: [
      '2026-11-21',
      '1969-12-31',
      '0001-01-01',
      'infinity',
      '-infinity',
      '0044-03-15 BC',
      '12026-02-28',
      '5874897-12-31',
      '4713-01-01 BC',
    ],
  },
  { name: 'time', oid: 1083, texts: ['02:52:56.817123', '00:00:00', '24:00:00', '23:59:59.5'] },
  {
    name: 'timestamp',
    oid: 1114,
    texts: [
      '2026-11-21 02:52:56.817123',
      '1969-12-31 23:59:59.5',
      'infinity',
      '-infinity',
      '0044-03-15 12:00:00 BC',
      '12026-01-01 00:00:00.000001',
    ],
  },
  { name: 'timestamp(3)', oid: 1114, typmod: 3, texts: ['2026-11-21 02:52:56.817', '2026-11-21 02:52:56'] },
  {
    name: 'timestamptz',
    oid: 1184,
    texts: [
      '2026-11-21 02:52:56.817123+00',
      'infinity',
      '0044-03-15 12:00:00+00 BC',
      '99999-12-31 00:00:00+00',
      '294247-01-10 04:00:54.775806+00',
      '4713-01-01 00:00:00+00 BC',
    ],
  },
  { name: 'integer[]', oid: 1007, element: 23, texts: ['{}', '{1,NULL,3}'] },
  { name: 'text[]', oid: 1009, element: 25, texts: ['{a,"b c",NULL,"q\\"q"}'] },
  { name: 'timestamp[]', oid: 1115, element: 1114, texts: ['{"2026-11-21 02:52:56",infinity}'] },
]

function reread(
  { oid, element = 0, typmod = -1 }: Sample,
  text: string,
): { event: string; result: string | FormatError } {
  const column = {
    ...{ name: 'v', databaseType: '', typeOid: oid, nullable: true },
    ...columnTypeOf({ typeOid: oid, typmod, typtype: 'b', elementOid: element, formatted: '' }),
  }
  const id = {
    name: 'id',
    databaseType: 'integer',
    typeOid: 23,
    nullable: false,
    kind: 'integer',
    isArray: false,
    type: { kind: 'INT' },
  } as const
  const table: CapturedTable = { schema: 'public', table: 't', oid: 1, columns: [id, column], key: ['id'] }
  const events = new TableEvents(table, { environment: 'e', database: 'd', version: '1' })
  events.add({
    ...{ op: 'c', after: rowOfTexts(['1', text]), snapshot: 'false', lsn: 1n, lastCommitLsn: null, txId: 1 },
    ...{ commitUs: 1_795_229_576_817_123n, processedNs: 1_795_229_577_300_412_000n },
  })
  const taken = events.take()!
  const changes: RowChange[] = []
  const reader = openChangeReader({
    ...{ valueFormat: 'debezium-json', keyFormat: undefined, keyFields: [], valueFieldsInclude: 'ALL' },
    ...{ columns: table.columns, wanted: [0, 1], primaryKey: ['id'], isCaptured: true },
  })
  const problem = reader.read(taken.bytes, taken.bounds[1]!, taken.bounds[2]!, [], changes)
  const result = problem === undefined ? resultText(column.type, changes[0]!.values[1]!) : problem
  return { event: columnJson(column)(text), result }
}

describe('values of captured events', () => {
  test.each(SAMPLES)('$name comes back as it was', (sample) => {
    for (const text of sample.texts) {
      const { event, result } = reread(sample, text)
      expect({ text, result }).toEqual({ text, result: event })
    }
  })

  test.each([
    { name: 'a timestamp behind the last one of DuckDB', oid: 1114, text: '294247-01-10 04:00:54.775807' },
    { name: 'the last timestamp of PostgreSQL', oid: 1184, text: '294276-12-31 23:59:59.999999+00' },
    { name: 'an array of arrays of texts', oid: 1009, element: 25, text: '{{a},{b}}' },
    { name: 'an array of arrays of numbers', oid: 1007, element: 23, text: '{{1},{2}}' },
    { name: 'NaN in a numeric with limits', oid: 1700, typmod: NUMERIC_10_2, text: 'NaN' },
  ])('$name does not fit', ({ text, ...sample }) => {
    expect(reread({ ...sample, texts: [] }, text).result).toMatchObject({
      reason: expect.stringContaining('column v'),
    })
  })
})
