/** Deployments on the real engine, through the whole application: what becomes of the state of a job, and of the job itself. */
import { expect, onTestFinished, test } from 'vitest'
import { createTable } from '../support/aiven.ts'
import { type DeploymentsApp, deploymentsApp } from '../support/deployments.ts'
import { tellProof } from '../support/effort.ts'
import { STREAMS } from '../support/test-app.ts'

const SOON = { timeout: 120_000, interval: 50 }
const COUNTS = (where = '') =>
  `INSERT INTO counts SELECT window_end, k, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(seen), INTERVAL '1' HOUR)) ${where} GROUP BY window_start, window_end, k`

/** The clock of the service is that of the machine. */
async function clicksApp(): Promise<DeploymentsApp> {
  const app = await deploymentsApp({ nowMs: Date.now(), onDisk: true })
  const clock = setInterval(() => {
    app.nowMs = Date.now()
  }, 10)
  onTestFinished(() => clearInterval(clock))
  const time = 'seen TIMESTAMP(3), WATERMARK FOR seen AS seen'
  for (const name of ['clicks', 'counts']) await app.put(`${STREAMS}/${name}`)
  await createTable(app, { name: 'clicks', schema_sql: `k STRING, ${time}` })
  await createTable(app, { name: 'counts', schema_sql: 'window_end TIMESTAMP(3), k STRING, n BIGINT' })
  return app
}

async function click(app: DeploymentsApp, time: string, ...keys: string[]): Promise<void> {
  for (const k of keys) {
    const body = JSON.stringify({ k, seen: `2026-01-01 ${time}` })
    const { status } = await app.post(`${STREAMS}/clicks`, { body })
    expect(status).toBe(200)
  }
}

/** `10:00:00 a 3` for a window that ended at 10 with three clicks of a. */
async function counts(app: DeploymentsApp): Promise<string[]> {
  const rows = (await app.events('counts')).map(({ body }) => JSON.parse(body))
  return rows.map(({ window_end, k, n }) => `${window_end.slice(11, 19)} ${k} ${n}`)
}

interface Given {
  readonly state?: string
  readonly script?: string
  readonly more?: object
}

function create(app: DeploymentsApp, { state = 'RUNNING', script = COUNTS(), more = {} }: Given = {}) {
  const template = { spec: { artifact: { kind: 'SQLSCRIPT', sqlScript: script } } }
  return app.ok('POST', 'deployments', { metadata: { name: 'counts' }, spec: { state, template, ...more } })
}

const scriptPatch = (sqlScript: string) => ({ template: { spec: { artifact: { sqlScript } } } })

async function reaches(app: DeploymentsApp, id: string, state: string): Promise<void> {
  await expect.poll(async () => (await app.ok('GET', `deployments/${id}`)).status.state, SOON).toBe(state)
}

async function patch(app: DeploymentsApp, id: string, spec: object, state: string): Promise<void> {
  const answer = await app.ok('PATCH', `deployments/${id}`, { spec })
  expect([state, 'TRANSITIONING']).toContain(answer.status.state)
  await reaches(app, id, state)
}

/** The job has read as many clicks. */
async function hasRead(app: DeploymentsApp, id: string, clicks: number): Promise<void> {
  await expect.poll(() => recordsIn(app, id), SOON).toBe(clicks)
}

async function recordsIn(app: DeploymentsApp, id: string): Promise<number> {
  const { items } = await app.ok('GET', `jobs?deploymentId=${id}`)
  const { started } = items.at(-1).status
  if (started === undefined) return -1
  const job = await app.get(`/jobs/${started.flinkJobId}`)
  return (job.json() as { vertices: { metrics: Record<string, number> }[] }).vertices[0]!.metrics[
    'write-records'
  ]!
}

const eventNames = async (app: DeploymentsApp, id: string): Promise<string[]> =>
  (await app.ok('GET', `events?deploymentId=${id}`)).items.map(
    ({ metadata }: { metadata: { name: string } }) => metadata.name,
  )

test('RUNNING soon after a POST; SUSPENDED and RUNNING again keep counts, also over restarts of the service', {
  timeout: 300_000,
}, async () => {
  const app = await clicksApp()
  const beganMs = performance.now()
  const { metadata } = await create(app)
  const { id } = metadata
  await reaches(app, id, 'RUNNING')
  const startMs = performance.now() - beganMs
  await click(app, '00:10:00', 'a', 'a', 'b')
  await hasRead(app, id, 3)
  const suspendMs = performance.now()
  await patch(app, id, { state: 'SUSPENDED' }, 'SUSPENDED')
  tellProof('deployments, times in ms', {
    'RUNNING after POST': Math.round(startMs),
    'SUSPENDED after PATCH': Math.round(performance.now() - suspendMs),
  })
  await app.restart()
  await click(app, '00:20:00', 'a')
  await patch(app, id, { state: 'RUNNING' }, 'RUNNING')
  await app.restart()
  await reaches(app, id, 'RUNNING')
  await click(app, '02:00:00', 'a')
  await expect.poll(() => counts(app), SOON).toEqual(['01:00:00 a 3', '01:00:00 b 1'])
  const { items } = await app.ok('GET', `savepoints?deploymentId=${id}`)
  expect(items.map((one: { metadata: { origin: string } }) => one.metadata.origin)).toEqual(['SUSPEND'])
  expect(app.reported).toEqual([])
})

test.each([
  { kind: 'NONE', ends: ['01:00:00 a 1'] },
  { kind: 'LATEST_STATE', ends: ['01:00:00 a 3', '01:00:00 b 1'] },
])('CANCELLED, then RUNNING with restore strategy $kind', { timeout: 300_000 }, async ({ kind, ends }) => {
  const app = await clicksApp()
  const { metadata } = await create(app)
  const { id } = metadata
  await reaches(app, id, 'RUNNING')
  await click(app, '00:10:00', 'a', 'a', 'b')
  await hasRead(app, id, 3)
  await patch(app, id, { state: 'CANCELLED' }, 'CANCELLED')
  if (kind === 'NONE') {
    // Empty state reads the stream from its beginning: only what is there then counts.
    const truncated = await app.post(`${STREAMS}/clicks/truncate`)
    expect(truncated.status).toBe(200)
  }
  await patch(app, id, { state: 'RUNNING', restoreStrategy: { kind } }, 'RUNNING')
  await click(app, '00:20:00', 'a')
  await click(app, '02:00:00', 'a')
  await expect.poll(() => counts(app), SOON).toEqual(ends)
  expect(app.reported).toEqual([])
})

test('a STATEFUL upgrade with another WHERE keeps counts; one that does not fit is refused and changes nothing', {
  timeout: 300_000,
}, async () => {
  const app = await clicksApp()
  const { metadata } = await create(app)
  const { id } = metadata
  await reaches(app, id, 'RUNNING')
  await click(app, '00:10:00', 'a', 'a', 'b', 'c')
  await hasRead(app, id, 4)
  const before = await app.ok('GET', `deployments/${id}`)
  const events = await eventNames(app, id)
  const other = `INSERT INTO counts SELECT window_end, k, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(seen), INTERVAL '2' HOURS)) GROUP BY window_start, window_end, k`
  const refused = await app.call('PATCH', `deployments/${id}`, { spec: scriptPatch(other) })
  expect([refused.status, refused.body.reason]).toEqual([409, 'StateNotRestorable'])
  expect(await app.ok('GET', `deployments/${id}`)).toEqual(before)
  expect(await eventNames(app, id)).toEqual(events)
  await patch(app, id, scriptPatch(COUNTS("WHERE k <> 'b'")), 'RUNNING')
  await click(app, '00:20:00', 'a')
  await click(app, '02:00:00', 'a')
  await expect.poll(() => counts(app), SOON).toEqual(['01:00:00 a 3', '01:00:00 c 1'])
  expect((await eventNames(app, id)).slice(events.length)).toEqual([
    'STATE_TRANSITION_IS_NEEDED',
    'USING_AN_UPGRADE_STRATEGY',
    'NEED_TO_TRIGGER_A_SAVEPOINT',
    'SUCCESSFULLY_TRIGGERED_A_SAVEPOINT',
    'TRANSITIONED_TO_COMPLETED',
    'CREATING_A_NEW_JOB',
    'AWAITING_A_JOB_TO_START',
    'JOB_SUCCESSFULLY_STARTED',
    'STATE_TRANSITION_IS_COMPLETED',
  ])
  expect(app.reported).toEqual([])
})

test('a job that fails for good is tried again, and then the deployment is FAILED', {
  timeout: 300_000,
}, async () => {
  const app = await clicksApp()
  await createTable(app, { name: 'numbers', schema_sql: 'n INT' })
  await app.put(`${STREAMS}/numbers`)
  const script = 'INSERT INTO numbers SELECT CAST(k AS INT) FROM clicks'
  const { metadata } = await create(app, { script, more: { maxJobCreationAttempts: 2 } })
  const { id } = metadata
  await reaches(app, id, 'RUNNING')
  await click(app, '00:10:00', '1', '2')
  await expect.poll(async () => (await app.events('numbers')).length, SOON).toBe(2)
  await click(app, '00:10:00', 'three')
  await reaches(app, id, 'FAILED')
  const { items } = await app.ok('GET', `jobs?deploymentId=${id}`)
  expect(items.map((job: { status: { state: string } }) => job.status.state)).toEqual(['FAILED', 'FAILED'])
  expect(items[1].status.failure).toMatchObject({ reason: 'JobFailed' })
  expect((await app.events('numbers')).length).toBe(2)
  expect(await eventNames(app, id)).toContain('TOO_MANY_FAILED_JOB_CREATION_ATTEMPTS')
})

test('a deployment whose input ends is FINISHED, and runs again with another spec', {
  timeout: 300_000,
}, async () => {
  const app = await clicksApp()
  await createTable(app, { name: 'numbers', schema_sql: 'n INT' })
  await app.put(`${STREAMS}/numbers`)
  const script = (rows: number) =>
    `CREATE TEMPORARY TABLE source (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '${rows}');
     INSERT INTO numbers SELECT n FROM source`
  const { metadata } = await create(app, { script: script(5) })
  const { id } = metadata
  await reaches(app, id, 'FINISHED')
  expect((await app.events('numbers')).length).toBe(5)
  const same = await app.ok('PATCH', `deployments/${id}`, { spec: { state: 'RUNNING' } })
  expect(same.status.state).toBe('FINISHED')
  await app.ok('PATCH', `deployments/${id}`, { spec: scriptPatch(script(7)) })
  await expect.poll(async () => (await app.events('numbers')).length, SOON).toBe(12)
  await reaches(app, id, 'FINISHED')
})

test('a savepoint that a client asks for; one that is needed is not taken twice', {
  timeout: 300_000,
}, async () => {
  const app = await clicksApp()
  const { metadata } = await create(app, { state: 'CANCELLED' })
  const { id } = metadata
  const asked = { metadata: { deploymentId: id } }
  const none = await app.call('POST', 'savepoints', asked)
  expect([none.status, none.body.reason]).toEqual([409, 'NoRunningJob'])
  await patch(app, id, { state: 'RUNNING' }, 'RUNNING')
  await click(app, '00:10:00', 'a', 'a')
  await hasRead(app, id, 2)
  const taken = await app.ok('POST', 'savepoints', asked)
  expect(taken.status).toEqual({ state: 'STARTED' })
  const savepoint = () => app.ok('GET', `savepoints/${taken.metadata.id}`)
  await expect.poll(async () => (await savepoint()).status.state, SOON).toBe('COMPLETED')
  expect((await savepoint()).spec.savepointLocation).toMatch(/^file:\/\//)
  await patch(app, id, { state: 'CANCELLED' }, 'CANCELLED')
  await patch(app, id, { state: 'RUNNING', restoreStrategy: { kind: 'LATEST_SAVEPOINT' } }, 'RUNNING')
  await click(app, '02:00:00', 'b')
  await expect.poll(() => counts(app), SOON).toEqual(['01:00:00 a 2'])
})
