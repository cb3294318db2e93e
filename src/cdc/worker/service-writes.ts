/**
 * Writes of one connection to the service, in order. A write has parts of about 1 MiB; the last one has the commit. Two parts may be
 * unanswered, so that the next is made while the service stores one.
 */
import { CaptureProblem } from './capture-problem.ts'
import type { CaptureCommit, CapturedEvents, CaptureRequests } from './capture-protocol.ts'

const UNANSWERED_MAX = 2

export class ServiceWrites {
  readonly #connectionId: number
  readonly #requests: CaptureRequests
  readonly #unanswered = new Set<Promise<void>>()
  readonly #stopped: Promise<never>
  #lastWrite = 0
  #isOpen = false

  /** After `signal` all calls reject. */
  constructor(connectionId: number, requests: CaptureRequests, signal: AbortSignal) {
    this.#connectionId = connectionId
    this.#requests = requests
    this.#stopped = new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(notStored('the connection is stopped')))
    })
    this.#stopped.catch(() => {})
  }

  /** Sends a part of the present write. Resolves when another one may be sent. Rejects with CaptureProblem. */
  async part(events: readonly CapturedEvents[]): Promise<void> {
    void this.#send(events, undefined).catch(() => {}) // the set keeps it
    if (this.#unanswered.size >= UNANSWERED_MAX) await Promise.race(this.#unanswered)
  }

  /** Ends the present write. Resolves when everything of it is durable. */
  async commit(events: readonly CapturedEvents[], commit: CaptureCommit): Promise<void> {
    const earlier = [...this.#unanswered]
    const last = this.#send(events, commit)
    await Promise.all([...earlier, last])
  }

  #send(events: readonly CapturedEvents[], commit: CaptureCommit | undefined): Promise<void> {
    if (!this.#isOpen) this.#lastWrite++
    this.#isOpen = commit === undefined
    const message = {
      connectionId: this.#connectionId,
      write: this.#lastWrite,
      events,
      ...(commit && { commit }),
    }
    const stored = this.#requests.write(message).catch((error: unknown) => {
      throw notStored(error instanceof Error ? error.message : String(error))
    })
    const sent = Promise.race([stored, this.#stopped])
    // A part that failed stays in the set: the next call rejects with its failure.
    this.#unanswered.add(sent)
    sent.then(
      () => this.#unanswered.delete(sent),
      () => {},
    )
    return sent
  }
}

function notStored(text: string): CaptureProblem {
  return new CaptureProblem('limit', `the events could not be stored: ${text}`, true)
}
