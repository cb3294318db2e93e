/** The capture process's side of the protocol: answers calls, keeps the running connections, and sends their writes and reports. */
import type { ServicePort } from '../../worker/worker-child.ts'
import type { DescribedTable } from '../capture-service.ts'
import type { CapturedTable, TableName } from '../captured-table.ts'
import type { CaptureLimits } from './capture-attempt.ts'
import { CaptureProblem, SlotLost } from './capture-problem.ts'
import type {
  CaptureCalls,
  CaptureRefusal,
  CaptureReport,
  CaptureRequests,
  CaptureStart,
  CaptureTarget,
  CaptureWrite,
  FromCapture,
  ToCapture,
} from './capture-protocol.ts'
import { CaptureRun } from './capture-run.ts'
import { describeTables } from './catalog.ts'
import { databaseAddressOf } from './database-address.ts'
import { DatabaseSession, SESSION_LIMITS } from './database-session.ts'
import { checkServer, dropFromDatabase, prepareDatabase } from './preparation.ts'

const MB = 1024 * 1024

export const CAPTURE_LIMITS: CaptureLimits = {
  ...SESSION_LIMITS,
  partBytes: MB,
  chunkBytes: 4 * MB,
  confirmMs: 1_000,
  idleConfirmMs: 5_000,
  checkMs: 10_000,
  stallMs: 2_000,
}

export interface CaptureServerOptions {
  /** Nanoseconds since 1970. */
  readonly nowNs: () => bigint
  readonly limits?: Partial<CaptureLimits>
}

interface PendingRequest {
  resolve(): void
  reject(error: Error): void
}

type Port = ServicePort<ToCapture, FromCapture>

export class CaptureServer implements CaptureCalls {
  readonly #port: Port
  readonly #nowNs: () => bigint
  readonly #limits: CaptureLimits
  readonly #runs = new Map<number, CaptureRun>()
  /** Attempts that have reported their end and still have sessions and the folder of rows open. */
  readonly #ending = new Map<number, Promise<void>>()
  readonly #requests = new Map<number, PendingRequest>()
  #lastRequest = 0

  constructor(port: Port, { nowNs, limits }: CaptureServerOptions) {
    this.#port = port
    this.#nowNs = nowNs
    this.#limits = { ...CAPTURE_LIMITS, ...limits }
    port.listen((message) => this.#take(message as ToCapture))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#runs.keys()].map((id) => this.stop(id)))
  }

  async describe(
    connectionString: string,
    tables: '*' | readonly TableName[],
  ): Promise<readonly DescribedTable[]> {
    const session = await DatabaseSession.open(databaseAddressOf(connectionString), this.#limits)
    try {
      await checkServer(session)
      return await describeTables(session, tables)
    } finally {
      await session.close()
    }
  }

  prepare(target: CaptureTarget): Promise<void> {
    return prepareDatabase(target, this.#limits)
  }

  async start(start: CaptureStart): Promise<void> {
    const { connectionId } = start
    if (this.#runs.has(connectionId)) throw new Error(`connection ${connectionId} runs already`)
    await this.#ending.get(connectionId)
    const run = new CaptureRun({
      start,
      limits: this.#limits,
      nowNs: this.#nowNs,
      requests: { write: (write) => this.#write(write) } satisfies CaptureRequests,
      report: (report) => {
        // A connection whose attempt has ended may be started again as soon as the service has the report.
        if (ENDS.has(report.kind)) this.#end(connectionId, run)
        this.#port.post({ kind: 'report', connectionId, report })
      },
    })
    this.#runs.set(connectionId, run)
    run.begin()
  }

  async addTables(
    connectionId: number,
    tables: readonly TableName[],
    filled: readonly TableName[],
  ): Promise<readonly CapturedTable[]> {
    const run = this.#runs.get(connectionId)
    if (run === undefined) {
      throw new CaptureProblem('database_unreachable', 'the connection to the database is not open now', true)
    }
    return run.addTables(tables, filled)
  }

  async stop(connectionId: number): Promise<void> {
    const run = this.#runs.get(connectionId)
    this.#runs.delete(connectionId)
    await run?.stop()
    await this.#ending.get(connectionId)
  }

  #end(connectionId: number, run: CaptureRun): void {
    if (this.#runs.get(connectionId) === run) this.#runs.delete(connectionId)
    const ended = run.ended().then(() => {
      if (this.#ending.get(connectionId) === ended) this.#ending.delete(connectionId)
    })
    this.#ending.set(connectionId, ended)
  }

  drop(target: CaptureTarget): Promise<void> {
    return dropFromDatabase(target, this.#limits)
  }

  #write(write: CaptureWrite): Promise<void> {
    const requested = ++this.#lastRequest
    return new Promise((resolve, reject) => {
      this.#requests.set(requested, { resolve, reject })
      this.#port.post({ kind: 'request', requested, method: 'write', args: [write] })
    })
  }

  #take(message: ToCapture): void {
    if (message.kind === 'call') return void this.#answer(message)
    const pending = this.#requests.get(message.request)
    this.#requests.delete(message.request)
    if (message.failure === undefined) pending?.resolve()
    else pending?.reject(new Error(message.failure.message))
  }

  async #answer({ call, method, args }: ToCapture & { readonly kind: 'call' }): Promise<void> {
    try {
      const run = this[method] as (...args: readonly unknown[]) => Promise<unknown>
      const value = (await run.apply(this, [...args])) ?? null
      this.#port.post({ kind: 'answer', call, value })
    } catch (error) {
      this.#port.post({ kind: 'refusal', call, refusal: refusalOf(error) })
    }
  }
}

const ENDS: ReadonlySet<CaptureReport['kind']> = new Set(['failed', 'slot-lost'])

function refusalOf(error: unknown): CaptureRefusal {
  if (error instanceof CaptureProblem) return { code: error.code, message: error.message }
  if (error instanceof SlotLost) return { code: 'database_rejected', message: error.message }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) }
}
