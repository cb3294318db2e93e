/**
 * The explore service: SQL over streams. A query is checked when it comes, runs in the background, and is asked for its
 * status and rows by its handle. docs/sql.md tells users what it understands.
 *
 *   parse and check (statement.ts) -> bind to empty tables: all that is wrong with the text is told here
 *   -> decode what its tables lack (table-cache.ts) -> run on views over them -> rows in a table of its own (result.ts)
 *
 * Here is decided what a query may see; the work is done in the workshop, a thread of its own.
 */
import { ServiceError } from '../service-error.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry } from '../streams/registry.ts'
import type { Streams } from '../streams/streams.ts'
import { describeClaim, type TableClaim, tablesOf } from '../streams/table-names.ts'
import type { ProgramId, UsageRegistry } from '../streams/usage.ts'
import type { BadEvents } from './bad-events.ts'
import type { ResultColumn } from './cells.ts'
import { hiveNames } from './column-names.ts'
import { type Column, NoTable } from './columns.ts'
import { StreamSource } from './event-source.ts'
import { behindWords, firstWords, fromHive } from './hive-habits.ts'
import { Query } from './query.ts'
import { HandleMaker, type QueryHandle } from './query-handle.ts'
import { pageOf, QueryList, type QueryPage } from './query-list.ts'
import { RemoteWorkshop } from './remote-workshop.ts'
import { type Result, type Row, rowsInMemory } from './result.ts'
import { isEngineError, SqlError, sqlErrorOf } from './sql-error.ts'
import { type NamedTable, readStatement, type Statement } from './statement.ts'
import { columnsOrReason, Tables } from './tables.ts'
import { Turns } from './turns.ts'
import type { NeededTable, QueryKey, Workshop } from './workshop.ts'

export interface ExploreOptions {
  readonly nowMs: () => number
  readonly random: () => number
  readonly report: (error: unknown) => void
  /** Of the engine, in bytes. */
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly spillFolder: string
  readonly queriesMax: number
  readonly idleMs: number
  readonly usage: UsageRegistry
}

/** Whose query it is, as far as it matters here. */
export interface Reader {
  /** How it is called in a refusal. */
  readonly name: string
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
  readonly statement: Statement
  readonly sql: string
  readonly isExplain: boolean
  readonly tables: readonly CheckedTable[]
  readonly columns: readonly ResultColumn[]
}

interface CheckedTable {
  readonly named: NamedTable
  readonly claim: TableClaim
  readonly columns: readonly Column[]
}

/** Every query that runs takes one of the threads that LevelDB's work is done on, too: of four. */
const RUNNING_MAX = 2
const LOOK_AFTER_MS = 30_000
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

  constructor(streams: Streams, registry: Registry, options: ExploreOptions) {
    this.tables = new Tables(registry)
    this.#streams = streams
    this.#registry = registry
    this.#options = options
    this.#handles = new HandleMaker(options.nowMs, options.random)
    this.#queries = new QueryList(options)
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
    await Promise.allSettled([...this.#running])
    const workshop = await this.#workshop?.catch(() => undefined)
    await workshop?.close()
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
    this.#workshop ??= this.#open()
    return this.#workshop
  }

  async #open(): Promise<Workshop> {
    const { memoryBytes, diskBytes, spillFolder } = this.#options
    const source = new StreamSource(this.#streams, this.#registry)
    const onEnded = () => {
      this.#workshop = undefined // the next query opens another
    }
    const workshop = await RemoteWorkshop.open({ memoryBytes, diskBytes, spillFolder }, source, onEnded)
    clearInterval(this.#lookingAfter)
    this.#lookingAfter = setInterval(() => this.#queries.expire(), LOOK_AFTER_MS).unref()
    return workshop
  }

  async #check(
    workshop: Workshop,
    key: QueryKey,
    namespace: NamespaceName,
    text: string,
    reader: Reader | undefined,
  ): Promise<Checked> {
    const words = firstWords(text, 2)
    const isExplain = words[0] === 'EXPLAIN'
    const isAnalyze = isExplain && words[1] === 'ANALYZE'
    const inner = fromHive(isExplain ? behindWords(text, isAnalyze ? 2 : 1) : text)
    const statement = readStatement(await workshop.parse(inner))
    const explain = isExplain ? `EXPLAIN ${isAnalyze ? 'ANALYZE ' : ''}` : ''
    const tables = this.#resolve(namespace, statement, reader)
    if (!isExplain && statement.kind === 'show-tables') {
      return { statement, sql: '', isExplain, tables, columns: [{ name: 'tab_name', type: 'STRING' }] }
    }
    if (!isExplain && statement.kind === 'describe-table') {
      return { statement, sql: '', isExplain, tables, columns: DESCRIBE_COLUMNS }
    }
    const sql = statement.kind === 'select' ? inner : `FROM (${inner})`
    const bound = await workshop.bind(
      key,
      `${explain}${sql}`,
      tables.map(({ named, columns }) => ({ name: named.name, columns })),
    )
    const names = bound.map(({ name }) => name)
    const ofTable = (name: string) =>
      tables.find(({ named }) => named.name === name)?.columns.map((column) => column.name)
    const hive = isExplain ? names : hiveNames(names, statement.query, ofTable)
    const columns = bound.map(({ type }, i) => ({ name: hive[i], type }))
    return { statement, sql: `${explain}${sql}`, isExplain, tables, columns }
  }

  /** Throws ServiceError 'table_forbidden' before it is told what there is, and SqlError '42S02'. */
  #resolve(namespace: NamespaceName, statement: Statement, reader: Reader | undefined): CheckedTable[] {
    const tables = tablesOf(this.#registry, namespace)
    return statement.tables.map((named) => {
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
      let result = ownRows(checked, () => this.#tableNames(query.namespace))
      if (result === undefined) {
        const { sql, isExplain, columns } = checked
        const tables = checked.tables.map((table) => this.#needed(table, checked.statement))
        const { badEvents, rowCount } = await workshop.run(key, { sql, isExplain, tables, columns, strict })
        query.badEvents = badEvents
        if (rowCount === undefined) throw notFormatted(badEvents)
        result = rowsOf(workshop, key, columns, rowCount)
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

  #needed(
    { named: { name, range, eventsMax }, claim, columns }: CheckedTable,
    statement: Statement,
  ): NeededTable {
    const { id } = claim.stream
    const { log, properties } = this.#streams.get(id)
    return {
      name,
      id,
      log,
      format: claim.format,
      columns: columns.filter((column) => column.keptAs === 'ts' || statement.names(column.name)),
      range,
      eventsMax,
      earliestMs: earliestVisibleMs(this.#options.nowMs(), properties.ttlSeconds),
    }
  }

  #tableNames(namespace: NamespaceName): Row[] {
    return this.tables
      .list(namespace)
      .map(({ table }) => [JSON.stringify(table)])
      .sort()
  }
}

const DESCRIBE_COLUMNS: readonly ResultColumn[] = [
  { name: 'col_name', type: 'STRING' },
  { name: 'data_type', type: 'STRING' },
  { name: 'comment', type: 'STRING' },
]

/** The answers that take no engine. */
function ownRows(
  { statement, isExplain, tables, columns }: Checked,
  tableNames: () => Row[],
): Result | undefined {
  if (isExplain) return undefined
  if (statement.kind === 'show-tables') return rowsInMemory(columns, tableNames())
  if (statement.kind !== 'describe-table') return undefined
  const rows = tables[0].columns.map(({ name, hiveType }) =>
    [name, hiveType.toLowerCase(), 'from deserializer'].map((cell) => JSON.stringify(cell)),
  )
  return rowsInMemory(columns, rows)
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
    page: (from, count) => workshop.page(key, from, count),
    close: () => workshop.drop(key),
  }
}

function notFormatted({ first }: BadEvents): SqlError {
  const [event] = first
  const what = event === undefined ? '' : ` Event ${event.sequence} of ${event.table}: ${event.reason}`
  return new SqlError('22000', `Unable to format the stream body.${what}`)
}

function maySee({ streams }: Query, reader: Reader | undefined): boolean {
  return reader === undefined || streams.every((id) => reader.mayRead(id))
}
