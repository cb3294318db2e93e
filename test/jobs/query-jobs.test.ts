/** The model's part of jobs of cached queries: records, slots, definitions, restarts, who sees them, and their end. */
import { describe, expect, test } from 'vitest'
import type { JobState } from '../../src/jobs/job.ts'
import type { NewQueryJob, QueryJobDefinition, QueryJobSource } from '../../src/jobs/query-job.ts'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../src/streams/names.ts'
import { client, jobsSetup, settled } from '../support/jobs.ts'
import { BY_REGION, queryPlan, queryTables } from '../support/query-jobs.ts'

const JID = 'c'.repeat(32)
const RESULT = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('result') }
const DEFINITION: QueryJobDefinition = {
  plan: queryPlan(BY_REGION),
  tables: queryTables(BY_REGION.columns),
  source: { environment: 'env1', database: 'shop', query: 'q2', version: 'millrace-0.0.0' },
  key: BY_REGION.key,
  keyIsRow: false,
  visibleColumns: 4,
}
const QUERY: NewQueryJob = {
  namespace: DEFAULT_NAMESPACE,
  name: 'env1-q2',
  statement: 'SELECT region FROM customers',
  plan: { vertices: [{ name: 'Source: orders', kind: 'source', index: 0, inputs: [] }] },
  jid: JID,
}

/** The module that owns the queries: one query for each job. */
function querySource() {
  const states: [string, JobState][] = []
  const source: QueryJobSource & { known: Set<string>; readonly states: typeof states } = {
    states,
    known: new Set([JID]),
    definition: async (jid) => (source.known.has(jid) ? DEFINITION : undefined),
    boundary: async () => undefined,
    publish() {},
    stateChanged: (jid, state) => states.push([jid, state]),
  }
  return source
}

async function setupWithQueries(options: Parameters<typeof jobsSetup>[0] = {}) {
  const setup = await jobsSetup(options)
  const queries = querySource()
  setup.jobs.querySource = queries
  return { setup, queries }
}

describe('createQuery', () => {
  test('records the job, and runs it with its definition', async () => {
    const { setup, queries } = await setupWithQueries()
    const view = await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    expect(view).toMatchObject({ jid: JID, name: 'env1-q2', isQuery: true, tableIds: [], state: 'CREATED' })
    expect(setup.state(JID)).toBe('RUNNING')
    expect(await setup.document(JID)).toMatchObject({
      ...{ isQuery: true, reads: [], writes: [], statement: QUERY.statement, vertices: QUERY.plan.vertices },
    })
    const { run } = setup.engine.submitted[0]!
    expect(run).toMatchObject({ jid: JID, tables: [], connected: DEFINITION.tables, query: DEFINITION })
    expect(queries.states).toEqual([
      [JID, 'CREATED'],
      [JID, 'RUNNING'],
    ])
  })

  test('creates the stream of the result, and no other', async () => {
    const { setup } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    const orders = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('orders') }
    expect([setup.streams.has(RESULT), setup.streams.has(orders)]).toEqual([true, false])
  })

  test('refuses an id that is in use', async () => {
    const { setup } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await expect(setup.jobs.createQuery(QUERY, undefined)).rejects.toMatchObject({ code: 'job_exists' })
  })

  test('needs no grants: its streams are those of its environment', async () => {
    const tokens = new Map([['a', client('a', 'default:*:jobs')]])
    const { setup } = await setupWithQueries({ tokens })
    await setup.jobs.createQuery(QUERY, tokens.get('a'))
    await settled()
    tokens.delete('a')
    setup.jobs.pollGrants()
    await settled()
    expect([setup.state(JID), setup.jobs.refusal(JID, 'write', RESULT)]).toEqual(['RUNNING', undefined])
  })
})

describe('slots', () => {
  test('of queries and of other jobs are counted apart', async () => {
    const { setup, queries } = await setupWithQueries({ jobsMax: 1, queriesMax: 2 })
    await setup.create()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    expect(setup.jobs.slots()).toEqual({ total: 2, available: 0 })
    const other = 'd'.repeat(32)
    queries.known.add(other)
    await setup.jobs.createQuery({ ...QUERY, jid: other }, undefined)
    await settled()
    expect([setup.state(JID), setup.state(other)]).toEqual(['RUNNING', 'RUNNING'])
    const third = setup.jobs.createQuery({ ...QUERY, jid: 'e'.repeat(32) }, undefined)
    await expect(third).rejects.toMatchObject({ code: 'job_slots', message: 'all 2 job slots are in use' })
    await expect(setup.create()).rejects.toMatchObject({ message: 'all 1 job slots are in use' })
  })
})

describe('a restart of the service', () => {
  test('goes on with the job under its id', async () => {
    const { setup } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    await setup.restart({ start: false })
    const queries = querySource()
    setup.jobs.querySource = queries
    setup.jobs.start()
    await settled()
    expect([setup.state(JID), setup.engine.submitted.map(({ run }) => run.query)]).toEqual([
      'RUNNING',
      [DEFINITION],
    ])
    expect(setup.engine.removed).toEqual([])
  })

  test('without its query fails it', async () => {
    const { setup } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    await setup.restart({ start: false })
    const queries = querySource()
    queries.known.clear()
    setup.jobs.querySource = queries
    setup.jobs.start()
    await settled()
    expect(setup.state(JID)).toBe('FAILED')
    expect(setup.jobs.get(DEFAULT_NAMESPACE, JID).exceptions[0]!.message).toBe(
      'the query of this job does not exist any more',
    )
    expect(queries.states.at(-1)).toEqual([JID, 'FAILED'])
  })

  test('before the module of the queries is there starts it later', async () => {
    const { setup } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    await setup.restart()
    expect(setup.state(JID)).toBe('RESTARTING')
    setup.jobs.querySource = querySource()
    await setup.clock.pass(1_000)
    await settled()
    expect(setup.state(JID)).toBe('RUNNING')
  })
})

describe('the end', () => {
  test('with its query cancels the job, and its state is removed', async () => {
    const { setup, queries } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    await setup.jobs.endQuery(JID)
    await settled()
    expect([setup.state(JID), setup.engine.removed]).toEqual(['CANCELED', [JID]])
    expect(queries.states.at(-1)).toEqual([JID, 'CANCELED'])
    await setup.jobs.endQuery(JID) // no effect
  })

  test('of a query that was not created leaves nothing', async () => {
    const { setup } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    await setup.jobs.endQuery(JID, { removes: true })
    await settled()
    expect([setup.jobs.find(JID), await setup.document(JID)]).toEqual([undefined, undefined])
  })

  test('by a client of the jobs is reported to the owner of the query', async () => {
    const { setup, queries } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    await setup.jobs.cancel(DEFAULT_NAMESPACE, JID)
    await settled()
    expect(queries.states.slice(-2)).toEqual([
      [JID, 'CANCELLING'],
      [JID, 'CANCELED'],
    ])
  })

  test('of another job is none of a query', async () => {
    const { setup } = await setupWithQueries()
    const { jid } = await setup.create()
    await setup.jobs.endQuery(jid)
    expect(setup.state(jid)).toBe('RUNNING')
  })
})

describe('who sees it', () => {
  test('all jobs have it, the list of jobs with statements has not', async () => {
    const { setup } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    const { jid } = await setup.create()
    expect([...setup.jobs.all()].map((job) => job.jid)).toEqual([jid, JID])
    expect(setup.jobs.list(DEFAULT_NAMESPACE).map((job) => job.jid)).toEqual([jid])
  })

  test.each(['savepoint', 'stop'] as const)('a %s is refused', async (kind) => {
    const { setup } = await setupWithQueries()
    await setup.jobs.createQuery(QUERY, undefined)
    await settled()
    const request = {
      location: undefined,
      format: 'NATIVE',
      triggerId: undefined,
      drains: false,
      cancels: false,
    }
    const refused = setup.jobs[kind](DEFAULT_NAMESPACE, JID, request as never)
    await expect(refused).rejects.toMatchObject({
      code: 'unsupported',
      message: `job ${JID} keeps a cached query, which has no savepoints; delete the query to end the job`,
    })
  })
})
