/**
 * The inside of the parentheses of Flink's CREATE TABLE, parsed. Types of computed columns are not part of it: only the
 * engine knows them (ExpressionTyper of tables/table.ts).
 */
import type { DataType } from './data-types.ts'
import type { Place } from './sql-problem.ts'

export type SchemaColumn =
  | {
      readonly kind: 'physical'
      readonly name: string
      readonly type: DataType
      /** False after NOT NULL, and for columns of the primary key. */
      readonly nullable: boolean
      readonly comment?: string
    }
  | {
      readonly kind: 'metadata'
      readonly name: string
      readonly type: DataType
      readonly nullable: boolean
      readonly key: MetadataKey
      readonly isVirtual: boolean
      readonly comment?: string
    }
  | {
      readonly kind: 'computed'
      readonly name: string
      /** Flink SQL, as in the text. */
      readonly expression: string
      readonly place: Place
      readonly comment?: string
    }

export type MetadataKey =
  | 'topic'
  | 'partition'
  | 'offset'
  | 'timestamp'
  | 'timestamp-type'
  | 'leader-epoch'
  | 'headers'

export interface Watermark {
  readonly column: string
  /** Flink SQL, as in the text. */
  readonly expression: string
  readonly place: Place
}

export interface TableSchema {
  readonly columns: readonly SchemaColumn[]
  /** Empty without a primary key. */
  readonly primaryKey: readonly string[]
  readonly watermark: Watermark | undefined
}

// parseTableSchema(text: string): TableSchema   throws SqlProblem, whose place is in `text`
