/**
 * The explore service: SQL over streams. A query is checked when it comes, runs in the background, and is asked for its
 * status and rows by its handle. docs/sql.md tells users what it understands.
 *
 *   parse and bind with empty tables (statement-checks.ts): all that is wrong with the text is told here
 *   -> in its turn (query-runner.ts) decode what its tables lack (table-cache.ts), run on views over them
 *   -> rows in a table of its own (result.ts)
 *
 * This file decides what a query may see, and whose it is. A query belongs to the token that submitted it: to every other one
 * it does not exist.
 */
import type { LogId } from '../../storage/log.ts'
import type { ClientKey } from '../fair-share.ts'
import { ServiceError } from '../service-error.ts'
import type { SharedResource } from '../shared-resource.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry } from '../streams/registry.ts'
import type { Streams } from '../streams/streams.ts'
import { describeClaim, type TableClaim, tableOf } from '../streams/table-names.ts'
import type { ProgramId, UsageRegistry } from '../streams/usage.ts'
import type { BadEvents } from './bad-events.ts'
import type { ResultColumn } from './cells.ts'
import { type Column, NoTable } from './columns.ts'
import { engineMemory } from './engine.ts'
import { StreamSource } from './event-source.ts'
import { type Catalog, JdbcCatalog, type MetadataQuestion } from './jdbc-catalog.ts'
import { ownColumns, ownResult } from './own-answers.ts'
import { Penalties } from './penalties.ts'
import { Query, type QueryAbout } from './query.ts'
import { HandleMaker, type QueryHandle } from './query-handle.ts'
import { pageOf, QueryList, type QueryPage } from './query-list.ts'
import { type Plan, QueryRunner } from './query-runner.ts'
import type {
  NamedTableRequest,
  Outline,
  QueryKey,
  QueryWorker,
  RunOutcome,
  StrictFailure,
} from './query-worker.ts'
import type { Result, Row } from './result.ts'
import { isEngineError, SqlError, sqlErrorOf } from './sql-error.ts'
import type { NamedTable } from './statement.ts'
import { StatementChecks } from './statement-checks.ts'
import { columnsOrReason, Tables } from './tables.ts'

export interface ExploreOptions {
  readonly nowMs: () => number
  readonly random: () => number
  readonly report: (error: unknown) => void
  /** No event that a log still has is older. */
  readonly oldestMs: (log: LogId) => Promise<number>
  /** Of the engine, in bytes. */
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly spillFolder: string
  /** Whether the disk has less room than is to stay free. */
  readonly diskIsLow: () => boolean
  readonly queriesMax: number
  readonly idleMs: number
  /** A query may run so long. */
  readonly runMs: number
  readonly usage: UsageRegistry
  /** Whether the owner of a query may still read these streams. Undefined: tokens are not required. */
  readonly mayStillRead?: ((owner: string, streams: readonly StreamId[]) => boolean) | undefined
}

/** Whose query it is, as far as it matters here. */
export interface Reader {
  /** How it is called in a refusal. */
  readonly name: string
  /** Whose queries it may see: those that were submitted with the same secret. */
  readonly owner: string
  /** Whether it has to do with a stream at all, in any role: then it may know its name. */
  mayKnow(id: StreamId): boolean
  mayKnowPartOf(namespace: NamespaceName): boolean
  mayRead(id: StreamId): boolean
  /** All streams of a namespace: then it may know which there are. */
  mayReadAll(namespace: NamespaceName): boolean
}

/** Who submits, which is whose share is used. */
export interface Submitter {
  readonly client: ClientKey
  /** Undefined: everybody may do everything. */
  readonly reader: Reader | undefined
}

export interface Submission extends Submitter {
  readonly namespace: NamespaceName
  readonly statement: string
  /** One bad event makes the query fail, as in CDAP. */
  readonly strict: boolean
  /** For which it is asked: it uses the streams that are named, once the query is accepted. */
  readonly program: ProgramId | undefined
}

/** A query that has passed every check. */
interface Checked {
  readonly outline: Outline
  readonly tables: readonly CheckedTable[]
  readonly columns: readonly ResultColumn[]
}

interface CheckedTable {
  readonly named: NamedTable
  readonly claim: TableClaim
  readonly columns: readonly Column[]
}

const EXPIRY_INTERVAL_MS = 1_000
const DOWNLOAD_ROWS = 1_000
const PREVIEW_ROWS = 5

export class Explore {
  readonly tables: Tables
  readonly #streams: Streams
  readonly #registry: Registry
  readonly #options: ExploreOptions
  readonly #handles: HandleMaker
  readonly #queries: QueryList
  readonly #catalog: Catalog
  readonly #checks: StatementChecks
  readonly #runner: QueryRunner
  #expiryTimer: NodeJS.Timeout | undefined

  constructor(streams: Streams, registry: Registry, options: ExploreOptions) {
    this.tables = new Tables(registry)
    this.#streams = streams
    this.#registry = registry
    this.#options = options
    this.#handles = new HandleMaker(options.nowMs, options.random)
    this.#queries = new QueryList(options)
    this.#catalog = new JdbcCatalog(registry, this.tables)
    const { report, memoryBytes, diskBytes, spillFolder, queriesMax, runMs } = options
    const penalties = new Penalties()
    this.#checks = new StatementChecks({
      spillFolder: `${spillFolder}-checks`,
      report,
      penalties,
      waitingMax: queriesMax,
    })
    this.#runner = new QueryRunner({
      engine: { ...engineMemory(memoryBytes), diskBytes, spillFolder },
      source: new StreamSource(streams, registry, options.nowMs),
      report,
      penalties,
      runMs,
      onLost: (queryWorker, why) => this.#lose(queryWorker, why),
    })
  }

  /** Rejects with ServiceError 'invalid_query', 'table_forbidden', 'namespace_not_found', 'overloaded'. */
  async submit(submission: Submission): Promise<QueryHandle> {
    const { namespace, statement, strict, program, reader, client } = submission
    this.#streams.assertNamespace(namespace)
    this.#queries.assertCapacityFor(client)
    let checked: Checked
    try {
      assertReadable(statement)
      this.#runner.prepare()
      checked = await this.#checks.check(client, (queryWorker, key) =>
        this.#check(queryWorker, key, namespace, statement, reader),
      )
    } catch (error) {
      if (isEngineError(error)) throw sqlErrorOf(error).asRefusal()
      throw error
    }
    const streams = checked.tables.map(({ claim }) => claim.stream.id)
    const query = this.#add({ ...submission, streams, columns: checked.columns })
    if (program !== undefined) this.#noteUse(program, streams)
    const ownRows = this.#ownRows(checked, namespace, reader)
    if (ownRows !== undefined) query.finished(ownRows)
    else this.#runner.start(query, this.#planOf(checked, statement, strict))
    return query.handle
  }

  /** What JDBC drivers ask about tables and columns; rejects with ServiceError 'overloaded'. */
  async submitQuestion(question: MetadataQuestion, submitter: Submitter): Promise<QueryHandle> {
    this.#queries.assertCapacityFor(submitter.client)
    const result = await this.#catalog.answer(question, submitter.reader)
    const { columns } = result
    const query = this.#add({ ...submitter, namespace: undefined, statement: '', streams: [], columns })
    query.finished(result)
    return query.handle
  }

  /** Undefined if there is no such query, or none that `reader` may see. */
  find(handle: string, reader: Reader | undefined): Query | undefined {
    return this.#queries.find(handle, (query) => maySee(query, reader))
  }

  list(namespace: NamespaceName, page: QueryPage, reader: Reader | undefined): Query[] {
    return pageOf(this.#visible(namespace, reader), page)
  }

  count(namespace: NamespaceName, reader: Reader | undefined): number {
    return this.#visible(namespace, reader).length
  }

  /** The rows that follow those handed out before. Rejects, as the next two, with ServiceError 'invalid_query'. */
  async next(query: Query, count: number): Promise<readonly Row[]> {
    const { result } = query
    if (result === undefined) return []
    const from = query.handedOut
    query.handedOut = Math.min(result.rowCount, from + count)
    return refusedAs(result.page(from, count))
  }

  async preview({ result }: Query): Promise<readonly Row[]> {
    return result === undefined ? [] : refusedAs(result.page(0, PREVIEW_ROWS))
  }

  /** All rows, whatever was handed out before, a few at a time. */
  async *rows(query: Query): AsyncGenerator<readonly Row[], void, undefined> {
    const { result } = query
    for (let from = 0; result !== undefined && from < result.rowCount; from += DOWNLOAD_ROWS) {
      query.touchedMs = this.#options.nowMs()
      yield await refusedAs(result.page(from, DOWNLOAD_ROWS))
    }
  }

  /** How the places for queries are shared. */
  get openQueries(): SharedResource {
    return this.#queries
  }

  /** Gives all queries up. Nothing of them runs once it has resolved. */
  async close(): Promise<void> {
    clearInterval(this.#expiryTimer)
    this.#queries.closeAll()
    await Promise.all([this.#checks.close(), this.#runner.close()])
  }

  #add(about: Submitter & Omit<QueryAbout, 'owner' | 'nowMs'>): Query {
    const { reader, ...rest } = about
    const nowMs = this.#options.nowMs()
    const query = new Query(this.#handles.next(), { ...rest, owner: reader?.owner, nowMs })
    this.#queries.add(query)
    this.#expiryTimer ??= setInterval(() => this.#expireIdle(), EXPIRY_INTERVAL_MS).unref()
    return query
  }

  #expireIdle(): void {
    this.#queries.expire()
    this.#closeRevoked()
    // Events come first: on a disk that is nearly full, what queries have on it goes, and they with it.
    if (this.#options.diskIsLow()) this.#runner.giveDiskBack().catch(this.#options.report)
  }

  /** A query ends with the right to read what it reads. */
  #closeRevoked(): void {
    const { mayStillRead } = this.#options
    if (mayStillRead === undefined) return
    for (const query of this.#queries.all()) {
      const { owner, streams, isActive } = query
      if (isActive && owner !== undefined && !mayStillRead(owner, streams)) query.close()
    }
  }

  /** Rows that were in a process which has ended. */
  #lose(queryWorker: QueryWorker, why: SqlError): void {
    const { message, sqlState } = why
    for (const query of this.#queries.all()) {
      if (query.result?.holder === queryWorker) query.end({ message, sqlState })
    }
  }

  /** Of the streams that are still there. */
  #noteUse(program: ProgramId, streams: readonly StreamId[]): void {
    for (const id of streams) if (this.#streams.has(id)) this.#options.usage.remember(program, id)
  }

  #visible(namespace: NamespaceName, reader: Reader | undefined): Query[] {
    this.#streams.assertNamespace(namespace)
    return this.#queries.ofNamespace(namespace).filter((query) => maySee(query, reader))
  }

  async #check(
    queryWorker: QueryWorker,
    key: QueryKey,
    namespace: NamespaceName,
    text: string,
    reader: Reader | undefined,
  ): Promise<Checked> {
    const outline = await queryWorker.read(key, text)
    const tables = this.#resolve(namespace, outline, reader)
    const own = ownColumns(outline, namespace, tables[0]?.columns)
    if (own !== undefined) return { outline, tables, columns: own }
    const columns = await queryWorker.bind(key, boundTables(tables))
    return { outline, tables, columns }
  }

  /** Throws ServiceError 'table_forbidden' before it is told what there is, and SqlError '42S02'. */
  #resolve(namespace: NamespaceName, outline: Outline, reader: Reader | undefined): CheckedTable[] {
    return outline.tables.map((named) => {
      const claim = tableOf(this.#registry, namespace, named.name, knownTo(reader))
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

  #planOf(checked: Checked, statement: string, strict: boolean): Plan {
    return {
      statement,
      strict,
      bound: boundTables(checked.tables),
      columns: checked.columns,
      needed: () => Promise.all(checked.tables.map((table) => this.#needed(table))),
      accept,
    }
  }

  async #needed({
    named: { name, range, eventsMax },
    claim,
    columns,
  }: CheckedTable): Promise<NamedTableRequest> {
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
        await this.#options.oldestMs(log),
      ),
    }
  }

  /** The answers that take no engine. */
  #ownRows(
    { outline, tables, columns }: Checked,
    namespace: NamespaceName,
    reader: Reader | undefined,
  ): Result | undefined {
    return ownResult(outline, columns, tables[0]?.columns, {
      namespace,
      tables: () => this.tables.list(namespace, knownTo(reader)).map(({ table }) => table),
      namespaces: () => this.#registry.namespaceNames().filter((name) => reader?.mayKnowPartOf(name) ?? true),
    })
  }
}

function boundTables(tables: readonly CheckedTable[]) {
  return tables.map(({ named, columns }) => ({ name: named.name, columns }))
}

/** Which streams a reader may know of; undefined: all. */
function knownTo(reader: Reader | undefined): ((id: StreamId) => boolean) | undefined {
  return reader && ((id) => reader.mayKnow(id))
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

function accept(outcome: RunOutcome | StrictFailure): RunOutcome {
  if (outcome.rowCount === undefined) throw notFormatted(outcome.badEvents)
  return outcome
}

function notFormatted({ first }: BadEvents): SqlError {
  const [event] = first
  const what = event === undefined ? '' : ` Event ${event.sequence} of ${event.table}: ${event.reason}`
  return new SqlError('22000', `Unable to format the stream body.${what}`)
}

/** What is wrong with rows is told as what is wrong with a query. */
async function refusedAs<T>(rows: Promise<T>): Promise<T> {
  try {
    return await rows
  } catch (error) {
    throw isEngineError(error) ? sqlErrorOf(error).asRefusal() : error
  }
}

function maySee({ owner, streams }: Query, reader: Reader | undefined): boolean {
  return reader === undefined || (owner === reader.owner && streams.every((id) => reader.mayRead(id)))
}
