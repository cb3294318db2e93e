/** Rows in windows, one record after the other: which windows a row is in, which of them it is late for, and which close. */
import { type Arrived, DELAY_MS, type Row, type StreamName } from './input.ts'

export interface WindowKind {
  readonly kind: 'TUMBLE' | 'HOP' | 'CUMULATE'
  readonly sizeMs: number
  readonly slideMs: number
  readonly offsetMs: number
}

export interface Window {
  readonly start: number
  readonly end: number
  readonly rows: Row[]
}

export interface WindowInput {
  readonly window: WindowKind
  /** Whose rows are in the windows. */
  readonly sources: readonly StreamName[]
  /** All sources of the statement: the watermark is the smallest of theirs. */
  readonly clocks: readonly StreamName[]
  /** Rows that are in windows; those of other rows move the watermark all the same. */
  readonly passes: (row: Row) => boolean
}

export interface Windows {
  readonly windows: readonly Window[]
  /** The smallest watermark at the end. */
  readonly watermark: number
}

/** `perTick`: after so many events the watermark moves, as if lateness were judged per tick. */
export function windowsOf(
  { window, sources, clocks, passes }: WindowInput,
  input: readonly Arrived[],
  perTick = 1,
): Windows {
  const windows = new Map<string, Window>()
  const seen = new Map<string, number>(clocks.map((source) => [source, Number.NEGATIVE_INFINITY]))
  let watermark = Number.NEGATIVE_INFINITY
  for (const [index, { table, row }] of input.entries()) {
    if (row !== undefined && row.seen !== null && seen.has(table)) {
      if (sources.includes(table as StreamName) && passes(row)) {
        for (const [start, end] of windowsAt(window, row.seen)) {
          if (end - 1 <= watermark) continue
          const key = `${start}/${end}`
          if (!windows.has(key)) windows.set(key, { start, end, rows: [] })
          windows.get(key)!.rows.push(row)
        }
      }
      seen.set(table, Math.max(seen.get(table)!, row.seen - DELAY_MS[table as StreamName]))
    }
    if ((index + 1) % perTick === 0) watermark = Math.min(...seen.values())
  }
  return { windows: [...windows.values()], watermark: Math.min(...seen.values()) }
}

function windowsAt({ kind, sizeMs, slideMs, offsetMs }: WindowKind, at: number): [number, number][] {
  const windows: [number, number][] = []
  const floor = (unit: number) => Math.floor((at - offsetMs) / unit) * unit + offsetMs
  if (kind === 'CUMULATE') {
    const start = floor(sizeMs)
    for (let end = start + slideMs; end <= start + sizeMs; end += slideMs)
      if (end > at) windows.push([start, end])
  } else {
    const slide = kind === 'TUMBLE' ? sizeMs : slideMs
    for (let start = floor(slide); start > at - sizeMs; start -= slide) windows.push([start, start + sizeMs])
  }
  return windows
}
