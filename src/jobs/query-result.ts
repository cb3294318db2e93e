/** What passes between the worker and the service for the job of a cached query (query-job.ts). It is JSON. */

/** `lsn` is a bigint as decimal text, so that it can be a message. */
export interface ResultMoment {
  readonly lsn: string
  readonly txId: number | undefined
  readonly timestampMs: number
}

/** The sources may be read up to these sequences. At their ends the bases hold the database as of `moment`. */
export interface QueryBoundary {
  readonly moment: ResultMoment
  readonly ends: readonly { readonly tableId: string; readonly log: number; readonly nextSequence: number }[]
}

/** Values are JSON texts, one for each column of the sink, so that no digit is lost. */
export interface ResultChange {
  readonly op: 'c' | 'u' | 'd'
  /** JSON object, the key of the event: `{"region_code":"south"}`. */
  readonly key: string
  readonly before: readonly string[] | undefined
  readonly after: readonly string[] | undefined
}

/**
 * Sent when the changes are durable in the stream of the result. `begins`: `changes` are the whole result as rows with op c, and
 * replace what was sent before. A long update comes in parts; only the last one has `ends`.
 */
export interface ResultUpdate {
  readonly moment: ResultMoment
  readonly begins: boolean
  readonly ends: boolean
  readonly changes: readonly ResultChange[]
  /** Duration of the refresh in milliseconds. */
  readonly refreshMs: number
}

export interface QueryJobResult {
  /** What the events of the result say of their source. */
  readonly source: {
    readonly environment: string
    readonly database: string
    /** `q2` */
    readonly query: string
    readonly version: string
  }
  /** As QueryPlan has it: columns of the sink and their names in keys; empty and not `keyIsRow`: `{}`. */
  readonly key: readonly { readonly column: number; readonly name: string }[]
  readonly keyIsRow: boolean
  /** The first so many columns of the sink are in events; the others only sort. */
  readonly visibleColumns: number
}
