/** How the events of a table hold its rows: the formats of body and key, and the columns. */
import type { EventHeaders } from '../../../storage/log.ts'
import type { FormatError, Value } from '../record-reader.ts'
import type { RowChange, RowColumn, RowReader } from './row-format.ts'

export type RowFormatName = 'json' | 'avro' | 'csv' | 'raw' | 'debezium-json'
export type KeyFormatName = 'json' | 'avro' | 'csv' | 'raw'

export interface RowOptions {
  readonly valueFormat: RowFormatName
  /** Undefined: events have no key that is read or written. */
  readonly keyFormat: KeyFormatName | undefined
  /** Names of columns, in the order of the key. For an upsert table those of its primary key. */
  readonly keyFields: readonly string[]
  /** EXCEPT_KEY: the body does not hold the key fields. */
  readonly valueFieldsInclude: 'ALL' | 'EXCEPT_KEY'
  /** All physical columns of the table, in order. */
  readonly columns: readonly RowColumn[]
}

export interface ReadOptions extends RowOptions {
  /** Indexes of `columns`: the values to return, in this order. */
  readonly wanted: readonly number[]
  /** Of debezium-json: the events are those of a captured table. */
  readonly isCaptured?: boolean
}

export interface ChangeReadOptions extends ReadOptions {
  /** Not empty. */
  readonly primaryKey: readonly string[]
}

/**
 * Reads the event as a row. `key` is the key that the system keeps beside the body, null if the event has none;
 * undefined: the key is the header `key`.
 */
export interface KeyedRowReader extends RowReader {
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: Value[],
    key?: Uint8Array | null,
  ): FormatError | undefined
}

/** Reads an event as changes of a table. `key` as in KeyedRowReader. */
export interface ChangeReader {
  /** Adds the changes of the event to `into`, none to two. Adds nothing if it returns a problem. */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: RowChange[],
    key?: Uint8Array | null,
  ): FormatError | undefined
  /** Of an event of a captured table with a problem: the values of its key, where it can be read. All others are null. */
  keyOfUnfit?(bytes: Uint8Array, start: number, end: number): readonly Value[]
}

/** Writes keys. `values` are all columns of the table. Throws FormatProblem as RowWriter does. */
export interface KeyWriter {
  write(values: readonly Value[]): Uint8Array
  /** As a header of an event: printable ASCII. Bytes of the format avro are base64. */
  headerText(values: readonly Value[]): string
}

/** Writes the rows of a sink that takes updates, in the order of the outbox. */
export interface ChangeWriter {
  /**
   * 'c' insert, 'b' row before an update, 'u' row after an update, 'd' delete. Returns undefined for 'b', which becomes
   * a part of the next body. Throws FormatProblem as RowWriter does.
   */
  write(op: 'c' | 'b' | 'u' | 'd', values: readonly Value[]): Uint8Array | undefined
  readonly contentType: string
}

/** A value cannot be written. The message has the name of the column. */
export class FormatProblem extends Error {
  override readonly name = 'FormatProblem'
}
