/**
 * The streams of one namespace, by name, and in the order of their names.
 *
 * The order is an array that is replaced, never changed: a reader may walk it in slices while streams are created and
 * deleted. It is sorted at its first use. After that a change costs a search and a copy, so that neither a list nor a
 * change sorts thousands of names.
 */
import type { StreamName } from './names.ts'

export interface Named {
  readonly id: { readonly stream: StreamName }
}

/** A name, or a prefix of names followed by `*`. */
export type NamePattern = string

export class OrderedStreams<S extends Named> {
  readonly #byName = new Map<StreamName, S>()
  #ordered: readonly S[] | undefined

  get(name: StreamName): S | undefined {
    return this.#byName.get(name)
  }

  get size(): number {
    return this.#byName.size
  }

  /** In no particular order. */
  values(): IterableIterator<S> {
    return this.#byName.values()
  }

  set(stream: S): void {
    const name = stream.id.stream
    const isNew = !this.#byName.has(name)
    this.#byName.set(name, stream)
    if (this.#ordered === undefined) return
    this.#ordered = this.#ordered.toSpliced(indexOf(this.#ordered, name), isNew ? 0 : 1, stream)
  }

  delete(name: StreamName): void {
    if (!this.#byName.delete(name) || this.#ordered === undefined) return
    this.#ordered = this.#ordered.toSpliced(indexOf(this.#ordered, name), 1)
  }

  /** In the order of their names. */
  ordered(): readonly S[] {
    this.#ordered ??= [...this.#byName.values()].sort((a, b) => (a.id.stream < b.id.stream ? -1 : 1))
    return this.#ordered
  }

  /** Streams that match any of the patterns, each once, in the order of their names. The cost depends only on the matches. */
  matching(patterns: readonly NamePattern[]): readonly S[] {
    const all = this.ordered()
    const ranges = patterns
      .map((pattern) => rangeOf(all, pattern))
      .filter(({ begin, end }) => begin < end)
      .sort((a, b) => a.begin - b.begin)
    if (ranges.length === 1 && ranges[0]!.end - ranges[0]!.begin === all.length) return all
    const found: S[] = []
    let next = 0
    for (const { begin, end } of ranges) {
      for (let i = Math.max(begin, next); i < end; i++) found.push(all[i]!)
      next = Math.max(next, end)
    }
    return found
  }
}

/** Whether this name matches any of the patterns. */
export function matchesName(name: string, patterns: readonly NamePattern[]): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  )
}

interface Range {
  readonly begin: number
  readonly end: number
}

function rangeOf(all: readonly Named[], pattern: NamePattern): Range {
  if (pattern === '*') return { begin: 0, end: all.length }
  if (!pattern.endsWith('*')) {
    const begin = indexOf(all, pattern)
    return { begin, end: all[begin]?.id.stream === pattern ? begin + 1 : begin }
  }
  const beginning = pattern.slice(0, -1)
  // Names are ASCII, so U+FFFF sorts after every name with this prefix.
  return { begin: indexOf(all, beginning), end: indexOf(all, `${beginning}\uffff`) }
}

/** The index of the first name that is not before this one. */
function indexOf(all: readonly Named[], name: string): number {
  let low = 0
  let high = all.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (all[middle]!.id.stream < name) low = middle + 1
    else high = middle
  }
  return low
}
