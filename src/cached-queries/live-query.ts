/** A query with its result, and how far the streams of its tables are known to be unchanged. */
import type { Boundary, CaptureService } from '../cdc/capture-service.ts'
import type { CapturedTable } from '../cdc/captured-table.ts'
import type { QueryPlan } from '../jobs/plan/query-plan.ts'
import type { QueryBoundary, ResultUpdate } from '../jobs/query-job.ts'
import { fitsPlan, tableIdOf } from './query-definition.ts'
import type { QueryRecord } from './query-record.ts'
import { QueryResult, type QueryResultParts } from './query-result.ts'
import type { ResultShape } from './result-rows.ts'

/** Of the boundaries that the job got, the last ones: it publishes for one of them. */
const BOUNDARIES_MAX = 256

export type EndReason = 'deleted' | 'shutdown'

export class LiveQuery {
  readonly record: QueryRecord
  readonly result: QueryResult
  /** Ends those who follow the query. */
  ended: EndReason | undefined
  readonly #captures: Pick<CaptureService, 'boundary'>
  /** Ends of the tables by position. */
  readonly #given = new Map<string, string>()
  /** Ends of the tables at the moment of the last publication; undefined if they are not known. */
  #published: string | undefined
  #advancing: Promise<void> | undefined
  #tables: readonly CapturedTable[] = []
  #compared:
    | { readonly plan: QueryPlan; readonly tables: readonly CapturedTable[]; readonly fits: boolean }
    | undefined

  constructor(
    record: QueryRecord,
    captures: Pick<CaptureService, 'boundary'>,
    parts: Omit<QueryResultParts, 'queryId' | 'shape'>,
  ) {
    this.record = record
    this.#captures = captures
    this.result = new QueryResult({ queryId: record.id, shape: shapeOf(record), ...parts })
  }

  /** The plan of the record is another one, with the same columns if there is a result already. */
  replanned(): void {
    this.#published = undefined
    if (this.result.asOf === undefined) this.result.reshape(shapeOf(this.record))
    else this.result.restarted()
  }

  /** Whether other tables have been captured than at the last call: they are other objects then. */
  hasOtherTables(tables: readonly CapturedTable[]): boolean {
    const before = this.#tables
    this.#tables = tables
    return tables.length !== before.length || tables.some((table, i) => table !== before[i])
  }

  /** For its job. */
  async boundary(): Promise<QueryBoundary | undefined> {
    const boundary = await this.#boundary()
    if (boundary === undefined) return undefined
    const { lsn, txId, timestampMs } = boundary
    const position = String(lsn)
    this.#given.delete(position)
    this.#given.set(position, endsOf(boundary))
    for (const oldest of this.#given.keys()) {
      if (this.#given.size <= BOUNDARIES_MAX) break
      this.#given.delete(oldest)
    }
    const ends = boundary.ends.map(({ table, log, nextSequence }) => ({
      ...{ tableId: tableIdOf(table), log, nextSequence },
    }))
    return { moment: { lsn: position, txId, timestampMs }, ends }
  }

  /** Whether the events of these tables can be read as planned. They are compared when one of them is another object than at the last call. */
  fits(tables: readonly CapturedTable[]): boolean {
    const { plan } = this.record
    const before = this.#compared
    const isSame =
      before?.plan === plan &&
      before.tables.length === tables.length &&
      before.tables.every((table, i) => table === tables[i])
    if (before !== undefined && isSame) return before.fits
    const fits = fitsPlan(this.record, tables)
    this.#compared = { plan, tables, fits }
    return fits
  }

  /** Throws ResultTooLarge. */
  publish(update: ResultUpdate): void {
    if (this.result.publish(update)) this.#published = this.#given.get(update.moment.lsn)
  }

  /** Moves `asOf` to the newest moment if none of the tables has changed since the last publication. Never rejects. */
  advance(): Promise<void> {
    this.#advancing ??= this.#advance().finally(() => {
      this.#advancing = undefined
    })
    return this.#advancing
  }

  end(reason: EndReason): void {
    this.ended ??= reason
    this.result.wake()
  }

  async #advance(): Promise<void> {
    if (this.#published === undefined || this.result.asOf === undefined) return
    try {
      const boundary = await this.#boundary()
      if (boundary !== undefined && endsOf(boundary) === this.#published) this.result.advance(boundary)
    } catch {
      // The connection is being deleted, or the store is closed.
    }
  }

  #boundary(): Promise<Boundary | undefined> {
    const { connection, tables } = this.record
    return this.#captures.boundary(connection, tables)
  }
}

function shapeOf({ plan }: QueryRecord): ResultShape {
  return { order: plan.order, visibleColumns: plan.columns.length, keyIsRow: plan.keyIsRow }
}

function endsOf({ ends }: Boundary): string {
  return ends
    .map(({ table, log, nextSequence }) => `${tableIdOf(table)} ${log} ${nextSequence}`)
    .sort()
    .join('\n')
}
