/**
 * The connections of all namespaces: creates and deletes them, goes on with them when the service starts, and answers how far
 * their streams hold the database.
 *
 * A document is always written before what it names: first the document, then slot and publication, then streams and capture. So a
 * crash between two steps leaves nothing of which no document knows.
 */
import type { CatalogChange } from '../../storage/catalog.ts'
import { Mutex } from '../../storage/mutex.ts'
import type { Storage } from '../../storage/storage.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import { StreamWrites } from '../streams/stream-writes.ts'
import type { Space, Streams } from '../streams/streams.ts'
import type { ConnectorHosts } from '../tables/connector-hosts.ts'
import { SecretKey } from '../tables/secret-key.ts'
import { captureErrorOf } from './capture-failure.ts'
import { CaptureFolders } from './capture-folders.ts'
import { CaptureHost } from './capture-host.ts'
import { slotName, streamNameOf } from './capture-names.ts'
import type { CaptureCode } from './capture-process.ts'
import {
  type Boundary,
  type CapturedStream,
  CaptureError,
  type CaptureListener,
  type CaptureService,
  type ConnectionView,
  type DescribedTable,
  type NewConnection,
} from './capture-service.ts'
import { CapturedStreams, streamIdOf } from './captured-streams.ts'
import { type CapturedTable, printedTable, type TableName } from './captured-table.ts'
import { ConnectionDocument } from './connection-document.ts'
import {
  CONNECTIONS,
  type ConnectionRecord,
  IDS,
  isLost,
  isSameTable,
  LAST_ID,
  ownerOf,
  recordChange,
} from './connection-record.ts'
import { ConnectionRemoval } from './connection-removal.ts'
import { type ParsedConnection, parseConnection, placeOf } from './connection-string.ts'
import { viewOf } from './connection-view.ts'
import { LiveConnection } from './live-connection.ts'
import { realTimer, type Timer } from './retry-delay.ts'
import type { CaptureTarget } from './worker/capture-protocol.ts'

export interface CapturesParts {
  readonly storage: Storage
  readonly registry: Registry
  readonly streams: Streams
  readonly space: Space
  readonly dataFolder: string
  readonly eventBytesMax: number
  readonly connectionsMax: number
  readonly hosts: ConnectorHosts
  readonly nowMs: () => number
  readonly report: (error: unknown) => void
  readonly version: string
  readonly code: CaptureCode
  /** By default a real timer that does not keep the process running. */
  readonly timer?: Timer
}

interface Connection {
  readonly document: ConnectionDocument
  readonly live: LiveConnection
  readonly removal: ConnectionRemoval
}

export class Captures implements CaptureService, RemovalHook {
  readonly #parts: CapturesParts
  readonly #timer: Timer
  readonly #host: CaptureHost
  readonly #folders: CaptureFolders
  readonly #secretKey: SecretKey
  readonly #captured: CapturedStreams
  readonly #writes: StreamWrites
  /** By id, in order of creation. */
  readonly #connections = new Map<number, Connection>()
  readonly #listeners = new Set<CaptureListener>()
  /** Calls that create a connection wait for others of the same name. */
  readonly #creating = new Map<string, Promise<unknown>>()
  readonly #ids = new Mutex()
  #lastId = 0
  #closed = false

  private constructor(parts: CapturesParts, secretKey: SecretKey, captured: CapturedStreams) {
    const { storage, streams, space, dataFolder, report, code } = parts
    this.#parts = parts
    this.#timer = parts.timer ?? realTimer
    this.#secretKey = secretKey
    this.#captured = captured
    this.#writes = new StreamWrites(storage, streams, space)
    this.#folders = new CaptureFolders(dataFolder)
    this.#host = new CaptureHost({ code, report })
  }

  /** Reads the documents, and protects the streams. `start` begins to capture. */
  static async load(parts: CapturesParts): Promise<Captures> {
    const { registry, storage, dataFolder, nowMs } = parts
    const { catalog, log } = storage
    const captured = await CapturedStreams.load({ registry, log, catalog, nowMs })
    const captures = new Captures(parts, await SecretKey.load(dataFolder), captured)
    const records: ConnectionRecord[] = []
    await catalog.each(CONNECTIONS, (_, document) => records.push(document as ConnectionRecord))
    for (const record of records.sort((one, other) => one.id - other.id)) await captures.#restore(record)
    const last = await catalog.get(IDS, LAST_ID)
    captures.#lastId = Math.max(Number(last?.document ?? 0), ...records.map(({ id }) => id))
    registry.onRemoval(captures)
    return captures
  }

  start(): void {
    this.#folders.removeOthers(new Set(this.#connections.keys())).catch(this.#parts.report)
    for (const { document, live, removal } of this.#connections.values()) {
      if (document.record.deleting === undefined) live.start()
      else void removal.run()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const connections = [...this.#connections.values()]
    const ended = connections.flatMap(({ live, removal }) => [live.stop(), removal.close()])
    await this.#host.close() // what waits for the process ends
    await Promise.all(ended)
  }

  list(): readonly ConnectionView[] {
    return [...this.#connections.values()].map(presentView)
  }

  get(id: number): ConnectionView | undefined {
    const connection = this.#connections.get(id)
    return connection && presentView(connection)
  }

  find(namespace: NamespaceName, name: string): ConnectionView | undefined {
    const connection = this.#find(namespace, name)
    return connection && presentView(connection)
  }

  isSameDatabase(id: number, connectionString: string): boolean {
    const { place } = parseConnection(connectionString)
    const connection = this.#connections.get(id)
    return connection !== undefined && placeOf(connection.document.record.database) === place
  }

  async create(wanted: NewConnection): Promise<ConnectionView> {
    const { namespace, name } = wanted
    const key = `${namespace}:${name}`
    const created = (this.#creating.get(key) ?? Promise.resolve()).then(() => this.#create(wanted))
    const settled = created.catch(() => {})
    this.#creating.set(key, settled)
    try {
      return await created
    } finally {
      if (this.#creating.get(key) === settled) this.#creating.delete(key)
    }
  }

  async describe(connectionString: string, tables: readonly TableName[]): Promise<readonly DescribedTable[]> {
    this.#parsed(connectionString)
    return this.#described(connectionString, tables)
  }

  async addTables(id: number, tables: readonly TableName[]): Promise<readonly CapturedTable[]> {
    const { document, live } = this.#existing(id)
    assertNotDeleting(document.record)
    return live.addTables(tables)
  }

  captured(id: number): readonly CapturedStream[] {
    const connection = this.#connections.get(id)
    if (connection === undefined) return []
    const { document, live } = connection
    const { namespace, tables, renewing } = document.record
    const { position } = live.writes
    return tables.flatMap((recorded) => {
      const { captured: table, lost } = recorded
      if (table === undefined) return []
      const snapshotDone = renewing === undefined && isIn(position, table)
      return [{ table, stream: streamIdOf(namespace, recorded), snapshotDone, lost }]
    })
  }

  async delete(
    id: number,
    { purge, connectionString }: { readonly purge: boolean; readonly connectionString?: string },
  ): Promise<ConnectionView> {
    const connection = this.#existing(id)
    await connection.removal.begin(purge)
    if (connectionString !== undefined)
      await this.#replaceString(connection, connectionString).catch(() => {})
    await this.#delete(connection, purge)
    return presentView(connection)
  }

  async boundary(id: number, tables: readonly TableName[]): Promise<Boundary | undefined> {
    const connection = this.#connections.get(id)
    if (connection === undefined) return undefined
    const { document, live } = connection
    await live.writes.settled()
    const { position } = live.writes
    if (position?.lsn == null) return undefined
    const { namespace, tables: recorded } = document.record
    const ends: Boundary['ends'][number][] = []
    for (const name of tables) {
      const known = recorded.find((table) => isSameTable(table, name))
      if (known?.captured === undefined || isLost(known) || !isIn(position, name)) return undefined
      const end = live.writes.end(streamIdOf(namespace, known))
      if (end === undefined) return undefined
      ends.push({ table: { schema: known.schema, table: known.table }, ...end })
    }
    const lsn = BigInt(position.lsn)
    const { idleLsn } = live
    return {
      lsn: idleLsn !== undefined && idleLsn > lsn ? idleLsn : lsn,
      txId: position.txId ?? undefined,
      timestampMs: position.timestampMs,
      ends,
    }
  }

  listen(listener: CaptureListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  newId(): Promise<number> {
    return this.#ids.run(async () => {
      const id = this.#lastId + 1
      await this.#parts.storage.catalog.commit([{ collection: IDS, id: LAST_ID, document: id }])
      this.#lastId = id
      return id
    })
  }

  // Removal of streams and namespaces

  async beforeRemoval(namespace: NamespaceName): Promise<void> {
    const connections = [...this.#connections.values()].filter(
      ({ document }) => document.record.namespace === namespace,
    )
    await Promise.all(connections.map((connection) => this.#delete(connection, false)))
  }

  /** The document of a connection stays until its slot is dropped. */
  changesOnRemoval(
    streams: readonly Stream[],
    namespace: NamespaceName | undefined,
  ): readonly CatalogChange[] {
    return [
      ...this.#captured.removalOf(streams),
      ...this.#of(namespace).map(({ document }) => recordChange(this.#withoutNamespace(document.record))),
    ]
  }

  removed(streams: readonly Stream[], namespace: NamespaceName | undefined): void {
    this.#captured.removed(streams)
    for (const { document, removal } of this.#of(namespace)) {
      document.replaced(this.#withoutNamespace(document.record))
      this.#captured.unprotect(document.record.namespace, document.record.tables)
      void removal.run()
    }
  }

  #of(namespace: NamespaceName | undefined): Connection[] {
    return [...this.#connections.values()].filter(
      ({ document }) => document.record.namespace === namespace && !document.isRemoved,
    )
  }

  #withoutNamespace(record: ConnectionRecord): ConnectionRecord {
    const { sinceMs = this.#parts.nowMs() } = record.deleting ?? {}
    return { ...record, deleting: { sinceMs, purge: false, released: true } }
  }

  // Creation

  async #create(wanted: NewConnection): Promise<ConnectionView> {
    const { namespace, name, connectionString } = wanted
    this.#parts.streams.assertNamespace(namespace)
    const parsed = this.#parsed(connectionString)
    const existing = this.#find(namespace, name)
    if (existing === undefined) return this.#createNew(wanted, parsed)
    const { document, live } = existing
    assertNotDeleting(document.record)
    if (placeOf(document.record.database) !== parsed.place)
      throw new CaptureError('conflict', `environment ${name} is bound to another database`)
    const tables = await this.#wantedTables(wanted)
    await this.#reconnect(existing, connectionString)
    if (tables.length > 0) await live.addTables(tables)
    return presentView(existing)
  }

  /** The tables of a request. Rejects with CaptureError if one of them cannot be captured, or the database cannot be reached. */
  async #wantedTables({ connectionString, tables }: NewConnection): Promise<readonly TableName[]> {
    if (tables === undefined) return []
    const described = await this.#described(connectionString, tables)
    if (tables === '*') return described.filter(({ captured }) => captured !== undefined).map(nameOf)
    for (const name of tables) {
      const found = described.find((one) => isSameTable(one, name))
      if (found === undefined)
        throw new CaptureError('schema_mismatch', `table ${printedTable(name)} does not exist`)
      if (found.problem !== undefined) throw new CaptureError(found.problem.code, found.problem.message)
    }
    return tables.map(nameOf)
  }

  /** A connection that waits tries again at once. */
  async #reconnect(connection: Connection, connectionString: string): Promise<void> {
    if (await this.#replaceString(connection, connectionString)) connection.live.restart()
    else connection.live.retry()
  }

  /** A user and a password that work replace those that are stored. Resolves with false if they are the stored ones. */
  async #replaceString({ document }: Connection, connectionString: string): Promise<boolean> {
    const { shown, place } = this.#parsed(connectionString)
    if (place !== placeOf(document.record.database)) return false
    if (this.#unsealed(document.record) === connectionString) return false
    await this.#described(connectionString, [])
    const sealed = await this.#secretKey.seal(connectionString, ownerOf(document.record.id))
    await document.save((record) => ({ ...record, sealed, database: shown }))
    return true
  }

  async #createNew(wanted: NewConnection, { shown, server }: ParsedConnection): Promise<ConnectionView> {
    const { namespace, name, connectionString } = wanted
    const { registry, streams, nowMs, storage } = this.#parts
    const slot = slotName(name)
    this.#assertFree(slot, server)
    const tables = wanted.tables === undefined ? [] : await this.#wantedTables(wanted)
    if (wanted.tables === undefined) await this.#described(connectionString, [])
    const id = await this.newId()
    const record: ConnectionRecord = {
      ...{
        id,
        namespace,
        name,
        database: shown,
        slot,
        publication: slot,
        createdMs: nowMs(),
        prepared: false,
      },
      sealed: await this.#secretKey.seal(connectionString, ownerOf(id)),
      tables: tables.map((table) => ({ ...table, stream: streamNameOf(name, table) })),
    }
    const connection = await registry.change(async () => {
      streams.assertNamespace(namespace)
      this.#assertFree(slot, server)
      const changes = await this.#captured.take({ ...record, tables: [] }, record.tables)
      try {
        await storage.catalog.commit([recordChange(record), ...changes])
      } catch (error) {
        this.#captured.unprotect(namespace, record.tables)
        throw error
      }
      return this.#add(record)
    })
    return this.#begin(connection)
  }

  /** Rejects with the failure of the first attempt if slot and publication could not be made. Then nothing is left. */
  async #begin(connection: Connection): Promise<ConnectionView> {
    const { document, live, removal } = connection
    live.start()
    const failure = await live.firstAttempt()
    const lost = document.record.tables.find(isLost)?.lost
    const isMade = document.record.prepared
    if (isMade && lost === undefined) return presentView(connection)
    // With a refusal of the server the process has taken back what it had made. Otherwise that is not known.
    const isKnown = failure !== undefined && !failure.passing
    await removal.begin(false)
    await removal.run(isMade || !isKnown)
    if (lost !== undefined) throw new CaptureError('schema_mismatch', lost.message)
    throw new CaptureError(failure?.code ?? 'database_unreachable', failure?.message ?? 'the service stops')
  }

  /** Throws CaptureError 'limit', and 'conflict' if a connection has this slot on this server. */
  #assertFree(slot: string, server: string): void {
    const { connectionsMax } = this.#parts
    if (this.#connections.size >= connectionsMax)
      throw new CaptureError('limit', `there are ${this.#connections.size} connections; delete one first`)
    for (const { document } of this.#connections.values()) {
      const { record } = document
      if (record.slot !== slot || placeOf(record.database).split('/')[0] !== server) continue
      const both = `connection ${record.name} of namespace ${record.namespace}`
      throw new CaptureError(
        'conflict',
        `slot ${slot} on ${server} is that of ${both}; use another environmentId`,
      )
    }
  }

  /** Throws CaptureError 'invalid_connection_string'. */
  #parsed(connectionString: string): ParsedConnection {
    const parsed = parseConnection(connectionString)
    try {
      this.#parts.hosts.assertAllowed({ kind: 'postgres', connectionUri: connectionString })
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      throw new CaptureError('invalid_connection_string', error.message)
    }
    return parsed
  }

  async #described(
    connectionString: string,
    tables: '*' | readonly TableName[],
  ): Promise<readonly DescribedTable[]> {
    try {
      const process = await this.#host.opened()
      return await process.call('describe', connectionString, tables)
    } catch (error) {
      throw captureErrorOf(error)
    }
  }

  // Connections

  async #delete({ document, removal }: Connection, purge: boolean): Promise<void> {
    await removal.begin(purge)
    if (!document.isRemoved) await removal.run()
  }

  async #restore(record: ConnectionRecord): Promise<void> {
    if (record.deleting?.released !== true) this.#captured.protect(record)
    await this.#add(record).live.load()
  }

  #add(record: ConnectionRecord): Connection {
    const { storage, registry, streams, space, eventBytesMax, nowMs, report, version } = this.#parts
    const { id } = record
    const document = new ConnectionDocument(storage.catalog, registry, record)
    const shared = {
      ...{ document, host: this.#host, captured: this.#captured, timer: this.#timer, report },
      target: (present: ConnectionRecord) => this.#permitted(present),
    }
    const live = new LiveConnection({
      ...{ ...shared, storage, streams, space, eventBytesMax, version, writes: this.#writes },
      folder: (one) => this.#folders.make(one),
      changed: () => this.#changed(id),
    })
    const removal = new ConnectionRemoval({
      ...{ ...shared, live, nowMs },
      removeFolder: (one) => this.#folders.remove(one),
      removed: () => {
        this.#connections.delete(id)
        this.#changed(id)
      },
    })
    const connection = { document, live, removal }
    this.#connections.set(id, connection)
    return connection
  }

  #target(record: ConnectionRecord): CaptureTarget {
    const { slot, publication } = record
    return { connectionString: this.#secretKey.unseal(record.sealed, ownerOf(record.id)), slot, publication }
  }

  /** Throws CaptureError 'invalid_connection_string' if the operator does not allow the host any more. */
  #permitted(record: ConnectionRecord): CaptureTarget {
    const target = this.#target(record)
    this.#parsed(target.connectionString)
    return target
  }

  /** Undefined if it cannot be read. */
  #unsealed(record: ConnectionRecord): string | undefined {
    try {
      return this.#target(record).connectionString
    } catch {
      return undefined
    }
  }

  #changed(id: number): void {
    if (this.#closed) return
    for (const listener of this.#listeners) {
      try {
        listener(id)
      } catch (error) {
        this.#parts.report(error)
      }
    }
  }

  #find(namespace: NamespaceName, name: string): Connection | undefined {
    for (const connection of this.#connections.values()) {
      const { record } = connection.document
      if (record.namespace === namespace && record.name === name) return connection
    }
    return undefined
  }

  /** Throws CaptureError 'not_found'. */
  #existing(id: number): Connection {
    const connection = this.#connections.get(id)
    if (connection !== undefined) return connection
    throw new CaptureError('not_found', `connection ${id} does not exist`)
  }
}

function presentView({ document, live, removal }: Connection): ConnectionView {
  const isEnding = document.isRemoved || document.record.deleting !== undefined
  return viewOf(document.record, live, isEnding ? removal.status : undefined)
}

function assertNotDeleting({ name, slot, deleting }: ConnectionRecord): void {
  if (deleting === undefined) return
  throw new CaptureError(
    'conflict',
    `environment ${name} is being deleted, and slot ${slot} is still on its server; try again when it is dropped`,
  )
}

/** The position is one for which the stream of the table holds all rows. */
function isIn(position: LiveConnection['writes']['position'], table: TableName): boolean {
  return position?.lsn != null && !position.snapshotting.some((one) => isSameTable(one, table))
}

function nameOf({ schema, table }: TableName): TableName {
  return { schema, table }
}
