/**
 * Reads the vectors of a result as values of Flink's types (sql/data-types.ts), a column at a time and directly from
 * DuckDB's memory. The columns must have the types that `duckdbType` gives. All values are copies.
 *
 * Indexes are asserted with `!`: they stay below the number of rows, and lists stay inside their child vectors.
 */
import type { DuckDBDataChunk } from '@duckdb/node-api'
import type duckdbBindings from '@duckdb/node-bindings'
import type { Value } from '../formats/record-reader.ts'
import { utf8 } from '../formats/text-bytes.ts'
import type { DataType } from '../sql/data-types.ts'
import type { Bindings } from './column-buffer.ts'

type Vector = duckdbBindings.Vector

/** The values of the columns of a chunk: `result[column][row]`. `types` are those of its first columns. */
export function chunkValues(
  bindings: Bindings,
  chunk: DuckDBDataChunk,
  types: readonly DataType[],
): Value[][] {
  const rows = chunk.rowCount
  return types.map((type, index) =>
    vectorValues(bindings, bindings.data_chunk_get_vector(chunk.chunk, index), type, rows),
  )
}

export function vectorValues(bindings: Bindings, vector: Vector, type: DataType, rows: number): Value[] {
  const values: Value[] = new Array(rows).fill(null)
  if (rows === 0) return values
  const validity = bindings.vector_get_validity(vector, Math.ceil(rows / 64) * 8)
  fill(bindings, vector, type, values, validity ?? undefined)
  return values
}

function isNull(validity: Uint8Array | undefined, row: number): boolean {
  return validity !== undefined && (validity[row >>> 3]! & (1 << (row & 7))) === 0
}

/** Sets the values that are not NULL. */
function fill(
  bindings: Bindings,
  vector: Vector,
  type: DataType,
  into: Value[],
  validity: Uint8Array | undefined,
): void {
  switch (type.kind) {
    case 'ROW':
      fillRows(bindings, vector, type.fields, into, validity)
      return
    case 'ARRAY':
    case 'MAP':
      fillLists(bindings, vector, type, into, validity)
      return
    default: {
      const size = itemBytes(type)
      const bytes = bindings.vector_get_data(vector, into.length * size)
      const view = new DataView(bytes.buffer, bytes.byteOffset, into.length * size)
      const item = itemReader(bindings, type, view)
      for (let row = 0; row < into.length; row++) if (!isNull(validity, row)) into[row] = item(row)
    }
  }
}

function itemBytes(type: DataType): number {
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
    case 'DECIMAL':
      return type.precision <= 4 ? 2 : type.precision <= 9 ? 4 : type.precision <= 18 ? 8 : 16
    case 'BIGINT':
    case 'DOUBLE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
      return 8
    default:
      return TEXT_BYTES
  }
}

/** Length u32, and up to 12 bytes in place; longer texts have a pointer at byte 8. */
const TEXT_BYTES = 16
const TEXT_BYTES_IN_PLACE = 12

type ItemReader = (row: number) => Value

function itemReader(bindings: Bindings, type: DataType, view: DataView): ItemReader {
  switch (type.kind) {
    case 'BOOLEAN':
      return (row) => view.getUint8(row) !== 0
    case 'FLOAT':
      return (row) => view.getFloat32(4 * row, true)
    case 'DOUBLE':
      return (row) => view.getFloat64(8 * row, true)
    case 'CHAR':
    case 'VARCHAR':
    case 'STRING':
      return (row) => textAt(bindings, view, TEXT_BYTES * row)
    case 'BYTES':
    case 'BINARY':
    case 'VARBINARY':
      return (row) => new Uint8Array(bytesAt(bindings, view, TEXT_BYTES * row))
    default:
      return wholeReader(itemBytes(type), view)
  }
}

function wholeReader(size: number, view: DataView): ItemReader {
  switch (size) {
    case 1:
      return (row) => view.getInt8(row)
    case 2:
      return (row) => view.getInt16(2 * row, true)
    case 4:
      return (row) => view.getInt32(4 * row, true)
    case 8:
      return (row) => longAt(view, 8 * row)
    default:
      return (row) => hugeAt(view, 16 * row)
  }
}

/** High halves within this limit make numbers that are exact. */
const HIGH_MAX = 0x1fffff

function longAt(view: DataView, at: number): number | bigint {
  const high = view.getInt32(at + 4, true)
  const low = view.getUint32(at, true)
  if (high <= HIGH_MAX && high > -HIGH_MAX) return high * 0x1_0000_0000 + low
  return exactNumber(view.getBigInt64(at, true))
}

function hugeAt(view: DataView, at: number): number | bigint {
  return exactNumber((view.getBigInt64(at + 8, true) << 64n) + view.getBigUint64(at, true))
}

function exactNumber(value: bigint): number | bigint {
  const near = Number(value)
  return Number.isSafeInteger(near) ? near : value
}

function bytesAt(bindings: Bindings, view: DataView, at: number): Uint8Array {
  const length = view.getUint32(at, true)
  return length <= TEXT_BYTES_IN_PLACE
    ? new Uint8Array(view.buffer, view.byteOffset + at + 4, length)
    : bindings.get_data_from_pointer(view.buffer as ArrayBuffer, view.byteOffset + at + 8, length)
}

function textAt(bindings: Bindings, view: DataView, at: number): string {
  const bytes = bytesAt(bindings, view, at)
  return utf8(bytes, 0, bytes.length)
}

function fillRows(
  bindings: Bindings,
  vector: Vector,
  fields: readonly { readonly name: string; readonly type: DataType }[],
  into: Value[],
  validity: Uint8Array | undefined,
): void {
  const children = fields.map(({ type }, index) =>
    vectorValues(bindings, bindings.struct_vector_get_child(vector, index), type, into.length),
  )
  for (let row = 0; row < into.length; row++) {
    if (isNull(validity, row)) continue
    const value = new Map<string, Value>()
    for (let field = 0; field < fields.length; field++) value.set(fields[field]!.name, children[field]![row]!)
    into[row] = value
  }
}

/** A list has offset and length in its child vector, u64 each. A map is a list of structs of key and value. */
const LIST_BYTES = 16

function fillLists(
  bindings: Bindings,
  vector: Vector,
  type: Extract<DataType, { kind: 'ARRAY' | 'MAP' }>,
  into: Value[],
  validity: Uint8Array | undefined,
): void {
  const child = bindings.list_vector_get_child(vector)
  const count = bindings.list_vector_get_size(vector)
  const [keys, items] =
    type.kind === 'ARRAY'
      ? [[], vectorValues(bindings, child, type.element, count)]
      : [
          vectorValues(bindings, bindings.struct_vector_get_child(child, 0), type.key, count),
          vectorValues(bindings, bindings.struct_vector_get_child(child, 1), type.value, count),
        ]
  const bytes = bindings.vector_get_data(vector, into.length * LIST_BYTES)
  const view = new DataView(bytes.buffer, bytes.byteOffset, into.length * LIST_BYTES)
  for (let row = 0; row < into.length; row++) {
    if (isNull(validity, row)) continue
    const start = Number(longAt(view, row * LIST_BYTES))
    const end = start + Number(longAt(view, row * LIST_BYTES + 8))
    if (type.kind === 'ARRAY') into[row] = items.slice(start, end)
    else {
      const map = new Map<string, Value>()
      for (let index = start; index < end; index++) map.set(String(keys[index]), items[index]!)
      into[row] = map
    }
  }
}
