/**
 * Flink's REST API over a job that runs: its counts are those of its events, a savepoint is there when it is reported complete, and
 * a stop ends the job with one.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { createJob, createTable } from '../../support/aiven.ts'
import { POLL } from '../../support/speeds.ts'
import { STREAMS, type TestApp, testApp } from '../../support/test-app.ts'

const SLOW = { ...POLL, timeout: 180_000 }
/** All names that the contract of metrics gives a vertex and that a source has. */
const SOURCE_METRICS = [
  ...['numRecordsIn', 'numRecordsOut', 'numBytesIn', 'numBytesOut'],
  ...['numRecordsInPerSecond', 'numBytesOutPerSecond', 'currentInputWatermark', 'busyTimeMsPerSecond'],
  ...['idleTimeMsPerSecond', 'backPressuredTimeMsPerSecond', 'numLateRecordsDropped', 'numRecordsInErrors'],
  'pendingRecords',
]

async function read<T>(app: TestApp, path: string): Promise<T> {
  const answer = await app.get(path)
  if (answer.status !== 200) throw new Error(`GET ${path} answered ${answer.status}: ${answer.text}`)
  return answer.json() as T
}

async function operation(app: TestApp, path: string, body: object) {
  const answer = await app.post(path, { body: JSON.stringify(body) })
  expect(answer.status, answer.text).toBe(202)
  return (answer.json() as { 'request-id': string })['request-id']
}

test('figures, checkpoints, a savepoint and a stop of a running job', { timeout: 600_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-flink-jobs-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const app = await testApp({
    onDisk: true,
    streams: ['prices'],
    nowMs: Date.now(),
    config: { savepointRoots: [folder] },
  })
  await createTable(app, { name: 'Prices', schema_sql: 'item STRING, price INT' })
  await createTable(app, { name: 'High', schema_sql: 'item STRING, price INT' })
  const jid = await createJob(app, {
    statement: 'INSERT INTO High SELECT item, price FROM Prices WHERE price > 10',
  })
  const J = `/v1/jobs/${jid}`
  await expect
    .poll(async () => (await read<{ status: string }>(app, `${J}/status`)).status, SLOW)
    .toBe('RUNNING')
  for (let price = 1; price <= 20; price++)
    await app.post(`${STREAMS}/prices`, { body: JSON.stringify({ item: 'a', price }) })

  const { plan } = await read<{ plan: { nodes: { id: string }[] } }>(app, `${J}/plan`)
  const [source, query, sink] = plan.nodes.map(({ id }) => id)
  const recordsOf = async (vertex: string | undefined) => {
    const get = 'get=0.numRecordsIn,0.numRecordsOut'
    const metrics = await read<{ value: string }[]>(app, `${J}/vertices/${vertex}/metrics?${get}`)
    return metrics.map(({ value }) => Number(value))
  }
  await expect
    .poll(async () => [await recordsOf(source), await recordsOf(query), await recordsOf(sink)], SLOW)
    .toEqual([
      [20, 20],
      [20, 10],
      [10, 10],
    ])
  app.nowMs += 5_000
  await expect
    .poll(async () => {
      const names = await read<{ id: string }[]>(app, `${J}/vertices/${source}/metrics`)
      return SOURCE_METRICS.filter((name) => !names.some(({ id }) => id === `0.${name}`))
    }, SLOW)
    .toEqual([])

  const { taskmanagers } = await read<{ taskmanagers: { id: string }[] }>(app, '/taskmanagers')
  const [{ id: worker }] = taskmanagers as [{ id: string }]
  expect(worker).toMatch(/^jobs-[0-9a-f]{6}$/)
  const { subtasks } = await read<{ subtasks: object[] }>(app, `${J}/vertices/${query}`)
  expect(subtasks).toMatchObject([{ status: 'RUNNING', attempt: 0, 'taskmanager-id': worker }])
  const { metrics } = await read<{ metrics: Record<string, number> }>(app, `/taskmanagers/${worker}`)
  expect(metrics.heapUsed).toBeGreaterThan(1_000_000)
  const { threadInfos } = await read<{ threadInfos: object[] }>(app, `/taskmanagers/${worker}/thread-dump`)
  expect(threadInfos.length).toBeGreaterThan(0)
  expect((await app.get(`/taskmanagers/${worker}/log`)).status).toBe(200)

  const before = await read<{ counts: { completed: number }; history: { id: number }[] }>(
    app,
    `${J}/checkpoints`,
  )
  expect(before.counts.completed).toBeGreaterThan(0)
  const details = await read<{ tasks: object }>(app, `${J}/checkpoints/details/${before.history[0]!.id}`)
  expect(Object.keys(details.tasks)).toEqual([source, query, sink])

  const outside = await app.post(`${J}/savepoints`, { body: '{"target-directory":"/elsewhere"}' })
  expect([outside.status, outside.json()]).toEqual([400, { errors: [expect.stringContaining('/elsewhere')] }])

  const trigger = await operation(app, `${J}/savepoints`, { 'target-directory': folder })
  const done = async (id: string) =>
    read<{ status: { id: string }; operation?: { location?: string } }>(app, `${J}/savepoints/${id}`)
  await expect.poll(async () => (await done(trigger)).status.id, SLOW).toBe('COMPLETED')
  const location = (await done(trigger)).operation?.location ?? ''
  expect(location).toMatch(/^file:\/\/\//)
  expect(existsSync(join(fileURLToPath(location), '_metadata'))).toBe(true)
  const { latest } = await read<{ latest: { savepoint: object } }>(app, `${J}/checkpoints`)
  expect(latest.savepoint).toMatchObject({ is_savepoint: true, external_path: location, status: 'COMPLETED' })

  const stopped = await operation(app, `${J}/stop`, { drain: false })
  await expect.poll(async () => (await done(stopped)).status.id, SLOW).toBe('COMPLETED')
  await expect
    .poll(async () => (await read<{ status: string }>(app, `${J}/status`)).status, SLOW)
    .toBe('FINISHED')
  expect(await read(app, `${J}/execution-result`)).toMatchObject({
    'job-execution-result': { 'application-status': 'SUCCEEDED' },
  })
  expect(existsSync(fileURLToPath((await done(stopped)).operation?.location ?? ''))).toBe(true)

  const late = await operation(app, `${J}/savepoints`, {})
  expect(await done(late)).toMatchObject({
    operation: { 'failure-cause': { 'stack-trace': 'job is not running' } },
  })
  const disposal = await app.post('/savepoint-disposal', {
    body: JSON.stringify({ 'savepoint-path': location }),
  })
  const { 'request-id': disposed } = disposal.json() as Record<string, string>
  await expect
    .poll(() => read(app, `/savepoint-disposal/${disposed}`), SLOW)
    .toEqual({ status: { id: 'COMPLETED' }, operation: {} })
  expect(existsSync(fileURLToPath(location))).toBe(false)
  expect(app.reported).toEqual([])
})
