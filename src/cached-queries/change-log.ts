/**
 * The last changes of a result, for readers that follow it. A revision counts the refreshes that have changed the result since the
 * service started; a cursor names the process, the query and a revision.
 *
 *   cursor:  <process>-<query>-<revision>, each [0-9a-z]+
 */
import type { Moment } from '../cdc/capture-service.ts'
import { ServiceError } from '../service-error.ts'
import type { RowChange } from './result-rows.ts'

export interface LoggedCommit {
  readonly revision: number
  readonly asOf: Moment
  readonly changes: readonly RowChange[]
  readonly bytes: number
}

/** Of the changes of one result that are kept for readers that come again. */
const BYTES_MAX = 1024 * 1024
const CHANGE_BYTES = 100

export class ChangeLog {
  readonly #prefix: string
  /** Revisions without gaps, the last one is `revision`. */
  #commits: LoggedCommit[] = []
  #bytes = 0
  #revision = 0

  /** `process` is another one after each start of the service. */
  constructor(process: string, queryId: number) {
    this.#prefix = `${process}-${queryId}-`
  }

  get revision(): number {
    return this.#revision
  }

  add(asOf: Moment, changes: readonly RowChange[]): void {
    this.#revision++
    const bytes = changes.reduce((sum, change) => sum + bytesOf(change), CHANGE_BYTES)
    this.#commits.push({ revision: this.#revision, asOf, changes, bytes })
    this.#bytes += bytes
    let gone = 0
    while (this.#bytes > BYTES_MAX) this.#bytes -= this.#commits[gone++]!.bytes
    if (gone > 0) this.#commits = this.#commits.slice(gone)
  }

  /** The commit after a revision; undefined if it is not kept, or is still to come. */
  after(revision: number): LoggedCommit | undefined {
    const first = this.#revision - this.#commits.length + 1
    return this.#commits[revision + 1 - first]
  }

  cursor(revision: number): string {
    return `${this.#prefix}${revision}`
  }

  /**
   * The revision of a cursor; undefined if it is of another process, or the changes after it are not kept. Throws ServiceError
   * 'invalid_cursor'.
   */
  revisionOf(cursor: string): number | undefined {
    const match = /^[0-9a-z]{1,32}-[0-9]{1,16}-([0-9]{1,16})$/.exec(cursor)
    if (match === null) {
      const shown = cursor.length > 100 ? `${cursor.slice(0, 100)}…` : cursor
      throw new ServiceError(
        'invalid_cursor',
        `after is '${shown}'; use the id of an event of this query, or leave it out`,
      )
    }
    if (!cursor.startsWith(this.#prefix)) return undefined
    const revision = Number(match[1])
    return revision === this.#revision || this.after(revision) !== undefined ? revision : undefined
  }
}

function bytesOf({ key, before, after }: RowChange): number {
  return CHANGE_BYTES + key.length + (before?.bytes ?? 0) + (after?.bytes ?? 0)
}
