/**
 * Merges the entries of several sources into the newest entry of every key, in key order. Deleted keys are left out.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { Entry } from './write-batch.ts'

/** Entries sorted by key; entries of the same key are sorted newest first. */
export interface EntrySource {
  /** No key of the source is smaller. */
  readonly smallest: Buffer
  /** Opened when the merge reaches `smallest`; closed by `return`. */
  entries(): Generator<Entry, void>
}

interface Head {
  entry: Entry
  readonly rest: Generator<Entry, void>
}

/**
 * Few sources are open at the same time: most tables do not overlap, and a table is opened when the merge reaches its
 * keys.
 */
export function* mergeNewest(sources: readonly EntrySource[]): Generator<Entry, void> {
  const waiting = [...sources].sort((a, b) => b.smallest.compare(a.smallest)) // the next one to open is the last element
  const heads: Head[] = []
  let last: Buffer | undefined
  try {
    for (;;) {
      let first = firstOf(heads)
      while (
        waiting.length > 0 &&
        (!first || waiting[waiting.length - 1]!.smallest.compare(first.entry.key) <= 0)
      ) {
        const rest = waiting.pop()!.entries()
        const { value: entry } = rest.next()
        if (entry) heads.push({ entry, rest })
        first = firstOf(heads)
      }
      if (!first) return
      const { entry } = first
      advance(heads, first)
      if (last?.equals(entry.key)) continue
      last = entry.key
      if (!entry.deleted) yield entry
    }
  } finally {
    for (const { rest } of heads) rest.return()
  }
}

function firstOf(heads: readonly Head[]): Head | undefined {
  let first: Head | undefined
  for (const head of heads) if (first === undefined || isBefore(head.entry, first.entry)) first = head
  return first
}

function isBefore(a: Entry, b: Entry): boolean {
  const order = a.key.compare(b.key)
  return order < 0 || (order === 0 && a.sequence > b.sequence)
}

function advance(heads: Head[], head: Head): void {
  const { value: entry } = head.rest.next()
  if (entry) head.entry = entry
  else heads.splice(heads.indexOf(head), 1)
}
