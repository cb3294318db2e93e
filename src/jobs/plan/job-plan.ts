/**
 * The plan of a job: what the worker runs in each tick. The planner makes it from the statement and its tables (plan/), and
 * the worker (worker/) runs it without looking at the statement again. It is JSON.
 *
 * All SQL in a plan is DuckDB's, already with Flink's meaning. Relations have bare names that the worker defines as temporary
 * tables and views of the job's connection:
 *
 *   in_s0     decoded events of source 0 in this tick: the columns of `SourcePlan.decoded`, and __seq BIGINT
 *   s0        view of source 0: all columns of the table that a query may name, and __ord BIGINT first
 *   l0        rows of lookup 0 for the keys of this tick
 *   f0        rows of fixed table 0, read when the job started
 *   w0        rows of the windows that close in this tick
 *   b0        rows of changing table 0, after the changes of this tick
 *
 * Hidden columns carry the order through the user's SQL, so that results do not depend on the size of ticks:
 *
 *   __ord     BIGINT   place of a row in the merged order of all sources of the job; ascends within a tick
 *   __end     BIGINT   end of the window of a row, in milliseconds
 *
 * Columns of tables have encoded names in all SQL (sql/encoded-name.ts), which are never those of a hidden column or of one
 * that the engine or the worker adds. `decoded`, lookups, fixed tables and sinks give the names as in the table.
 *
 * Hidden columns are the first column of `select`. After it come c0, c1, …: the columns of the sink in its order, with its types in
 * DuckDB, NULL for those that the statement does not write.
 */
import type { ColumnType } from '../../duckdb/column-types.ts'
import type { DataType } from '../../sql/data-types.ts'
import type { MetadataKey } from '../../sql/table-schema.ts'
import type { RefreshPlan } from './refresh-plan.ts'
import type { RunningPlan } from './running-plan.ts'

export interface JobPlan {
  /** SHA-256 over what the state depends on, hexadecimal. Equal signatures: the state can be used. */
  readonly signature: string
  /** In the order in which the statement names them. A table that is named twice is one source. */
  readonly sources: readonly SourcePlan[]
  /** In the order in which their keys can be computed. */
  readonly lookups: readonly LookupPlan[]
  readonly fixed: readonly FixedPlan[]
  /** One for each INSERT INTO, in order. */
  readonly inserts: readonly InsertPlan[]
  /** The operators as the API shows them: sources, then one for the query of each insert, then sinks. */
  readonly vertices: readonly VertexPlan[]
}

export interface SourcePlan {
  /** `s0`, `s1`, … */
  readonly relation: string
  readonly tableId: string
  readonly tableName: string
  /** Physical and metadata columns that the statement needs. */
  readonly decoded: readonly DecodedColumn[]
  /** The SELECT of the view `s0`, without __ord: computed columns over in_s0, in the order of the table. Reads `in_s0`. */
  readonly view: string
  /** For each column of `view`: encoded name and type. */
  readonly columns: readonly { readonly name: string; readonly type: DataType }[]
  /** Watermark of a row in milliseconds, as an expression over the columns of `view`: BIGINT, NULL moves nothing. */
  readonly watermark: string | undefined
  /** Rows are changes of a table with this primary key (upsert, debezium-json), as encoded names. Empty: every event is a row. */
  readonly changeKey: readonly string[]
}

export interface DecodedColumn {
  /** As in the table. */
  readonly name: string
  readonly type: DataType
  /** Undefined for a physical column. */
  readonly metadata?: MetadataKey
}

/** `FOR SYSTEM_TIME AS OF`: rows of a database table for keys of this tick. */
export interface LookupPlan {
  /** `l0`, `l1`, … */
  readonly relation: string
  readonly tableId: string
  readonly tableName: string
  /** Columns to fetch; the keys are among them. */
  readonly columns: readonly { readonly name: string; readonly type: DataType }[]
  /** Columns of the database table, in the order of the columns of `keys`. */
  readonly keyColumns: readonly string[]
  /** SELECT of the keys of this tick: k0, k1, … with the types of the key columns. May contain duplicates and NULL. */
  readonly keys: string
}

/** A database table that is read once, when the job starts. */
export interface FixedPlan {
  /** `f0`, `f1`, … */
  readonly relation: string
  readonly tableId: string
  readonly tableName: string
  readonly columns: readonly { readonly name: string; readonly type: DataType }[]
}

export interface SinkPlan {
  readonly tableId: string
  readonly tableName: string
  /** All columns that are written: physical, and metadata that is writable. */
  readonly columns: readonly DecodedColumn[]
  /** Empty if the sink has none. */
  readonly primaryKey: readonly string[]
}

export type InsertPlan = {
  readonly sink: SinkPlan
} & (
  | {
      /** Every row of the sources gives rows at once. */
      readonly way: 'arrival'
      /** Columns __ord, c0, c1, … */
      readonly select: string
    }
  | {
      /** Rows wait in windows; `select` runs over the windows that close. */
      readonly way: 'window'
      readonly windows: readonly WindowPlan[]
      /** Columns __end, c0, c1, … over w0, w1, … */
      readonly select: string
    }
  | { readonly way: 'running'; readonly running: RunningPlan }
  | { readonly way: 'refresh'; readonly refresh: RefreshPlan }
  | {
      /** VALUES, or a query over fixed tables alone: runs once, and then the job is finished. */
      readonly way: 'once'
      /** Columns __ord, c0, c1, … */
      readonly select: string
    }
)

export interface WindowPlan {
  /** `w0`, `w1`, …; unique in the job. Its columns: those of `columns`, window_start, window_end, window_time, __end. */
  readonly relation: string
  readonly kind: 'TUMBLE' | 'HOP' | 'CUMULATE'
  readonly sizeMs: number
  /** Slide of HOP, step of CUMULATE; equal to the size for TUMBLE. */
  readonly slideMs: number
  readonly offsetMs: number
  /** The rows that enter the window: __ord, then `columns`, under encoded names. Runs on arrival, lookups included. */
  readonly input: string
  readonly columns: readonly { readonly name: string; readonly type: DataType }[]
  /** The time column of the window: one of `columns`, TIMESTAMP or TIMESTAMPTZ. */
  readonly timeColumn: string
  /** The sources whose rows enter: the watermark of the window is the smallest of theirs. */
  readonly sources: readonly string[]
}

export interface VertexPlan {
  readonly name: string
  readonly kind: 'source' | 'query' | 'sink'
  /** Index among the vertices of its kind. */
  readonly index: number
  /** Indexes of the vertices from which its rows come. */
  readonly inputs: readonly number[]
}

/** A table of the statement, as the planner sees it. It is JSON. */
export interface PlannedTable {
  readonly id: string
  readonly name: string
  readonly schemaSql: string
  readonly connectorKind: 'topic' | 'upsert-topic' | 'jdbc' | 'datagen' | 'print' | 'blackhole' | 'unusable'
  /** Why no statement can use the table. */
  readonly problem?: string | undefined
  readonly valueFormat: string | undefined
  /** Identifies the data across jobs: integration and topic or table name. Part of the signature. */
  readonly identity: string
  /** Over a Kafka cluster that its own options name: as on a Flink cluster, a job may read a topic that it writes. */
  readonly mayLoop?: boolean
  /** Defined by the script of the job. The places of problems of its schema are in its own text. */
  readonly isTemporary?: boolean
}

/** A view that the statement may name: its query stands in place of its name. */
export interface PlannedView {
  readonly name: string
  /** Names for the columns of the query. */
  readonly columns?: readonly string[] | undefined
  readonly query: string
  /** Defined by the script of the job. The places of problems are in its query. */
  readonly isTemporary?: boolean
}

export type { ColumnType }
