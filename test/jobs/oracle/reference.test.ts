/** Negative controls of the comparison: faults of an engine that it must notice. */
import { expect, test } from 'vitest'
import { seededRandom } from '../../support/seeded-random.ts'
import { checkSink } from './check.ts'
import { arrived, changeBodies, streamBodies } from './input.ts'
import { KINDS, type Statement } from './statements.ts'

const SEEDS = Array.from({ length: 20 }, (_, seed) => seed)

function inputOf(statement: Statement, seed: number) {
  const [table] = statement.sources
  const random = seededRandom(seed)
  const bodies =
    table === 'A' || table === 'B' ? streamBodies(random, table, 2_000) : changeBodies(random, 200)
  return bodies.map((body) => arrived(table!, body, () => true))
}

const bodyOf = (row: readonly unknown[]) =>
  JSON.stringify(Object.fromEntries(row.map((value, i) => [`c${i}`, value])))

/** For how many seeds the comparison refuses what `faulty` makes of the right rows. */
function noticed(
  kind: string,
  faulty: (rows: string[], statement: Statement, seed: number) => string[],
): number {
  return SEEDS.filter((seed) => {
    const statement = KINDS[kind]!(seededRandom(seed))
    const input = inputOf(statement, seed)
    if (statement.expected.form !== 'rows') throw new Error(`${kind} writes changes`)
    const rows = statement.expected.rows(input).map(bodyOf)
    const events = (bodies: readonly string[]) => bodies.map((body) => ({ body, timestampMs: 0 }))
    checkSink(statement, input, events(rows))
    try {
      checkSink(statement, input, events(faulty(rows, statement, seed)))
      return false
    } catch {
      return true
    }
  }).length
}

test('lateness that is judged per step', () => {
  const perStep = (_: string[], { expected, ...statement }: Statement, seed: number) => {
    if (expected.form !== 'rows') return []
    return expected.rows(inputOf({ ...statement, expected }, seed), 777).map(bodyOf)
  }
  expect(noticed('window aggregate', perStep)).toBeGreaterThan(10)
})

test('windows whose rows are in another order', () => {
  expect(noticed('window aggregate', (rows) => [...rows].reverse())).toBeGreaterThan(15)
})

test('a change that is lost, and one that is doubled', () => {
  const statement = KINDS.running!(seededRandom(1))
  const input = inputOf(statement, 1).slice(0, 60)
  if (statement.expected.form !== 'changes') throw new Error('no changes')
  let before: readonly (readonly unknown[])[] = []
  const events = statement.expected.states(input).flatMap((after, at) => {
    const texts = (rows: typeof before) => rows.map((row) => bodyOf(row))
    const [old, now] = [texts(before), texts(after)]
    before = after
    const gone = old.filter((row) => !now.includes(row)).map((row) => `{"before":${row},"after":null}`)
    const come = now.filter((row) => !old.includes(row)).map((row) => `{"before":null,"after":${row}}`)
    return [...gone, ...come].map((body) => ({ body, timestampMs: at }))
  })
  expect(events.length).toBeGreaterThan(10)
  checkSink(statement, input, events)
  expect(() => checkSink(statement, input, events.slice(1))).toThrow()
  expect(() => checkSink(statement, input, [events[0]!, ...events])).toThrow()
  expect(() => checkSink(statement, input, events.slice(0, -1))).toThrow()
})
