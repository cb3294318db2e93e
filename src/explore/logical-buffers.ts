/** Values of logical types on their way into DuckDB, in the widths of its vectors. */
import type { DuckDBType } from '@duckdb/node-api'
import type { Value } from '../formats/record-reader.ts'
import { type Bindings, CHUNK_ROWS, ColumnBuffer, LongBuffer, NumberBuffer } from './column-buffer.ts'
import type { DuckDB } from './engine.ts'

type Vector = Parameters<Bindings['copy_data_to_vector']>[0]

const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/

/** DuckDB's for what is kept; undefined for those of no logical type. */
export function logicalDuckDBType(duckdb: DuckDB, kept: string): DuckDBType | undefined {
  const decimal = DECIMAL.exec(kept)
  if (decimal !== null) return duckdb.DECIMAL(Number(decimal[1]), Number(decimal[2]))
  switch (kept) {
    case 'DATE':
      return duckdb.DATE
    case 'TIMESTAMP':
      return duckdb.TIMESTAMP
    case 'TIMESTAMP_NS':
      return duckdb.TIMESTAMP_NS
  }
  return undefined
}

/** Undefined for what is kept of no logical type. */
export function logicalBuffer(kept: string): ColumnBuffer | undefined {
  if (kept === 'DATE') return new NumberBuffer(new Int32Array(CHUNK_ROWS))
  if (kept === 'TIMESTAMP' || kept === 'TIMESTAMP_NS') return new LongBuffer()
  const decimal = DECIMAL.exec(kept)
  if (decimal === null) return undefined
  const precision = Number(decimal[1])
  if (precision <= 4) return new NumberBuffer(new Int16Array(CHUNK_ROWS))
  if (precision <= 9) return new NumberBuffer(new Int32Array(CHUNK_ROWS))
  return precision <= 18 ? new LongBuffer() : new HugeBuffer()
}

/** 128 bits each, little-endian. */
class HugeBuffer extends ColumnBuffer {
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
