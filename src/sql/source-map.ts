/** Where the parts of a rewritten text stand in the text of the user. Offsets of the rewritten text are in UTF-8 bytes. */
import { type Place, placeOf } from './sql-problem.ts'

interface Part {
  readonly at: number
  readonly start: number
  readonly end: number
}

export class SourceMap {
  readonly #text: string
  readonly #parts: Part[] = []

  /** `text` is what places refer to. */
  constructor(text: string) {
    this.#text = text
  }

  /** The rewritten text from `at` on stands for `[start, end)` of the user's. Parts are added in order. */
  add(at: number, start: number, end: number): void {
    this.#parts.push({ at, start, end })
  }

  /** The place of the part at this offset; with `names`, of a dotted name of that many parts. */
  placeAt(offset: number, names = 1): Place {
    const parts = this.#parts
    let low = 0
    let high = parts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (parts[middle]!.at <= offset) low = middle
      else high = middle - 1
    }
    const first = parts[low]
    if (first === undefined) return placeOf(this.#text, 0, 1)
    const last = parts[Math.min(low + 2 * (names - 1), parts.length - 1)]!
    return placeOf(this.#text, first.start, last.end)
  }

  whole(): Place {
    const parts = this.#parts
    return placeOf(this.#text, parts[0]?.start ?? 0, parts.at(-1)?.end ?? 1)
  }
}

/** Collects a rewritten text together with its map. */
export class MappedText {
  readonly map: SourceMap
  #text: string
  #bytes: number

  constructor(source: string, prefix = '') {
    this.map = new SourceMap(source)
    this.#text = prefix
    this.#bytes = Buffer.byteLength(prefix)
  }

  /** Adds a part and a space. */
  add(part: string, start: number, end: number): void {
    this.map.add(this.#bytes, start, end)
    this.#text += `${part} `
    this.#bytes += Buffer.byteLength(part) + 1
  }

  get text(): string {
    return this.#text
  }
}
