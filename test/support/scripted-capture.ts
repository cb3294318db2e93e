/**
 * A capture process inside the test: it answers calls as a database would that a test describes, and sends what the test tells it
 * to. Everything that `database` holds outlives the process and the service.
 */
import type { CaptureCode } from '../../src/cdc/capture-process.ts'
import type { CaptureErrorCode, DescribedTable } from '../../src/cdc/capture-service.ts'
import type { CapturedTable, TableName } from '../../src/cdc/captured-table.ts'
import type {
  CaptureCommit,
  CapturedEvents,
  CaptureReport,
  CaptureStart,
  CaptureTarget,
  FromCapture,
  ToCapture,
} from '../../src/cdc/worker/capture-protocol.ts'
import type { ServicePort } from '../../src/worker/worker-child.ts'
import { headedEventsOf } from '../../storage/slices.ts'

export class Refused extends Error {
  readonly code: CaptureErrorCode | 'internal'

  constructor(code: CaptureErrorCode | 'internal', message: string) {
    super(message)
    this.code = code
  }
}

/** What is on the server. */
export interface FakeDatabase {
  readonly slots: Set<string>
  readonly publications: Map<string, Set<string>>
  tables: string[]
  password: string
  reachable: boolean
}

export function fakeDatabase(tables: string[] = ['public.orders', 'public.customers']): FakeDatabase {
  return { slots: new Set(), publications: new Map(), tables, password: 'secret-word', reachable: true }
}

type Port = ServicePort<ToCapture, FromCapture>
type Call = Extract<ToCapture, { kind: 'call' }>

export class ScriptedCapture {
  readonly database: FakeDatabase
  /** `method` and its main argument, in order. */
  readonly calls: string[] = []
  /** Connections that have been started and not stopped. */
  readonly running = new Map<number, CaptureStart>()
  /** All starts. */
  readonly starts: CaptureStart[] = []
  /** Takes the place of the answer to a method; may throw Refused, or never resolve. */
  readonly instead = new Map<string, (...args: never[]) => unknown>()
  processes = 0
  /** Ends the process, with this signal. */
  crash: (signal: string) => void = () => {}
  #port: Port | undefined
  #requests = new Map<number, { resolve(): void; reject(error: Error): void }>()
  #lastRequest = 0

  constructor(database = fakeDatabase()) {
    this.database = database
  }

  readonly code: CaptureCode = {
    entry: new URL('file:///none'),
    serve: async (port) => {
      this.processes++
      this.#port = port
      port.listen((message) => void this.#take(port, message as ToCapture))
      const ended = new Promise<string>((resolve) => {
        this.crash = resolve
      })
      return {
        ended,
        close: async () => {
          if (this.#port === port) this.#port = undefined
          this.running.clear()
        },
      }
    },
  }

  report(connectionId: number, report: CaptureReport): void {
    this.#port?.post({ kind: 'report', connectionId, report })
  }

  /** Resolves when the service has answered. */
  write(
    connectionId: number,
    events: readonly CapturedEvents[],
    commit?: CaptureCommit,
    write = this.#lastRequest + 1,
  ): Promise<void> {
    const requested = ++this.#lastRequest
    const part = { connectionId, write, events, ...(commit && { commit }) }
    return new Promise((resolve, reject) => {
      this.#requests.set(requested, { resolve, reject })
      this.#port?.post({ kind: 'request', requested, method: 'write', args: [part] })
    })
  }

  async #take(port: Port, message: ToCapture): Promise<void> {
    if (message.kind === 'reply') {
      const waiting = this.#requests.get(message.request)
      this.#requests.delete(message.request)
      if (message.failure === undefined) waiting?.resolve()
      else waiting?.reject(new Error(message.failure.message))
      return
    }
    const { call, method, args } = message
    this.calls.push(shown(message))
    try {
      const other = this.instead.get(method)
      const value = other === undefined ? this.perform(method, args) : await other(...(args as never[]))
      port.post({ kind: 'answer', call, value })
    } catch (error) {
      const code = error instanceof Refused ? error.code : 'internal'
      port.post({ kind: 'refusal', call, refusal: { code, message: (error as Error).message } })
    }
  }

  /** What the process does. */
  perform(method: Call['method'], args: readonly unknown[]): unknown {
    switch (method) {
      case 'describe': {
        const [connectionString, tables] = args as [string, '*' | TableName[]]
        this.assertReached(connectionString)
        return this.describe(tables)
      }
      case 'prepare':
        return this.prepare(args[0] as CaptureTarget)
      case 'start': {
        const [start] = args as [CaptureStart]
        this.assertReached(start.connectionString)
        if (!this.database.slots.has(start.slot)) throw new Refused('conflict', 'there is no slot')
        this.running.set(start.connectionId, start)
        this.starts.push(start)
        return undefined
      }
      case 'addTables': {
        const [id, tables] = args as [number, TableName[]]
        return this.addTables(id, tables)
      }
      case 'stop':
        this.running.delete(args[0] as number)
        return undefined
      case 'drop':
        return this.drop(args[0] as CaptureTarget)
    }
  }

  assertReached(connectionString: string): void {
    const { reachable, password } = this.database
    if (!reachable) throw new Refused('database_unreachable', 'db:5432 does not answer')
    if (!connectionString.includes(`:${password}@`))
      throw new Refused('database_rejected', 'password authentication failed for user "app"')
  }

  describe(tables: '*' | readonly TableName[]): DescribedTable[] {
    return this.database.tables.flatMap((name) => {
      const [schema, table] = name.split('.') as [string, string]
      if (tables !== '*' && !tables.some((one) => one.schema === schema && one.table === table)) return []
      const problem =
        table === 'log'
          ? ({ code: 'no_primary_key', message: 'table public.log has no primary key' } as const)
          : undefined
      const captured = problem === undefined ? capturedTable(name) : undefined
      return [{ schema, table, captured, problem, collation: 'C' }]
    })
  }

  prepare(target: CaptureTarget): void {
    this.assertReached(target.connectionString)
    this.database.slots.add(target.slot)
    if (!this.database.publications.has(target.publication))
      this.database.publications.set(target.publication, new Set())
  }

  addTables(id: number, tables: readonly TableName[]): CapturedTable[] {
    const publication = this.database.publications.get(this.running.get(id)!.publication)!
    return tables.map(({ schema, table }) => {
      if (!this.database.tables.includes(`${schema}.${table}`))
        throw new Refused('schema_mismatch', `table ${schema}.${table} does not exist`)
      publication.add(`${schema}.${table}`)
      return capturedTable(`${schema}.${table}`)
    })
  }

  drop(target: CaptureTarget): void {
    this.assertReached(target.connectionString)
    this.database.slots.delete(target.slot)
    this.database.publications.delete(target.publication)
  }
}

function shown({ method, args }: Call): string {
  switch (method) {
    case 'describe':
      return 'describe'
    case 'prepare':
    case 'drop':
      return `${method} ${(args[0] as CaptureTarget).slot}`
    case 'start': {
      const { tables, durableLsn = '-', filled } = args[0] as CaptureStart
      const again = filled.length === 0 ? '' : ` filled ${filled.map(({ table }) => table)}`
      return `start ${tables.map(({ table }) => table)} ${durableLsn}${again}`
    }
    case 'addTables':
      return `addTables ${(args[1] as TableName[]).map(({ table }) => table)}`
    case 'stop':
      return 'stop'
  }
}

export function tableName(name: string): TableName {
  const [schema, table] = name.split('.') as [string, string]
  return { schema, table }
}

export function capturedTable(name: string): CapturedTable {
  return {
    ...tableName(name),
    oid: 16_384,
    columns: [
      {
        name: 'id',
        databaseType: 'integer',
        typeOid: 23,
        kind: 'integer',
        isArray: false,
        type: { kind: 'INT' } as never,
        nullable: false,
      },
    ],
    key: ['id'],
  }
}

/** Events with these bodies, each with its body as its key. */
export function eventsOf(name: string, ...bodies: string[]): CapturedEvents {
  const events = bodies.map((body) => ({ body: Buffer.from(body), headers: [['key', body]] as const }))
  return { table: tableName(name), ...headedEventsOf(events) }
}

export function commitAt(lsn: number, snapshotting: readonly string[] = []): CaptureCommit {
  return {
    ...{ lsn: String(lsn), txId: lsn, timestampMs: 1_000_000 + lsn, progress: { at: lsn } },
    snapshotting: snapshotting.map(tableName),
  }
}

/** A timer that fires when the test says so. */
export class ScriptedTimer {
  readonly #waiting = new Set<{ readonly delayMs: number; run: () => void }>()

  readonly timer = (delayMs: number, run: () => void) => {
    const one = { delayMs, run }
    this.#waiting.add(one)
    return () => void this.#waiting.delete(one)
  }

  get delays(): number[] {
    return [...this.#waiting].map(({ delayMs }) => delayMs)
  }

  fire(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const { run } of waiting) run()
  }
}
