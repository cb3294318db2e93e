/**
 * Sorted arrays of rows. An array is never changed: readers may keep it. Long work runs in slices, so that other requests are
 * handled meanwhile.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CompareRows, SortedRow } from './result-order.ts'

/** Rows that are sorted, or merged, between two turns of the event loop. */
const SLICE_ROWS = 4_096

export async function sortRows<Row extends SortedRow>(rows: Row[], compare: CompareRows): Promise<Row[]> {
  if (rows.length <= SLICE_ROWS) return rows.sort(compare)
  let runs: Row[][] = []
  for (let at = 0; at < rows.length; at += SLICE_ROWS) {
    runs.push(rows.slice(at, at + SLICE_ROWS).sort(compare))
    await nextTurn()
  }
  while (runs.length > 1) {
    const merged: Row[][] = []
    for (let i = 0; i < runs.length; i += 2) {
      const [one, other] = [runs[i]!, runs[i + 1]]
      merged.push(other === undefined ? one : await mergeRuns(one, other, compare))
    }
    runs = merged
  }
  return runs[0]!
}

async function mergeRuns<Row extends SortedRow>(
  one: Row[],
  other: Row[],
  compare: CompareRows,
): Promise<Row[]> {
  const merged: Row[] = []
  for (let i = 0, j = 0; i < one.length || j < other.length; ) {
    const isOne = j >= other.length || (i < one.length && compare(one[i]!, other[j]!) <= 0)
    merged.push(isOne ? one[i++]! : other[j++]!)
    if (merged.length % SLICE_ROWS === 0) await nextTurn()
  }
  return merged
}

/** A new array without the removed rows and with the added ones. Both are few compared with `rows`. */
export function changedRows<Row extends SortedRow>(
  rows: readonly Row[],
  removed: Iterable<Row>,
  added: Row[],
  compare: CompareRows,
): Row[] {
  const cuts = [...removed].map((row) => placeOf(rows, row, compare)).sort((a, b) => a - b)
  added.sort(compare)
  const result: Row[] = new Array(rows.length - cuts.length + added.length)
  let to = 0
  let from = 0
  let cut = 0
  const copyUntil = (end: number) => {
    while (from < end) {
      if (from === cuts[cut]) {
        cut++
        from++
      } else result[to++] = rows[from++]!
    }
  }
  for (const row of added) {
    copyUntil(placeOf(rows, row, compare))
    result[to++] = row
  }
  copyUntil(rows.length)
  return result
}

/** Index of the first row that is not before this one. */
function placeOf<Row extends SortedRow>(rows: readonly Row[], row: Row, compare: CompareRows): number {
  let low = 0
  for (let high = rows.length; low < high; ) {
    const middle = (low + high) >>> 1
    if (compare(rows[middle]!, row) < 0) low = middle + 1
    else high = middle
  }
  return low
}
