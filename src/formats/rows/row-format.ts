/**
 * The contract of the formats of tables: bodies of events as rows with Flink's types, read and written by Flink's rules.
 * Values are those of sql/data-types.ts. Readers and writers are pure, are created once for a job, and return problems
 * of the content as values.
 */
import type { EventHeaders } from '../../../storage/log.ts'
import type { DataType } from '../../sql/data-types.ts'
import type { FormatError, Value } from '../record-reader.ts'

export interface RowColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
}

/** `columns` are those of the body; `wanted` are indexes of the values to return, in order. */
export interface RowReader {
  /**
   * Reads the body `bytes[start, end)`. Returns the problem of a body that does not fit; then `into` may hold anything
   * and the event is skipped.
   */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined
}

/** A change of a table, as a format of changes reads it: debezium-json, and upsert topics. */
export interface RowChange {
  /** 'clear': all rows are gone (a truncated table). */
  readonly op: 'upsert' | 'delete' | 'clear'
  /** Values of the wanted columns; for a delete only those of the key need to be right. */
  readonly values: readonly Value[]
}

export interface RowWriter {
  /** The body of the event of one row. Throws FormatProblem if a value cannot be written, with the column's name. */
  write(values: readonly Value[]): Uint8Array
  /** For the header `content.type`. */
  readonly contentType: string
}
