/** The service with a query service that does what a test says, for the answers of the API of cached queries. */
import type {
  ChangesRequest,
  ConnectionRequest,
  ConnectionStatusView,
  DeletedConnection,
  NewConnectionRequest,
  NewQueryRequest,
  QueryItem,
  QueryService,
  QueryView,
  RowsPage,
  RowsRequest,
} from '../../src/cached-queries/query-service.ts'
import { CaptureError, type ConnectionView, type Moment } from '../../src/cdc/capture-service.ts'
import type { Api } from '../../src/http/api.ts'
import { APIS } from '../../src/http/app.ts'
import type { JobOwner } from '../../src/jobs/job-service.ts'
import { DEFAULT_NAMESPACE, parseNamespaceName, parseStreamName } from '../../src/streams/names.ts'

export const JID = 'f'.repeat(32)
export const LSN = 0x256e898n
export const MOMENT = { lsn: LSN, txId: 728, timestampMs: 1_795_229_577_213 }
export const AS_OF = { lsn: '0/256E898', txId: 728, ts_ms: 1_795_229_577_213 }
/** More than a number of JavaScript holds. */
export const BIG = '9223372036854775807'

export function connectionView(given: Partial<ConnectionView> = {}): ConnectionView {
  return {
    ...{ id: 1, namespace: DEFAULT_NAMESPACE, name: 'env1', status: 'running' },
    database: 'postgres://app:***@db:5432/shop',
    ...{ slot: 'millrace_env1', publication: 'millrace_env1' },
    tables: [{ schema: 'public', table: 'orders' }],
    ...{ lsn: LSN, lagBytes: 0, lastCommitMs: MOMENT.timestampMs },
    snapshot: { done: true, tables: 2, rows: 100_000 },
    ...{ reconnects: 0, error: undefined, createdMs: 1_000, slotDropped: false },
    ...given,
  }
}

export function queryView(given: Partial<QueryView> = {}): QueryView {
  const { id = 2 } = given
  return {
    ...{ id, namespace: DEFAULT_NAMESPACE, name: `env1-q${id}`, status: 'running', connection: 1 },
    stream: { namespace: DEFAULT_NAMESPACE, stream: parseStreamName(`env1-q${id}`) },
    jid: JID,
    columns: [
      { name: 'region_code', type: 'text', nullable: false },
      { name: 'orders', type: 'bigint', nullable: true },
    ],
    ...{ primaryKey: ['region_code'], sqlQuery: 'SELECT 1', warnings: [] },
    ...{ rows: 2, asOf: MOMENT, lastRefreshMs: 12.4, error: undefined, createdMs: 1_000 },
    ...given,
  }
}

export const COLUMNS = [
  { name: 'region_code', type: 'text', nullable: false },
  { name: 'orders', type: 'bigint', nullable: true },
]

/** Rows as JSON texts: a text with every character that CSV or SSE could trip over, NULL, an empty text. */
export const ROWS: readonly (readonly string[])[] = [
  ['"north"', BIG],
  [JSON.stringify('a "quoted", text\r\nof two lines'), 'null'],
  ['""', '-1'],
]

/** What it was asked is in `calls`; what it answers is in the other members. */
export class FakeQueries implements QueryService {
  readonly calls: unknown[] = []
  /** Thrown by the next calls that create, delete or check, and by `rows`. */
  failure: Error | undefined
  connectionList: ConnectionStatusView[] = [
    {
      connection: connectionView(),
      jobs: [{ jid: JID, name: 'env1-q2', state: 'RUNNING' }],
      queries: [queryView()],
    },
  ]
  queryList: QueryView[] = [queryView()]
  /** Answers `rows`. */
  page: (request: RowsRequest) => Promise<RowsPage> = async () => ({
    query: queryView(),
    rows: ROWS,
    total: ROWS.length,
    asOf: MOMENT,
    next: undefined,
  })
  /** Answers `changes`. */
  items: (request: ChangesRequest) => AsyncIterable<QueryItem> = async function* () {}

  async createConnection(request: NewConnectionRequest): Promise<ConnectionView> {
    this.#called('createConnection', request)
    return connectionView({ status: 'new', tables: [] })
  }
  async createQuery(request: NewQueryRequest, owner: JobOwner): Promise<QueryView> {
    this.#called('createQuery', request, owner?.name)
    return queryView({ status: 'new', namespace: request.namespace })
  }
  async deleteConnection(
    request: ConnectionRequest,
    options: { readonly purge: boolean },
  ): Promise<DeletedConnection> {
    this.#called('deleteConnection', request, options)
    return { connection: connectionView({ status: 'deleted', slotDropped: true }), queries: [2] }
  }
  async check(request: ConnectionRequest): Promise<ConnectionStatusView> {
    this.#called('check', request)
    return this.connectionList[0]!
  }
  /** Queries whose `asOf` follows, as the real ones' does: it shows the last moment given here. */
  newest: Moment | undefined
  async advance(): Promise<void> {
    const { newest } = this
    if (newest === undefined) return
    this.queryList = this.queryList.map((query) => ({ ...query, asOf: newest }))
    this.connectionList = this.connectionList.map((view) => ({ ...view, queries: this.queryList }))
  }
  connections(): readonly ConnectionStatusView[] {
    return this.connectionList
  }
  connection(id: number): ConnectionStatusView {
    const found = this.connectionList.find(({ connection }) => connection.id === id)
    if (found === undefined) throw new CaptureError('not_found', `connection ${id} does not exist`)
    return found
  }
  queries(): readonly QueryView[] {
    return this.queryList
  }
  query(id: number): QueryView {
    const found = this.queryList.find((query) => query.id === id)
    if (found === undefined) throw new CaptureError('not_found', `query ${id} does not exist`)
    return found
  }
  async deleteQuery(id: number, options: { readonly purge: boolean }): Promise<QueryView> {
    this.#called('deleteQuery', id, options)
    return this.query(id)
  }
  rows(id: number, request: RowsRequest): Promise<RowsPage> {
    const { signal: _, ...rest } = request
    this.calls.push(['rows', id, rest])
    if (this.failure !== undefined) return Promise.reject(this.failure)
    return this.page(request)
  }
  changes(id: number, request: ChangesRequest): AsyncIterable<QueryItem> {
    const { signal: _, tooSlow: __, ...rest } = request
    this.calls.push(['changes', id, rest])
    return this.items(request)
  }

  #called(...call: unknown[]): void {
    this.calls.push(call)
    if (this.failure !== undefined) throw this.failure
  }
}

/** The APIs of the service with this query service. */
export function apisWithQueries(cachedQueries: QueryService): readonly Api[] {
  return APIS.map((api) =>
    api.name === 'cached-queries'
      ? { ...api, routes: (parts, options) => api.routes({ ...parts, cachedQueries }, options) }
      : api,
  )
}

export function namespaceNamed(name: string) {
  return parseNamespaceName(name)
}

/** Fields as a form, each value coded. */
export function form(fields: Readonly<Record<string, string>>): string {
  return new URLSearchParams(fields).toString()
}

/** Items that a test sends one by one. */
export class Channel {
  readonly #items: QueryItem[] = []
  #wake = () => {}
  #isOver = false

  send(...items: QueryItem[]): void {
    this.#items.push(...items)
    this.#wake()
  }

  /** Ends the iteration without an item. */
  end(): void {
    this.#isOver = true
    this.#wake()
  }

  async *items({ signal }: ChangesRequest): AsyncGenerator<QueryItem> {
    signal.addEventListener('abort', () => this.#wake())
    for (;;) {
      if (signal.aborted) return
      const item = this.#items.shift()
      if (item !== undefined) yield item
      else if (this.#isOver) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
