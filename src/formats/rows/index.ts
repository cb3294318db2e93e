/** The formats of tables: readers and writers by the options of a table. Options must have been checked. */
import type { Value } from '../record-reader.ts'
import { avroProblem } from './avro-row.ts'
import { AvroRowWriter } from './avro-row-writer.ts'
import { RowBodyReader } from './body-reader.ts'
import { DebeziumReader, UpsertReader } from './change-reader.ts'
import { CsvRowWriter } from './csv-row.ts'
import { keyWriter } from './event-key.ts'
import { JsonRowWriter } from './json-row-writer.ts'
import { RawRowWriter, rawProblem } from './raw-row.ts'
import type { RowColumn, RowWriter } from './row-format.ts'
import type {
  ChangeReader,
  ChangeReadOptions,
  ChangeWriter,
  KeyedRowReader,
  KeyWriter,
  ReadOptions,
  RowOptions,
} from './row-options.ts'

/** Why the formats cannot hold rows of these columns, or undefined. */
export function rowOptionsProblem(options: RowOptions): string | undefined {
  const missing = options.keyFields.find((name) => !options.columns.some((column) => column.name === name))
  if (missing !== undefined) return `the key field ${missing} is no physical column`
  const { columns } = bodyColumns(options)
  const body = formatProblem(options.valueFormat, columns)
  if (body !== undefined || options.keyFormat === undefined) return body
  return formatProblem(options.keyFormat, keyColumns(options).columns)
}

function formatProblem(format: RowOptions['valueFormat'], columns: readonly RowColumn[]): string | undefined {
  if (format === 'avro') return avroProblem(columns)
  return format === 'raw' ? rawProblem(columns) : undefined
}

/** Not for debezium-json, whose events are changes. */
export function openRowReader(options: ReadOptions): KeyedRowReader {
  const { valueFormat } = options
  if (valueFormat === 'debezium-json') throw new Error('events of debezium-json are changes, not rows')
  return new RowBodyReader({ ...options, valueFormat })
}

/** For upsert tables: an empty body deletes its key. For debezium-json: every envelope is a change, an empty body is none. */
export function openChangeReader(options: ChangeReadOptions): ChangeReader {
  const { valueFormat } = options
  return valueFormat === 'debezium-json'
    ? new DebeziumReader(options)
    : new UpsertReader({ ...options, valueFormat })
}

/** Writes bodies of inserted rows. `values` are all columns of the table, in order. */
export function openRowWriter(options: RowOptions): RowWriter {
  const { columns, indexes } = bodyColumns(options)
  switch (options.valueFormat) {
    case 'json':
      return new JsonRowWriter(columns, indexes)
    case 'csv':
      return new CsvRowWriter(columns, indexes)
    case 'raw':
      return new RawRowWriter(columns[0]!, indexes[0]!)
    case 'avro':
      return new PickedWriter(new AvroRowWriter(columns), indexes)
    case 'debezium-json': {
      const writer = openChangeWriter(options)
      return { contentType: writer.contentType, write: (values) => writer.write('c', values)! }
    }
  }
}

/** Undefined if the table has no key format. */
export function openKeyWriter(options: RowOptions): KeyWriter | undefined {
  if (options.keyFormat === undefined || options.keyFields.length === 0) return undefined
  const { columns, indexes } = keyColumns(options)
  return keyWriter(options.keyFormat, columns, indexes)
}

/** For debezium-json: an envelope for every change. */
export function openChangeWriter(options: RowOptions): ChangeWriter {
  const { columns, indexes } = bodyColumns(options)
  const rows = new JsonRowWriter(columns, indexes)
  let before = 'null'
  return {
    contentType: rows.contentType,
    write(op, values) {
      const row = rows.text(values)
      if (op === 'b') {
        before = row
        return undefined
      }
      const old = op === 'd' ? row : op === 'u' ? before : 'null'
      before = 'null'
      return Buffer.from(`{"before":${old},"after":${op === 'd' ? 'null' : row},"op":"${op}"}`, 'utf8')
    },
  }
}

/** Picks the values of the body out of the row. */
class PickedWriter implements RowWriter {
  readonly contentType: string
  readonly #writer: RowWriter
  readonly #indexes: readonly number[]

  constructor(writer: RowWriter, indexes: readonly number[]) {
    this.contentType = writer.contentType
    this.#writer = writer
    this.#indexes = indexes
  }

  write(values: readonly Value[]): Uint8Array {
    return this.#writer.write(this.#indexes.map((index) => values[index]!))
  }
}

interface PickedColumns {
  readonly columns: readonly RowColumn[]
  readonly indexes: readonly number[]
}

function bodyColumns({ columns, keyFields, valueFieldsInclude }: RowOptions): PickedColumns {
  const isOut = ({ name }: RowColumn) => valueFieldsInclude === 'EXCEPT_KEY' && keyFields.includes(name)
  return picked(
    columns,
    columns.flatMap((column, index) => (isOut(column) ? [] : [index])),
  )
}

function keyColumns({ columns, keyFields }: RowOptions): PickedColumns {
  return picked(
    columns,
    keyFields.map((name) => columns.findIndex((column) => column.name === name)),
  )
}

function picked(columns: readonly RowColumn[], indexes: readonly number[]): PickedColumns {
  return { columns: indexes.map((index) => columns[index]!), indexes }
}

export type {
  ChangeReader,
  ChangeReadOptions,
  ChangeWriter,
  KeyedRowReader,
  KeyWriter,
  ReadOptions,
  RowOptions,
} from './row-options.ts'
export { FormatProblem } from './row-options.ts'
