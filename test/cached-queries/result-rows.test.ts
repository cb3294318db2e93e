/** Rows of a result: updates in parts, whole results, copies of rows, order, memory. */
import { expect, test } from 'vitest'
import { ResultMemory, ResultTooLarge } from '../../src/cached-queries/result-memory.ts'
import { ResultRows, type ResultShape } from '../../src/cached-queries/result-rows.ts'
import type { ResultChange, ResultUpdate } from '../../src/jobs/query-job.ts'
import { seededRandom } from '../support/seeded-random.ts'

const SHAPE: ResultShape = {
  order: [{ column: 0, descending: false, nullsFirst: false, compare: 'number' }],
  visibleColumns: 2,
  keyIsRow: false,
}

function newRows(shape = SHAPE, resultBytesMax = 1e9) {
  const memory = new ResultMemory({ resultBytesMax, allBytesMax: 2e9 })
  return { rows: new ResultRows(shape, memory), memory }
}

function update(changes: readonly ResultChange[], more: Partial<ResultUpdate> = {}): ResultUpdate {
  const moment = { lsn: '1', txId: 1, timestampMs: 1 }
  return { moment, begins: false, ends: true, refreshMs: 1, changes, ...more }
}

function put(op: 'c' | 'u', id: number, value: string): ResultChange {
  return { op, key: `{"id":${id}}`, before: undefined, after: [String(id), `"${value}"`] }
}

function remove(id: number): ResultChange {
  return { op: 'd', key: `{"id":${id}}`, before: [], after: undefined }
}

const shown = async (rows: ResultRows) => (await rows.sorted()).map(({ values }) => values.join())

const brief = (published: ReturnType<ResultRows['take']>) =>
  published?.changes.map(({ op, before, after }) => `${op} ${before?.values[1]} ${after?.values[1]}`)

test('the first whole result is no change for readers', async () => {
  const { rows } = newRows()
  expect(rows.size).toBeUndefined()
  const published = rows.take(
    update([put('c', 2, 'b'), put('c', 10, 'j'), put('c', 1, 'a')], { begins: true }),
  )
  expect(published).toMatchObject({ isFirst: true, changes: [] })
  expect(await shown(rows)).toEqual(['1,"a"', '2,"b"', '10,"j"'])
})

test('changes have the rows before and after', async () => {
  const { rows } = newRows()
  rows.take(update([put('c', 1, 'a'), put('c', 2, 'b')], { begins: true }))
  expect(brief(rows.take(update([put('u', 1, 'A'), remove(2), put('c', 3, 'c')])))).toEqual([
    'u "a" "A"',
    'd "b" undefined',
    'c undefined "c"',
  ])
  expect(await shown(rows)).toEqual(['1,"A"', '3,"c"'])
})

test('parts of an update become visible together', async () => {
  const { rows } = newRows()
  rows.take(update([put('c', 1, 'a')], { begins: true }))
  expect(rows.take(update([remove(1)], { ends: false }))).toBeUndefined()
  expect(await shown(rows)).toEqual(['1,"a"'])
  expect(brief(rows.take(update([put('c', 2, 'b')])))).toEqual(['d "a" undefined', 'c undefined "b"'])
  expect(await shown(rows)).toEqual(['2,"b"'])
})

test('parts of an update may change the same row, and an update that does not end leaves nothing', async () => {
  const { rows, memory } = newRows()
  rows.take(update([put('c', 1, 'a')], { begins: true }))
  const bytes = memory.total
  rows.take(update([put('c', 2, 'b')], { ends: false }))
  rows.take(update([put('u', 2, 'B'), put('u', 1, 'A')], { ends: false }))
  expect(memory.total, 'rows that wait are counted').toBeGreaterThan(bytes)
  expect(brief(rows.take(update([remove(2)])))).toEqual([
    'c undefined "b"',
    'u "b" "B"',
    'u "a" "A"',
    'd "B" undefined',
  ])
  expect(await shown(rows)).toEqual(['1,"A"'])
  expect(memory.total).toBe(bytes)
  rows.take(update([put('u', 1, 'x')], { ends: false }))
  rows.restarted()
  expect(memory.total).toBe(bytes)
  expect(brief(rows.take(update([put('c', 1, 'A')], { begins: true })))).toEqual([])
})

test('a further whole result is published as its difference', async () => {
  const { rows } = newRows()
  rows.take(update([put('c', 1, 'a'), put('c', 2, 'b'), put('c', 3, 'c')], { begins: true }))
  await rows.sorted()
  expect(
    rows.take(update([put('c', 2, 'b'), put('c', 4, 'd')], { begins: true, ends: false })),
  ).toBeUndefined()
  expect(await shown(rows)).toEqual(['1,"a"', '2,"b"', '3,"c"'])
  expect(brief(rows.take(update([put('c', 3, 'C')])))).toEqual([
    'c undefined "d"',
    'u "c" "C"',
    'd "a" undefined',
  ])
  expect(await shown(rows)).toEqual(['2,"b"', '3,"C"', '4,"d"'])
})

test('a whole result that begins again replaces what had arrived of the one before', async () => {
  const { rows } = newRows()
  rows.take(update([put('c', 1, 'a')], { begins: true, ends: false }))
  rows.take(update([put('c', 2, 'b')], { begins: true }))
  expect(await shown(rows)).toEqual(['2,"b"'])
})

test('the first refresh of a job is the whole result', async () => {
  const { rows } = newRows()
  expect(rows.take(update([put('c', 1, 'a')], { ends: false }))).toBeUndefined()
  expect(rows.size).toBeUndefined()
  expect(rows.take(update([put('c', 2, 'b')]))).toMatchObject({ isFirst: true, changes: [] })
  expect(await shown(rows)).toEqual(['1,"a"', '2,"b"'])
})

test('hidden columns sort and are not shown', async () => {
  const { rows } = newRows({ ...SHAPE, order: [{ ...SHAPE.order[0]!, column: 2 }] })
  const row = (id: number, rank: number): ResultChange => ({
    ...{ op: 'c', key: `{"id":${id}}`, before: undefined, after: [String(id), '"x"', String(rank)] },
  })
  rows.take(update([row(1, 9), row(2, 8)], { begins: true }))
  expect(await shown(rows)).toEqual(['2,"x"', '1,"x"'])
})

test('equal rows are kept as often as they are there', async () => {
  const { rows } = newRows({ ...SHAPE, keyIsRow: true })
  const row = (op: 'c' | 'd'): ResultChange => ({
    ...{ op, key: '{"id":1,"v":"a"}', before: ['1', '"a"'], after: op === 'c' ? ['1', '"a"'] : undefined },
  })
  rows.take(
    update(
      Array.from({ length: 9 }, () => row('c')),
      { begins: true },
    ),
  )
  expect(await shown(rows)).toHaveLength(9)
  expect(brief(rows.take(update([row('d'), row('d'), row('c'), row('d')])))).toHaveLength(4)
  expect(await shown(rows)).toHaveLength(7)
  const published = rows.take(update([row('c'), row('c')], { begins: true }))
  expect(published?.changes.map(({ op, key }) => `${op} ${key}`)).toEqual(Array(5).fill('d {"id":1,"v":"a"}'))
  expect(await shown(rows)).toHaveLength(2)
})

test('a reader keeps its rows while others are published', async () => {
  const { rows } = newRows()
  rows.take(update([put('c', 1, 'a'), put('c', 2, 'b')], { begins: true }))
  const before = await rows.sorted()
  rows.take(update([remove(1)]))
  await rows.sorted()
  expect(before.map(({ values }) => values[0])).toEqual(['1', '2'])
})

test('random updates give the same rows as a map that is sorted', async () => {
  const random = seededRandom(7).next
  const { rows, memory } = newRows()
  const expected = new Map<number, string>()
  rows.take(update([], { begins: true }))
  for (let round = 0; round < 120; round++) {
    const changes: ResultChange[] = []
    for (let i = Math.floor(random() * 20); i >= 0; i--) {
      const id = Math.floor(random() * 400)
      const value = `v${Math.floor(random() * 5)}`
      if (expected.has(id) && random() < 0.4) {
        changes.push(remove(id))
        expected.delete(id)
      } else {
        changes.push(put(expected.has(id) ? 'u' : 'c', id, value))
        expected.set(id, value)
      }
    }
    const isWhole = round % 40 === 39
    const all = [...expected].map(([id, value]) => put('c', id, value))
    rows.take(update(isWhole ? all : changes, { begins: isWhole }))
    if (random() < 0.7) {
      const sorted = [...expected].sort(([a], [b]) => a - b)
      expect(await shown(rows)).toEqual(sorted.map(([id, value]) => `${id},"${value}"`))
    }
  }
  expect(rows.size).toBe(expected.size)
  rows.free()
  expect(memory.total).toBe(0)
})

test('a large result is sorted in slices, with what is published meanwhile', async () => {
  const random = seededRandom(3).next
  const { rows } = newRows()
  const ids = Array.from({ length: 10_000 }, () => Math.floor(random() * 1e9))
  rows.take(
    update(
      ids.map((id) => put('c', id, 'x')),
      { begins: true },
    ),
  )
  const sorting = rows.sorted()
  let turns = 0
  const count = setImmediate(function again() {
    turns++
    if (turns === 2) rows.take(update([put('c', -1, 'new'), remove(ids[0]!)]))
    setImmediate(again)
  })
  const sorted = (await sorting).map(({ values }) => Number(values[0]))
  clearImmediate(count)
  const expected = new Set([-1, ...ids])
  expected.delete(ids[0]!)
  expect(sorted).toEqual([...expected].sort((a, b) => a - b))
  expect(turns).toBeGreaterThan(3)
})

test('a result that does not fit is refused, and the rows stay', async () => {
  const { rows, memory } = newRows(SHAPE, 1_000)
  rows.take(update([put('c', 1, 'a')], { begins: true }))
  const before = memory.total
  const many = Array.from({ length: 10 }, (_, i) => put('c', i + 2, 'b'))
  expect(() => rows.take(update(many))).toThrow(ResultTooLarge)
  expect(() => rows.take(update(many, { begins: true }))).toThrow(
    /more than 1000 bytes; .*--max-cached-result-bytes/,
  )
  expect(await shown(rows)).toEqual(['1,"a"'])
  expect(memory.total).toBe(before)
  expect(brief(rows.take(update([put('u', 1, 'b')])))).toEqual(['u "a" "b"'])
})
