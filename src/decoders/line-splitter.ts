/**
 * Cuts a range of bytes into lines at 0x0A and 0x0D, with the search that is faster for the length of the lines.
 *
 * `Buffer.indexOf` costs about 12 ns a call and then runs at memory speed. A loop over bytes costs about 0.8 ns a byte.
 * So lines shorter than about 12 bytes are read byte by byte, longer ones with `indexOf`. The splitter chooses again
 * every few kilobytes.
 *
 * Indexes are asserted with `!`: the loop bounds keep the index inside.
 */
import { type EventCutter, SLICES_PER_EMIT } from './event-cutter.ts'

export const LF = 0x0a
export const CR = 0x0d

/** Below this many bytes per line end (the line end included) reading byte by byte is faster than `indexOf`. */
const SHORT_LINE_BYTES = 12
/** After this many lines, or bytes, the splitter chooses the search again. */
const SAMPLE_LINES = 64
const SAMPLE_BYTES = 4096

export class LineSplitter {
  readonly #cutter: EventCutter
  #bytes: Buffer = Buffer.alloc(0)
  // The offset of the next LF and CR, or the length of the chunk. Out of date once `at` is behind it. Kept for the
  // whole chunk, so that a chunk without a CR is searched for one only once, even if it is split in many ranges.
  #lf = -1
  #cr = -1

  constructor(cutter: EventCutter) {
    this.#cutter = cutter
  }

  begin(bytes: Buffer): void {
    this.#bytes = bytes
    this.#lf = -1
    this.#cr = -1
  }

  /**
   * Cuts every line that ends in `[from, to)`. The first line begins at `start`, and `[start, from)` has no line end.
   * Returns where the line begins that continues at `to`.
   */
  split(start: number, from: number, to: number): number {
    if (from >= to) return start
    const bytes = this.#bytes
    const cutter = this.#cutter
    const { starts, ends, eventBytesMax } = cutter
    let count = cutter.count
    let lf = this.#lf
    let cr = this.#cr
    let lineStart = start
    let at = from
    let sampleStart = from
    let sampleLines = 0
    for (;;) {
      if (lf < at) lf = indexOrLength(bytes, LF, at)
      if (cr < at) cr = indexOrLength(bytes, CR, at)
      const end = Math.min(lf, cr)
      if (end >= to) break
      // The cutter handles the other cases: errors, a line from the chunk before, full arrays.
      if (end - lineStart > eventBytesMax || lineStart === 0 || count + 1 === SLICES_PER_EMIT) {
        cutter.count = count
        cutter.cut(lineStart, end)
        count = cutter.count
      } else if (end > lineStart) {
        starts[count] = lineStart
        ends[count] = end
        count++
      }
      lineStart = end + 1
      at = lineStart
      sampleLines++
      if (sampleLines === SAMPLE_LINES) {
        if (at - sampleStart < SAMPLE_LINES * SHORT_LINE_BYTES) {
          cutter.count = count
          lineStart = this.#splitShort(lineStart, to)
          count = cutter.count
          at = lineStart
        }
        sampleStart = at
        sampleLines = 0
      }
    }
    cutter.count = count
    this.#lf = lf
    this.#cr = cr
    return lineStart
  }

  /** Does the same byte by byte, from the start of a line on. It returns early where lines become longer. */
  #splitShort(start: number, to: number): number {
    const bytes = this.#bytes
    const cutter = this.#cutter
    const { starts, ends, eventBytesMax } = cutter
    let count = cutter.count
    let lineStart = start
    let at = start
    let short = true
    while (short && at < to) {
      const sampleStart = at
      const sampleEnd = Math.min(at + SAMPLE_BYTES, to)
      let sampleLines = 0
      while (at < sampleEnd) {
        let byte = bytes[at]!
        while (byte > CR && ++at < sampleEnd) byte = bytes[at]!
        if (at === sampleEnd) break
        if (byte === LF || byte === CR) {
          if (at - lineStart > eventBytesMax || count + 1 === SLICES_PER_EMIT) {
            cutter.count = count
            cutter.cut(lineStart, at)
            count = cutter.count
          } else if (at > lineStart) {
            starts[count] = lineStart
            ends[count] = at
            count++
          }
          lineStart = at + 1
          sampleLines++
        }
        at++
      }
      short = sampleEnd - sampleStart < sampleLines * SHORT_LINE_BYTES
    }
    cutter.count = count
    return lineStart
  }
}

export function indexOrLength(bytes: Buffer, byte: number, from: number): number {
  const index = bytes.indexOf(byte, from)
  return index === -1 ? bytes.length : index
}
