/**
 * Entries of several sources -> the newest of every key, in the order of keys; what was deleted is left out.
 *
 * Indexes with `!`: the loop bound, or a length checked before, keeps them inside.
 */
import type { Entry } from './write-batch.ts'

/** Something sorted by key, of one key the newest first. */
export interface EntrySource {
  /** No key is below it. */
  readonly smallest: Buffer
  /** Opened when the merge gets there; closed by `return`. */
  entries(): Generator<Entry, void>
}

interface Head {
  entry: Entry
  readonly rest: Generator<Entry, void>
}

/** Few sources are open at a time: most tables do not overlap, and one is opened when the keys reach it. */
export function* mergeNewest(sources: readonly EntrySource[]): Generator<Entry, void> {
  const waiting = [...sources].sort((a, b) => b.smallest.compare(a.smallest)) // the next one is the last
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
