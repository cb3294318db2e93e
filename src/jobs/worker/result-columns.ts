/**
 * The columns of a result as values of their types. Numbers, times and short texts are read from the memory of the engine's
 * vectors at once; the library would create an object for each value. Indexes are asserted with `!`: rows are below the
 * size of the chunk.
 */
import type { DuckDBDataChunk } from '@duckdb/node-api'
import type { Bindings } from '../../duckdb/column-buffer.ts'
import type { Value } from '../../formats/record-reader.ts'
import type { DataType } from '../../sql/data-types.ts'
import { numberOf, typedValue } from './nested-values.ts'

type Read = (row: number) => Value

/** The values of column `index` of the chunk, which has the type in DuckDB that `type` has. */
export function columnValues(
  bindings: Bindings,
  chunk: DuckDBDataChunk,
  index: number,
  type: DataType,
): readonly Value[] {
  const rows = chunk.rowCount
  const vector = bindings.data_chunk_get_vector(chunk.chunk, index)
  const width = widthOf(type)
  const read =
    width === undefined
      ? itemReader(chunk, index, type)
      : rawReader(bindings.vector_get_data(vector, rows * width), type, itemReader(chunk, index, type))
  const validity = bindings.vector_get_validity(vector, Math.ceil(rows / 64) * 8) as Uint8Array | null
  const values: Value[] = new Array(rows)
  for (let row = 0; row < rows; row++)
    values[row] = validity !== null && (validity[row >>> 3]! & (1 << (row & 7))) === 0 ? null : read(row)
  return values
}

/** Bytes of a value in the vector; undefined for types that only the library reads. */
function widthOf(type: DataType): number | undefined {
  switch (type.kind) {
    case 'BOOLEAN':
    case 'TINYINT':
      return 1
    case 'SMALLINT':
      return 2
    case 'INT':
    case 'FLOAT':
    case 'DATE':
      return 4
    case 'BIGINT':
    case 'DOUBLE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
      return 8
    case 'STRING':
    case 'CHAR':
    case 'VARCHAR':
      return TEXT_BYTES
    default:
      return undefined
  }
}

const TEXT_BYTES = 16
const TEXT_BYTES_IN_PLACE = 12

function itemReader(chunk: DuckDBDataChunk, index: number, type: DataType): Read {
  let items: { getItem(row: number): unknown } | undefined
  return (row) => {
    items ??= chunk.getColumnVector(index)
    return typedValue(type, items.getItem(row))
  }
}

function rawReader(data: Uint8Array, { kind }: DataType, byItem: Read): Read {
  const { buffer, byteOffset, byteLength } = data
  switch (kind) {
    case 'BOOLEAN':
      return (row) => data[row] !== 0
    case 'TINYINT': {
      const values = new Int8Array(buffer, byteOffset, byteLength)
      return (row) => values[row]!
    }
    case 'SMALLINT': {
      const values = new Int16Array(buffer, byteOffset, byteLength / 2)
      return (row) => values[row]!
    }
    case 'INT':
    case 'DATE': {
      const values = new Int32Array(buffer, byteOffset, byteLength / 4)
      return (row) => values[row]!
    }
    case 'FLOAT': {
      const values = new Float32Array(buffer, byteOffset, byteLength / 4)
      return (row) => values[row]!
    }
    case 'DOUBLE': {
      const values = new Float64Array(buffer, byteOffset, byteLength / 8)
      return (row) => values[row]!
    }
    case 'STRING':
    case 'CHAR':
    case 'VARCHAR':
      return textReader(data, byItem)
    default:
      return longReader(data)
  }
}

const HALF = 2 ** 32
/** The high half of numbers that a double holds exactly. */
const HIGH_MAX = 2 ** 20

function longReader({ buffer, byteOffset, byteLength }: Uint8Array): Read {
  const halves = new Int32Array(buffer, byteOffset, byteLength / 4)
  const values = new BigInt64Array(buffer, byteOffset, byteLength / 8)
  return (row) => {
    const high = halves[2 * row + 1]!
    if (high < HIGH_MAX && high > -HIGH_MAX) return high * HALF + (halves[2 * row]! >>> 0)
    return numberOf(values[row]!)
  }
}

/** Texts of up to 12 ASCII characters stand in the vector. */
function textReader(data: Uint8Array, byItem: Read): Read {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return (row) => {
    const at = row * TEXT_BYTES
    const length = bytes.readUInt32LE(at)
    if (length > TEXT_BYTES_IN_PLACE) return byItem(row)
    return bytes.toString("utf8", at + 4, at + 4 + length)
  }
}
