/**
 * Runs statements of the corpus as jobs: the planner plans INSERT INTO, the worker runs the plan, rows of streams come from a
 * store, and the answer is read from the events of the sink.
 */
import duckdb from '@duckdb/node-api'
import type { JobPlan, PlannedTable } from '../../../src/jobs/plan/job-plan.ts'
import { Planner } from '../../../src/jobs/plan/planner.ts'
import type { ConnectedTable } from '../../../src/jobs/worker/job-worker-protocol.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { jobStart, streamTable, TestWorker, temporaryFolder } from '../../support/job-worker.ts'
import type { CorpusAnswer, Stream } from './corpus.ts'

/** A type in the text of a schema, up to the name of the next column. */
const TYPE =
  /: ((?:DECIMAL\(\d+, \d+\)|(?:TIMESTAMP|TIMESTAMP_LTZ|TIME|CHAR|VARCHAR|BINARY|VARBINARY)\(\d+\)|[A-Z]+))(?=, |\]$)/g
/** JavaScript does not hold more digits than this. */
const LONG_NUMBER = /([[,:])(-?\d[\d.]{15,}(?:[eE][+-]?\d+)?)(?=[,\]}])/g
/** Events of the streams end with one at this time, which closes all windows before it. */
const LAST_TIME = '2030-01-01 00:00:00'

interface Planned {
  readonly plan: JobPlan
  readonly format: string
  readonly types: readonly string[]
}

export class JobRunner {
  readonly #planner: Planner
  readonly #worker: TestWorker
  readonly #streams: Readonly<Record<string, Stream>>
  #jobs = 0

  private constructor(planner: Planner, worker: TestWorker, streams: Readonly<Record<string, Stream>>) {
    this.#planner = planner
    this.#worker = worker
    this.#streams = streams
  }

  static async open(streams: Readonly<Record<string, Stream>>): Promise<JobRunner> {
    const worker = await TestWorker.open({ jobsFolder: await temporaryFolder() })
    for (const [name, stream] of Object.entries(streams)) {
      const bodies = stream.rows.map((row) => bodyOf(stream, row.split(',')))
      const time = /WATERMARK FOR (\w+)/.exec(stream.columns)![1]!
      for (const [suffix, all] of [
        ['', bodies],
        ['-closed', [...bodies, JSON.stringify({ [time]: LAST_TIME })]],
      ] as const) {
        await worker.store.create(name + suffix)
        await worker.store.append(name + suffix, all)
      }
    }
    return new JobRunner(await Planner.open(duckdb), worker, streams)
  }

  async close(): Promise<void> {
    this.#planner.close()
    await this.#worker.close()
  }

  async run(sql: string): Promise<CorpusAnswer> {
    try {
      const { plan, format, types } = await this.#plan(sql)
      const rows = await this.#rows(plan, format)
      return { types: types.map(corpusType), rows }
    } catch (error) {
      return { error: (error as Error).message }
    }
  }

  /** The types of the query are in the refusal of a sink that cannot take it. */
  async #plan(sql: string): Promise<Planned> {
    const wide = Array.from({ length: 40 }, (_, i) => `c${i} INT`).join(', ')
    for (const format of ['json', 'debezium-json']) {
      const refusal = await this.#planned(sql, wide, format).catch((error: Error) => error)
      if (!(refusal instanceof Error)) throw new Error('a sink of 40 columns takes every query')
      if (/doesn't support consuming update/.test(refusal.message)) continue
      const schema = /\nQuery schema: (.*)\nSink schema: /s.exec(refusal.message)?.[1]
      if (schema === undefined) throw refusal
      const types = [...schema.matchAll(TYPE)].map(([, type]) => type!)
      const columns = types.map((type, i) => `c${i} ${type}`).join(', ')
      return { plan: await this.#planned(sql, columns, format), format, types }
    }
    throw new Error('no format takes the result')
  }

  #planned(sql: string, sinkSchema: string, format: string): Promise<JobPlan> {
    const table = (name: string, schemaSql: string, valueFormat: string): PlannedTable => ({
      ...{ id: name, name, schemaSql, valueFormat, connectorKind: 'topic', identity: name },
    })
    const tables = Object.entries(this.#streams).map(([name, { columns }]) => table(name, columns, 'json'))
    return this.#planner.plan(`INSERT INTO sink ${sql}`, [...tables, table('sink', sinkSchema, format)])
  }

  async #rows(plan: JobPlan, format: string): Promise<unknown[][]> {
    const worker = this.#worker
    const jid = (++this.#jobs).toString(16).padStart(32, '0')
    const out = `out-${this.#jobs}`
    await worker.store.create(out)
    const insert = plan.inserts[0]!
    const suffix = insert.way === 'window' ? '-closed' : ''
    const tables: ConnectedTable[] = plan.sources.map(({ tableId, decoded }) =>
      streamTable(tableId, decoded, { topic: tableId + suffix }),
    )
    const sources = tables.map((one, i) => ({
      ...one,
      stream: { ...one.stream!, stream: (plan.sources[i]!.tableId + suffix) as never },
    }))
    const sink = streamTable(out, insert.sink.columns, { valueFormat: format as 'json' })
    const first = worker.reports.length
    await worker.start(jobStart(worker, plan, [...sources, { ...sink, id: 'sink', name: 'sink' }], { jid }))
    await worker.until(() => {
      for (const report of worker.reports.slice(first)) {
        if (report.kind === 'failed') throw new Error(report.failure.message)
        if (report.kind === 'finished') return true
        if (report.kind !== 'progress') continue
        const { sources: read } = report.figures
        if (read.length === 0) continue
        const wanted = plan.sources.map(
          ({ tableId }) => this.#streams[tableId]!.rows.length + (suffix === '' ? 0 : 1),
        )
        if (wanted.every((count, i) => read[i]?.recordsIn === count)) return true
      }
      return undefined
    }, 10_000)
    const bodies = await worker.store.bodies(out)
    await worker.cancel(jid)
    return format === 'json' ? bodies.map((body) => valuesOf(body, insert.sink.columns)) : finalRows(bodies)
  }
}

function bodyOf({ columns }: Stream, fields: readonly string[]): string {
  const names = [
    ...columns.matchAll(/(?:`([^`]+)`|(\w+)) (?:STRING|INT|DOUBLE|DECIMAL\(10, 2\)|TIMESTAMP\(3\))(?:,|$)/g),
  ]
  const members = names.map(([, quoted, plain], i) => [
    (quoted ?? plain)!,
    fields[i] === 'NULL' ? null : fields[i],
  ])
  return JSON.stringify(Object.fromEntries(members))
}

function valuesOf(
  body: string,
  columns: readonly { readonly name: string; readonly type: DataType }[],
): unknown[] {
  const row = JSON.parse(body.replace(LONG_NUMBER, '$1"$2"')) as Record<string, unknown>
  return columns.map(({ name }) => row[name] ?? null)
}

/** What the changes of debezium-json leave. */
function finalRows(bodies: readonly string[]): unknown[][] {
  const rows: string[] = []
  for (const body of bodies) {
    const { before, after } = JSON.parse(body.replace(LONG_NUMBER, '$1"$2"')) as {
      readonly before: object | null
      readonly after: object | null
    }
    if (before !== null) {
      const at = rows.indexOf(JSON.stringify(before))
      if (at === -1) throw new Error(`a change of a row that does not exist: ${body}`)
      rows.splice(at, 1)
    }
    if (after !== null) rows.push(JSON.stringify(after))
  }
  return rows.map((row) => Object.values(JSON.parse(row) as object))
}

/** The name of a type as record.ts writes it. */
function corpusType(type: string): string {
  const [kind] = type.split('(')
  switch (kind) {
    case 'INT':
      return 'INTEGER'
    case 'STRING':
    case 'VARCHAR':
      return 'VARCHAR'
    case 'BYTES':
      return 'VARBINARY'
    case 'CHAR':
    case 'TIME':
      return kind
    default:
      return type
  }
}
