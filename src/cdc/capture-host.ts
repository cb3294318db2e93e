/**
 * The host of change data capture: one process for all connections. It is started with the first connection or call, started again
 * after it has ended, and ended when nothing has used it for IDLE_MS.
 */
import { type CaptureCode, CaptureProcess } from './capture-process.ts'

export interface CaptureHostParts {
  readonly code: CaptureCode
  readonly report: (error: unknown) => void
}

/** A process without connections takes some 60 MB, and its start some 200 ms. */
const IDLE_MS = 10_000

export class CaptureHost {
  readonly #parts: CaptureHostParts
  #process: Promise<CaptureProcess> | undefined
  /** Resolves when nothing of earlier processes runs. They have the folders of rows open. */
  #ended: Promise<void> = Promise.resolve()
  #idleTimer: NodeJS.Timeout | undefined
  #closed = false

  constructor(parts: CaptureHostParts) {
    this.#parts = parts
  }

  /** The process; starts one if there is none. Rejects if it cannot be started. */
  async opened(): Promise<CaptureProcess> {
    if (this.#closed) throw new Error('the service stops')
    this.#process ??= this.#open()
    const process = await this.#process
    this.#watchIdle()
    return process
  }

  /** Ends the process. Resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idleTimer)
    const process = await this.#process?.catch(() => undefined)
    await process?.close()
    await this.#ended
  }

  async #open(): Promise<CaptureProcess> {
    try {
      await this.#ended
      return await CaptureProcess.start({
        code: this.#parts.code,
        onEnd: (process, reason, connections) => this.#onEnd(process, reason, connections),
      })
    } catch (error) {
      this.#process = undefined // the next connection tries again
      throw error
    }
  }

  #onEnd(process: CaptureProcess, reason: string, connections: number): void {
    if (this.#closed) return
    this.#process = undefined
    clearTimeout(this.#idleTimer)
    if (connections > 0) this.#parts.report(new Error(reason))
    this.#ended = process.close().catch(this.#parts.report)
  }

  #watchIdle(): void {
    clearTimeout(this.#idleTimer)
    this.#idleTimer = setTimeout(() => void this.#endIdle(), IDLE_MS).unref()
  }

  async #endIdle(): Promise<void> {
    const process = await this.#process?.catch(() => undefined)
    if (process === undefined || this.#closed) return
    if (process.users > 0) this.#watchIdle()
    else process.end('there are no connections')
  }
}
