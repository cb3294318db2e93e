/**
 * The service's side of the planner process. It starts with the first call and ends after a minute without calls. Calls run one
 * after the other, so a statement that ends the process is known: its call is refused, and the next one starts another process.
 * Clients take turns, so the long statements of one delay the others by one call at most.
 */
import { FairSemaphore } from '../../fair-semaphore.ts'
import type { ClientKey } from '../../fair-share.ts'
import { Penalties } from '../../penalties.ts'
import { ServiceError } from '../../service-error.ts'
import type { TypedColumn } from '../../sql/data-types.ts'
import { SqlProblem, SyntaxProblem } from '../../sql/sql-problem.ts'
import type { TableSchema } from '../../sql/table-schema.ts'
import { startWorker, type WorkerChild } from '../../worker/worker-child.ts'
import type { PlannedTable, PlannedView } from '../plan/job-plan.ts'
import type {
  DescribedQuery,
  FromPlanner,
  PlannedJob,
  PlanningFailure,
  PlanningMethod,
  ToPlanner,
} from '../plan/planner-protocol.ts'
import type { SchemaPlan, SchemaSource } from '../plan/prisma/plan-with-schema.ts'
import { type QueryPlan, QueryProblem, type QuerySource } from '../plan/query-plan.ts'

type Child = WorkerChild<ToPlanner, FromPlanner>

/** Processor time of one call. */
const CALL_CPU_MS = 10_000
/** Time of one call on a machine that has no processor time for it. */
const CALL_MS = 60_000
const CHECK_INTERVAL_MS = 250
const IDLE_MS = 60_000
/** More calls than this do not wait, of all clients and of one. */
const WAITING_MAX = 64
const WAITING_OF_CLIENT_MAX = 16
/** Of the process: the engine's 256 MiB, its code, and trees of large statements. */
const PROCESS_BYTES = 768 * 1024 * 1024

export interface PlannerClientOptions {
  readonly report: (error: unknown) => void
  readonly callCpuMs?: number
  readonly idleMs?: number
}

export class PlannerClient {
  readonly #options: PlannerClientOptions
  #process: PlannerProcess | undefined
  readonly #turns = new FairSemaphore(1, new Penalties())
  /** Calls that run or wait. */
  readonly #calls = new Set<Promise<unknown>>()
  #idleTimer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: PlannerClientOptions) {
    this.#options = options
  }

  /** `client` shares the planner with the others. Rejects with SqlProblem, and with ServiceError 'overloaded'. */
  plan(
    statement: string,
    tables: readonly PlannedTable[],
    otherNames: readonly string[] = [],
    client: ClientKey = '',
    views: readonly PlannedView[] = [],
  ): Promise<PlannedJob> {
    return this.#inTurn(client, 'plan', [statement, tables, otherNames, views])
  }

  /** Rejects as `plan` does. */
  describe(
    query: string,
    tables: readonly PlannedTable[],
    otherNames: readonly string[] = [],
    client: ClientKey = '',
    views: readonly PlannedView[] = [],
  ): Promise<DescribedQuery> {
    return this.#inTurn(client, 'describe', [query, tables, otherNames, views])
  }

  /** Rejects as `plan` does. */
  typesOf(schemaSql: string, schema: TableSchema, client: ClientKey = ''): Promise<readonly TypedColumn[]> {
    return this.#inTurn(client, 'typesOf', [schemaSql, schema])
  }

  /** Rejects with QueryProblem, and with ServiceError 'overloaded'. */
  planQuery(source: QuerySource, client: ClientKey = ''): Promise<QueryPlan> {
    return this.#queryInTurn(client, 'planQuery', source)
  }

  /** Rejects as `planQuery` does. */
  planWithSchema(source: SchemaSource, client: ClientKey = ''): Promise<SchemaPlan> {
    return this.#queryInTurn(client, 'planWithSchema', source)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idleTimer)
    await this.#process?.end(overloaded('the service stops; try again later'))
    await Promise.allSettled(this.#calls)
    this.#turns.close()
  }

  async #queryInTurn<T>(client: ClientKey, method: PlanningMethod, source: unknown): Promise<T> {
    try {
      return await this.#inTurn<T>(client, method, [source])
    } catch (error) {
      // The query ended the process, or took too long.
      if (!(error instanceof SqlProblem)) throw error
      throw new QueryProblem('unsupported_sql', error.reason.replace('the statement', 'the query'))
    }
  }

  #inTurn<T>(client: ClientKey, method: PlanningMethod, args: readonly unknown[]): Promise<T> {
    const ofClient = this.#turns.waitingOf(client) >= WAITING_OF_CLIENT_MAX
    if (ofClient || this.#calls.size >= WAITING_MAX) {
      const count = ofClient ? WAITING_OF_CLIENT_MAX : WAITING_MAX
      return Promise.reject(overloaded(`${count} statements wait to be checked already; try again later`))
    }
    const answer = this.#turns.run(client, () => this.#call<T>(method, args))
    this.#calls.add(answer)
    const forget = () => this.#calls.delete(answer)
    answer.then(forget, forget)
    return answer
  }

  async #call<T>(method: PlanningMethod, args: readonly unknown[]): Promise<T> {
    if (this.#closed) throw overloaded('the service stops; try again later')
    clearTimeout(this.#idleTimer)
    const process = await this.#started()
    try {
      return await process.call<T>(method, args)
    } finally {
      if (process.hasEnded) this.#process = undefined
      else this.#endWhenIdle(process)
    }
  }

  async #started(): Promise<PlannerProcess> {
    if (this.#process !== undefined && !this.#process.hasEnded) return this.#process
    try {
      this.#process = await PlannerProcess.start(this.#options.callCpuMs ?? CALL_CPU_MS, this.#options.report)
      return this.#process
    } catch (error) {
      this.#options.report(error)
      throw overloaded('the planner cannot be started now; try again later', error)
    }
  }

  #endWhenIdle(process: PlannerProcess): void {
    const end = () => {
      if (this.#process === process) this.#process = undefined
      process.end(overloaded('the planner ended; try again')).catch(this.#options.report)
    }
    this.#idleTimer = setTimeout(end, this.#options.idleMs ?? IDLE_MS).unref()
  }
}

interface Pending {
  readonly call: number
  resolve(value: unknown): void
  reject(error: Error): void
}

/** One process, with at most one call. */
class PlannerProcess {
  readonly #child: Child
  readonly #callCpuMs: number
  #pending: Pending | undefined
  #lastCall = 0
  #failure: Error | undefined

  private constructor(child: Child, callCpuMs: number, report: (error: unknown) => void) {
    this.#child = child
    this.#callCpuMs = callCpuMs
    child.listen(
      (message) => this.#take(message),
      (reason) => {
        if (this.#failure !== undefined) return
        report(new Error(`the planner process ended: ${reason}`))
        void this.end(new SqlProblem('the statement ends the process that checks it; make it simpler'))
      },
    )
  }

  static async start(callCpuMs: number, report: (error: unknown) => void): Promise<PlannerProcess> {
    const child = await startWorker<ToPlanner, FromPlanner>({
      entry: new URL('../plan/planner-process.js', import.meta.url),
      async serve(port) {
        const { PlannerServer } = await import('../plan/planner-server.ts')
        return new PlannerServer(port)
      },
    })
    const process = new PlannerProcess(child, callCpuMs, report)
    child.post({ kind: 'open', processBytes: PROCESS_BYTES })
    return process
  }

  get hasEnded(): boolean {
    return this.#failure !== undefined
  }

  async call<T>(method: PlanningMethod, args: readonly unknown[]): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure
    const call = ++this.#lastCall
    const timer = this.#limit()
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#pending = { call, resolve: resolve as (value: unknown) => void, reject }
        this.#child.post({ kind: 'call', call, method, args })
      })
    } finally {
      clearInterval(timer)
      this.#pending = undefined
    }
  }

  /** Resolves when nothing of the process runs any more. A call is rejected with `reason`. */
  async end(reason: Error): Promise<void> {
    if (this.#failure === undefined) {
      this.#failure = reason
      this.#pending?.reject(reason)
    }
    await this.#child.close()
  }

  #limit(): NodeJS.Timeout {
    const beforeMs = this.#child.cpuMs() ?? 0
    const startMs = performance.now()
    const check = () => {
      if ((this.#child.cpuMs() ?? 0) - beforeMs > this.#callCpuMs) {
        void this.end(new SqlProblem('the statement takes too long to check; make it simpler'))
      } else if (performance.now() - startMs > CALL_MS) {
        void this.end(overloaded('the machine has no time to check statements now; try again later'))
      }
    }
    return setInterval(check, CHECK_INTERVAL_MS).unref()
  }

  #take(message: FromPlanner): void {
    if (message.kind === 'out-of-memory') {
      void this.end(new SqlProblem('the statement takes too much memory to check; make it simpler'))
      return
    }
    if (message.call !== this.#pending?.call) return
    if (message.kind === 'answer') this.#pending.resolve(message.value)
    else this.#pending.reject(errorOf(message.failure))
  }
}

function errorOf({ isSql, code, reason, place, isSyntax, definition }: PlanningFailure): Error {
  if (code !== undefined) return new QueryProblem(code, reason, place)
  if (!isSql) return new Error(reason)
  return new (isSyntax ? SyntaxProblem : SqlProblem)(reason, place, { definition })
}

function overloaded(message: string, cause?: unknown): ServiceError {
  return new ServiceError('overloaded', message, cause === undefined ? {} : { cause })
}
