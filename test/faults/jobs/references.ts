/** What jobs must write, worked out record by record. */
import { type Event, WATERMARK_DELAY_MS } from './input.ts'

export interface WindowRow {
  readonly start: string
  readonly end: string
  readonly k: string
  readonly n: number
  readonly total: number
}

export type History = ReadonlyMap<string, readonly (string | undefined)[]>

export function oddAndEven(events: readonly Event[], rest: 0 | 1): string[] {
  return events.filter(({ v }) => v % 2 === rest).map(({ id }) => JSON.stringify({ id }))
}

export function tumbling(events: readonly Event[]): readonly Omit<WindowRow, 'end'>[] {
  return windows(events, 2_000, 2_000).map(({ start, k, n, total }) => ({ start, k, n, total }))
}

export function hopping(events: readonly Event[]): readonly Omit<WindowRow, 'start'>[] {
  return windows(events, 4_000, 1_000).map(({ end, k, n, total }) => ({ end, k, n, total }))
}

/** The rows of each key after each of its events. */
export function sums(events: readonly Event[]): History {
  const last = new Map<string, { n: number; total: number }>()
  const history = new Map<string, string[]>()
  for (const { k, v } of events) {
    const { n, total } = last.get(k) ?? { n: 0, total: 0 }
    last.set(k, { n: n + 1, total: total + v })
    const values = history.get(k) ?? []
    values.push(JSON.stringify({ k, ...last.get(k) }))
    history.set(k, values)
  }
  return history
}

/** The rows of each group after each change of `sums`. */
export function refreshed(changes: readonly string[]): History {
  const rows = new Map<string, { n: number; total: number }>()
  const history = new Map<string, (string | undefined)[]>()
  const groupRow = (g: number) => {
    const members = [...rows.values()].filter(({ n }) => n % 3 === g)
    if (members.length === 0) return undefined
    return JSON.stringify({ g, n: members.length, total: members.reduce((sum, { total }) => sum + total, 0) })
  }
  for (const change of changes) {
    const { k, ...row } = JSON.parse(change) as { k: string; n: number; total: number }
    rows.set(k, row)
    for (const g of [0, 1, 2]) {
      const values = history.get(String(g)) ?? []
      const value = groupRow(g)
      if (values.at(-1) !== value) values.push(value)
      if (values.length > 0) history.set(String(g), values)
    }
  }
  return history
}

/** The last value of each key. */
export function lastOf(history: History): ReadonlyMap<string, string | undefined> {
  return new Map([...history].map(([key, values]) => [key, values.at(-1)]))
}

function windows(events: readonly Event[], sizeMs: number, slideMs: number): WindowRow[] {
  const open = new Map<string, { start: number; end: number; k: string; n: number; total: number }>()
  let watermark = Number.NEGATIVE_INFINITY
  for (const { k, v, ms } of events) {
    for (let start = Math.floor(ms / slideMs) * slideMs; start > ms - sizeMs; start -= slideMs) {
      const end = start + sizeMs
      if (end - 1 <= watermark) continue // late
      const key = `${start} ${k}`
      const { n, total } = open.get(key) ?? { n: 0, total: 0 }
      open.set(key, { start, end, k, n: n + 1, total: total + v })
    }
    watermark = Math.max(watermark, ms - WATERMARK_DELAY_MS)
  }
  return [...open.values()]
    .filter(({ end }) => end - 1 <= watermark)
    .sort((a, b) => a.end - b.end || (a.k < b.k ? -1 : 1))
    .map(({ start, end, ...row }) => ({ start: timeText(start), end: timeText(end), ...row }))
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}
