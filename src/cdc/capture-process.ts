/**
 * One capture process, from its start to its end: calls to it, its requests and its reports. When it ends, all connections end with
 * it; each goes on later from what is durable.
 */
import { startWorker, type WorkerChild, type WorkerCode } from '../worker/worker-child.ts'
import type { CaptureErrorCode } from './capture-service.ts'
import type {
  CaptureCalls,
  CaptureReport,
  CaptureWrite,
  FromCapture,
  ToCapture,
} from './worker/capture-protocol.ts'

export type CaptureCode = WorkerCode<ToCapture, FromCapture>

/** What a connection does with the messages of the process. */
export interface CaptureListenerOf {
  /** Resolves when the part is taken, with a commit when all is durable. */
  write(write: CaptureWrite): Promise<void>
  report(report: CaptureReport): void
  /** The process has ended, and the connection in it. */
  ended(reason: string): void
}

/** A call that the capture process refused, or that its end broke off ('ended'). The message is for clients. */
export class CallRefusal extends Error {
  override readonly name = 'CallRefusal'
  readonly code: CaptureErrorCode | 'internal' | 'ended'

  constructor(code: CallRefusal['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface CaptureProcessParts {
  readonly code: CaptureCode
  /** Called once, when no further call can succeed, with the number of connections that end with it. Close the process then. */
  readonly onEnd: (process: CaptureProcess, reason: string, connections: number) => void
}

interface PendingCall {
  resolve(value: unknown): void
  reject(error: Error): void
}

export class CaptureProcess {
  readonly #child: WorkerChild<ToCapture, FromCapture>
  readonly #parts: CaptureProcessParts
  readonly #connections = new Map<number, CaptureListenerOf>()
  readonly #calls = new Map<number, PendingCall>()
  readonly #memoryTimer: NodeJS.Timeout
  #lastCall = 0
  #endReason: string | undefined

  private constructor(child: WorkerChild<ToCapture, FromCapture>, parts: CaptureProcessParts) {
    this.#child = child
    this.#parts = parts
    child.listen(
      (message) => this.#take(message),
      (reason) => this.end(`the capture process has ended (${reason})`),
    )
    this.#memoryTimer = setInterval(() => this.#checkMemory(), MEMORY_POLL_MS).unref()
  }

  static async start(parts: CaptureProcessParts): Promise<CaptureProcess> {
    return new CaptureProcess(await startWorker(parts.code), parts)
  }

  get hasEnded(): boolean {
    return this.#endReason !== undefined
  }

  /** Connections and calls that it works for. */
  get users(): number {
    return this.#connections.size + this.#calls.size
  }

  /** Rejects with CallRefusal. */
  call<Method extends keyof CaptureCalls>(
    method: Method,
    ...args: Parameters<CaptureCalls[Method]>
  ): ReturnType<CaptureCalls[Method]> {
    const called = new Promise((resolve, reject) => {
      if (this.#endReason !== undefined) return reject(new CallRefusal('ended', this.#endReason))
      const call = ++this.#lastCall
      this.#calls.set(call, { resolve, reject })
      this.#child.post({ kind: 'call', call, method, args })
    })
    return called as ReturnType<CaptureCalls[Method]> // the process has the types of its answers
  }

  /** From now on `listener` gets the requests and reports of the connection. */
  attach(connectionId: number, listener: CaptureListenerOf): void {
    if (this.#endReason === undefined) this.#connections.set(connectionId, listener)
    else listener.ended(this.#endReason)
  }

  detach(connectionId: number, listener: CaptureListenerOf): void {
    if (this.#connections.get(connectionId) === listener) this.#connections.delete(connectionId)
  }

  /** Ends all connections, present and later ones, with this reason. */
  end(reason: string): void {
    if (this.#endReason !== undefined) return
    this.#endReason = reason
    clearInterval(this.#memoryTimer)
    const connections = [...this.#connections.values()]
    this.#connections.clear()
    this.#parts.onEnd(this, reason, connections.length)
    for (const { reject } of this.#calls.values()) reject(new CallRefusal('ended', reason))
    this.#calls.clear()
    for (const listener of connections) listener.ended(reason)
  }

  /** Ends the process, whatever it is doing. Resolves when nothing of it runs any more. */
  async close(reason = 'the service stops'): Promise<void> {
    this.end(reason)
    await this.#child.close()
  }

  #checkMemory(): void {
    const most = PROCESS_BYTES + this.#connections.size * CONNECTION_BYTES
    const bytes = this.#child.memoryBytes()
    if (bytes !== undefined && bytes > most)
      this.end(`the capture process needed ${bytes} bytes of memory, more than ${most}, and was ended`)
  }

  #take(message: FromCapture): void {
    if (this.#endReason !== undefined) return
    switch (message.kind) {
      case 'answer':
        this.#settle(message.call)?.resolve(message.value)
        break
      case 'refusal':
        this.#settle(message.call)?.reject(new CallRefusal(message.refusal.code, message.refusal.message))
        break
      case 'request':
        void this.#answer(message)
        break
      case 'report':
        this.#connections.get(message.connectionId)?.report(message.report)
    }
  }

  #settle(call: number): PendingCall | undefined {
    const pending = this.#calls.get(call)
    this.#calls.delete(call)
    return pending
  }

  async #answer({
    requested: request,
    method,
    args,
    release,
  }: FromCapture & { kind: 'request' }): Promise<void> {
    try {
      if (method !== 'write') throw new Error(`${method} is no request of the capture process`)
      const [write] = args as [CaptureWrite]
      const listener = this.#connections.get(write.connectionId)
      if (listener === undefined) throw new Error('the connection has been stopped')
      await listener.write(write)
      this.#child.post({ kind: 'reply', request })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#child.post({ kind: 'reply', request, failure: { message } })
    } finally {
      release?.()
    }
  }
}

const MEMORY_POLL_MS = 1_000
/**
 * The heap of 256 MB, which node fills before it collects much, and as much for node, the libraries, the row stores and events on
 * their way. A lower limit ended the process again and again under a long backlog.
 */
const PROCESS_BYTES = 512 * 1024 * 1024
/** Rows of one connection that are kept in memory, and its snapshot. */
const CONNECTION_BYTES = 32 * 1024 * 1024
