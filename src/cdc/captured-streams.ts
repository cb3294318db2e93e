/**
 * The streams of captured tables: they have the names of the contract and no TTL, and clients cannot write, change or delete them
 * until their connection is deleted. Then they are ordinary streams, or are deleted, too.
 */
import type { CatalogChange } from '../../storage/catalog.ts'
import type { EventLog } from '../../storage/log.ts'
import {
  type NamespaceName,
  type StreamId,
  type StreamName,
  streamKey,
  trustedName,
} from '../streams/names.ts'
import { DEFAULT_PROPERTIES } from '../streams/properties.ts'
import type { Registry, Stream, StreamWriter } from '../streams/registry.ts'
import { CaptureError } from './capture-service.ts'
import { printedTable, type TableName } from './captured-table.ts'
import {
  type ConnectionRecord,
  LEFT_STREAMS,
  type LeftStream,
  leftStreamChange,
  type RecordedTable,
} from './connection-record.ts'
import { CAPTURE_WRITER } from './connection-writes.ts'

export interface CapturedStreamsParts {
  readonly registry: Registry
  readonly log: EventLog
  readonly catalog: {
    each(collection: string, visit: (id: string, document: unknown) => void): Promise<void>
  }
  readonly nowMs: () => number
}

type Tables = Pick<ConnectionRecord, 'namespace' | 'tables'>
type Owner = Pick<ConnectionRecord, 'namespace' | 'name' | 'tables'>

export class CapturedStreams {
  readonly #parts: CapturedStreamsParts
  /** Ends of streams whose connection was deleted, by streamKey. */
  readonly #left = new Map<string, LeftStream>()

  private constructor(parts: CapturedStreamsParts) {
    this.#parts = parts
  }

  static async load(parts: CapturedStreamsParts): Promise<CapturedStreams> {
    const streams = new CapturedStreams(parts)
    await parts.catalog.each(LEFT_STREAMS, (id, document) => streams.#left.set(id, document as LeftStream))
    return streams
  }

  /** The streams of a connection that was stored. */
  protect({ namespace, name, tables }: Owner): void {
    for (const { stream } of tables) this.#parts.registry.setWriter({ namespace, stream }, writerOf(name))
  }

  /** Without documents: for tables that could not be added. */
  unprotect(namespace: NamespaceName, tables: readonly RecordedTable[]): void {
    for (const { stream } of tables) this.#parts.registry.setWriter({ namespace, stream }, undefined)
  }

  /**
   * Takes the streams of these tables over: from now on clients cannot write them. Returns the changes to store with the record of
   * the tables. Throws CaptureError 'conflict' for a stream of another writer, or with events of others; then nothing has changed.
   * Call it inside `registry.change`.
   */
  async take(
    { namespace, name, tables: present }: Owner,
    tables: readonly RecordedTable[],
  ): Promise<CatalogChange[]> {
    assertOneNameEach(tables, present)
    const taken: RecordedTable[] = []
    try {
      const changes: CatalogChange[] = []
      for (const table of tables) {
        const id = { namespace, stream: table.stream }
        const other = this.#parts.registry.writerOf(id)
        if (other !== undefined)
          throw conflict(table, `is written by ${other.name}; rename the table, or use another environmentId`)
        this.#parts.registry.setWriter(id, writerOf(name))
        taken.push(table)
        await this.#assertOwnEvents(table, this.#parts.registry.find(namespace, table.stream))
        if (this.#left.has(streamKey(id))) changes.push(leftStreamChange(id, undefined))
      }
      return changes
    } catch (error) {
      this.unprotect(namespace, taken)
      throw error
    }
  }

  /** Creates the streams that are missing, and removes the TTL of the others. The tables are recorded. */
  async make({ namespace }: Owner, tables: readonly RecordedTable[]): Promise<void> {
    const { registry, nowMs } = this.#parts
    await registry.change(async () => {
      if (registry.namespace(namespace) === undefined) return // it is being removed, with the connection
      for (const { stream } of tables) {
        const id = { namespace, stream }
        const existing = registry.find(namespace, stream)
        if (existing === undefined) await registry.putOnFreshLog(id, DEFAULT_PROPERTIES, nowMs())
        else if (existing.properties.ttlSeconds !== DEFAULT_PROPERTIES.ttlSeconds) {
          const { ttlSeconds } = DEFAULT_PROPERTIES
          await registry.putProperties(existing, { ...existing.properties, ttlSeconds })
        }
        this.#left.delete(streamKey(id))
      }
    })
  }

  /** The changes that note where the streams end; `released` follows when they are stored. Call both inside `registry.change`. */
  async releaseChanges({ namespace, tables }: Tables): Promise<CatalogChange[]> {
    const changes: CatalogChange[] = []
    for (const { stream } of tables) {
      const found = this.#parts.registry.find(namespace, stream)
      if (found === undefined) continue
      const left = { log: found.log, nextSequence: await this.#nextSequence(found) }
      this.#left.set(streamKey(found.id), left)
      changes.push(leftStreamChange(found.id, left))
    }
    return changes
  }

  released({ namespace, tables }: Tables): void {
    this.unprotect(namespace, tables)
  }

  /** Deletes the streams. */
  async remove({ namespace, tables }: Tables): Promise<void> {
    const { registry } = this.#parts
    for (const { stream } of tables)
      await registry.change(async () => {
        const id = { namespace, stream }
        if (registry.writerOf(id)?.key !== CAPTURE_WRITER) return // deleted before, and created again by a client
        await registry.removeStream(id)
        registry.setWriter(id, undefined)
      })
  }

  /** Of streams that are removed. */
  removalOf(streams: readonly Stream[]): CatalogChange[] {
    return streams.flatMap(({ id }) =>
      this.#left.has(streamKey(id)) ? [leftStreamChange(id, undefined)] : [],
    )
  }

  removed(streams: readonly Stream[]): void {
    for (const { id } of streams) this.#left.delete(streamKey(id))
  }

  /** The tables whose streams hold events. */
  async filled(
    { namespace }: Pick<Owner, 'namespace'>,
    tables: readonly RecordedTable[],
  ): Promise<TableName[]> {
    const filled: TableName[] = []
    for (const { schema, table, stream } of tables) {
      const found = this.#parts.registry.find(namespace, stream)
      if (found !== undefined && (await this.#hasEvents(found))) filled.push({ schema, table })
    }
    return filled
  }

  async #assertOwnEvents(table: RecordedTable, stream: Stream | undefined): Promise<void> {
    if (stream === undefined || !(await this.#hasEvents(stream))) return
    const left = this.#left.get(streamKey(stream.id))
    if (left?.log === stream.log && left.nextSequence === (await this.#nextSequence(stream))) return
    throw conflict(table, 'exists and has events of others; delete it, or use another environmentId')
  }

  async #hasEvents({ log }: Stream): Promise<boolean> {
    const tail = await this.#parts.log.tail(log)
    return tail !== undefined && tail.firstSequence < tail.nextSequence
  }

  async #nextSequence({ log }: Stream): Promise<number> {
    return (await this.#parts.log.tail(log))?.nextSequence ?? 0
  }
}

function writerOf(name: string): StreamWriter {
  return { name: `connection ${name}`, key: CAPTURE_WRITER }
}

function assertOneNameEach(tables: readonly RecordedTable[], present: readonly RecordedTable[]): void {
  const byStream = new Map<StreamName, TableName>(present.map((table) => [table.stream, table]))
  for (const table of tables) {
    const other = byStream.get(table.stream)
    if (other !== undefined) {
      const both = `tables ${printedTable(other)} and ${printedTable(table)}`
      throw new CaptureError('conflict', `${both} have one stream name, ${table.stream}; rename one of them`)
    }
    byStream.set(table.stream, table)
  }
}

function conflict(table: RecordedTable, reason: string): CaptureError {
  return new CaptureError('conflict', `stream ${table.stream} of table ${printedTable(table)} ${reason}`)
}

/** Of a stored record. */
export function streamIdOf(namespace: NamespaceName, { stream }: RecordedTable): StreamId {
  return { namespace, stream: trustedName<StreamName>(stream) }
}
