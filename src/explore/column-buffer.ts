/**
 * Values of one column on their way into DuckDB, in the layout of its vectors, so that a whole column goes over at once
 * instead of value by value:
 *
 *   numbers    as they are, little-endian; a validity bit each, 1 for a value and 0 for NULL
 *   booleans   a byte each
 *   texts      16 bytes each: length u32, and up to 12 bytes in place; longer ones are handed over one by one
 */
import type duckdbBindings from '@duckdb/node-bindings'
import type { Value } from '../formats/record-reader.ts'
import { valueJson } from '../formats/value-json.ts'
import type { KeptType } from './columns.ts'

export type Bindings = typeof duckdbBindings
type Vector = duckdbBindings.Vector

/** DuckDB's vector size. */
export const CHUNK_ROWS = 2048
const TEXT_BYTES = 16
const TEXT_BYTES_IN_PLACE = 12
const VALIDITY_BYTES = CHUNK_ROWS / 8

export abstract class ColumnBuffer {
  readonly #validity = new Uint8Array(VALIDITY_BYTES).fill(0xff)
  #hasNulls = false
  /** What the rows since the last time it was flushed take, about. */
  bytes = 0

  set(row: number, value: Value): void {
    if (value === null) this.setNull(row)
    else this.setValue(row, value)
  }

  setNull(row: number): void {
    this.#hasNulls = true
    this.#validity[row >>> 3] &= ~(1 << (row & 7))
  }

  flush(bindings: Bindings, vector: Vector, rows: number): void {
    this.flushValues(bindings, vector, rows)
    if (!this.#hasNulls) return
    const validity = this.#validity
    bindings.vector_ensure_validity_writable(vector)
    bindings.copy_data_to_vector_validity(vector, 0, validity.buffer, 0, Math.ceil(rows / 64) * 8)
    validity.fill(0xff)
    this.#hasNulls = false
  }

  abstract setValue(row: number, value: Exclude<Value, null>): void
  protected abstract flushValues(bindings: Bindings, vector: Vector, rows: number): void
}

/** Of a typed array whose elements a number goes into as it is. */
export class NumberBuffer extends ColumnBuffer {
  readonly #values: Int16Array | Int32Array | Float32Array | Float64Array

  constructor(values: Int16Array | Int32Array | Float32Array | Float64Array) {
    super()
    this.#values = values
  }

  setValue(row: number, value: Exclude<Value, null>): void {
    this.#values[row] = value as number
  }

  protected flushValues(bindings: Bindings, vector: Vector, rows: number): void {
    const { buffer, BYTES_PER_ELEMENT } = this.#values
    bindings.copy_data_to_vector(vector, 0, buffer as ArrayBuffer, 0, rows * BYTES_PER_ELEMENT)
    this.bytes = rows * BYTES_PER_ELEMENT
  }
}

export class LongBuffer extends ColumnBuffer {
  readonly #values = new BigInt64Array(CHUNK_ROWS)
  /** Low and high halves of the same: a number goes in without a bigint. */
  readonly #halves = new Int32Array(this.#values.buffer)

  setValue(row: number, value: Exclude<Value, null>): void {
    if (typeof value === 'number') {
      this.#halves[2 * row] = value
      this.#halves[2 * row + 1] = Math.floor(value / 2 ** 32)
    } else {
      this.#values[row] = value as bigint
    }
  }

  protected flushValues(bindings: Bindings, vector: Vector, rows: number): void {
    bindings.copy_data_to_vector(vector, 0, this.#values.buffer, 0, rows * 8)
    this.bytes = rows * 8
  }
}

class BooleanBuffer extends ColumnBuffer {
  readonly #values = new Uint8Array(CHUNK_ROWS)

  setValue(row: number, value: Exclude<Value, null>): void {
    this.#values[row] = value ? 1 : 0
  }

  protected flushValues(bindings: Bindings, vector: Vector, rows: number): void {
    bindings.copy_data_to_vector(vector, 0, this.#values.buffer, 0, rows)
    this.bytes = rows
  }
}

/** Texts, and values that are kept as JSON. */
export class TextBuffer extends ColumnBuffer {
  readonly #inPlace = new Uint8Array(CHUNK_ROWS * TEXT_BYTES)
  readonly #lengths = new Uint32Array(this.#inPlace.buffer)
  readonly #longRows: number[] = []
  readonly #longTexts: string[] = []
  readonly #asJson: boolean
  #longBytes = 0

  constructor(asJson: boolean) {
    super()
    this.#asJson = asJson
  }

  setValue(row: number, value: Exclude<Value, null>): void {
    this.setText(row, this.#asJson ? engineJson(valueJson(value)) : (value as string))
  }

  setText(row: number, text: string): void {
    const { length } = text
    const bytes = this.#inPlace
    const begin = row * TEXT_BYTES + 4
    let i = 0
    if (length <= TEXT_BYTES_IN_PLACE) {
      for (; i < length; i++) {
        const code = text.charCodeAt(i)
        if (code > 0x7f) break
        bytes[begin + i] = code
      }
    }
    if (i < length) {
      this.#setLong(row, text)
    } else {
      for (; i < TEXT_BYTES_IN_PLACE; i++) bytes[begin + i] = 0 // texts are compared by all of their bytes
      this.#lengths[row * 4] = length
    }
  }

  override setNull(row: number): void {
    super.setNull(row)
    this.#lengths[row * 4] = 0
  }

  #setLong(row: number, text: string): void {
    this.#lengths[row * 4] = 0
    this.#longRows.push(row)
    this.#longTexts.push(text)
    this.#longBytes += text.length
  }

  protected flushValues(bindings: Bindings, vector: Vector, rows: number): void {
    bindings.copy_data_to_vector(vector, 0, this.#inPlace.buffer, 0, rows * TEXT_BYTES)
    for (let i = 0; i < this.#longRows.length; i++) {
      bindings.vector_assign_string_element(vector, this.#longRows[i], this.#longTexts[i])
    }
    this.bytes = rows * TEXT_BYTES + this.#longBytes
    this.#longRows.length = 0
    this.#longTexts.length = 0
    this.#longBytes = 0
  }
}

/** The engine's JSON has no half of a surrogate pair; in a text of its own it is the replacement character as well. */
function engineJson(json: string): string {
  if (!json.includes('\\ud')) return json
  return json.replace(/\\\\|\\ud[89a-f][0-9a-f]{2}/g, (match) => (match === '\\\\' ? match : '\\ufffd'))
}

class BytesBuffer extends ColumnBuffer {
  readonly #values: (Uint8Array | undefined)[] = []

  setValue(row: number, value: Exclude<Value, null>): void {
    this.#values[row] = value as Uint8Array
  }

  protected flushValues(bindings: Bindings, vector: Vector, rows: number): void {
    this.bytes = rows * TEXT_BYTES
    for (let row = 0; row < rows; row++) {
      const value = this.#values[row]
      // What stays uninitialised is NULL, or would be read as a pointer.
      bindings.vector_assign_string_element_len(vector, row, value ?? EMPTY)
      if (value !== undefined) this.bytes += value.length
    }
    this.#values.length = 0
  }
}

const EMPTY = new Uint8Array(0)

/** Of all but logical types, which have logical-buffers.ts. */
export function columnBuffer(type: KeptType): ColumnBuffer {
  switch (type) {
    case 'BOOLEAN':
      return new BooleanBuffer()
    case 'INTEGER':
      return new NumberBuffer(new Int32Array(CHUNK_ROWS))
    case 'FLOAT':
      return new NumberBuffer(new Float32Array(CHUNK_ROWS))
    case 'DOUBLE':
      return new NumberBuffer(new Float64Array(CHUNK_ROWS))
    case 'BIGINT':
      return new LongBuffer()
    case 'BLOB':
      return new BytesBuffer()
    default:
      return new TextBuffer(type === 'JSON')
  }
}
