/**
 * Walks the records of one batch. The fields of the present record are places in the bytes of the batch, so that nothing is
 * allocated for a record. Every length is checked against the record, and the record against the batch.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { EventHeaders } from '../log.ts'
import { BATCH_FIELDS } from './record-batch.ts'

/** The present record. Lengths are -1 for null. */
export interface RawRecord {
  readonly offsetDelta: number
  readonly timestampDelta: number
  readonly keyStart: number
  readonly keyLength: number
  readonly valueStart: number
  readonly valueLength: number
  readonly headersStart: number
  readonly headersEnd: number
  key(): Buffer | null
  value(): Buffer | null
  headers(): EventHeaders
}

/** A varint of 64 bits has at most this many bytes. */
const VARINT_BYTES_MAX = 10

export class RecordCursor implements RawRecord {
  offsetDelta = -1
  timestampDelta = 0
  keyStart = 0
  keyLength = -1
  valueStart = 0
  valueLength = -1
  headersStart = 0
  headersEnd = 0
  readonly #bytes: Buffer
  readonly #count: number
  readonly #lastOffsetDelta: number
  readonly #corrupt: (problem: string) => Error
  #index = 0
  #at: number = BATCH_FIELDS.records
  /** End of what may be read: of the batch, or of the record. */
  #end: number

  constructor(bytes: Buffer, count: number, lastOffsetDelta: number, corrupt: (problem: string) => Error) {
    this.#bytes = bytes
    this.#count = count
    this.#lastOffsetDelta = lastOffsetDelta
    this.#corrupt = corrupt
    this.#end = bytes.length
  }

  /** Goes to the next record; false after the last. */
  next(): boolean {
    const bytes = this.#bytes
    if (this.#index === this.#count) {
      if (this.#at !== bytes.length) throw this.#broken('has bytes after its last record')
      return false
    }
    this.#end = bytes.length
    const length = this.#varint()
    if (length < 0 || length > bytes.length - this.#at) throw this.#broken('ends too early')
    const end = this.#at + length
    this.#end = end
    this.#at++ // attributes: none is in use
    this.timestampDelta = this.#varint()
    const offsetDelta = this.#varint()
    if (offsetDelta <= this.offsetDelta || offsetDelta > this.#lastOffsetDelta)
      throw this.#broken(`has offset +${offsetDelta} after +${this.offsetDelta}`)
    this.offsetDelta = offsetDelta
    this.keyLength = this.#varint()
    this.keyStart = this.#at
    this.#skip(this.keyLength)
    this.valueLength = this.#varint()
    this.valueStart = this.#at
    this.#skip(this.valueLength)
    this.headersStart = this.#at
    this.headersEnd = end
    this.#at = end
    this.#index++
    return true
  }

  key(): Buffer | null {
    return this.keyLength < 0 ? null : this.#bytes.subarray(this.keyStart, this.keyStart + this.keyLength)
  }

  value(): Buffer | null {
    return this.valueLength < 0
      ? null
      : this.#bytes.subarray(this.valueStart, this.valueStart + this.valueLength)
  }

  /** A value that is null is read as empty. */
  headers(): EventHeaders {
    const after = this.#at
    this.#at = this.headersStart
    this.#end = this.headersEnd
    const count = this.#varint()
    if (count < 0 || count > this.#end - this.#at) throw this.#broken(`states ${count} headers`)
    const headers: [string, string][] = []
    for (let i = 0; i < count; i++) headers.push([this.#text(), this.#text()])
    if (this.#at !== this.#end) throw this.#broken('has bytes after its last header')
    this.#at = after
    return headers
  }

  #text(): string {
    const length = this.#varint()
    const start = this.#at
    this.#skip(length)
    return this.#bytes.toString('utf8', start, this.#at)
  }

  #skip(length: number): void {
    if (length > this.#end - this.#at) throw this.#broken('states a length beyond its end')
    if (length > 0) this.#at += length
  }

  #varint(): number {
    const bytes = this.#bytes
    if (this.#at >= this.#end) throw this.#broken('ends too early')
    const first = bytes[this.#at++]!
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let value = first & 0x7f
    let scale = 0x80
    for (let i = 1; i < VARINT_BYTES_MAX; i++) {
      if (this.#at >= this.#end) break
      const byte = bytes[this.#at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 0x80
    }
    throw this.#broken('has a number without end')
  }

  #broken(problem: string): Error {
    return this.#corrupt(`is damaged: record ${this.#index} of ${this.#count} ${problem}`)
  }
}
