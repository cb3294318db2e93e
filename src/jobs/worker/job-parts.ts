/** Opens what a job needs: its state, the tables of its plan, its connectors, and its ways. */

import { encodedName } from '../../sql/encoded-name.ts'
import type { Outbox, Sink } from '../connectors/connector.ts'
import type { ConnectorContext } from '../connectors/connector-context.ts'
import { openLookup, openScan, openSink, openSource } from '../connectors/index.ts'
import { ResultSink } from '../connectors/result-sink.ts'
import type { InsertPlan, SinkPlan, SourcePlan } from '../plan/job-plan.ts'
import { Arrival } from './arrival.ts'
import { type BufferedColumn, BufferedTable, type BufferPool } from './buffered-table.ts'
import { EventDecoder, keepsUnfit } from './event-decoder.ts'
import type { JobConnection } from './job-connection.ts'
import type { JobDatabase } from './job-database.ts'
import { JobError } from './job-error.ts'
import type { ConnectedTable, JobStart } from './job-worker-protocol.ts'
import { LookupTable, loadFixed } from './lookup-tables.ts'
import { StoredOutbox } from './outbox.ts'
import { RefreshWay } from './refresh.ts'
import { ResultPublisher } from './result-publisher.ts'
import { RunningWay } from './running.ts'
import { StateFile } from './state-file.ts'
import type { InputSource } from './tick-input.ts'
import type { Way, WayContext } from './way.ts'
import { Windowed } from './windowed.ts'

export interface OpenContext {
  readonly database: JobDatabase
  readonly connection: JobConnection
  readonly pool: BufferPool
  readonly start: JobStart
  readonly connectors: ConnectorContext
}

/** Everything that has been opened, so that it can be closed also when a later part cannot be opened. */
export class JobParts {
  readonly #context: OpenContext
  state: StateFile | undefined
  readonly sources: InputSource[] = []
  readonly lookups: LookupTable[] = []
  readonly sinks: Sink[] = []
  readonly ways: Way[] = []
  /** Rows of the tables that were read once, by relation. */
  readonly fixedRows = new Map<string, number>()
  readonly #tables: BufferedTable[] = []

  constructor(context: OpenContext) {
    this.#context = context
  }

  async open(): Promise<void> {
    const { database, connection, start } = this.#context
    const { plan, stateFolder, stateBytesMax } = start
    this.state = await StateFile.open(database, connection, {
      folder: stateFolder,
      plan,
      bytesMax: stateBytesMax,
      schema: database.newSchema(this.#context.connectors.random),
    })
    for (const [index, source] of plan.sources.entries()) await this.#openSource(source, index)
    for (const lookup of plan.lookups) {
      const connected = this.#connected(lookup.tableId)
      const table = await this.#createTable(lookup.relation, encoded(lookup.columns))
      const opened = await openLookup(connected, lookup, this.#context.connectors)
      const { connector } = connected
      const cache =
        connector.kind === 'jdbc'
          ? { ttlMs: connector.lookupCacheTtlMs, rowsMax: connector.lookupCacheRowsMax }
          : { ttlMs: 0, rowsMax: 0 }
      this.lookups.push(new LookupTable(lookup, opened, table, cache, this.#context.connectors.nowMs))
    }
    for (const fixed of plan.fixed) {
      const table = await this.#createTable(fixed.relation, encoded(fixed.columns))
      const scan = await openScan(this.#connected(fixed.tableId), fixed.columns, this.#context.connectors)
      await loadFixed(fixed, scan, table)
      this.fixedRows.set(fixed.relation, table.rows)
    }
    for (const [index, { sink }] of plan.inserts.entries()) this.sinks.push(await this.#openSink(sink, index))
    await this.#prepareWays(this.state)
  }

  async close(): Promise<void> {
    await this.closeConnectors()
    for (const table of this.#tables) table.close()
    this.#context.connection.close()
    await this.state?.close().catch(() => {}) // an engine that has failed cannot detach
  }

  async closeConnectors(): Promise<void> {
    await Promise.allSettled([
      ...this.sources.map(({ source }) => source.close()),
      ...this.lookups.map((lookup) => lookup.close()),
      ...this.sinks.map((sink) => sink.close()),
    ])
  }

  async #openSource(plan: SourcePlan, index: number): Promise<void> {
    const connected = this.#connected(plan.tableId)
    const own = [
      { name: '__ord', type: { kind: 'BIGINT' } },
      ...(plan.changeKey.length > 0 ? [{ name: '__op', type: { kind: 'STRING' } } as const] : []),
    ] as const
    const reason = keepsUnfit(plan, connected) ? [{ name: '__unfit', type: { kind: 'STRING' } } as const] : []
    const columns = [...own, ...encoded(plan.decoded), ...reason]
    const table = await this.#createTable(`in_${plan.relation}`, columns)
    await this.#context.connection.once(viewOf(plan)(undefined))
    const source = await openSource(connected, plan.decoded, index, this.#context.connectors)
    const decoder = new EventDecoder(index, plan, connected, table)
    this.sources.push({ plan, source, table, decoder })
  }

  #openSink(sink: SinkPlan, index: number): Promise<Sink> | Sink {
    const { start, connectors } = this.#context
    const table = this.#connected(sink.tableId)
    if (start.query === undefined) return openSink(table, sink, index, connectors)
    return new ResultSink(table, sink, index, connectors, start.query, () => this.#refresh.refreshed!.moment)
  }

  /** Of the job of a cached query. */
  get #refresh(): RefreshWay {
    const [way] = this.ways
    if (!(way instanceof RefreshWay))
      throw new JobError('the plan of a cached query has no refresh', 'lasting')
    return way
  }

  /** Of the job of a cached query, after `open`. */
  publisher(): ResultPublisher | undefined {
    const { start, connectors } = this.#context
    const [insert] = start.plan.inserts
    if (start.query === undefined || insert === undefined) return undefined
    const way = this.#refresh
    return new ResultPublisher({
      ...{ jid: start.jid, service: connectors.service, columns: insert.sink.columns, result: start.query },
      refreshed: () => way.refreshed,
    })
  }

  /** The whole result of a cached query. */
  async result(): Promise<Outbox> {
    const { database, connection, start } = this.#context
    const { columns } = start.plan.inserts[0]!.sink
    const table = this.#refresh.result
    const [row] = await connection.rows(`SELECT count(*) FROM ${table}`)
    return new StoredOutbox(database.bindings, connection, table, columns, Number(row![0]), "'c'")
  }

  async #prepareWays(state: StateFile): Promise<void> {
    const { connection, start } = this.#context
    await connection.once('BEGIN')
    for (const [insert, plan] of start.plan.inserts.entries()) {
      const way = wayOf(plan, {
        connection,
        plan: start.plan,
        insert,
        state: state.schema,
        outbox: state.outbox(insert),
        ...(start.query && { query: start.query }),
      })
      await way.prepare()
      this.ways.push(way)
    }
    await connection.once('COMMIT')
  }

  async #createTable(name: string, columns: readonly BufferedColumn[]) {
    const { database, connection, pool } = this.#context
    const table = new BufferedTable(database, connection, pool, name, columns)
    await table.create()
    this.#tables.push(table)
    return table
  }

  #connected(tableId: string): ConnectedTable {
    const table = this.#context.start.tables.find(({ id }) => id === tableId)
    if (table === undefined) throw new JobError(`table ${tableId} of the plan does not exist`, 'lasting')
    return table
  }
}

/** Columns of a table as the SQL of plans names them. */
function encoded(columns: readonly BufferedColumn[]): readonly BufferedColumn[] {
  return columns.map(({ name, type }) => ({ name: encodedName(name), type }))
}

/** Creates the view of a source: with `lastOrder`, only of the events up to it. */
export function viewOf(plan: SourcePlan): (lastOrder: bigint | undefined) => string {
  const hidden = plan.changeKey.length > 0 ? '__ord, __op, ' : '__ord, '
  const select = plan.view.replace(/^\s*SELECT\s+/i, `SELECT ${hidden}`)
  return (lastOrder) => {
    const until = lastOrder === undefined ? '' : ` WHERE __ord <= ${lastOrder}`
    return `CREATE OR REPLACE TEMP VIEW ${plan.relation} AS ${select}${until}`
  }
}

function wayOf({ way }: InsertPlan, context: WayContext): Way {
  switch (way) {
    case 'arrival':
    case 'once':
      return new Arrival(context)
    case 'window':
      return new Windowed(context)
    case 'running':
      return new RunningWay(context)
    case 'refresh':
      return new RefreshWay(context)
  }
}
