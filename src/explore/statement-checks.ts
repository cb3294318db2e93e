/**
 * Checks statements in a separate worker, over tables without rows. Some statements end the process that parses or
 * binds them. Only statements that have passed run in the query worker.
 *
 * When the process ends, the responsible statement is refused and the others are checked again. Checks need a permit,
 * like queries, so that one client cannot delay the others.
 */

import { SqlError } from '../duckdb/sql-error.ts'
import { FairSemaphore, type Task, type Verdict } from '../fair-semaphore.ts'
import type { ClientKey } from '../fair-share.ts'
import type { Penalties } from '../penalties.ts'
import { ServiceError } from '../service-error.ts'
import type { EventSource } from '../worker/event-source.ts'
import { engineMemory } from './engine.ts'
import { RestartingQueryWorker, Stalled } from './query-worker-client.ts'
import type { QueryKey, QueryWorker } from './query-worker-protocol.ts'
import { culpritOf, isCollective, type ProcessEnded } from './worker-failure.ts'

export interface StatementChecksOptions {
  readonly spillFolder: string
  readonly report: (error: unknown) => void
  readonly penalties: Penalties
  /** Limit of waiting checks of one client. */
  readonly waitingMax: number
}

/** Limit of checks at a time. One client may run all but one. */
const CHECKS_MAX = 3
/** For plans, and for constants that are computed while a statement is planned. */
const MEMORY_BYTES = 64 * 1024 * 1024
/** If a client would have to wait longer because of a penalty, it gets an error instead. */
const PENALTY_WAIT_MS = 5_000
/** A statement is refused when its process has ended this many times, even if others were responsible. */
const TRIES_MAX = 5

/** Checks read no events. */
const NO_EVENTS: EventSource = {
  read: () => Promise.resolve(undefined),
  currentLogs: (ids) => Promise.resolve(ids.map(() => undefined)),
}

export class StatementChecks {
  readonly #options: StatementChecksOptions
  readonly #worker: RestartingQueryWorker
  readonly #semaphore: FairSemaphore
  readonly #checks = new Map<QueryKey, Check>()
  #keys: QueryKey = 0

  constructor(options: StatementChecksOptions) {
    this.#options = options
    this.#semaphore = new FairSemaphore(CHECKS_MAX, options.penalties)
    this.#worker = new RestartingQueryWorker({
      engine: { ...engineMemory(MEMORY_BYTES), diskBytes: 0, spillFolder: options.spillFolder },
      source: NO_EVENTS,
      report: options.report,
      limitsChecks: true,
      onEnded: (ended) => this.#judge(ended),
    })
  }

  /**
   * Calls `check` when the client has a permit. Rejects like `check`, with SqlError if the statement cannot be checked,
   * and with ServiceError 'overloaded' if there are too many checks or the machine has no processor time for it.
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
      await task.permitOf(this.#semaphore)
      try {
        return await this.#once(task, check)
      } catch (error) {
        if (error instanceof Stalled) throw tooMuch(error.message)
        if (!isCollective(error)) throw error
        if (task.verdict === undefined) this.#semaphore.judge() // out of memory, and this check is the first to report it
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
    await this.#worker.close()
  }

  async #once<T>(task: Check, check: (queryWorker: QueryWorker, key: QueryKey) => Promise<T>): Promise<T> {
    const queryWorker = await this.#worker.opened()
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

  permitOf(semaphore: FairSemaphore): Promise<void> {
    return new Promise((resolve) => {
      this.#began = resolve
      semaphore.ask(this)
    })
  }

  begin(): void {
    this.verdict = undefined
    this.#began()
  }

  /** A check is short, so it is not interrupted. */
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
