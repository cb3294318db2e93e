/** Change data capture without a database: connections whose tables, boundaries and failures a test sets. */

import {
  type Boundary,
  type CapturedStream,
  CaptureError,
  type CaptureListener,
  type CaptureService,
  type ConnectionView,
  type DescribedTable,
  type NewConnection,
} from '../../src/cdc/capture-service.ts'
import type { CapturedTable, TableName } from '../../src/cdc/captured-table.ts'
import { type NamespaceName, type StreamId, type StreamName, trustedName } from '../../src/streams/names.ts'
import type { LogId } from '../../storage/log.ts'

export interface FakeConnection {
  view: ConnectionView
  string: string
  captured: CapturedStream[]
  /** Of each table the sequence after its last event. */
  ends: Map<string, number>
  lsn: bigint
}

const placeOf = (string: string) => string.slice(string.lastIndexOf('@') + 1)

export class FakeCaptures implements CaptureService {
  /** Of the database: what `describe` knows. */
  readonly tables: CapturedTable[]
  readonly connections = new Map<number, FakeConnection>()
  /** Thrown by the next call of this name. */
  readonly failures = new Map<string, Error>()
  readonly calls: string[] = []
  readonly #listeners = new Set<CaptureListener>()
  #lastId = 0

  constructor(tables: readonly CapturedTable[]) {
    this.tables = [...tables]
  }

  list(): readonly ConnectionView[] {
    return [...this.connections.values()].map(({ view }) => view)
  }
  get(id: number): ConnectionView | undefined {
    return this.connections.get(id)?.view
  }
  find(namespace: NamespaceName, name: string): ConnectionView | undefined {
    return this.list().find((view) => view.namespace === namespace && view.name === name)
  }
  isSameDatabase(id: number, connectionString: string): boolean {
    return placeOf(this.connections.get(id)!.string) === placeOf(connectionString)
  }
  async create({ namespace, name, connectionString }: NewConnection): Promise<ConnectionView> {
    this.#called('create')
    const present = this.find(namespace, name)
    if (present !== undefined) return present
    const id = await this.newId()
    const view: ConnectionView = {
      ...{
        id,
        namespace,
        name,
        status: 'running',
        database: `postgres://app:***@${placeOf(connectionString)}`,
      },
      ...{ slot: `millrace_${name}`, publication: `millrace_${name}`, tables: [], lsn: 0n, lagBytes: 0 },
      ...{ lastCommitMs: undefined, snapshot: { done: true, tables: 0, rows: 0 }, reconnects: 0 },
      ...{ error: undefined, createdMs: 0, slotDropped: false },
    }
    this.connections.set(id, { view, string: connectionString, captured: [], ends: new Map(), lsn: 0n })
    return view
  }
  async describe(_: string, names: readonly TableName[]): Promise<readonly DescribedTable[]> {
    this.#called('describe')
    return names.flatMap(({ schema, table }) => {
      const captured = this.tables.find((one) => one.schema === schema && one.table === table)
      return captured === undefined ? [] : [{ schema, table, captured, problem: undefined, collation: 'C' }]
    })
  }
  async addTables(id: number, names: readonly TableName[]): Promise<readonly CapturedTable[]> {
    this.#called('addTables')
    const connection = this.connections.get(id)!
    return names.map(({ schema, table }) => {
      const captured = this.tables.find((one) => one.schema === schema && one.table === table)!
      const stream: StreamId = {
        namespace: connection.view.namespace,
        stream: trustedName<StreamName>(`${connection.view.name}-${schema}-${table}`),
      }
      connection.captured.push({ table: captured, stream, snapshotDone: true, lost: undefined })
      connection.ends.set(`${schema}.${table}`, 0)
      return captured
    })
  }
  captured(id: number): readonly CapturedStream[] {
    return this.connections.get(id)?.captured ?? []
  }
  async delete(id: number): Promise<ConnectionView> {
    this.#called('delete')
    const { view } = this.connections.get(id)!
    this.connections.delete(id)
    return { ...view, status: 'deleted', slotDropped: true }
  }
  async boundary(id: number, tables: readonly TableName[]): Promise<Boundary | undefined> {
    const connection = this.connections.get(id)
    if (connection === undefined) throw new CaptureError('not_found', `there is no connection ${id}`)
    const ends = tables.map(({ schema, table }) => ({
      table: { schema, table },
      log: 1 as LogId,
      nextSequence: connection.ends.get(`${schema}.${table}`)!,
    }))
    return {
      lsn: connection.lsn,
      txId: Number(connection.lsn),
      timestampMs: Number(connection.lsn) * 10,
      ends,
    }
  }
  listen(listener: CaptureListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  async newId(): Promise<number> {
    this.#called('newId')
    return ++this.#lastId
  }
  start(): void {}
  async close(): Promise<void> {}

  /** A commit of the database that has changed these tables. */
  commit(id: number, lsn: bigint, ...tables: string[]): void {
    const connection = this.connections.get(id)!
    connection.lsn = lsn
    for (const table of tables) connection.ends.set(table, connection.ends.get(table)! + 1)
    this.tell(id)
  }

  change(id: number, change: Partial<FakeConnection>, view: Partial<ConnectionView> = {}): void {
    const connection = this.connections.get(id)!
    Object.assign(connection, change)
    connection.view = { ...connection.view, ...view }
    this.tell(id)
  }

  tell(id: number): void {
    for (const listener of this.#listeners) listener(id)
  }

  #called(name: string): void {
    this.calls.push(name)
    const failure = this.failures.get(name)
    this.failures.delete(name)
    if (failure !== undefined) throw failure
  }
}
