/**
 * Sends the result of a cached query to the service, which keeps it for its readers: after each refresh its changes, when they
 * are durable in the stream of the result, and after each start of the job the whole result.
 */
import type { Outbox } from '../connectors/connector.ts'
import { ResultRows } from '../connectors/result-rows.ts'
import type { DecodedColumn } from '../plan/job-plan.ts'
import type { QueryJobResult, ResultChange, ResultMoment } from '../query-result.ts'
import type { JobId, ServiceRequests } from './job-worker-protocol.ts'

/** A longer update is sent in parts. */
const PART_CHANGES_MAX = 5_000
const PART_CHARACTERS_MAX = 1024 * 1024

/** The last refresh: its moment, and its duration in milliseconds. */
export interface Refreshed {
  readonly moment: ResultMoment
  readonly refreshMs: number
}

export interface PublisherParts {
  readonly jid: JobId
  readonly service: Pick<ServiceRequests, 'publish'>
  /** Of the sink. */
  readonly columns: readonly DecodedColumn[]
  readonly result: QueryJobResult
  /** Undefined before the first refresh. */
  readonly refreshed: () => Refreshed | undefined
}

export class ResultPublisher {
  readonly #parts: PublisherParts
  readonly #rows: ResultRows

  constructor(parts: PublisherParts) {
    this.#parts = parts
    this.#rows = new ResultRows(parts.columns, parts.result)
  }

  /** The changes of the last refresh. */
  async changes(outbox: Outbox): Promise<void> {
    await this.#send(outbox, false)
  }

  /** The whole result, as rows with the op c. Nothing before the first refresh. */
  async whole(rows: Outbox): Promise<void> {
    if (this.#parts.refreshed() !== undefined) await this.#send(rows, true)
  }

  async #send(rows: Outbox, isWhole: boolean): Promise<void> {
    const { jid, service, refreshed } = this.#parts
    const last = refreshed()
    if (last === undefined) return
    let begins = isWhole
    let changes: ResultChange[] = []
    let characters = 0
    for await (const change of this.#rows.changes(rows)) {
      changes.push(change)
      characters += lengthOf(change)
      if (changes.length < PART_CHANGES_MAX && characters < PART_CHARACTERS_MAX) continue
      await service.publish(jid, { ...last, begins, ends: false, changes })
      begins = false
      changes = []
      characters = 0
    }
    await service.publish(jid, { ...last, begins, ends: true, changes })
  }
}

function lengthOf({ key, before = [], after = [] }: ResultChange): number {
  let length = key.length
  for (const text of before) length += text.length
  for (const text of after) length += text.length
  return length
}
