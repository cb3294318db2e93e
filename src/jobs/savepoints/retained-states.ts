/**
 * Makes a savepoint of the last state of a job that has failed or was cancelled: the job is started once more, with the order to write a
 * savepoint and to end before any tick. So what it has committed and not emitted is emitted, and nothing is read.
 */
import { join } from 'node:path'
import { isTerminal, type JobView, type RetainedState } from '../job.ts'
import type { Timer } from '../job-documents.ts'
import type { JobEngine, JobListener, JobRun } from '../job-engine.ts'
import { hasRun, type JobRecord } from '../job-record.ts'
import type { OrderOutcome, SavepointSubject } from './savepoint.ts'
import { locationOf, type SavepointPlaces } from './savepoint-places.ts'

export interface RetainedStatesParts {
  readonly engine: JobEngine
  readonly places: SavepointPlaces
  readonly timer: Timer
  /** Rejects with the reason why the job cannot start. */
  readonly prepare: (record: JobRecord) => Promise<JobRun>
  readonly subject: (record: JobRecord) => SavepointSubject
}

/** A job that does not start within this time has nothing retained: its end is not delayed any longer. */
export const RETAIN_MS_MAX = 20_000
const FOLDER = 'retained'

/** The job has ended, and its state is to be retained before it is removed. */
export function isRetaining({
  retains,
  retained,
  stopped,
  state,
  enteredMs,
}: Pick<JobView, 'retains' | 'retained' | 'stopped' | 'state' | 'enteredMs'>): boolean {
  if (!retains || retained !== undefined || stopped !== undefined) return false
  return isTerminal(state) && state !== 'FINISHED' && hasRun(enteredMs)
}

export class RetainedStates {
  readonly #parts: RetainedStatesParts

  constructor(parts: RetainedStatesParts) {
    this.#parts = parts
  }

  /** Never rejects. Does not resolve if the engine is closed before the end; then it is done again when the service starts. */
  async retain(record: JobRecord): Promise<RetainedState> {
    const { engine, places, timer, prepare } = this.#parts
    try {
      const folder = join(await places.target(undefined), `${FOLDER}-${record.jid}`)
      const order = {
        ...({ kind: 'savepoint', id: record.jid, location: folder, format: 'NATIVE' } as const),
        ...{ drains: false, ends: true, replaces: true, about: this.#parts.subject(record) },
      }
      const run = { ...(await prepare(record)), order }
      const outcome = await new Promise<OrderOutcome>((resolve) => {
        const fail = (message: string) => resolve({ kind: 'failed', message })
        const cancel = timer(RETAIN_MS_MAX, () => {
          void engine.cancel(record.jid).finally(() => fail('the job did not start in time'))
        })
        const ended = (outcome: OrderOutcome) => {
          cancel()
          resolve(outcome)
        }
        engine.submit(run, listenerOf(ended)).catch((error) => {
          cancel()
          fail(error instanceof Error ? error.message : String(error))
        })
      })
      return outcome.kind === 'done' ? { location: locationOf(folder) } : { failure: outcome.message }
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) }
    }
  }
}

/** Resolves when nothing of the job runs any more. */
function listenerOf(ended: (outcome: OrderOutcome) => void): JobListener {
  let outcome: OrderOutcome = { kind: 'failed', message: 'the job has ended without a savepoint' }
  return {
    running() {},
    progress() {},
    badRecord() {},
    ordered(_, one) {
      outcome = one
    },
    finished: () => ended(outcome),
    failed: ({ message }) => ended(outcome.kind === 'done' ? outcome : { kind: 'failed', message }),
  }
}
