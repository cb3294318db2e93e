/**
 * The vendor's tutorial of four jobs, typed into `avn` against the built service and a PostgreSQL server. The
 * service is killed three times while the jobs read the events.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { proven } from '../support/proven.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { AVN_VERSIONS, type Avn, type AvnVersion, avn, avnFiles, tableArguments } from './avn-client.ts'
import { tellSkipped } from './client-run.ts'
import { AGG_ROWS, EVENTS, IN, JOBS, SET_UP, TABLES, type TutorialJob } from './tutorial.ts'

const ROWS_WITHIN_MS = 180_000
/** How often the service is killed while it reads the events. */
const KILLS = 3

let postgres: TestPostgres | undefined

beforeAll(async () => {
  if (NO_POSTGRES === undefined) postgres = await TestPostgres.start()
})
afterAll(() => postgres?.remove())

test.for(AVN_VERSIONS)('the tutorial by avn %s', async (version, { skip }) => {
  const client = `tutorial by avn ${version}`
  const fetched = avnFiles(version)
  const problem = 'missing' in fetched ? fetched.missing : NO_POSTGRES
  if (problem !== undefined || 'missing' in fetched) {
    tellSkipped(client, problem!)
    return skip(problem)
  }
  await postgres!.sql('DROP TABLE IF EXISTS cpu_thresholds, cpu_load_stats_agg_pg, millrace_positions')
  for (const statement of SET_UP) await postgres!.sql(statement)
  const folder = await temporaryFolder()
  let service = await startedService(folder)
  await put(`${service.base}/v3/namespaces/demo_flink`)
  const program = () => avn({ folder: fetched.folder, base: service.base, token: 'T', settings: folder })
  const tables = await createdTables(program(), version)
  const jobs = await createdJobs(program(), tables)
  await expect.poll(() => states(program()), { timeout: ROWS_WITHIN_MS }).toEqual(JOBS.map(() => 'RUNNING'))

  for (const [index, event] of EVENTS.entries()) {
    await send(service, event)
    if (index % 4 !== 1 || index >= 4 * KILLS) continue
    await sleep(50 * index)
    await service.kill()
    service = await startedService(folder)
  }
  for (const job of JOBS) await expectRows(service, job)

  const used = await program().service('flink', 'table', 'delete', 'demo-flink', tables.get('CPU_IN')!)
  expect(used.code).not.toBe(0)
  expect(used.stdout + used.stderr).toContain('Table CPU_IN is used by job')
  for (const jid of jobs)
    expect(await program().service('flink', 'job', 'cancel', 'demo-flink', jid)).toMatchObject({ code: 0 })
  await expect.poll(() => states(program()), { timeout: ROWS_WITHIN_MS }).toEqual(JOBS.map(() => 'CANCELED'))
  for (const job of JOBS) await expectRows(service, job)
  tellProof(`clients ${client}`, { jobs: JOBS.length, 'service killed': KILLS })
})

async function states(program: Avn): Promise<unknown[]> {
  return (await program.json('flink', 'job', 'list', 'demo-flink')).map(({ status }) => status)
}

async function send({ base }: ServiceProcess, event: string): Promise<void> {
  const headers = { 'Content-Type': 'text/plain' }
  const stream = `${base}/v3/namespaces/demo_flink/streams/${IN}`
  const { status } = await fetch(`${stream}/batch`, { method: 'POST', headers, body: event })
  expect(status).toBe(200)
}

async function expectRows({ base }: ServiceProcess, job: TutorialJob): Promise<void> {
  const stream = `${base}/v3/namespaces/demo_flink/streams/${job.topic}`
  const rows = () => (job.topic === undefined ? postgres!.sql(AGG_ROWS) : eventsOf(stream))
  const shown = async () => (job.isOrdered ? await rows() : sorted(await rows()))
  const wanted = job.isOrdered ? job.rows : sorted(job.rows)
  await proven(() => expect.poll(shown, { timeout: ROWS_WITHIN_MS, message: job.name }).toEqual(wanted))
}

async function startedService(folder: string): Promise<ServiceProcess> {
  const sources = join(folder, 'sources.json')
  const database = { kind: 'postgres', connection_uri: postgres!.uri() }
  const text = JSON.stringify({ 'demo-kafka': { kind: 'stream' }, 'demo-postgresql': database })
  await writeFile(sources, text, { mode: 0o600 })
  return startServiceProcess(join(folder, 'data'), { args: ['--sources', sources], hasChildren: true })
}

async function put(url: string): Promise<void> {
  expect((await fetch(url, { method: 'PUT' })).status).toBe(200)
}

/** Name of a table -> its id. */
async function createdTables(
  { service, json }: Avn,
  version: AvnVersion,
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
  for (const table of TABLES) {
    const integration = integrations.get('table' in table.place ? 'demo-postgresql' : 'demo-kafka')!
    const args = tableArguments(version, { ...table, integration })
    const [created] = await json('flink', 'table', 'create', 'demo-flink', ...args)
    ids.set(table.name, String(created!.table_id))
  }
  return ids
}

/** Ids of the jobs, which are created before their input exists. */
async function createdJobs({ json }: Avn, tables: ReadonlyMap<string, string>): Promise<string[]> {
  const ids: string[] = []
  for (const { name, statement, tables: used } of JOBS) {
    const tableIds = used.map((table) => tables.get(table)!)
    const args = [name, '--table-ids', ...tableIds, '--statement', statement]
    const [created] = await json('flink', 'job', 'create', 'demo-flink', ...args)
    ids.push(String(created!.job_id))
  }
  return ids
}

async function eventsOf(stream: string): Promise<object[]> {
  const answer = await fetch(`${stream}/events?encoding=utf8`)
  if (answer.status !== 200) return []
  return ((await answer.json()) as { body: string }[]).map(({ body }) => JSON.parse(body))
}

const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort()
