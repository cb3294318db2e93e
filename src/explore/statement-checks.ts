/**
 * Statements are checked in a process of their own, with tables that have no rows: some statements end the process that
 * parses or binds them, and only those that have passed come to the process in which queries run.
 *
 * When the process ends, the statement that is to blame is refused and the others are checked again. Checks have turns, as
 * queries do, so that one client cannot make the others wait.
 */
import type { ClientKey } from '../fair-share.ts'
import { ServiceError } from '../service-error.ts'
import { engineMemory } from './engine.ts'
import type { EventSource } from './event-source.ts'
import { FairSemaphore, type Task, type Verdict } from './fair-semaphore.ts'
import type { Penalties } from './penalties.ts'
import { RestartingQueryWorker, Stalled } from './query-worker-client.ts'
import type { QueryKey, QueryWorker } from './query-worker-protocol.ts'
import { SqlError } from './sql-error.ts'
import { culpritOf, isCollective, type ProcessEnded } from './worker-failure.ts'

export interface StatementChecksOptions {
  readonly spillFolder: string
  readonly report: (error: unknown) => void
  readonly penalties: Penalties
  /** Of one client. */
  readonly waitingMax: number
}

/** At a time; the last is for a client that has none. */
const CHECKS_MAX = 3
/** Plans, and constants that are computed while a statement is planned. */
const MEMORY_BYTES = 64 * 1024 * 1024
/** Who has to wait longer for a penalty is told so, and does not wait. */
const PENALTY_WAIT_MS = 5_000
/** A statement whose process ended so often, each time for another one, is refused all the same. */
const TRIES_MAX = 5

/** There are no events where statements are checked. */
const NO_EVENTS: EventSource = {
  read: () => Promise.resolve(undefined),
  currentLogs: (ids) => Promise.resolve(ids.map(() => undefined)),
}

export class StatementChecks {
  readonly #options: StatementChecksOptions
  readonly #process: RestartingQueryWorker
  readonly #semaphore: FairSemaphore
  readonly #checks = new Map<QueryKey, Check>()
  #keys: QueryKey = 0

  constructor(options: StatementChecksOptions) {
    this.#options = options
    this.#semaphore = new FairSemaphore(CHECKS_MAX, options.penalties)
    this.#process = new RestartingQueryWorker({
      engine: { ...engineMemory(MEMORY_BYTES), diskBytes: 0, spillFolder: options.spillFolder },
      source: NO_EVENTS,
      report: options.report,
      limitsChecks: true,
      onEnded: (ended) => this.#judge(ended),
    })
  }

  /**
   * Calls `check` in its turn. Rejects with what that rejects with, with SqlError if the statement cannot be checked, and
   * with ServiceError 'overloaded' if it is too much at a time or the machine has no time.
   */
  async check<T>(
    client: ClientKey,
    check: (queryWorker: QueryWorker, key: QueryKey) => Promise<T>,
  ): Promise<T> {
    const { waitingMax } = this.#options
    if (this.#semaphore.waitingOf(client) >= waitingMax) {
      throw tooMuch(`${waitingMax} statements of one client wait to be checked already; try again later`)
    }
    const penaltyMs = this.#semaphore.penaltyMs(client)
    if (penaltyMs > PENALTY_WAIT_MS) {
      const seconds = Math.ceil(penaltyMs / 1000)
      throw tooMuch(
        `statements of this client ended a process that others use too; try again in ${seconds} seconds`,
        seconds,
      )
    }
    const task = new Check(client)
    for (let tries = 1; ; tries++) {
      await task.comes(this.#semaphore)
      try {
        return await this.#once(task, check)
      } catch (error) {
        if (error instanceof Stalled) throw tooMuch(error.message)
        if (!isCollective(error)) throw error
        if (task.verdict === undefined) this.#semaphore.judge() // more memory than there is, and this is the first to say so
        if (task.verdict === 'guilty') throw refused(error)
        if (tries === TRIES_MAX)
          throw tooMuch('the process that checks statements has ended; try again later')
      } finally {
        this.#semaphore.leave(task)
      }
    }
  }

  async close(): Promise<void> {
    this.#semaphore.close()
    await this.#process.close()
  }

  async #once<T>(task: Check, check: (queryWorker: QueryWorker, key: QueryKey) => Promise<T>): Promise<T> {
    const queryWorker = await this.#process.opened()
    const key = ++this.#keys
    this.#checks.set(key, task)
    try {
      return await check(queryWorker, key)
    } finally {
      queryWorker.drop(key)
      this.#checks.delete(key)
    }
  }

  #judge(ended: ProcessEnded): void {
    if (isCollective(ended)) this.#semaphore.judge(culpritOf(ended, this.#checks))
  }
}

class Check implements Task {
  readonly client: ClientKey
  suspect = false
  verdict: Verdict | undefined
  #began: () => void = () => {}

  constructor(client: ClientKey) {
    this.client = client
  }

  comes(permits: FairSemaphore): Promise<void> {
    return new Promise((resolve) => {
      this.#began = resolve
      permits.ask(this)
    })
  }

  begin(): void {
    this.verdict = undefined
    this.#began()
  }

  /** No check takes long. */
  preempt(): void {}
}

function tooMuch(message: string, retryAfterSeconds?: number): ServiceError {
  return new ServiceError('overloaded', message, retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
}

function refused({ sqlState, message }: SqlError): SqlError {
  const reasons: Partial<Record<string, string>> = {
    '57014': 'the statement takes too long to check; make it simpler',
    '53200': 'the statement takes too much memory to check; make it simpler',
  }
  return new SqlError(sqlState, reasons[sqlState] ?? `the statement cannot be checked: ${message}`)
}
