/** Connectors without another system: datagen, print, blackhole; and how keys choose Kafka's partitions. */
import { describe, expect, test } from 'vitest'
import type { Value } from '../../../src/formats/record-reader.ts'
import { openRowReader } from '../../../src/formats/rows/index.ts'
import type { Outbox, SourcePosition } from '../../../src/jobs/connectors/connector.ts'
import { DATAGEN_FORMAT, DatagenSource } from '../../../src/jobs/connectors/datagen-source.ts'
import { murmur2, partitionOfKey } from '../../../src/jobs/connectors/kafka-partition.ts'
import { BlackholeSink, PrintSink } from '../../../src/jobs/connectors/local-sinks.ts'
import type { DataType, TypedColumn } from '../../../src/sql/data-types.ts'
import type { DatagenConnector } from '../../../src/tables/table.ts'

const column = (name: string, type: DataType): TypedColumn => ({ name, type, nullable: true })
const INT: DataType = { kind: 'INT' }
const LIMITS = { eventsMax: 1_000, bytesMax: 2 ** 20 }

describe('datagen', () => {
  let now = 1_000_000_000_000
  const open = (columns: readonly TypedColumn[], more: Partial<DatagenConnector> = {}, seed = 'seed') =>
    new DatagenSource({
      connector: { kind: 'datagen', rowsPerSecond: 100, rowsMax: undefined, fields: {}, ...more },
      columns,
      seed,
      nowMs: () => now,
    })

  async function rowsAfter(
    source: DatagenSource,
    columns: readonly TypedColumn[],
    from: SourcePosition,
    limits = LIMITS,
  ) {
    const reader = openRowReader({ ...DATAGEN_FORMAT, columns, wanted: columns.map((_, index) => index) })
    const rows: Value[][] = []
    const batch = await source.read(from, limits)
    if (batch === undefined) return { rows, position: from, hasMore: false }
    for await (const { block } of batch.blocks) {
      for (let index = 0; index < block.ends.length; index++) {
        const row: Value[] = []
        expect(reader.read(block.bytes, block.starts[index]!, block.ends[index]!, [], row)).toBeUndefined()
        rows.push(row)
      }
    }
    return { rows, position: batch.position(), hasMore: batch.hasMore() }
  }

  test('makes as many rows as the rate says, and no burst after a pause', async () => {
    const columns = [column('n', INT)]
    const source = open(columns, { fields: { n: { kind: 'sequence', start: '5', end: '100000' } } })
    let position = await source.start()
    const counts: number[] = []
    for (const passedMs of [0, 10, 25, 5, 30, 500, 60_000, 0]) {
      now += passedMs
      const read = await rowsAfter(source, columns, position)
      counts.push(read.rows.length)
      position = read.position
    }
    expect(counts).toEqual([0, 1, 2, 1, 3, 50, 100, 0])
    expect(source.isBounded).toBe(false)
  })

  test('number-of-rows and the end of a sequence end the source', async () => {
    const columns = [column('n', INT), column('t', { kind: 'STRING' })]
    const fields = { n: { kind: 'sequence', start: '-1', end: '1' }, t: { length: '3' } }
    for (const [rowsMax, count] of [
      [undefined, 3],
      [2, 2],
      [9, 3],
    ] as const) {
      const source = open(columns, { fields, rowsMax })
      const start = await source.start()
      now += 1_000
      const { rows, position } = await rowsAfter(source, columns, start)
      expect(rows.map(([n]) => n)).toEqual([-1, 0, 1].slice(0, count))
      expect(rows.every(([, text]) => /^[0-9a-f]{3}$/.test(String(text)))).toBe(true)
      expect(source.isBounded).toBe(true)
      const again = open(columns, { fields, rowsMax })
      expect((await rowsAfter(again, columns, position)).rows).toEqual([])
      expect(again.isBounded).toBe(true)
    }
  })

  test('a restart makes the same rows, in pieces of any size; another seed makes others', async () => {
    const types: DataType[] = [
      { kind: 'BOOLEAN' },
      { kind: 'BIGINT' },
      { kind: 'DOUBLE' },
      { kind: 'DECIMAL', precision: 38, scale: 3 },
      { kind: 'STRING' },
      { kind: 'BYTES' },
      { kind: 'ARRAY', element: INT },
      { kind: 'MAP', key: { kind: 'STRING' }, value: INT },
      { kind: 'ROW', fields: [{ name: 'x', type: INT }] },
    ]
    const columns = types.map((type, index) => column(`c${index}`, type))
    const all = async (eventsMax: number, seed?: string) => {
      let position: SourcePosition = { made: 0, sinceMs: now - 500 }
      const rows: Value[][] = []
      for (;;) {
        const read = await rowsAfter(open(columns, {}, seed), columns, position, { ...LIMITS, eventsMax })
        rows.push(...read.rows)
        position = read.position
        if (!read.hasMore) return rows
      }
    }
    const rows = await all(1_000)
    expect(rows).toHaveLength(50)
    expect(await all(7)).toEqual(rows)
    expect(await all(1_000, 'other')).not.toEqual(rows)
    expect(new Set(rows.map(([, n]) => n)).size).toBe(50)
  })

  test('min and max', async () => {
    const columns = [
      column('i', INT),
      column('d', { kind: 'DOUBLE' }),
      column('m', { kind: 'DECIMAL', precision: 4, scale: 2 }),
    ]
    const range = { min: '-2', max: '3' }
    const source = open(columns, { fields: { i: range, d: range, m: range } })
    const start = await source.start()
    now += 1_000
    const { rows } = await rowsAfter(source, columns, start)
    expect(new Set(rows.map(([i]) => i))).toEqual(new Set([-2, -1, 0, 1, 2, 3]))
    expect(
      rows.every(([, d, m]) => Math.abs((d as number) - 0.5) <= 2.5 && Math.abs((m as number) - 50) <= 250),
    ).toBe(true)
  })

  const unusable: readonly (readonly [type: DataType, options: Record<string, string>, message: string])[] = [
    [INT, { kind: 'odd' }, 'fields.n.kind is odd; use random or sequence'],
    [
      INT,
      { kind: 'sequence', start: '1' },
      'fields.n.start and end is 1 and undefined; use two whole numbers, ascending',
    ],
    [INT, { min: 'x' }, 'fields.n.min is x; use a whole number'],
    [INT, { min: '5', max: '4' }, 'fields.n.min and max is 5 and 4; use numbers of INT, ascending'],
    [INT, { max: '3000000000' }, 'fields.n.min and max'],
    [
      { kind: 'BOOLEAN' },
      { kind: 'sequence', start: '1', end: '2' },
      'fields.n.kind is sequence; use random: BOOLEAN has no sequence',
    ],
    [{ kind: 'STRING' }, { length: '1000000' }, 'fields.n.length is 1000000; use at most 100000'],
  ]
  test.each(unusable)('%o %o is refused', (type, options, message) => {
    expect(() => open([column('n', type)], { fields: { n: options } })).toThrow(message)
  })
})

test('print writes rows as Flink prints them', async () => {
  const columns: readonly (readonly [type: DataType, value: Value])[] = [
    [INT, 1],
    [{ kind: 'STRING' }, 'a, b'],
    [{ kind: 'DOUBLE' }, 50],
    [{ kind: 'DECIMAL', precision: 5, scale: 2 }, 1250],
    [{ kind: 'BOOLEAN' }, true],
    [{ kind: 'DATE' }, 18_911],
    [{ kind: 'TIMESTAMP', precision: 3 }, 1_633_956_789_277_000],
    [{ kind: 'TIMESTAMP_LTZ', precision: 3 }, 1_633_956_789_277_000],
    [{ kind: 'BYTES' }, Uint8Array.of(0, 255)],
    [{ kind: 'ARRAY', element: INT }, [1, null]],
    [{ kind: 'MAP', key: { kind: 'STRING' }, value: INT }, new Map([['k', 1]])],
    [{ kind: 'ROW', fields: [{ name: 'x', type: INT }] }, new Map([['x', 1]])],
  ]
  let printed = ''
  const sink = new PrintSink(
    'KAlert',
    columns.map(([type]) => type),
    (text) => {
      printed += text
    },
  )
  const ops = ['c', 'b', 'u', 'd'] as const
  const outbox: Outbox = {
    rowCount: 4,
    columns: [],
    async *chunks() {
      yield {
        ops,
        columns: columns.map(([, value], index) => ops.map((op) => (op === 'd' && index > 0 ? null : value))),
        rowCount: 4,
      }
    },
  }
  const { records, bytes } = await sink.emit(1, outbox)
  const row =
    '[1, a, b, 50.0, 12.50, true, 2021-10-11, 2021-10-11T12:53:09.277, 2021-10-11T12:53:09.277Z, [0, -1], [1, null], {k=1}, +I[1]]'
  const nulls = `[1${', null'.repeat(11)}]`
  expect(printed).toBe(`KAlert> +I${row}\nKAlert> -U${row}\nKAlert> +U${row}\nKAlert> -D${nulls}\n`)
  expect([records, bytes]).toEqual([4, printed.length])
  expect(await sink.recorded()).toBe('unknowable')
})

test('blackhole takes everything', async () => {
  const sink = new BlackholeSink()
  expect([await sink.recorded(), await sink.emit(1, { rowCount: 3 } as Outbox)]).toEqual([
    'unknowable',
    { records: 3, bytes: 0 },
  ])
})

/** Values of Kafka's own tests. */
test.each([
  ['21', -973_932_308],
  ['foobar', -790_332_482],
  ['a-little-bit-long-string', -985_981_536],
  ['a-little-bit-longer-string', -1_486_304_829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
  ['abc', 479_470_107],
])('murmur2 of %s', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
  expect(partitionOfKey(Buffer.from(text), 7)).toBe((hash & 0x7fffffff) % 7)
})
