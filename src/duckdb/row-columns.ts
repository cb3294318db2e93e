/**
 * How values of Flink's types are stored in columns of DuckDB by a TableWriter. Simple types have their own columns. Arrays,
 * maps and rows are stored as JSON text (formats/value-json.ts), and an expression makes values of DuckDB's types of it.
 */
import { type DataType, duckdbType } from '../sql/data-types.ts'
import type { ColumnType } from './column-types.ts'
import { quotedName } from './sql-text.ts'

/** The type of the column in which a TableWriter stores values of this type. */
export function columnTypeOf(type: DataType): ColumnType {
  switch (type.kind) {
    case 'ARRAY':
    case 'MAP':
    case 'ROW':
      return 'JSON'
    default:
      return duckdbType(type) as ColumnType
  }
}

/** The value of `duckdbType(type)` that a column of `columnTypeOf(type)` holds; `column` is the column in SQL. */
export function storedValue(type: DataType, column: string): string {
  if (columnTypeOf(type) !== 'JSON') return column
  return converted(type, `CAST(${column}::JSON AS ${jsonType(type)})`, 0)
}

/** The type to which the JSON text of a value can be cast. */
function jsonType(type: DataType): string {
  switch (type.kind) {
    case 'DECIMAL':
    case 'BYTES':
    case 'BINARY':
    case 'VARBINARY':
      return 'VARCHAR'
    case 'DATE':
      return 'INTEGER'
    case 'TIME':
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
      return 'BIGINT'
    case 'ARRAY':
      return `${jsonType(type.element)}[]`
    case 'MAP':
      return `MAP(${jsonType(type.key)}, ${jsonType(type.value)})`
    case 'ROW':
      return `STRUCT(${type.fields.map((field) => `${quotedName(field.name)} ${jsonType(field.type)}`).join(', ')})`
    default:
      return duckdbType(type)
  }
}

/** `value` of `jsonType(type)` as a value of `duckdbType(type)`. NULL stays NULL. */
function converted(type: DataType, value: string, depth: number): string {
  if (jsonType(type) === duckdbType(type)) return value
  switch (type.kind) {
    case 'DECIMAL':
      return decimal(value, type.precision, type.scale)
    case 'DATE':
      return `(DATE '1970-01-01' + ${value})`
    case 'TIME':
      return `CAST(make_timestamp(${value}) AS TIME)`
    case 'TIMESTAMP':
      return `make_timestamp(${value})`
    case 'TIMESTAMP_LTZ':
      return `make_timestamptz(${value})`
    case 'ARRAY': {
      const item = `v${depth}`
      return `list_transform(${value}, lambda ${item}: ${converted(type.element, item, depth + 1)})`
    }
    case 'MAP': {
      const entry = `v${depth}`
      const key = converted(type.key, `${entry}.key`, depth + 1)
      const item = converted(type.value, `${entry}.value`, depth + 1)
      return `map_from_entries(list_transform(map_entries(${value}), lambda ${entry}: {'key': ${key}, 'value': ${item}}))`
    }
    case 'ROW': {
      // A list of one element names the value, so that its text is not repeated for every field.
      const row = `v${depth}`
      const fields = type.fields.map((field) => {
        const part = `struct_extract(${row}, '${field.name.replaceAll("'", "''")}')`
        return `${quotedName(field.name)} := ${converted(field.type, part, depth + 1)}`
      })
      return `list_transform([${value}], lambda ${row}: CASE WHEN ${row} IS NOT NULL THEN struct_pack(${fields.join(', ')}) END)[1]`
    }
    default:
      return `CAST(${value} AS ${duckdbType(type)})`
  }
}

/** The unscaled number as text gets its point. */
function decimal(value: string, precision: number, scale: number): string {
  if (scale === 0) return `CAST(${value} AS DECIMAL(${precision},0))`
  const digits = `lpad(ltrim(v, '-'), CAST(greatest(length(ltrim(v, '-')), ${scale + 1}) AS INTEGER), '0')`
  const text = `CASE WHEN v[1] = '-' THEN '-' ELSE '' END || left(${digits}, -${scale}) || '.' || right(${digits}, ${scale})`
  return `CAST(list_transform([${value}], lambda v: ${text})[1] AS DECIMAL(${precision},${scale}))`
}
