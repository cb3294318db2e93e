/**
 * The vendor's tutorial, typed into `avn` against the built service. The jobs over streams need nothing else; the two that use
 * PostgreSQL run if TUTORIAL_POSTGRES is the URI of an empty database.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { AVN_VERSIONS, type Avn, type AvnVersion, avn, avnFiles, tableArguments } from './avn-client.ts'
import { tellSkipped } from './client-run.ts'
import {
  AGG_ROWS,
  EVENTS,
  IN,
  JOBS,
  SET_UP,
  TABLES,
  type TutorialJob,
  type TutorialTable,
} from './tutorial.ts'

const DATABASE = process.env.TUTORIAL_POSTGRES
const ROWS_WITHIN_MS = 60_000

const needsDatabase = ({ place }: TutorialTable) => 'table' in place
const jobNeedsDatabase = ({ tables }: TutorialJob) =>
  TABLES.some((table) => needsDatabase(table) && tables.includes(table.name))

test.for(AVN_VERSIONS)('the tutorial by avn %s', async (version, { skip }) => {
  const client = `tutorial by avn ${version}`
  const fetched = avnFiles(version)
  if ('missing' in fetched) {
    tellSkipped(client, fetched.missing)
    return skip(fetched.missing)
  }
  const database = DATABASE === undefined ? undefined : await preparedDatabase(DATABASE)
  const jobs = JOBS.filter((job) => database !== undefined || !jobNeedsDatabase(job))
  const folder = await temporaryFolder()
  const base = await startedService(folder)
  const program = avn({ folder: fetched.folder, base, token: 'T', settings: folder })
  const tables = await createdTables(program, version, database !== undefined)
  for (const { name, statement, tables: used } of jobs) {
    const ids = used.map((table) => tables.get(table)!)
    await program.json(
      'flink',
      'job',
      'create',
      'demo-flink',
      name,
      '--table-ids',
      ...ids,
      '--statement',
      statement,
    )
  }
  const states = async () =>
    (await program.json('flink', 'job', 'list', 'demo-flink')).map(({ status }) => status)
  await expect.poll(states, { timeout: ROWS_WITHIN_MS }).toEqual(jobs.map(() => 'RUNNING'))

  const streams = `${base}/v3/namespaces/demo_flink/streams`
  const headers = { 'Content-Type': 'text/plain' }
  const sent = await fetch(`${streams}/${IN}/batch`, { method: 'POST', headers, body: EVENTS.join('\n') })
  expect(sent.status).toBe(200)

  for (const job of jobs) {
    const rows =
      job.topic === undefined
        ? async () => (await database!.query(AGG_ROWS)).rows
        : () => eventsOf(`${streams}/${job.topic}`)
    const shown = async () => (job.isOrdered ? await rows() : sorted(await rows()))
    await expect
      .poll(shown, { timeout: ROWS_WITHIN_MS, message: job.name })
      .toEqual(job.isOrdered ? job.rows : sorted(job.rows))
  }
  const reason = database === undefined ? { 'without PostgreSQL': JOBS.length - jobs.length } : {}
  tellProof(`clients ${client}`, { jobs: jobs.length, ...reason })
})

async function startedService(folder: string): Promise<string> {
  const sources = join(folder, 'sources.json')
  const postgres = { kind: 'postgres', connection_uri: DATABASE ?? 'postgres://127.0.0.1:1/none' }
  const text = JSON.stringify({ 'demo-kafka': { kind: 'stream' }, 'demo-postgresql': postgres })
  await writeFile(sources, text, { mode: 0o600 })
  const args = ['--sources', sources]
  const { base } = await startServiceProcess(join(folder, 'data'), { args, hasChildren: true })
  // A job creates the streams that it writes, not those that it reads.
  for (const path of ['', `/streams/${IN}`])
    await fetch(`${base}/v3/namespaces/demo_flink${path}`, { method: 'PUT' })
  return base
}

/** Name of a table -> its id. */
async function createdTables(
  { service, json }: Avn,
  version: AvnVersion,
  hasDatabase: boolean,
): Promise<ReadonlyMap<string, string>> {
  for (const source of ['demo-kafka', 'demo-postgresql']) {
    const args = ['integration-create', '--integration-type', 'flink', '-s', source, '-d', 'demo-flink']
    expect(await service(...args)).toMatchObject({ code: 0 })
  }
  const integrations = new Map(
    (await json('integration-list', 'demo-flink')).map((one) => [
      one.source_service,
      String(one.service_integration_id),
    ]),
  )
  const ids = new Map<string, string>()
  for (const table of TABLES.filter((one) => hasDatabase || !needsDatabase(one))) {
    const integration = integrations.get(needsDatabase(table) ? 'demo-postgresql' : 'demo-kafka')!
    const args = tableArguments(version, { ...table, integration })
    const [created] = await json('flink', 'table', 'create', 'demo-flink', ...args)
    ids.set(table.name, String(created!.table_id))
  }
  return ids
}

async function eventsOf(stream: string): Promise<object[]> {
  const answer = await fetch(`${stream}/events?encoding=utf8`)
  if (answer.status !== 200) return []
  return ((await answer.json()) as { body: string }[]).map(({ body }) => JSON.parse(body))
}

const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort()

async function preparedDatabase(uri: string): Promise<Client> {
  const database = new Client({ connectionString: uri })
  await database.connect()
  onTestFinished(() => database.end())
  await database.query('DROP TABLE IF EXISTS cpu_thresholds, cpu_load_stats_agg_pg')
  for (const statement of SET_UP) await database.query(statement)
  return database
}
