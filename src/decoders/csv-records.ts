/**
 * Content type `text/csv`: every CSV record of the body is one event; line ends inside quotes belong to the record. The
 * delimiter and the quote may be other bytes. Delimiters of several bytes are in long-delimiter-records.ts.
 *
 *   record:  field (',' field)*, ended by a run of CR and LF, or by the end of the body     (RFC 4180)
 *   field:   '"' (any byte but '"' | '""')* '"'      only when the quote is the first byte of the field
 *            | bytes other than ',' CR LF            a quote that is not the first byte is an ordinary byte
 *
 * A body without quotes is cut exactly as in text-lines.ts: no empty events, nothing trimmed. The event is the original
 * bytes of the record with its quotes; the record is not written anew. A UTF-8 byte order mark at the start of the body
 * stays in the first event, and a quote right after it still opens a field. UTF-16 is rejected before this decoder
 * (utf16-mark.ts).
 *
 * Indexes are asserted with `!`: the loop bounds keep the index inside.
 */
import { ByteOrderMarkScan } from './byte-order-mark.ts'
import { notClosed, recordTooLong, strayByte } from './csv-problems.ts'
import type { BatchDecoder, CsvDialect, DecoderOptions } from './decoder.ts'
import { type Emit, EventCutter } from './event-cutter.ts'
import { CR, indexOrLength, LF, LineSplitter } from './line-splitter.ts'

const RFC_4180: CsvDialect = { delimiter: Buffer.from(','), quote: 0x22 }

/**
 * After a quote the decoder reads this many bytes one by one, because the next quote is often near and a call of
 * `indexOf` costs more. After that it uses `indexOf`. Outside of quoted fields the splitter then cuts the lines before
 * the next quote.
 */
const NEAR_BYTES = 16

/** State between two bytes. `closing`: after a quote in a quoted field; the next byte decides what the quote means. */
type Place = 'outside' | 'quoted' | 'closing'

/** The delimiter of `dialect` is one byte. */
export function csvRecords(options: DecoderOptions, dialect = RFC_4180): BatchDecoder {
  return new CsvRecords(options, dialect)
}

class CsvRecords implements BatchDecoder {
  readonly headers = []
  readonly expands = false
  readonly #dialect: CsvDialect
  readonly #cutter: EventCutter
  readonly #splitter: LineSplitter
  #place: Place = 'outside'
  /** Whether a quote as the next byte would open a field. Used only in the state 'outside'. */
  #fieldStart = true
  /** Where in the body the latest quoted field opened. */
  #openedAt = 0
  /** Bytes of the body before this chunk. */
  #bodyOffset = 0
  readonly #mark = new ByteOrderMarkScan()

  constructor(options: DecoderOptions, dialect: CsvDialect) {
    this.#dialect = dialect
    this.#cutter = new EventCutter(options.eventBytesMax, recordTooLong(options.eventBytesMax))
    this.#splitter = new LineSplitter(this.#cutter)
  }

  decode(chunk: Uint8Array, emit: Emit): boolean {
    const bytes = this.#cutter.begin(chunk, emit)
    this.#splitter.begin(bytes)
    this.#cutter.finish(this.#cutRecords(bytes, this.#textStart(bytes)))
    this.#bodyOffset += bytes.length
    return false
  }

  decodeMore(): boolean {
    return false
  }

  end(emit: Emit): void {
    if (this.#place === 'quoted') throw notClosed(this.#cutter.eventNumber, this.#openedAt)
    this.#cutter.end(emit)
  }

  /**
   * Cuts every record that ends in this chunk, starting to read at `resume`. Returns where the unfinished record
   * begins.
   *
   * One loop handles the three states with local variables, because it reads every byte near quotes. Away from quotes
   * every line is a record, and the splitter for text finds lines faster.
   */
  #cutRecords(bytes: Buffer, resume: number): number {
    const cutter = this.#cutter
    const { quote, delimiter } = this.#dialect
    const comma = delimiter[0]
    /** Bytes above both the quote and the line ends are ordinary. Nearly all bytes are. */
    const ordinaryAbove = Math.max(quote, CR)
    const length = bytes.length
    let place = this.#place
    let recordStart = 0
    let openedAt = this.#openedAt - this.#bodyOffset
    let plainFrom = resume
    let at = resume

    while (at < length) {
      if (place === 'outside') {
        const stop = Math.min(plainFrom, length)
        let byte = 0
        for (; at < stop; at++) {
          byte = bytes[at]!
          if (byte <= ordinaryAbove && (byte === quote || byte === LF || byte === CR)) break
        }
        if (at >= stop) {
          const to = indexOrLength(bytes, quote, at)
          recordStart = this.#splitter.split(recordStart, at, to)
          at = to
          plainFrom = to + NEAR_BYTES
        } else if (byte === quote) {
          const opens = at === resume ? this.#fieldStart : at === recordStart || bytes[at - 1] === comma
          if (opens) {
            openedAt = at
            place = 'quoted'
          }
          at++
          plainFrom = at + NEAR_BYTES
        } else {
          cutter.cut(recordStart, at)
          at++
          recordStart = at
        }
      } else {
        if (place === 'quoted') {
          for (;;) {
            const near = Math.min(at + NEAR_BYTES, length)
            while (at < near && bytes[at] !== quote) at++
            if (at === near) at = indexOrLength(bytes, quote, at)
            // The field after a quoted one is often quoted too: the loop continues without a change of state.
            if (at + 2 >= length || bytes[at + 1] !== comma || bytes[at + 2] !== quote) break
            openedAt = at + 2
            at += 3
          }
          if (at === length) break
          place = 'closing'
          at++
          if (at === length) break
        }
        const byte = bytes[at]!
        if (byte === comma || byte === LF || byte === CR) {
          if (byte !== comma) {
            cutter.cut(recordStart, at)
            recordStart = at + 1
          }
          place = 'outside'
          plainFrom = at + 1 + NEAR_BYTES
        } else if (byte === quote) {
          place = 'quoted'
        } else {
          // The error must not depend on how the body was cut into chunks.
          cutter.refuseTooLarge(recordStart, at)
          throw strayByte(cutter.eventNumber, byte, this.#bodyOffset + at, this.#dialect)
        }
        at++
      }
    }

    if (length > resume) this.#fieldStart = recordStart === length || bytes[length - 1] === comma
    this.#place = place
    this.#openedAt = this.#bodyOffset + openedAt
    return recordStart
  }

  /** Where the text of the chunk begins. */
  #textStart(bytes: Buffer): number {
    if (this.#mark.done) return 0
    const at = this.#mark.skip(bytes)
    this.#fieldStart = this.#mark.atFieldStart
    return at
  }
}
