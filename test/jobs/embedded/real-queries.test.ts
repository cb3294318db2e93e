/** Jobs of cached queries in a real worker with DuckDB: their requests to the service, a restart of it, and Flink's view of them. */
import { expect, onTestFinished, test } from 'vitest'
import { jobDetail } from '../../../src/jobs/job-detail.ts'
import { verticesOf } from '../../../src/jobs/plan/vertices.ts'
import type { QueryJobDefinition, QueryJobSource, ResultUpdate } from '../../../src/jobs/query-job.ts'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../../src/streams/names.ts'
import { embeddedJobs } from '../../support/embedded-jobs.ts'
import { BY_REGION, queryPlan, queryTables, rowsOf } from '../../support/query-jobs.ts'
import { POLL } from '../../support/speeds.ts'

const JID = 'c'.repeat(32)
const TABLES = ['orders', 'customers'] as const

function definition(): QueryJobDefinition {
  const plan = queryPlan(BY_REGION)
  const insert = plan.inserts[0]!
  const sources = new Set(plan.sources.map(({ relation }) => relation))
  return {
    plan: { ...plan, vertices: verticesOf(plan.sources, [{ insert, sources, lookups: [] }]) },
    tables: queryTables(BY_REGION.columns),
    source: { environment: 'env1', database: 'shop', query: 'q2', version: 'millrace-0.0.0' },
    key: BY_REGION.key,
    keyIsRow: false,
    visibleColumns: 4,
  }
}

async function queryJobs() {
  const updates: ResultUpdate[] = []
  let lsn = 0
  let boundary: Awaited<ReturnType<QueryJobSource['boundary']>>
  const queries: QueryJobSource = {
    definition: async () => definition(),
    boundary: async () => boundary,
    publish: (_, update) => updates.push(update),
    stateChanged() {},
  }
  const jobs = await embeddedJobs({ queries })
  const id = (name: string) => ({ namespace: DEFAULT_NAMESPACE, stream: parseStreamName(name) })
  for (const name of TABLES) await jobs.now().streams.create(id(name), {})
  const { plan } = definition()
  const name = 'env1-q2'
  await jobs
    .now()
    .jobs.createQuery(
      { namespace: DEFAULT_NAMESPACE, name, statement: 'SELECT …', plan, jid: JID },
      undefined,
    )
  onTestFinished(() => expect(jobs.reported).toEqual([]))
  return {
    jobs,
    updates,
    async commit(...changes: readonly [table: (typeof TABLES)[number], after: object][]) {
      const { streams, storage } = jobs.now()
      for (const [table, after] of changes) {
        const body = Buffer.from(JSON.stringify({ before: null, after, op: 'c' }))
        await streams.append(streams.get(id(table)), { headers: [], body })
      }
      const ends = await Promise.all(
        TABLES.map(async (tableId) => {
          const { log } = streams.get(id(tableId))
          return { tableId, log, nextSequence: (await storage.log.tail(log))?.nextSequence ?? 0 }
        }),
      )
      boundary = { moment: { lsn: String(++lsn), txId: 700 + lsn, timestampMs: lsn }, ends }
    },
  }
}

test('a result goes on after a restart of the service, and Flink shows the job as any other', async () => {
  const { jobs, updates, commit } = await queryJobs()
  await commit(
    ['customers', { id: 1, region: 'north' }],
    ['customers', { id: 2, region: 'south' }],
    ['orders', { id: 10, customer: 1, amount: '20.00' }],
  )
  await expect.poll(() => rowsOf(updates), POLL).toEqual(['"north" 1 "20.00" "20.00"'])
  const detail = () =>
    jobDetail(jobs.view(JID), Date.now()) as { vertices: { name: string; metrics: object }[] }
  await expect
    .poll(() => detail().vertices.map(({ name, metrics }) => ({ name, ...metrics })), POLL)
    .toMatchObject([
      { name: 'Source: orders', 'write-records': 1 },
      { name: 'Source: customers', 'write-records': 2 },
      { name: 'Refresh', 'read-records': 3, 'write-records': 1 },
      { name: 'Sink: result', 'read-records': 1 },
    ])
  expect(detail()).toMatchObject({
    state: 'RUNNING',
    name: 'env1-q2',
    millrace: { statement: 'SELECT …', tableIds: [] },
  })
  expect(jobs.now().jobs.checkpoints(DEFAULT_NAMESPACE, JID).counts.completed).toBeGreaterThan(0)

  updates.length = 0
  await jobs.restart()
  await expect.poll(() => updates[0], POLL).toMatchObject({ begins: true, moment: { lsn: '1', txId: 701 } })
  await commit(['orders', { id: 11, customer: 2, amount: '5.50' }])
  await expect
    .poll(() => rowsOf(updates), POLL)
    .toEqual(['"north" 1 "20.00" "20.00"', '"south" 1 "5.50" "5.50"'])

  await jobs.now().jobs.endQuery(JID)
  expect(jobs.view(JID).state).toBe('CANCELED')
})
