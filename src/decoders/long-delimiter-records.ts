/**
 * CSV as in csv-records.ts, where the delimiter has more than one byte: `||`, or a character beyond ASCII. Delimiters
 * are found from left to right and do not overlap. The decoder reads byte by byte, because such files are rare.
 *
 * Indexes are asserted with `!`: the loops keep offsets inside the chunk, and a full match resets `#matched`.
 */
import { ServiceError } from '../service-error.ts'
import { ByteOrderMarkScan } from './byte-order-mark.ts'
import { notClosed, recordTooLong, strayByte } from './csv-problems.ts'
import type { BatchDecoder, CsvDialect, DecoderOptions } from './decoder.ts'
import { type Emit, EventCutter } from './event-cutter.ts'
import { CR, indexOrLength, LF } from './line-splitter.ts'

export function longDelimiterRecords(options: DecoderOptions, dialect: CsvDialect): BatchDecoder {
  return new LongDelimiterRecords(options, dialect)
}

class LongDelimiterRecords implements BatchDecoder {
  readonly headers = []
  readonly expands = false
  readonly #cutter: EventCutter
  readonly #dialect: CsvDialect
  /** For each number of matched bytes: how many remain matched when the next byte does not match (Knuth-Morris-Pratt). */
  readonly #fallbacks: readonly number[]
  #place: 'outside' | 'quoted' | 'closing' = 'outside'
  #fieldStart = true
  /** How many bytes of the delimiter the last bytes match. */
  #matched = 0
  #openedAt = 0
  #bodyOffset = 0
  readonly #mark = new ByteOrderMarkScan()

  constructor(options: DecoderOptions, dialect: CsvDialect) {
    this.#dialect = dialect
    this.#fallbacks = fallbacksOf(dialect.delimiter)
    this.#cutter = new EventCutter(options.eventBytesMax, recordTooLong(options.eventBytesMax))
  }

  decode(chunk: Uint8Array, emit: Emit): boolean {
    const bytes = this.#cutter.begin(chunk, emit)
    let recordStart = 0
    for (let at = this.#textStart(bytes); at < bytes.length; at++) {
      if (this.#place === 'quoted') {
        at = indexOrLength(bytes, this.#dialect.quote, at)
        if (at < bytes.length) this.#place = 'closing'
      } else if (this.#endsRecord(bytes[at]!)) {
        this.#cutter.cut(recordStart, at)
        recordStart = at + 1
        this.#beginField()
      } else if (this.#place === 'closing') {
        this.#afterQuote(bytes[at]!, recordStart, at)
      } else {
        this.#inPlainField(bytes[at]!, at)
      }
    }
    this.#cutter.finish(recordStart)
    this.#bodyOffset += bytes.length
    return false
  }

  decodeMore(): boolean {
    return false
  }

  end(emit: Emit): void {
    if (this.#place === 'quoted') throw notClosed(this.#cutter.eventNumber, this.#openedAt)
    if (this.#place === 'closing' && this.#matched > 0) {
      throw new ServiceError(
        'malformed_batch',
        `record ${this.#cutter.eventNumber} ends inside the delimiter that follows a closing quote`,
      )
    }
    this.#cutter.end(emit)
  }

  #endsRecord(byte: number): boolean {
    return (byte === LF || byte === CR) && (this.#place === 'outside' || this.#matched === 0)
  }

  #beginField(): void {
    this.#place = 'outside'
    this.#fieldStart = true
    this.#matched = 0
  }

  #inPlainField(byte: number, at: number): void {
    const { delimiter, quote } = this.#dialect
    if (this.#fieldStart && byte === quote) {
      this.#place = 'quoted'
      this.#openedAt = this.#bodyOffset + at
      return
    }
    this.#fieldStart = false
    while (this.#matched > 0 && delimiter[this.#matched] !== byte)
      this.#matched = this.#fallbacks[this.#matched]!
    if (delimiter[this.#matched] === byte) this.#matched++
    if (this.#matched === delimiter.length) this.#beginField()
  }

  #afterQuote(byte: number, recordStart: number, at: number): void {
    const { delimiter, quote } = this.#dialect
    if (byte === quote && this.#matched === 0) {
      this.#place = 'quoted'
    } else if (byte === delimiter[this.#matched]) {
      if (++this.#matched === delimiter.length) this.#beginField()
    } else {
      this.#cutter.refuseTooLarge(recordStart, at)
      throw strayByte(this.#cutter.eventNumber, byte, this.#bodyOffset + at, this.#dialect)
    }
  }

  /** Where the text of the chunk begins. A quote right after a byte order mark opens a field. */
  #textStart(bytes: Buffer): number {
    if (this.#mark.done) return 0
    const at = this.#mark.skip(bytes)
    this.#fieldStart = this.#mark.atFieldStart
    return at
  }
}

/** For every number of matched bytes: the longest shorter start of the delimiter that these bytes end with. */
function fallbacksOf(delimiter: Uint8Array): number[] {
  const fallbacks = [0, 0]
  for (let length = 1; length < delimiter.length; length++) {
    let matched = fallbacks[length]!
    while (matched > 0 && delimiter[matched] !== delimiter[length]) matched = fallbacks[matched]!
    fallbacks.push(delimiter[matched] === delimiter[length] ? matched + 1 : 0)
  }
  return fallbacks
}
