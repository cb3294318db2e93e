/** The built planner process: hostile statements are refused, the next call works, and nothing of it is left behind. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type {
  PlannerClient as Client,
  PlannerClientOptions,
} from '../../../src/jobs/embedded/planner-client.ts'
import type { PlannedTable } from '../../../src/jobs/plan/job-plan.ts'
import { PROJECT_FOLDER } from '../../support/service-process.ts'
import { POLL } from '../../support/speeds.ts'

const onLinux = process.platform === 'linux'
const TABLES: readonly PlannedTable[] = [
  {
    id: '1',
    name: 't',
    schemaSql: 'a INT, b STRING',
    connectorKind: 'topic',
    valueFormat: 'json',
    identity: 'streams/topic/t',
  },
  {
    id: '2',
    name: 'o',
    schemaSql: 'a INT, b STRING',
    connectorKind: 'topic',
    valueFormat: 'json',
    identity: 'streams/topic/o',
  },
]
const GOOD = 'INSERT INTO o SELECT a, b FROM t'

async function openClient(options: Partial<PlannerClientOptions> = {}): Promise<Client> {
  const built = join(PROJECT_FOLDER, 'dist/src/jobs/embedded/planner-client.js')
  const { PlannerClient } = (await import(built)) as { PlannerClient: typeof Client }
  const client = new PlannerClient({ report: () => {}, ...options })
  onTestFinished(() => client.close())
  return client
}

/** `SqlProblem: …` */
async function refusal(client: Client, statement: string): Promise<string> {
  return client.plan(statement, TABLES).then(
    () => 'plan',
    (error: Error) => `${error.name}: ${error.message}`,
  )
}

function plannerPids(): readonly number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
  return children
    .map(Number)
    .filter((pid) => pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('planner-process.js'))
}

test('a plan, and a problem with its place', async () => {
  const client = await openClient()
  const plan = await client.plan(GOOD, TABLES)
  expect(plan.inserts.map(({ way }) => way)).toEqual(['arrival'])
  await expect(client.plan('INSERT INTO o\n SELECT c FROM t', TABLES)).rejects.toMatchObject({
    name: 'SqlProblem',
    reason: "column 'c' does not exist; the columns are a, b",
    place: { line: 2, column: 9, endLine: 2, endColumn: 9 },
  })
  await expect(client.plan('INSERT INTO u SELECT a FROM t', TABLES, ['u'])).rejects.toThrow(
    'table u is not in table_ids',
  )
})

const HOSTILE: Readonly<Record<string, string>> = {
  plus: `INSERT INTO o SELECT ${'a+'.repeat(60_000)}a, b FROM t`,
  minus: `INSERT INTO o SELECT ${'- '.repeat(60_000)}a, b FROM t`,
  not: `INSERT INTO o SELECT a, b FROM t WHERE ${'NOT '.repeat(30_000)}TRUE`,
  cases: `INSERT INTO o SELECT ${'CASE WHEN a=1 THEN '.repeat(5_000)}1${' END'.repeat(5_000)}, b FROM t`,
  joins: `INSERT INTO o SELECT a, b FROM t${', t'.repeat(30_000)}`,
  concat: `INSERT INTO o SELECT a, ${'b||'.repeat(30_000)}b FROM t`,
  columns: `INSERT INTO o SELECT ${'a,'.repeat(20_000)}a FROM t`,
}

test('hostile statements', async () => {
  const client = await openClient()
  for (const [name, statement] of Object.entries(HOSTILE)) {
    expect(await refusal(client, statement), name).toMatch(/^SqlProblem: /)
    expect(await refusal(client, GOOD), `after ${name}`).toBe('plan')
  }
})

test.runIf(onLinux)(
  'a statement whose process ends is refused, and the next one has another process',
  async () => {
    const client = await openClient()
    await client.plan(GOOD, TABLES)
    const [pid] = plannerPids()
    const long = refusal(client, `INSERT INTO o VALUES ${"(1, 'x'), ".repeat(10_000)}(1, 'x')`)
    const waiting = refusal(client, GOOD)
    setTimeout(() => process.kill(pid!, 'SIGKILL'), 20)
    expect(await long).toBe('SqlProblem: the statement ends the process that checks it; make it simpler')
    expect(await waiting).toBe('plan')
    expect(plannerPids()).not.toContain(pid)
  },
)

test.runIf(onLinux)('a call has a limit of processor time', async () => {
  const client = await openClient({ callCpuMs: -1 })
  const long = `INSERT INTO o SELECT a, b FROM t${' UNION ALL SELECT a, b FROM t'.repeat(4_000)}`
  expect(await refusal(client, long)).toBe(
    'SqlProblem: the statement takes too long to check; make it simpler',
  )
})

test.runIf(onLinux)('the process ends when it is idle, and when the client is closed', async () => {
  const client = await openClient({ idleMs: 50 })
  await client.plan(GOOD, TABLES)
  expect(plannerPids()).toHaveLength(1)
  await expect.poll(plannerPids, POLL).toEqual([])
  await client.plan(GOOD, TABLES)
  await client.close()
  expect(plannerPids()).toEqual([])
  expect(await refusal(client, GOOD)).toBe('ServiceError: the service stops; try again later')
})
