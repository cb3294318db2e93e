/**
 * The explore service: SQL over streams. A query is checked when it comes, runs in the background, and is asked for its
 * status and rows by its handle. docs/sql.md tells users what it understands.
 *
 *   parse and check (statement.ts) -> bind to empty tables: all that is wrong with the text is told here
 *   -> decode what its tables lack (table-cache.ts) -> run on views over them -> rows in a table of its own (result.ts)
 *
 * Here is decided what a query may see; the work is done in the workshop, a process of its own.
 */
import type { LogId } from '../../storage/log.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry } from '../streams/registry.ts'
import type { Streams } from '../streams/streams.ts'
import { describeClaim, type TableClaim, tablesOf } from '../streams/table-names.ts'
import type { ProgramId, UsageRegistry } from '../streams/usage.ts'
import type { BadEvents } from './bad-events.ts'
import type { ResultColumn } from './cells.ts'
import { type Column, NoTable } from './columns.ts'
import { engineMemory } from './engine.ts'
import { StreamSource } from './event-source.ts'
import { ownColumns, ownResult } from './own-answers.ts'
import { Query } from './query.ts'
import { HandleMaker, type QueryHandle } from './query-handle.ts'
import { pageOf, QueryList, type QueryPage } from './query-list.ts'
import { RemoteWorkshop } from './remote-workshop.ts'
import type { Result, Row } from './result.ts'
import { removeSpilled, spilledBytes } from './spill.ts'
import { isEngineError, SqlError, sqlErrorOf } from './sql-error.ts'
import type { NamedTable } from './statement.ts'
import { columnsOrReason, Tables } from './tables.ts'
import { Turns } from './turns.ts'
import type { NeededTable, Outline, QueryKey, Workshop } from './workshop.ts'

export interface ExploreOptions {
  readonly nowMs: () => number
  readonly random: () => number
  readonly report: (error: unknown) => void
  /** No event that a log still has is older. */
  readonly oldestMs: (log: LogId) => number
  /** Of the engine, in bytes. */
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly spillFolder: string
  /** Whether the disk has less room than is to stay free. */
  readonly diskIsLow: () => boolean
  readonly queriesMax: number
  readonly idleMs: number
  readonly usage: UsageRegistry
}

/** Whose query it is, as far as it matters here. */
export interface Reader {
  /** How it is called in a refusal. */
  readonly name: string
  mayKnowPartOf(namespace: NamespaceName): boolean
  mayRead(id: StreamId): boolean
  /** All streams of a namespace: then it may know which there are. */
  mayReadAll(namespace: NamespaceName): boolean
}

export interface Submission {
  readonly namespace: NamespaceName
  readonly statement: string
  /** One bad event makes the query fail, as in CDAP. */
  readonly strict: boolean
  /** For which it is asked: it uses the streams that are named, once the query is accepted. */
  readonly program: ProgramId | undefined
  /** Undefined: everybody may do everything. */
  readonly reader: Reader | undefined
}

/** A query that has passed every check. */
interface Checked {
  readonly outline: Outline
  readonly tables: readonly CheckedTable[]
  readonly columns: readonly ResultColumn[]
  readonly reader?: Reader | undefined
}

interface CheckedTable {
  readonly named: NamedTable
  readonly claim: TableClaim
  readonly columns: readonly Column[]
}

/** Each takes a processor. */
const RUNNING_MAX = 2
const LOOK_AFTER_MS = 1_000
const DOWNLOAD_ROWS = 1_000
const PREVIEW_ROWS = 5

export class Explore {
  readonly tables: Tables
  readonly #streams: Streams
  readonly #registry: Registry
  readonly #options: ExploreOptions
  readonly #handles: HandleMaker
  readonly #queries: QueryList
  readonly #turns = new Turns(RUNNING_MAX)
  readonly #running = new Set<Promise<void>>()
  #workshop: Promise<Workshop> | undefined
  #keys: QueryKey = 0
  #lookingAfter: NodeJS.Timeout | undefined
  #closed = false
  #swept: Promise<void>

  constructor(streams: Streams, registry: Registry, options: ExploreOptions) {
    this.tables = new Tables(registry)
    this.#streams = streams
    this.#registry = registry
    this.#options = options
    this.#handles = new HandleMaker(options.nowMs, options.random)
    this.#queries = new QueryList(options)
    this.#swept = this.#sweep()
  }

  /** Rejects with ServiceError 'invalid_query', 'table_forbidden', 'namespace_not_found', 'overloaded'. */
  async submit({ namespace, statement, strict, program, reader }: Submission): Promise<QueryHandle> {
    this.#streams.assertNamespace(namespace)
    const workshop = await this.#opened()
    const key = ++this.#keys
    let query: Query
    let checked: Checked
    try {
      checked = await this.#check(workshop, key, namespace, statement, reader)
      query = new Query(this.#handles.next(), {
        namespace,
        statement,
        streams: checked.tables.map(({ claim }) => claim.stream.id),
        nowMs: this.#options.nowMs(),
      })
      query.columns = checked.columns
      this.#queries.add(query)
    } catch (error) {
      workshop.drop(key)
      if (isEngineError(error)) throw sqlErrorOf(error).asRefusal()
      throw error
    }
    if (program !== undefined) this.#noteUse(program, query.streams)
    const run = this.#turns
      .take(() => this.#run(query, key, checked, workshop, strict))
      .finally(() => this.#running.delete(run))
    this.#running.add(run)
    return query.handle
  }

  /** Undefined if there is no such query, or none that `reader` may see. */
  find(handle: string, reader: Reader | undefined): Query | undefined {
    const query = this.#queries.find(handle)
    return query !== undefined && maySee(query, reader) ? query : undefined
  }

  list(namespace: NamespaceName, page: QueryPage, reader: Reader | undefined): Query[] {
    return pageOf(this.#visible(namespace, reader), page)
  }

  count(namespace: NamespaceName, reader: Reader | undefined): number {
    return this.#visible(namespace, reader).length
  }

  /** The rows that follow those handed out before. */
  async next(query: Query, count: number): Promise<readonly Row[]> {
    const { result } = query
    if (result === undefined) return []
    const from = query.handedOut
    query.handedOut = Math.min(result.rowCount, from + count)
    return result.page(from, count)
  }

  async preview({ result }: Query): Promise<readonly Row[]> {
    return result === undefined ? [] : result.page(0, PREVIEW_ROWS)
  }

  /** All rows, whatever was handed out before, a few at a time. */
  async *rows(query: Query): AsyncGenerator<readonly Row[], void, undefined> {
    const { result } = query
    for (let from = 0; result !== undefined && from < result.rowCount; from += DOWNLOAD_ROWS) {
      query.touchedMs = this.#options.nowMs()
      yield await result.page(from, DOWNLOAD_ROWS)
    }
  }

  /** Gives all queries up. Nothing of them runs once it has resolved. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#lookingAfter)
    this.#queries.closeAll()
    const workshop = await this.#workshop?.catch(() => undefined)
    await workshop?.close()
    await Promise.allSettled([...this.#running])
    await this.#sweep()
  }

  /** Of the streams that are still there. */
  #noteUse(program: ProgramId, streams: readonly StreamId[]): void {
    for (const id of streams) if (this.#streams.has(id)) this.#options.usage.remember(program, id)
  }

  #visible(namespace: NamespaceName, reader: Reader | undefined): Query[] {
    this.#streams.assertNamespace(namespace)
    return this.#queries.ofNamespace(namespace).filter((query) => maySee(query, reader))
  }

  #opened(): Promise<Workshop> {
    if (this.#closed) throw new SqlError('57014', 'the service stops').asRefusal()
    this.#workshop ??= this.#open()
    return this.#workshop
  }

  async #open(): Promise<Workshop> {
    const { memoryBytes, diskBytes, spillFolder } = this.#options
    await this.#swept
    const source = new StreamSource(this.#streams, this.#registry, this.#options.nowMs)
    const onEnded = (error: Error) => {
      if (this.#closed) return
      this.#workshop = undefined // the next query opens another
      this.#swept = workshop.close().then(() => this.#sweep())
      this.#options.report(error)
      const { message, sqlState } = sqlErrorOf(error)
      for (const query of this.#queries.all()) {
        if (query.result?.holder === workshop) query.lost({ message, sqlState })
      }
    }
    const options = { ...engineMemory(memoryBytes), diskBytes, spillFolder }
    const workshop = await RemoteWorkshop.open(options, source, onEnded)
    clearInterval(this.#lookingAfter)
    this.#lookingAfter = setInterval(() => {
      this.#queries.expire()
      if (this.#options.diskIsLow()) void this.#giveWay(workshop)
    }, LOOK_AFTER_MS).unref()
    return workshop
  }

  /** Events come first: on a disk that is nearly full, what queries have on it goes, and they with it. */
  async #giveWay(workshop: RemoteWorkshop): Promise<void> {
    const bytes = await spilledBytes(this.#options.spillFolder)
    if (bytes > 0)
      workshop.end(new SqlError('53000', `the disk is nearly full: queries gave back ${bytes} bytes of it`))
  }

  /** Nothing of what spilled outlives the process it was of. */
  async #sweep(): Promise<void> {
    await removeSpilled(this.#options.spillFolder).catch(this.#options.report)
  }

  async #check(
    workshop: Workshop,
    key: QueryKey,
    namespace: NamespaceName,
    text: string,
    reader: Reader | undefined,
  ): Promise<Checked> {
    assertReadable(text)
    const outline = await workshop.read(key, text)
    const tables = this.#resolve(namespace, outline, reader)
    const own = ownColumns(outline, namespace, tables[0]?.columns)
    if (own !== undefined) return { outline, tables, columns: own, reader }
    const columns = await workshop.bind(
      key,
      tables.map(({ named, columns }) => ({ name: named.name, columns })),
    )
    return { outline, tables, columns }
  }

  /** Throws ServiceError 'table_forbidden' before it is told what there is, and SqlError '42S02'. */
  #resolve(namespace: NamespaceName, outline: Outline, reader: Reader | undefined): CheckedTable[] {
    const tables = tablesOf(this.#registry, namespace)
    return outline.tables.map((named) => {
      const claim = tables.get(named.name)
      const mayKnow = claim === undefined ? reader?.mayReadAll(namespace) : reader?.mayRead(claim.stream.id)
      if (mayKnow === false) {
        throw new ServiceError(
          'table_forbidden',
          `token '${reader!.name}' has no read grant for a stream with table ${named.name}`,
        )
      }
      if (claim === undefined) throw new SqlError('42S02', `Table not found '${named.name}'`)
      const columns = columnsOrReason(claim)
      if (columns instanceof NoTable) {
        throw new SqlError('42S02', `${describeClaim(claim)} has no table: ${columns.message}`)
      }
      return { named, claim, columns }
    })
  }

  async #run(
    query: Query,
    key: QueryKey,
    checked: Checked,
    workshop: Workshop,
    strict: boolean,
  ): Promise<void> {
    let isKept = false
    try {
      if (query.cancelled) return
      query.runs(() => workshop.stop(key))
      let result = ownResult(checked.outline, checked.columns, checked.tables[0]?.columns, {
        namespace: query.namespace,
        tables: () => this.tables.list(query.namespace).map(({ table }) => table),
        namespaces: () => this.#namespacesOf(checked.reader),
      })
      if (result === undefined) {
        const tables = checked.tables.map((table) => this.#needed(table))
        const { badEvents, rowCount } = await workshop.run(key, tables, strict)
        query.badEvents = badEvents
        if (rowCount === undefined) throw notFormatted(badEvents)
        result = rowsOf(workshop, key, checked.columns, rowCount)
        isKept = true
      }
      query.finished(result)
    } catch (error) {
      if (!isEngineError(error) && !this.#closed) this.#options.report(error)
      const { message, sqlState } = sqlErrorOf(error)
      query.failed({ message, sqlState })
    } finally {
      if (!isKept) workshop.drop(key)
    }
  }

  #needed({ named: { name, range, eventsMax }, claim, columns }: CheckedTable): NeededTable {
    const { id } = claim.stream
    const { log, properties } = this.#streams.get(id)
    return {
      name,
      id,
      log,
      format: claim.format,
      columns,
      range,
      eventsMax,
      // What the janitor has removed stays so, though its columns may be kept and the ttl become longer.
      earliestMs: Math.max(
        earliestVisibleMs(this.#options.nowMs(), properties.ttlSeconds),
        this.#options.oldestMs(log),
      ),
    }
  }

  #namespacesOf(reader: Reader | undefined): readonly string[] {
    return this.#registry.namespaceNames().filter((name) => reader?.mayKnowPartOf(name) ?? true)
  }
}

/** The rows of a query that are in the workshop. */
function rowsOf(
  workshop: Workshop,
  key: QueryKey,
  columns: readonly ResultColumn[],
  rowCount: number,
): Result {
  return {
    columns,
    rowCount,
    holder: workshop,
    page: (from, count) => workshop.page(key, from, count),
    close: () => workshop.drop(key),
  }
}

/** Longer ones make trees and plans that take a thousand times as much. */
const STATEMENT_CHARS_MAX = 131_072

function assertReadable(text: string): void {
  if (text.length > STATEMENT_CHARS_MAX) {
    throw new SqlError(
      '42000',
      `the query has ${text.length} characters, and the most it may have is ${STATEMENT_CHARS_MAX}`,
    )
  }
  if (text.includes('\0')) throw new SqlError('42000', 'there is a NUL in the query')
}

function notFormatted({ first }: BadEvents): SqlError {
  const [event] = first
  const what = event === undefined ? '' : ` Event ${event.sequence} of ${event.table}: ${event.reason}`
  return new SqlError('22000', `Unable to format the stream body.${what}`)
}

function maySee({ streams }: Query, reader: Reader | undefined): boolean {
  return reader === undefined || streams.every((id) => reader.mayRead(id))
}
