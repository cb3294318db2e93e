/**
 * Content type `text/csv`: every CSV record of the body is one event, quoted line ends included.
 *
 *   record:  field (',' field)*, ended by a run of CR and LF, or by the end of the body     (RFC 4180)
 *   field:   '"' (any byte but '"' | '""')* '"'      only when the quote is the first byte of the field
 *            | bytes other than ',' CR LF            a quote further on is an ordinary byte
 *
 * A body without quotes is cut exactly as text-lines.ts cuts it: no empty events, nothing trimmed. The event is
 * the record's own bytes, quotes and all, never written anew. A UTF-8 byte order mark at the start of the body stays
 * in the first event, and a quote right after it still opens a field. UTF-16 is not supported, as for text.
 */
import { ServiceError } from '../service-error.ts'
import type { BatchDecoder, DecoderOptions } from './decoder.ts'
import { type Emit, EventCutter } from './event-cutter.ts'
import { CR, indexOrLength, LF, LineSplitter } from './line-splitter.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/**
 * This far past a quote bytes are read one by one, because the next quote is often near and a call of `indexOf` costs
 * more; beyond, `indexOf` looks for it. Outside of quoted fields the splitter then cuts the lines before it.
 */
const NEAR_BYTES = 16

const AS_TEXT = 'send the body as text/plain to split it on line ends alone'

/** Where a reader stands between two bytes. `closing`: after a quote in a quoted field, whose meaning the next byte tells. */
type Place = 'outside' | 'quoted' | 'closing'

export function csvRecords(options: DecoderOptions): BatchDecoder {
  return new CsvRecords(options)
}

class CsvRecords implements BatchDecoder {
  readonly headers = []
  readonly expands = false
  readonly #cutter: EventCutter
  readonly #splitter: LineSplitter
  #place: Place = 'outside'
  /** Whether a quote as the next byte would open a field; only looked at in the place 'outside'. */
  #fieldStart = true
  /** Where in the body the latest quoted field opened. */
  #openedAt = 0
  /** Bytes of the body before this chunk. */
  #bodyOffset = 0
  /** Bytes of a byte order mark seen at the start of the body. */
  #markBytes = 0

  constructor(options: DecoderOptions) {
    this.#cutter = new EventCutter(
      options.eventBytesMax,
      (number) =>
        `record ${number} is longer than ${options.eventBytesMax} bytes, the most one event may hold; ` +
        `send shorter records and close every quoted field, or ${AS_TEXT}`,
    )
    this.#splitter = new LineSplitter(this.#cutter)
  }

  decode(chunk: Uint8Array, emit: Emit): boolean {
    const bytes = this.#cutter.begin(chunk, emit)
    this.#splitter.begin(bytes)
    this.#cutter.finish(this.#cutRecords(bytes, this.#skipByteOrderMark(bytes)))
    this.#bodyOffset += bytes.length
    return false
  }

  decodeMore(): boolean {
    return false
  }

  end(emit: Emit): void {
    if (this.#place === 'quoted') {
      throw new ServiceError(
        'malformed_batch',
        `record ${this.#cutter.eventNumber} ends inside a quoted field, whose quote opened at byte ` +
          `${this.#openedAt} of the body; close it with a quote, or ${AS_TEXT}`,
      )
    }
    this.#cutter.end(emit)
  }

  /**
   * Cuts every record that ends in this chunk, reading from `resume` on, and returns where the unfinished one begins.
   *
   * One loop over the three places, on local variables, because it sees every byte near quotes. Away from quotes
   * lines are records, and the splitter for text finds them faster.
   */
  #cutRecords(bytes: Buffer, resume: number): number {
    const cutter = this.#cutter
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
          byte = bytes[at]
          if (byte <= QUOTE && (byte === QUOTE || byte === LF || byte === CR)) break
        }
        if (at >= stop) {
          const quote = bytes.indexOf(QUOTE, at)
          const to = quote === -1 ? length : quote
          recordStart = this.#splitter.split(recordStart, at, to)
          at = to
          plainFrom = to + NEAR_BYTES
        } else if (byte === QUOTE) {
          const opens = at === resume ? this.#fieldStart : at === recordStart || bytes[at - 1] === COMMA
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
            while (at < near && bytes[at] !== QUOTE) at++
            if (at === near) at = indexOrLength(bytes, QUOTE, at)
            // Where one field is quoted the next often is: straight on, without a look at the places in between.
            if (at + 2 >= length || bytes[at + 1] !== COMMA || bytes[at + 2] !== QUOTE) break
            openedAt = at + 2
            at += 3
          }
          if (at === length) break
          place = 'closing'
          at++
          if (at === length) break
        }
        const byte = bytes[at]
        if (byte === COMMA || byte === LF || byte === CR) {
          if (byte !== COMMA) {
            cutter.cut(recordStart, at)
            recordStart = at + 1
          }
          place = 'outside'
          plainFrom = at + 1 + NEAR_BYTES
        } else if (byte === QUOTE) {
          place = 'quoted'
        } else {
          // Which of two refusals is given must not hang on how the body was cut into chunks.
          cutter.refuseTooLarge(recordStart, at)
          throw this.#strayByte(byte, at)
        }
        at++
      }
    }

    if (length > resume) this.#fieldStart = recordStart === length || bytes[length - 1] === COMMA
    this.#place = place
    this.#openedAt = this.#bodyOffset + openedAt
    return recordStart
  }

  /** Steps over the byte order mark, which may itself come in pieces; after a whole one a field starts. */
  #skipByteOrderMark(bytes: Buffer): number {
    const onlyMarkSoFar = this.#bodyOffset === this.#markBytes
    if (!onlyMarkSoFar || this.#markBytes === BYTE_ORDER_MARK.length) return 0
    let at = 0
    while (at < bytes.length && bytes[at] === BYTE_ORDER_MARK[this.#markBytes]) {
      this.#markBytes++
      at++
    }
    this.#fieldStart = this.#markBytes === 0 || this.#markBytes === BYTE_ORDER_MARK.length
    return at
  }

  #strayByte(byte: number, at: number): ServiceError {
    const printable = byte > 0x20 && byte < 0x7f
    const got = printable ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16).padStart(2, '0')}`
    return new ServiceError(
      'malformed_batch',
      `record ${this.#cutter.eventNumber} has ${got} right after a closing quote, at byte ${this.#bodyOffset + at} ` +
        `of the body; a comma, a line end or the end of the body belongs there. Write a quote inside a quoted ` +
        `field twice (""), or ${AS_TEXT}`,
    )
  }
}
