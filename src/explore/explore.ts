/**
 * The explore service: SQL over streams. A query is checked when it is submitted, runs in the background, and its status and
 * rows are read by its handle. docs/sql.md describes the language.
 *
 *   parse and bind over empty tables (statement-checks.ts): errors of the text are reported here
 *   -> with a permit (query-runner.ts): decode the events that its tables lack (table-cache.ts), run on views over them
 *   -> rows in a temporary table (result.ts)
 *
 * This file decides which tables a query may read, and its owner. A query belongs to the token that submitted it; for
 * every other token it does not exist.
 */
import type { LogId } from '../../storage/log.ts'
import { isEngineError, SqlError, sqlErrorOf } from '../duckdb/sql-error.ts'
import type { ClientKey } from '../fair-share.ts'
import { Penalties } from '../penalties.ts'
import { ServiceError } from '../service-error.ts'
import type { SharedResource } from '../shared-resource.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry } from '../streams/registry.ts'
import type { Streams } from '../streams/streams.ts'
import { describeClaim, type TableClaim, tableOf } from '../streams/table-names.ts'
import type { ProgramId, UsageRegistry } from '../streams/usage.ts'
import { StreamSource } from '../worker/event-source.ts'
import type { BadEvents } from './bad-events.ts'
import { type Column, NoTable } from './columns.ts'
import { engineMemory } from './engine.ts'
import { ownColumns, ownResult } from './engineless-answers.ts'
import type { ResultColumn } from './hive-types.ts'
import { type Catalog, JdbcCatalog, type MetadataQuestion } from './jdbc-catalog.ts'
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
} from './query-worker-protocol.ts'
import type { Result, Row } from './result.ts'
import type { NamedTable } from './statement.ts'
import { StatementChecks } from './statement-checks.ts'
import { columnsOrReason, Tables } from './tables.ts'

export interface ExploreOptions {
  readonly nowMs: () => number
  readonly random: () => number
  readonly report: (error: unknown) => void
  /** The log has no visible event before this time. */
  readonly oldestMs: (log: LogId) => Promise<number>
  /** Limit of the engine. */
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly spillFolder: string
  /** Whether the disk has less free space than it must keep. */
  readonly diskIsLow: () => boolean
  readonly queriesMax: number
  readonly idleMs: number
  /** Limit for the run of one query. */
  readonly runMs: number
  readonly usage: UsageRegistry
  /** Whether the owner of a query may still read these streams. Undefined: tokens are not required. */
  readonly mayStillRead?: ((owner: string, streams: readonly StreamId[]) => boolean) | undefined
}

/** The token of a query. */
export interface Reader {
  /** Used in error texts. */
  readonly name: string
  /** The reader sees the queries of this owner: those submitted with the same secret. */
  readonly owner: string
  /** Whether the reader has any grant for the stream; then it may know the stream's name. */
  mayKnow(id: StreamId): boolean
  mayKnowPartOf(namespace: NamespaceName): boolean
  mayRead(id: StreamId): boolean
  /** Whether the reader may read all streams of a namespace; then it may know which streams exist. */
  mayReadAll(namespace: NamespaceName): boolean
}

/** The client that submits a query. The query counts towards its share. */
export interface Submitter {
  readonly client: ClientKey
  /** Undefined if no tokens are required. */
  readonly reader: Reader | undefined
}

export interface Submission extends Submitter {
  readonly namespace: NamespaceName
  readonly statement: string
  /** The query fails if it reads a bad event, as in CDAP. */
  readonly strict: boolean
  /** Once the query is accepted, this program counts as a user of the streams that it names. */
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

  /** Questions of JDBC drivers about tables and columns. Rejects with ServiceError 'overloaded'. */
  async submitQuestion(question: MetadataQuestion, submitter: Submitter): Promise<QueryHandle> {
    this.#queries.assertCapacityFor(submitter.client)
    const result = await this.#catalog.answer(question, submitter.reader)
    const { columns } = result
    const query = this.#add({ ...submitter, namespace: undefined, statement: '', streams: [], columns })
    query.finished(result)
    return query.handle
  }

  /** Undefined if there is no such query or `reader` may not see it. */
  find(handle: string, reader: Reader | undefined): Query | undefined {
    return this.#queries.find(handle, (query) => maySee(query, reader))
  }

  list(namespace: NamespaceName, page: QueryPage, reader: Reader | undefined): Query[] {
    return pageOf(this.#visible(namespace, reader), page)
  }

  count(namespace: NamespaceName, reader: Reader | undefined): number {
    return this.#visible(namespace, reader).length
  }

  /** The rows after those that earlier calls returned. Rejects, like the next two, with ServiceError 'invalid_query'. */
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

  /** All rows, in pages, independent of `next`. */
  async *rows(query: Query): AsyncGenerator<readonly Row[], void, undefined> {
    const { result } = query
    for (let from = 0; result !== undefined && from < result.rowCount; from += DOWNLOAD_ROWS) {
      query.touchedMs = this.#options.nowMs()
      yield await refusedAs(result.page(from, DOWNLOAD_ROWS))
    }
  }

  /** How clients share the limit of open queries. */
  get openQueries(): SharedResource {
    return this.#queries
  }

  /** Cancels all queries. Resolves when none of them runs any more. */
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
    // Events have priority. On a nearly full disk the spilled data of queries is removed, which ends the queries.
    if (this.#options.diskIsLow()) this.#runner.releaseDisk().catch(this.#options.report)
  }

  /** Closes queries whose owner has lost the right to read their streams. */
  #closeRevoked(): void {
    const { mayStillRead } = this.#options
    if (mayStillRead === undefined) return
    for (const query of this.#queries.all()) {
      const { owner, streams, isActive } = query
      if (isActive && owner !== undefined && !mayStillRead(owner, streams)) query.close()
    }
  }

  /** Ends the queries whose rows were in a process that has exited. */
  #lose(queryWorker: QueryWorker, why: SqlError): void {
    const { message, sqlState } = why
    for (const query of this.#queries.all()) {
      if (query.result?.holder === queryWorker) query.end({ message, sqlState })
    }
  }

  /** Streams that have been deleted since are omitted. */
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
    await this.#freshFor(namespace, outline, reader)
    const tables = this.#resolve(namespace, outline, reader)
    const own = ownColumns(outline, namespace, tables[0]?.columns)
    if (own !== undefined) return { outline, tables, columns: own }
    const columns = await queryWorker.bind(key, boundTables(tables))
    return { outline, tables, columns }
  }

  /** Before a table is said not to exist, the registry shows every change of other nodes that was acknowledged before. */
  async #freshFor(namespace: NamespaceName, { tables }: Outline, reader: Reader | undefined): Promise<void> {
    const { sharing } = this.#registry
    if (sharing === undefined) return
    const mayKnow = knownTo(reader)
    const isKnown = ({ name }: NamedTable) => tableOf(this.#registry, namespace, name, mayKnow) !== undefined
    if (!tables.every(isKnown)) await sharing.fresh(true)
  }

  /** Throws ServiceError 'table_forbidden' before it reveals which tables exist, and SqlError '42S02'. */
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
      requests: () => Promise.all(checked.tables.map((table) => this.#request(table))),
      accept,
    }
  }

  async #request({
    named: { name, range, eventsMax },
    claim,
    columns,
  }: CheckedTable): Promise<NamedTableRequest> {
    const { id } = claim.stream
    const { log, properties } = this.#streams.get(id)
    const oldestMs = await this.#options.oldestMs(log)
    return {
      name,
      id,
      log,
      format: claim.format,
      columns,
      range,
      eventsMax,
      // Events that the janitor has removed stay invisible after the TTL is raised, even if a table still has them.
      earliestMs: Math.max(earliestVisibleMs(this.#options.nowMs(), properties.ttlSeconds), oldestMs),
    }
  }

  /** The rows of answers that need no engine. */
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

/** The streams that a reader may know; undefined means all. */
function knownTo(reader: Reader | undefined): ((id: StreamId) => boolean) | undefined {
  return reader && ((id) => reader.mayKnow(id))
}

/** The tree and the plan of a statement take up to a thousand times its memory. */
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

/** Reports errors of reading rows as errors of the query. */
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
