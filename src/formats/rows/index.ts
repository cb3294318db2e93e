/** The formats of tables: readers and writers by the options of a table. Options must have been checked. */

import type { RowWriter } from './row-format.ts'
import type {
  ChangeReader,
  ChangeReadOptions,
  ChangeWriter,
  KeyedRowReader,
  KeyWriter,
  ReadOptions,
  RowOptions,
} from './row-options.ts'

/** Not for debezium-json, whose events are changes. */
export declare function openRowReader(options: ReadOptions): KeyedRowReader

/** For upsert tables: an empty body deletes its key. For debezium-json: every envelope is a change, an empty body is none. */
export declare function openChangeReader(options: ChangeReadOptions): ChangeReader

/** Writes bodies of inserted rows. `values` are all columns of the table, in order. */
export declare function openRowWriter(options: RowOptions): RowWriter

/** Undefined if the table has no key format. */
export declare function openKeyWriter(options: RowOptions): KeyWriter | undefined

/** For debezium-json: an envelope for every change. */
export declare function openChangeWriter(options: RowOptions): ChangeWriter

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
