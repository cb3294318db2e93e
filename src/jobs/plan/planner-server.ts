/** The planner's side of the connection: opens the engine, and answers calls one after the other. */
import { loadDuckDb } from '../../duckdb/load-duckdb.ts'
import { SqlProblem, SyntaxProblem } from '../../sql/sql-problem.ts'
import type { EventMessage } from '../../worker/event-pipe.ts'
import type { ServicePort } from '../../worker/worker-child.ts'
import { Planner } from './planner.ts'
import type { FromPlanner, PlanningFailure, PlanningMethod, ToPlanner } from './planner-protocol.ts'
import { QueryProblem } from './query-plan.ts'

type Port = ServicePort<ToPlanner, FromPlanner>
type Call = ToPlanner & { readonly kind: 'call' }

export class PlannerServer {
  readonly #port: Port
  #memoryMax: number | undefined
  #opening: Promise<Planner> | undefined
  #running = 0
  #begins: () => void = () => {}

  constructor(port: Port) {
    this.#port = port
    port.listen((message) => this.#take(message))
  }

  /** Limit of the process in bytes; undefined before the engine is open. */
  get memoryMax(): number | undefined {
    return this.#memoryMax
  }

  get isBusy(): boolean {
    return this.#running > 0
  }

  onBusy(begins: () => void): void {
    this.#begins = begins
  }

  /** Parsing and binding cannot be interrupted: `askToEnd` follows. */
  interruptAll(): void {}

  askToEnd(): void {
    this.#port.post({ kind: 'out-of-memory' })
  }

  async close(): Promise<void> {
    const planner = await this.#opening?.catch(() => undefined)
    await planner?.close()
  }

  #take(message: ToPlanner | EventMessage): void {
    if (message.kind === 'open') {
      this.#memoryMax = message.processBytes
      this.#opening = Promise.resolve().then(() => Planner.open(loadDuckDb()))
      this.#opening.catch(() => {}) // every call is refused with this error
    } else if (message.kind === 'call') {
      void this.#answer(message)
    }
  }

  async #answer({ call, method, args }: Call): Promise<void> {
    this.#running++
    this.#begins()
    try {
      const planner = await this.#opening!
      // The client has the types of the arguments: embedded/planner-client.ts.
      const run = planner[method] as (...args: readonly unknown[]) => Promise<unknown>
      this.#port.post({ kind: 'answer', call, value: await run.apply(planner, [...args]) })
    } catch (error) {
      this.#port.post({ kind: 'refusal', call, failure: failureOf(error, method) })
    } finally {
      this.#running--
    }
  }
}

/** What a call is about, for error texts. */
const WHAT: Readonly<Record<PlanningMethod, string>> = {
  ...{ plan: 'statement', describe: 'query', typesOf: 'schema' },
  ...{ planQuery: 'query', planWithSchema: 'query' },
}

function failureOf(error: unknown, method: PlanningMethod): PlanningFailure {
  if (error instanceof SqlProblem) {
    const { reason, place, definition } = error
    return { isSql: true, reason, place, isSyntax: error instanceof SyntaxProblem, definition }
  }
  if (error instanceof QueryProblem)
    return { isSql: true, code: error.code, reason: error.message, place: error.place }
  if (error instanceof RangeError) {
    // The stack or a string is too large: the text is nested too deeply or too long.
    const what = WHAT[method]
    const reason = `the ${what} is too large to check; make it simpler`
    const isQuery = method === 'planQuery' || method === 'planWithSchema'
    const code = isQuery ? { code: 'unsupported_sql' as const } : {}
    return { isSql: true, ...code, reason, place: undefined }
  }
  return { isSql: false, reason: error instanceof Error ? error.message : String(error), place: undefined }
}
