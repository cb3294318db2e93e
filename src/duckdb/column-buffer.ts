/**
 * Collects the values of one column in the layout of DuckDB's vectors, so that a whole column is copied at once instead of
 * value by value.
 *
 *   numbers    unchanged, little-endian
 *   booleans   one byte each
 *   texts      16 bytes each: length u32, and up to 12 bytes in place; longer texts are copied one by one
 *
 * Each value has a validity bit: 1 for a value, 0 for NULL. Indexes are asserted with `!`: a row is below CHUNK_ROWS.
 */
import type duckdbBindings from '@duckdb/node-bindings'
import type { Value } from '../formats/record-reader.ts'
import { valueJson } from '../formats/value-json.ts'

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
  /** Memory of the rows of the last flush, estimated. */
  bytes = 0

  set(row: number, value: Value): void {
    if (value === null) this.setNull(row)
    else this.setValue(row, value)
  }

  setNull(row: number): void {
    this.#hasNulls = true
    this.#validity[row >>> 3]! &= ~(1 << (row & 7))
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

/** Numbers that are stored without conversion. */
class NumberBuffer extends ColumnBuffer {
  readonly #values: Int8Array | Int16Array | Int32Array | Float32Array | Float64Array

  constructor(values: Int8Array | Int16Array | Int32Array | Float32Array | Float64Array) {
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

export const tinyBuffer = () => new NumberBuffer(new Int8Array(CHUNK_ROWS))
export const smallBuffer = () => new NumberBuffer(new Int16Array(CHUNK_ROWS))
export const intBuffer = () => new NumberBuffer(new Int32Array(CHUNK_ROWS))
export const floatBuffer = () => new NumberBuffer(new Float32Array(CHUNK_ROWS))
export const doubleBuffer = () => new NumberBuffer(new Float64Array(CHUNK_ROWS))

export class LongBuffer extends ColumnBuffer {
  readonly #values = new BigInt64Array(CHUNK_ROWS)
  /** Low and high halves of the same memory, so that a number is stored without creating a bigint. */
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

export class BooleanBuffer extends ColumnBuffer {
  readonly #values = new Uint8Array(CHUNK_ROWS)

  setValue(row: number, value: Exclude<Value, null>): void {
    this.#values[row] = value ? 1 : 0
  }

  protected flushValues(bindings: Bindings, vector: Vector, rows: number): void {
    bindings.copy_data_to_vector(vector, 0, this.#values.buffer, 0, rows)
    this.bytes = rows
  }
}

/** Texts, and values that are stored as JSON. */
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
      for (; i < TEXT_BYTES_IN_PLACE; i++) bytes[begin + i] = 0 // DuckDB compares all 12 bytes
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
    for (const [i, row] of this.#longRows.entries())
      bindings.vector_assign_string_element(vector, row, this.#longTexts[i]!)
    this.bytes = rows * TEXT_BYTES + this.#longBytes
    this.#longRows.length = 0
    this.#longTexts.length = 0
    this.#longBytes = 0
  }
}

/** DuckDB's JSON rejects half of a surrogate pair. It becomes the replacement character, as in a text. */
function engineJson(json: string): string {
  if (!json.includes('\\ud')) return json
  return json.replace(/\\\\|\\ud[89a-f][0-9a-f]{2}/g, (match) => (match === '\\\\' ? match : '\\ufffd'))
}

export class BytesBuffer extends ColumnBuffer {
  readonly #values: (Uint8Array | undefined)[] = []

  setValue(row: number, value: Exclude<Value, null>): void {
    this.#values[row] = value as Uint8Array
  }

  protected flushValues(bindings: Bindings, vector: Vector, rows: number): void {
    this.bytes = rows * TEXT_BYTES
    for (let row = 0; row < rows; row++) {
      const value = this.#values[row]
      // A NULL has to be initialised too, or DuckDB would read it as a pointer.
      bindings.vector_assign_string_element_len(vector, row, value ?? EMPTY)
      if (value !== undefined) this.bytes += value.length
    }
    this.#values.length = 0
  }
}

const EMPTY = new Uint8Array(0)

/** 128 bits per value, little-endian. */
export class HugeBuffer extends ColumnBuffer {
  readonly #values = new BigInt64Array(2 * CHUNK_ROWS)

  setValue(row: number, value: Exclude<Value, null>): void {
    const whole = BigInt(value as number | bigint)
    this.#values[2 * row] = BigInt.asIntN(64, whole)
    this.#values[2 * row + 1] = whole >> 64n
  }

  protected flushValues(bindings: Bindings, vector: Vector, rows: number): void {
    bindings.copy_data_to_vector(vector, 0, this.#values.buffer, 0, rows * 16)
    this.bytes = rows * 16
  }
}
