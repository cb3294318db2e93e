/**
 * Tables A and B over streams, U and V of changes, and random events of them: out of order, late, with NULL in every column,
 * without an event time, and such that cannot be read.
 */
import type { SeededRandom } from '../../support/seeded-random.ts'

export interface Row {
  readonly id: number | null
  readonly k: string | null
  readonly h: number | null
  readonly x: number | null
  readonly y: number | null
  /** DECIMAL(10, 2) in hundredths. */
  readonly d: bigint | null
  /** Event time in milliseconds. */
  readonly seen: number | null
}

export type StreamName = 'A' | 'B'
export type ChangingName = 'U' | 'V'

/** An event as the log has it. `row`: undefined if it cannot be read; of a change the row after it. */
export interface Arrived {
  readonly table: StreamName | ChangingName
  readonly row: Row | undefined
  /** Of a change: the row that it deletes or replaces. */
  readonly before?: Row
}

export const DELAY_MS: Readonly<Record<StreamName, number>> = { A: 2_000, B: 500 }

const PHYSICAL = 'id INT, k STRING, h INT, x INT, y DOUBLE, d DECIMAL(10, 2)'
export const SCHEMAS: Readonly<Record<StreamName | ChangingName, string>> = {
  A: `${PHYSICAL}, seen BIGINT, ts AS TO_TIMESTAMP_LTZ(seen, 3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND`,
  B: `${PHYSICAL}, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts - INTERVAL '0.5' SECOND`,
  U: `${PHYSICAL}, PRIMARY KEY (id)`,
  V: `${PHYSICAL}, PRIMARY KEY (id)`,
}

const UNREADABLE = ['{"id":', '[1]', '{"id":1,"x":"many"}', 'nothing', '{"id":1.5}']

/** Bodies of a stream table. */
export function streamBodies(random: SeededRandom, table: StreamName, count: number): string[] {
  let now = random.pick([1_633_956_780_000, -60_000])
  return Array.from({ length: count }, (_, id) => {
    now += random.whole(0, 120)
    if (random.next() < 0.02) return random.pick(UNREADABLE)
    const behind = random.next() < 0.1 ? random.whole(0, 20_000) : random.whole(0, 2_500)
    const seen = random.next() < 0.03 ? null : now - behind
    const time = table === 'A' ? { seen } : { ts: seen === null ? null : `${timeText(seen)}Z` }
    return JSON.stringify({ id, ...values(random), ...time })
  })
}

function values(random: SeededRandom) {
  const maybe = <T>(value: T) => (random.next() < 0.1 ? null : value)
  const missing = random.next() < 0.05
  return {
    k: maybe(random.pick(['a', 'b', 'c', 'ab', 'Ba', '', 'ü', 'a longer key than twelve'])),
    h: maybe(random.whole(-3, 3)),
    ...(!missing && { x: maybe(random.whole(-1_000, 1_000)) }),
    y: maybe(random.pick([0.1, -0.3, 1e15, random.next(), random.whole(-50, 50) / 4])),
    d: maybe(random.whole(-1_000_000, 1_000_000) / 100),
  }
}

/** Bodies of a table of changes, of few keys. Sums of `y` are exact in any order. */
export function changeBodies(random: SeededRandom, count: number): string[] {
  const rows = new Map<number, unknown>()
  return Array.from({ length: count }, () => {
    if (random.next() < 0.02) return random.pick(UNREADABLE)
    const id = random.whole(0, 15)
    const before = rows.get(id) ?? null
    const isDelete = before !== null && random.next() < 0.3
    const after = isDelete
      ? null
      : { id, ...values(random), y: random.pick([null, random.whole(-50, 50) / 4]) }
    if (after === null) rows.delete(id)
    else rows.set(id, after)
    const op = after === null ? 'd' : before === null ? 'c' : 'u'
    return JSON.stringify({ before, after, op })
  })
}

/**
 * The event of a body, by other means than those of the service. A job reads the columns of a source that its statement names
 * there: what other members of the body hold does not matter.
 */
export function arrived(
  table: StreamName | ChangingName,
  body: string,
  uses: (column: string) => boolean,
): Arrived {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { table, row: undefined }
  }
  if (table === 'A' || table === 'B') return { table, row: rowOf(value, uses) }
  const { before, after } = value as { readonly before?: unknown; readonly after?: unknown }
  const old = rowOf(before, uses)
  return { table, row: rowOf(after, uses), ...(old !== undefined && { before: old }) }
}

function rowOf(value: unknown, uses: (column: string) => boolean): Row | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined
  const { id = null, k = null, h = null, x = null, y = null, d = null, seen = null, ts } = value as never
  if ((typeof x === 'string' && uses('x')) || (id !== null && !Number.isInteger(id) && uses('id')))
    return undefined
  const cents = d === null ? null : BigInt(Math.round(Number(d) * 100))
  const time = ts === undefined || ts === null ? seen : Date.parse(String(ts).replace(' ', 'T'))
  return { id, k, h, x, y, d: cents, seen: time }
}

export function timeText(ms: number): string {
  const text = new Date(ms).toISOString().replace('T', ' ')
  return text.replace(/\.?0*Z$/, '')
}
