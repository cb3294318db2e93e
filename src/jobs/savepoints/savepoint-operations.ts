/**
 * Operations by their trigger ids: what a client polls after it has asked for a savepoint, a stop, a checkpoint or a disposal.
 * They are in memory: after a restart of the service only stops are known again, because those are in the job's document.
 */
import { ServiceError } from '../../service-error.ts'
import { newJobId } from '../job-id.ts'
import type { Operation } from './savepoint.ts'

/** As Flink. */
export const OPERATION_KEPT_MS = 5 * 60_000
/** Of one job that have not ended: they run one after another, and a client has no use for more. */
export const RUNNING_MAX = 16
/** Ended ones, of one job and of all: the oldest are forgotten first. */
export const ENDED_MAX = 100
export const ALL_ENDED_MAX = 5_000
const TRIGGER_ID = /^[0-9a-f]{32}$/

interface Entry {
  readonly scope: string
  readonly id: string
  operation: Operation
  endedMs: number | undefined
}

export class SavepointOperations {
  readonly #nowMs: () => number
  readonly #random: () => number
  /** In the order in which they began. */
  readonly #running = new Map<string, Entry>()
  /** In the order in which they ended. */
  readonly #ended = new Map<string, Entry>()
  /** Numbers of ended ones by scope. */
  readonly #endedOf = new Map<string, number>()

  constructor(nowMs: () => number, random: () => number) {
    this.#nowMs = nowMs
    this.#random = random
  }

  /**
   * Begins an operation of a job, or of what `scope` names. With the id of a known one: `isNew` is false, and nothing begins.
   * Throws ServiceError 'invalid_parameter' for an id that is none, and 'overloaded'.
   */
  begin(scope: string, triggerId: string | undefined): { readonly id: string; readonly isNew: boolean } {
    this.#forget()
    const id =
      triggerId?.toLowerCase() ?? newJobId(this.#random, (one) => this.#find(scope, one) !== undefined)
    if (!TRIGGER_ID.test(id))
      throw new ServiceError(
        'invalid_parameter',
        `triggerId is '${id.slice(0, 100)}'; use 32 hexadecimal digits, or leave it out`,
      )
    if (this.#find(scope, id) !== undefined) return { id, isNew: false }
    const running = this.running(scope)
    if (running >= RUNNING_MAX)
      throw new ServiceError(
        'overloaded',
        `${running} operations of this job have not ended; wait for one of them`,
      )
    this.#running.set(key(scope, id), { scope, id, operation: { state: 'in-progress' }, endedMs: undefined })
    return { id, isNew: true }
  }

  /** Number of operations that have not ended. */
  running(scope: string): number {
    return [...this.#running.values()].filter((entry) => entry.scope === scope).length
  }

  has(scope: string, id: string): boolean {
    this.#forget()
    return this.#find(scope, id.toLowerCase()) !== undefined
  }

  /** No effect on one that has ended. */
  end(scope: string, id: string, operation: Operation): void {
    const entry = this.#running.get(key(scope, id))
    if (entry === undefined) return
    this.#running.delete(key(scope, id))
    entry.operation = operation
    entry.endedMs = this.#nowMs()
    this.#ended.set(key(scope, id), entry)
    const count = (this.#endedOf.get(scope) ?? 0) + 1
    this.#endedOf.set(scope, count)
    this.#forget()
    if (count > ENDED_MAX) this.#remove([...this.#ended.values()].find((other) => other.scope === scope)!)
    if (this.#ended.size > ALL_ENDED_MAX) this.#remove(this.#ended.values().next().value!)
  }

  /** Forgets one that could not be begun. */
  drop(scope: string, id: string): void {
    this.#running.delete(key(scope, id))
  }

  /** Throws ServiceError 'operation_not_found' with this message. */
  get(scope: string, id: string, message: string): Operation {
    this.#forget()
    const entry = this.#find(scope, id.toLowerCase())
    if (entry === undefined) throw new ServiceError('operation_not_found', message)
    return entry.operation
  }

  #find(scope: string, id: string): Entry | undefined {
    return this.#running.get(key(scope, id)) ?? this.#ended.get(key(scope, id))
  }

  #forget(): void {
    const beforeMs = this.#nowMs() - OPERATION_KEPT_MS
    for (const entry of this.#ended.values()) {
      if (entry.endedMs! > beforeMs) break
      this.#remove(entry)
    }
  }

  #remove({ scope, id }: Entry): void {
    this.#ended.delete(key(scope, id))
    const count = this.#endedOf.get(scope)! - 1
    if (count === 0) this.#endedOf.delete(scope)
    else this.#endedOf.set(scope, count)
  }
}

function key(scope: string, id: string): string {
  return `${scope}:${id}`
}
