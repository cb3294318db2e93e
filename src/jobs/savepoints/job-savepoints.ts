/**
 * Savepoints, stops and checkpoints on request of clients: checks the request, orders the job, and keeps how far the operation
 * is. It goes on when the client is gone.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { Checkpoint } from '../checkpoint-history.ts'
import { isTerminal } from '../job.ts'
import { newJobId } from '../job-id.ts'
import type { JobRecord } from '../job-record.ts'
import type { LiveJob } from '../live-job.ts'
import type { JobId } from '../worker/job-worker-protocol.ts'
import type {
  JobOrder,
  Operation,
  OrderOutcome,
  SavepointRequest,
  SavepointSubject,
  StopIntent,
  StopRequest,
} from './savepoint.ts'
import { deleteSavepoint, hasMetadata } from './savepoint-files.ts'
import { SavepointOperations } from './savepoint-operations.ts'
import { locationOf, type SavepointPlaces } from './savepoint-places.ts'

export interface JobSavepointsParts {
  readonly places: SavepointPlaces
  readonly nowMs: () => number
  readonly random: () => number
  /** Throws ServiceError 'job_not_found'. */
  readonly record: (namespace: NamespaceName, jid: string) => JobRecord
  readonly live: (jid: JobId) => LiveJob | undefined
  readonly subject: (record: JobRecord) => SavepointSubject
  /** Called for each savepoint that has been written or has failed. */
  readonly savepointed: (jid: JobId, savepoint: Checkpoint) => void
}

const NOT_RUNNING = 'job is not running'
const FOLDER_DIGITS = 12
/** The scope of operations that are of no job. */
const DISPOSALS = 'disposal'

type Request = Pick<SavepointRequest, 'directory' | 'format' | 'triggerId'>

export class JobSavepoints {
  readonly #parts: JobSavepointsParts
  readonly #operations: SavepointOperations

  constructor(parts: JobSavepointsParts) {
    this.#parts = parts
    this.#operations = new SavepointOperations(parts.nowMs, parts.random)
  }

  async savepoint(namespace: NamespaceName, jid: string, request: SavepointRequest): Promise<string> {
    const { cancels } = request
    if (cancels) return this.#stop(namespace, jid, request, { drains: false, cancels })
    return this.#begin(namespace, jid, request, async (id, location, live) => {
      const { format } = request
      const order = { kind: 'savepoint', id, location, format, ...PLAIN } as const
      const done = live.order({ ...order, about: this.#parts.subject(live.record) })
      void done.then((outcome) => this.#ended(live, { ...order, ...PLAIN }, 'SAVEPOINT', outcome))
    })
  }

  stop(namespace: NamespaceName, jid: string, request: StopRequest): Promise<string> {
    return this.#stop(namespace, jid, request, { drains: request.drains, cancels: false })
  }

  async checkpoint(namespace: NamespaceName, jid: string, triggerId: string | undefined): Promise<string> {
    this.#parts.record(namespace, jid)
    const { id, isNew } = this.#operations.begin(jid, triggerId)
    if (!isNew) return id
    const live = this.#parts.live(jid)
    const done = live?.order({ kind: 'checkpoint', id }) ?? Promise.resolve(FAILED)
    void done.then((outcome) =>
      this.#operations.end(
        jid,
        id,
        outcome.kind === 'failed'
          ? { state: 'failed', message: outcome.message }
          : { state: 'completed', checkpointId: outcome.epoch },
      ),
    )
    return id
  }

  /** Number of savepoints, stops and checkpoints of the job that clients have asked for and that have not ended. */
  running(jid: JobId): number {
    return this.#operations.running(jid)
  }

  operation(namespace: NamespaceName, jid: string, triggerId: string): Operation {
    this.#parts.record(namespace, jid)
    const text = `There is no savepoint operation with triggerId=${triggerId.slice(0, 100)} for job ${jid}.`
    return this.#operations.get(jid, triggerId, text)
  }

  /** Deletes a savepoint. Rejects with ServiceError 'savepoint_outside'. */
  async dispose(location: string): Promise<string> {
    const folder = await this.#parts.places.savepoint(location)
    const { id } = this.#operations.begin(DISPOSALS, undefined)
    void dispose(folder).then((operation) => this.#operations.end(DISPOSALS, id, operation))
    return id
  }

  disposal(triggerId: string): Operation {
    const text = `There is no disposal with triggerId=${triggerId.slice(0, 100)}.`
    return this.#operations.get(DISPOSALS, triggerId, text)
  }

  /**
   * The order of a stop that was accepted in an earlier run. Its place may be outside of the savepoint directories now, or gone:
   * then the stop is given up.
   */
  async orderOf(record: JobRecord): Promise<JobOrder | undefined> {
    const { stopping } = record
    if (stopping === undefined) return undefined
    try {
      await this.#parts.places.target(dirname(stopping.location))
      return this.#stopOrder(record, stopping, true)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#parts.live(record.jid)?.giveUpStop(stopping, message)
      return undefined
    }
  }

  /** The service has started again, and the job is still to be stopped. */
  resume(live: LiveJob, intent: StopIntent): void {
    const { jid } = live.record
    this.#operations.begin(jid, intent.triggerId)
    void live
      .resumedStop(intent)
      .then((outcome) => this.#ended(live, { ...intent, id: intent.triggerId }, SYNC, outcome))
  }

  async #stop(
    namespace: NamespaceName,
    jid: string,
    request: Request,
    { drains, cancels }: Pick<StopIntent, 'drains' | 'cancels'>,
  ): Promise<string> {
    return this.#begin(namespace, jid, request, async (id, location, live) => {
      const { format } = request
      const intent = { triggerId: id, location, format, drains, cancels }
      const { outcome } = await live.stop(intent, this.#stopOrder(live.record, intent, false))
      void outcome.then((one) => this.#ended(live, { ...intent, id }, SYNC, one))
    })
  }

  /** Resolves with the trigger id when the operation has begun. `work` is not called for one that is known, or of an ended job. */
  async #begin(
    namespace: NamespaceName,
    jid: string,
    { directory, triggerId }: Request,
    work: (id: string, location: string, live: LiveJob) => Promise<void>,
  ): Promise<string> {
    this.#parts.record(namespace, jid)
    if (triggerId !== undefined && this.#operations.has(jid, triggerId)) return triggerId.toLowerCase()
    const folder = await this.#folder(directory)
    const record = this.#parts.record(namespace, jid)
    const { id, isNew } = this.#operations.begin(jid, triggerId)
    if (!isNew) return id
    const live = this.#parts.live(jid)
    if (live === undefined || isTerminal(record.state)) {
      this.#operations.end(jid, id, { state: 'failed', message: NOT_RUNNING })
      return id
    }
    if (typeof folder !== 'string') {
      this.#operations.end(jid, id, { state: 'failed', message: folder.message })
      return id
    }
    try {
      await work(id, this.#newFolder(folder, jid), live)
    } catch (error) {
      this.#operations.drop(jid, id)
      throw error
    }
    return id
  }

  /** The folder of new savepoints, or why it cannot be made. Rejects with ServiceError. */
  async #folder(directory: string | undefined): Promise<string | Error> {
    try {
      return await this.#parts.places.target(directory)
    } catch (error) {
      if (error instanceof ServiceError) throw error
      return new Error(`the savepoint directory cannot be made: ${(error as Error).message}`)
    }
  }

  #newFolder(parent: string, jid: JobId): string {
    const path = (digits: string) =>
      join(parent, `savepoint-${jid.slice(0, 6)}-${digits.slice(-FOLDER_DIGITS)}`)
    return path(newJobId(this.#parts.random, (digits) => existsSync(path(digits))))
  }

  #stopOrder(record: JobRecord, intent: StopIntent, replaces: boolean): JobOrder {
    const { triggerId: id, location, format, drains } = intent
    const about = this.#parts.subject(record)
    return { kind: 'savepoint', id, location, format, drains, ends: true, replaces, about }
  }

  #ended(
    { record: { jid } }: LiveJob,
    { id, location: folder, format }: { readonly id: string } & Pick<StopIntent, 'location' | 'format'>,
    kind: Checkpoint['kind'],
    outcome: OrderOutcome,
  ): void {
    const location = locationOf(folder)
    if (outcome.kind === 'failed') {
      const { message, attempt } = outcome
      this.#operations.end(jid, id, { state: 'failed', message })
      if (attempt === undefined) return
      const { epoch, startedMs: triggeredMs, durationMs } = attempt
      const sizes = { bytes: 0, stateBytes: 0 }
      this.#parts.savepointed(jid, {
        ...{ id: epoch, status: 'FAILED', kind, format, triggeredMs, durationMs, ...sizes, message },
      })
      return
    }
    this.#operations.end(jid, id, { state: 'completed', location })
    if (outcome.savepoint === undefined) return
    const { startedMs: triggeredMs, durationMs, syncMs, bytes, stateBytes } = outcome.savepoint
    const times = { triggeredMs, durationMs, syncMs, asyncMs: durationMs - syncMs }
    const { epoch } = outcome
    this.#parts.savepointed(jid, {
      ...{ id: epoch, status: 'COMPLETED', kind, format, ...times, bytes, stateBytes, location },
    })
  }
}

const SYNC = 'SYNC_SAVEPOINT'
const PLAIN = { drains: false, ends: false, replaces: false } as const
const FAILED: OrderOutcome = { kind: 'failed', message: NOT_RUNNING }

async function dispose(folder: string): Promise<Operation> {
  try {
    if (!(await hasMetadata(folder)))
      throw new Error(`${locationOf(folder)} is no savepoint: it has no _metadata`)
    await deleteSavepoint(folder)
    return { state: 'completed' }
  } catch (error) {
    return { state: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
}
