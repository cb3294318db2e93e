/**
 * Waits until the service knows the tables that were added during an attempt. A service that has a position takes a table for complete
 * unless a commit says that it is not read yet. Without that commit it would take the streams of added tables for complete, and after a
 * crash their earlier progress for the present one.
 */
import type { CaptureAttempt } from './capture-attempt.ts'
import { CaptureProblem } from './capture-problem.ts'

/** Waits until a commit is durable that has all tables of this moment. */
export interface Note {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class TableNotes {
  readonly #attempt: CaptureAttempt
  /** Of tables that no commit has yet. */
  #waiting: Note[] = []
  #hasEnded = false
  /** The service has no position in which a table could be missing. */
  #hasNoPosition: boolean

  constructor(attempt: CaptureAttempt) {
    this.#attempt = attempt
    this.#hasNoPosition = attempt.start.durableLsn === undefined
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Resolves when the tables of this moment are in a durable commit, as read or as not read yet. */
  noted(): Promise<void> {
    if (this.#hasNoPosition) return Promise.resolve()
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) return reject(notNoted())
      this.#waiting.push({ resolve, reject })
      this.#attempt.wake()
    })
  }

  /** A commit is made: from now on tables have to wait for one. */
  begin(): void {
    this.#hasNoPosition = false
  }

  /** What the next commit resolves. */
  take(): readonly Note[] {
    return this.#waiting.splice(0)
  }

  end(failure: unknown): void {
    this.#hasEnded = true
    for (const { reject } of this.take()) reject(failure ?? notNoted())
  }
}

export function notNoted(): CaptureProblem {
  return new CaptureProblem('database_unreachable', 'the capture ended before the tables were added', true)
}
