/**
 * What the planner makes of the SQL of a cached query: the plan that the worker of jobs runs, and what readers need to know of
 * the result. It is JSON.
 */
import type { DataType } from '../../sql/data-types.ts'
import type { Place } from '../../sql/sql-problem.ts'
import type { JobPlan } from './job-plan.ts'

/** A captured table. */
export interface QueryTable {
  readonly schema: string
  readonly table: string
  /** As ids of the tables of the plan: unique among those of a query. */
  readonly tableId: string
  readonly columns: readonly {
    readonly name: string
    /** As format_type() of PostgreSQL prints it: `numeric(10,2)`. */
    readonly databaseType: string
    /** Of its value after it was decoded from an event. A numeric of more than 38 digits, or without limits, is a STRING. */
    readonly type: DataType
    readonly nullable: boolean
  }[]
  /** Columns of the replica identity. */
  readonly key: readonly string[]
}

/** What the planner gets. */
export interface QuerySource {
  readonly sql: string
  readonly tables: readonly QueryTable[]
  /** Model -> table and field -> column: a query may use the names of either. */
  readonly models: readonly {
    readonly model: string
    readonly schema: string
    readonly table: string
    readonly fields: readonly { readonly field: string; readonly column: string }[]
  }[]
}

/** A column of the result as clients see it. */
export interface ResultColumn {
  readonly name: string
  /** PostgreSQL's name of the type: `bigint`, `numeric`, `text`. */
  readonly type: string
  readonly nullable: boolean
}

export interface ResultOrder {
  /** Index of the column of the sink, visible or hidden. */
  readonly column: number
  readonly descending: boolean
  readonly nullsFirst: boolean
  /** How the JSON values are compared: numbers and numeric texts by value, texts by code point. */
  readonly compare: 'number' | 'text' | 'boolean'
}

export interface QueryPlan {
  readonly plan: JobPlan
  /** Visible columns: the first ones of the sink, in its order. Behind them the sink may have hidden ones, for key and order. */
  readonly columns: readonly ResultColumn[]
  /**
   * Columns of the sink, visible or hidden, that identify a row of the result, with the names that they have in `key`. Empty: the
   * result has one row, or a row is identified by all its visible columns (`keyIsRow`).
   */
  readonly key: readonly { readonly column: number; readonly name: string }[]
  readonly keyIsRow: boolean
  readonly order: readonly ResultOrder[]
  /** `tableId`s that the query reads. */
  readonly tables: readonly string[]
  readonly warnings: readonly string[]
}

/** A problem of schema or SQL. */
export class QueryProblem extends Error {
  override readonly name = 'QueryProblem'
  readonly code: 'invalid_schema' | 'invalid_sql' | 'unsupported_sql' | 'schema_mismatch'
  /** In the text of the schema or of the query. */
  readonly place: Place | undefined

  constructor(code: QueryProblem['code'], message: string, place?: Place) {
    super(message)
    this.code = code
    this.place = place
  }
}
