/** What changes jobs by Flink's REST API: bodies, what the jobs are asked for, statuses, audit, and who may. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { vertexId } from '../../../src/jobs/vertex-detail.ts'
import type { NamespaceName } from '../../../src/streams/names.ts'
import { apisWith, FakeJobs, JID, jobView, TRIGGER } from '../../support/flink.ts'
import { type RequestOptions, startTestApp, testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const J = `/jobs/${JID}`
const DONE = 'd'.repeat(32)
const CANCELED = 'c'.repeat(32)
const ID = '0'.repeat(32)
const REQUEST = { 'request-id': TRIGGER }

const jobs = new FakeJobs(
  jobView(),
  jobView({ jid: DONE, state: 'FINISHED', endMs: 4_000 }),
  jobView({ jid: CANCELED, state: 'CANCELED', endMs: 4_000 }),
)
let app: Awaited<ReturnType<typeof startTestApp>>
beforeAll(async () => {
  app = await startTestApp({ apis: apisWith(jobs) })
})
beforeEach(() => void jobs.calls.splice(0))
afterAll(() => app.stop())

interface Change {
  readonly request: string
  readonly body?: string
  readonly headers?: Record<string, string>
  readonly status: number
  readonly answer: unknown
  readonly calls?: readonly unknown[]
}

const SAVEPOINT = { directory: undefined, cancels: false, format: 'CANONICAL', triggerId: undefined }
const STOP = { directory: undefined, drains: false, format: 'CANONICAL', triggerId: undefined }
const savepoint = (given: object) => [['savepoint', 'default', JID, { ...SAVEPOINT, ...given }]]
const stop = (given: object) => [['stop', 'default', JID, { ...STOP, ...given }]]
const CANCEL = [['cancel', 'default', JID]]
const MOVED = expect.stringContaining('jobs/:jobId/stop')
const TERMINAL =
  'Job cancellation failed because the job has already reached another terminal state (FINISHED).'

const CHANGES: readonly Change[] = [
  { request: `PATCH ${J}`, status: 202, answer: {}, calls: CANCEL },
  { request: `PATCH ${J}?mode=cancel`, status: 202, answer: {}, calls: CANCEL },
  { request: `PATCH ${J}`, body: 'not read', status: 202, answer: {}, calls: CANCEL },
  { request: `PATCH ${J}?mode=stop`, status: 308, answer: { errors: [MOVED] } },
  {
    ...{ request: `PATCH ${J}?mode=x`, status: 400 },
    answer: { errors: [expect.stringContaining('Cannot resolve query parameter (mode) from value "x".')] },
  },
  { request: `PATCH /jobs/${ID}`, status: 404, answer: { errors: ['Job could not be found.'] } },
  { request: `PATCH /jobs/${DONE}`, status: 409, answer: { errors: [TERMINAL] } },
  { request: `PATCH /jobs/${CANCELED}`, status: 202, answer: {}, calls: [['cancel', 'default', CANCELED]] },
  { request: `GET ${J}/yarn-cancel`, status: 202, answer: {}, calls: CANCEL },
  { request: `GET ${J}/yarn-stop`, status: 308, answer: { errors: [MOVED] } },
  { request: `PATCH ${J}/clientHeartbeat`, status: 202, answer: {} },
  {
    ...{ request: `PATCH ${J}/rescaling?parallelism=2`, status: 503 },
    answer: { errors: ['Rescaling is temporarily disabled. See FLINK-12312.'] },
  },
  {
    ...{ request: `PUT ${J}/resource-requirements`, body: '{}', status: 400 },
    answer: { errors: ['this job does not support rescaling'] },
  },
  {
    ...{ request: 'POST /jobs', body: 'graph', status: 501 },
    answer: { errors: ['submitting job graphs needs a Flink cluster; use SQL'] },
  },

  { request: `POST ${J}/savepoints`, status: 202, answer: REQUEST, calls: savepoint({}) },
  { request: `POST ${J}/savepoints`, body: '{}', status: 202, answer: REQUEST, calls: savepoint({}) },
  {
    ...{ request: `POST ${J}/savepoints`, status: 202, answer: REQUEST },
    body: JSON.stringify({
      ...{ 'target-directory': '/sp', 'cancel-job': true, formatType: 'NATIVE', unknown: [1] },
      triggerId: TRIGGER.toUpperCase(),
    }),
    calls: savepoint({ directory: '/sp', cancels: true, format: 'NATIVE', triggerId: TRIGGER }),
  },
  {
    ...{ request: `POST ${J}/savepoints`, status: 202, answer: REQUEST, calls: savepoint({}) },
    body: '{"target-directory":null,"cancel-job":null,"formatType":null,"triggerId":null}',
  },
  {
    ...{ request: `POST ${J}/stop`, status: 202, answer: REQUEST },
    body: '{"targetDirectory":"file:///sp","drain":"true"}',
    calls: stop({ directory: 'file:///sp', drains: true }),
  },
  { request: `POST ${J}/stop`, status: 202, answer: REQUEST, calls: stop({}) },
  {
    ...{ request: `POST ${J}/checkpoints`, body: '{"checkpointType":"FULL"}', status: 202, answer: REQUEST },
    calls: [['checkpoint', 'default', JID, undefined]],
  },
  {
    ...{ request: 'POST /savepoint-disposal', body: '{"savepoint-path":"/sp/1"}', status: 200 },
    ...{ answer: REQUEST, calls: [['disposeSavepoint', '/sp/1']] },
  },
  ...['', '{}', '{"savepoint-path":null}'].map((body) => ({
    ...{ request: 'POST /savepoint-disposal', body, status: 400 },
    answer: { errors: ['Field savepoint-path must not be omitted or be null.'] },
  })),
  { request: 'POST /jobmanager/profiler', status: 400, answer: { errors: ['Profiling is not supported'] } },
  {
    ...{ request: 'DELETE /cluster', status: 403 },
    answer: { errors: ['Shutting down is not enabled; start with --allow-cluster-shutdown'] },
  },
]

test.each(CHANGES)('$request with $body answers $status', async (change) => {
  const { request, status, answer, calls = [], ...options } = change
  const [method, path] = request.split(' ') as [string, string]
  for (const prefix of [
    '',
    '/v1',
    '/v3/namespaces/default/flink',
    '/v1/project/p/service/default/flink/proxy/v1',
  ]) {
    jobs.calls.splice(0)
    const got = await app.request(method, `${prefix}${path}`, options)
    expect([got.status, JSON.parse(got.text), jobs.calls], prefix).toEqual([status, answer, calls])
    expect(got.headers['content-type']).toBe('application/json; charset=UTF-8')
    expect(got.headers.location).toBeUndefined()
  }
})

const WRONG: readonly (readonly [path: string, name: string, bodies: readonly string[]])[] = [
  [
    `${J}/savepoints`,
    'SavepointTriggerRequestBody',
    [
      ...['[]', '{', '1', '"x"', '{"target-directory":1}', '{"cancel-job":"maybe"}', '{"cancel-job":1}'],
      ...['{"formatType":"native"}', '{"triggerId":"x"}', '{"target-directory":"a\\u0000b"}'],
      `{"target-directory":"${'x'.repeat(4_097)}"}`,
    ],
  ],
  [`${J}/stop`, 'StopWithSavepointRequestBody', ['[]', '{"drain":{}}', '{"targetDirectory":[]}']],
  [`${J}/checkpoints`, 'CheckpointTriggerRequestBody', ['[]', '{"checkpointType":"X"}']],
  ['/savepoint-disposal', 'SavepointDisposalRequest', ['[]', '{"savepoint-path":1}']],
]

test.each(WRONG)('POST %s takes bodies of %s alone', async (path, name, bodies) => {
  for (const body of bodies) {
    const answer = await app.post(path, { body })
    expect([answer.status, JSON.parse(answer.text)], body).toEqual([
      400,
      { errors: [`Request did not match expected format ${name}.`] },
    ])
  }
  const large = await app.post(path, { body: ' '.repeat(1_048_577) })
  expect([large.status, JSON.parse(large.text)]).toEqual([413, { errors: [expect.any(String)] }])
  expect((await app.post(path, { body: `{"x":${'['.repeat(1_000)}` })).status).toBe(400)
  expect(jobs.calls).toEqual([])
})

describe('a change by GET', () => {
  const foreign: readonly RequestOptions['headers'][] = [
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
  ]
  test.each(foreign)('is refused with %o', async (headers) => {
    for (const path of ['yarn-cancel', 'yarn-stop']) {
      const answer = await app.get(`${J}/${path}`, { headers: headers! })
      expect([answer.status, jobs.calls]).toEqual([403, []])
    }
  })

  test('is taken from a page of the service itself, and not as HEAD', async () => {
    const head = await app.request('HEAD', `${J}/yarn-cancel`)
    expect([head.status, head.headers.allow, jobs.calls]).toEqual([405, 'GET', []])
    const own = { 'Sec-Fetch-Site': 'same-origin', Origin: `http://127.0.0.1:${app.port}` }
    expect((await app.get(`${J}/yarn-cancel`, { headers: own })).status).toBe(202)
  })
})

test('the deletion of a data set has a trigger, whose outcome is that there was none', async () => {
  const deleted = await app.delete(`/v1/datasets/${ID}`)
  const { 'request-id': trigger } = deleted.json() as Record<string, string>
  expect([deleted.status, trigger]).toEqual([202, expect.stringMatching(/^[0-9a-f]{32}$/)])
  expect((await app.get(`/v1/datasets/delete/${trigger}`)).json()).toMatchObject({
    status: { id: 'COMPLETED' },
    operation: { 'failure-cause': { 'stack-trace': 'no such data set' } },
  })
  expect((await app.get(`/datasets/delete/${ID}`)).text).toBe(
    `{"errors":["Operation not found under key: ${ID}"]}`,
  )
})

describe('refusals', () => {
  const SOURCE = vertexId({ kind: 'source', index: 0 })
  const V = `${J}/vertices/${SOURCE}`
  const path = (name: string, value: string) =>
    `Bad request, could not parse parameters: Cannot resolve path parameter (${name}) from value "${value}".`
  const query = (name: string, value: string) =>
    `Bad request, could not parse parameters: Cannot resolve query parameter (${name}) from value "${value}".`
  const noFile = 'This file does not exist in JobManager log dir. Start with --log-dir to have one.'
  const refused: readonly (readonly [request: string, status: number, text: string])[] = [
    ['GET /jobs/x', 400, path('jobid', 'x')],
    [`GET /jobs/${'g'.repeat(32)}/config`, 400, path('jobid', 'g'.repeat(32))],
    [`GET /jobs/${'x'.repeat(500)}`, 400, path('jobid', `${'x'.repeat(100)}…`)],
    ['GET /jobs/..%2f..%2fetc%2fpasswd', 400, path('jobid', '../../etc/passwd')],
    [`GET /jobs/${ID}`, 404, `Job ${ID} not found`],
    [`GET ${J}/vertices/x`, 400, path('vertexid', 'x')],
    [`GET ${J}/vertices/${ID}`, 404, `JobVertex ${ID} not found`],
    [`GET ${J}/vertices/${ID}/backpressure`, 404, `No vertex with ID '${ID}' exists.`],
    [`GET ${V}/subtasks/x`, 400, path('subtaskindex', 'x')],
    [`GET ${V}/subtasks/-1`, 400, path('subtaskindex', '-1')],
    [`GET ${V}/subtasks/1`, 404, `Invalid subtask index for vertex ${SOURCE}`],
    [`GET ${V}/subtasks/0/attempts/0`, 404, 'Invalid attempt num 0'],
    [`GET ${V}/subtasks/0/attempts/1e9`, 400, path('attempt', '1e9')],
    [`GET ${V}/subtasks/metrics?subtasks=3-1`, 400, query('subtasks', '3-1')],
    [`GET ${V}/subtasks/metrics?get=a&agg=median`, 400, query('agg', 'median')],
    ['GET /jobs/metrics?jobs=x', 400, query('jobs', 'x')],
    [`GET ${J}/exceptions?maxExceptions=-1`, 400, query('maxExceptions', '-1')],
    [`GET ${J}/checkpoints/details/x`, 400, path('checkpointid', 'x')],
    [`GET ${J}/checkpoints/details/99`, 404, 'Could not find checkpointing statistics for checkpoint 99.'],
    [`GET ${J}/savepoints/x`, 400, path('triggerid', 'x')],
    [
      `GET ${J}/savepoints/${ID}`,
      404,
      `There is no savepoint operation with triggerId=${ID} for job ${JID}.`,
    ],
    ['GET /taskmanagers/none', 404, 'Could not find TaskExecutor none.'],
    ['GET /jobmanager/log', 404, noFile],
    ['GET /jobmanager/stdout', 404, noFile],
    ['GET /jobmanager/logs/..%2f..%2fpackage.json', 404, noFile],
    ['GET /taskmanagers/jobs-0a1b2c/logs/x', 404, 'This file does not exist in TaskManager log dir.'],
    ['GET /jobmanager/profiler/x', 404, 'There is no such profile.'],
    ['DELETE /datasets/x', 400, path('datasetid', 'x')],
    ['GET /v1/nope', 404, 'Not found: /v1/nope'],
    ['GET /jobs/a/b/c/d?secret=x', 404, 'Not found: /jobs/a/b/c/d'],
    ['POST /overview', 405, 'Method not allowed: /overview'],
    [`GET ${J}/stop`, 405, `Method not allowed: ${J}/stop`],
    [`GET ${J}/rescaling`, 405, `Method not allowed: ${J}/rescaling`],
    ['GET /v3/namespaces/none/flink/jobs', 404, "'namespace:none' was not found."],
  ]
  test.each(refused)('%s: %i', async (request, status, text) => {
    const [method, target] = request.split(' ') as [string, string]
    const answer = await app.request(method, target)
    expect([answer.status, JSON.parse(answer.text)]).toEqual([status, { errors: [text] }])
    expect(answer.headers['content-type']).toBe('application/json; charset=UTF-8')
    expect(status !== 405 || answer.headers.allow).toBeTruthy()
  })

  test('a failure of the service has two texts and a line in its log', async () => {
    const failing = new FakeJobs(jobView())
    failing.checkpoints = () => {
      throw new Error('a bug')
    }
    const failingApp = await testApp({ apis: apisWith(failing) })
    const answer = await failingApp.get(`${J}/checkpoints`)
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      500,
      { errors: ['Internal server error.', 'the server failed at this request; its log says how'] },
    ])
    expect(failingApp.reported).toHaveLength(1)
  })

  test('a head beyond 16 KiB is refused, one below is not', async () => {
    const names = Array.from({ length: 1_500 }, (_, i) => `name${i}`).join(',')
    const long = await app.get(`${V}/metrics?get=${names.slice(0, 15_000)},0.numRecordsIn`)
    expect(long.json()).toEqual([{ id: '0.numRecordsIn', value: '10' }])
    expect((await app.get(`/jobs/metrics?get=${'x'.repeat(17_000)}`)).status).toBe(431)
  })
})

describe('with tokens', () => {
  const SHOP = 'a1'.repeat(16)
  const grants = {
    reader: ['default:s:read'],
    jobs: ['default:*:jobs'],
    shopAdmin: ['shop:*:admin'],
    operator: ['*:*:admin'],
  }

  async function guardedApp() {
    const tokens = await tokenFile(Object.entries(grants).map(([name, all]) => ({ name, grants: all })))
    const jobs = new FakeJobs(jobView(), jobView({ jid: SHOP, namespace: 'shop' as NamespaceName }))
    const app = await testApp({ apis: apisWith(jobs), config: { authFile: tokens.path } })
    return { app, jobs, as: (name: string) => ({ headers: tokens.bearer(name) }) }
  }

  test('lists and counts have the jobs of namespaces with a grant', async () => {
    const { app, as } = await guardedApp()
    const seen: Readonly<Record<string, readonly string[]>> = {
      reader: [JID],
      jobs: [JID],
      shopAdmin: [SHOP],
      operator: [JID, SHOP],
    }
    for (const [name, ids] of Object.entries(seen)) {
      const get = async (path: string) => (await app.get(path, as(name))).json() as Record<string, unknown>
      const { jobs } = (await get('/jobs')) as { jobs: { id: string }[] }
      expect(jobs.map(({ id }) => id)).toEqual(ids)
      expect((await get('/overview'))['jobs-running']).toBe(ids.length)
      expect(await get('/jobmanager/metrics?get=numRunningJobs')).toEqual([
        { id: 'numRunningJobs', value: `${ids.length}` },
      ])
      const { allocatedSlots } = (await get('/taskmanagers/jobs-0a1b2c')) as { allocatedSlots: object[] }
      expect(allocatedSlots.length).toBe(ids.length)
      expect(await get('/jobs/metrics?get=numRestarts&agg=sum')).toEqual([
        { id: 'numRestarts', sum: 2 * ids.length },
      ])
      expect(await get(`/jobs/metrics?get=numRestarts&agg=sum&jobs=${JID},${SHOP}`)).toEqual([
        { id: 'numRestarts', sum: 2 * ids.length },
      ])
    }
  })

  test('a job of another namespace is one that does not exist, for reading and for changes', async () => {
    const { app, jobs, as } = await guardedApp()
    for (const jid of [SHOP, ID]) {
      expect((await app.get(`/jobs/${jid}`, as('jobs'))).text).toBe(`{"errors":["Job ${jid} not found"]}`)
      for (const path of [`/jobs/${jid}`, `/v1/jobs/${jid}`])
        expect((await app.request('PATCH', path, as('jobs'))).text).toBe(
          '{"errors":["Job could not be found."]}',
        )
      expect((await app.get(`/jobs/${jid}/metrics`, as('jobs'))).text).toBe('[]')
    }
    expect((await app.get(`/v3/namespaces/default/flink/jobs/${SHOP}`, as('operator'))).status).toBe(404)
    expect(jobs.calls).toEqual([])
  })

  test('reading is for any grant, changing for the role jobs, the rest for operators', async () => {
    const { app, jobs, as } = await guardedApp()
    expect((await app.get(J, as('reader'))).status).toBe(200)
    const change = await app.request('PATCH', J, as('reader'))
    expect([change.status, change.json()]).toEqual([
      403,
      { errors: ["token 'reader' has no jobs grant for this namespace"] },
    ])
    expect((await app.request('PATCH', J, as('jobs'))).status).toBe(202)
    expect(jobs.calls).toEqual(CANCEL)
    const config = await app.get('/jobmanager/config', as('jobs'))
    expect([config.status, config.json()]).toEqual([
      403,
      { errors: ["token 'jobs' is not admin of all namespaces, as *:*:admin grants"] },
    ])
    const missing = await app.get('/jobs')
    expect([missing.status, missing.json()]).toEqual([401, { errors: [expect.any(String)] }])
  })

  test('a line of the audit for every change, with the job and its namespace', async () => {
    const { app, as } = await guardedApp()
    const before = app.logged.length
    await app.request('PATCH', J, as('jobs'))
    await app.request('PATCH', `/jobs/${SHOP}`, as('jobs'))
    await app.get(`${J}/yarn-cancel`, as('reader'))
    await app.post(`/v3/namespaces/default/flink${J}/savepoints`, as('jobs'))
    await app.post(`${J}/stop`, as('jobs'))
    await app.post(`${J}/checkpoints`, as('jobs'))
    await app.post('/savepoint-disposal', { ...as('operator'), body: '{"savepoint-path":"/sp"}' })
    await app.delete('/cluster', as('jobs'))
    await app.get(J, as('jobs'))
    const lines = app.logged
      .slice(before)
      .map((line) => JSON.parse(line.slice(line.indexOf('{'))))
      .map((one) => [one.audit, one.client, one.namespace, one.id, one.status])
    expect(lines).toEqual([
      ['job.cancel', 'jobs', 'default', JID, 202],
      ['job.cancel', 'jobs', undefined, SHOP, 404],
      ['job.cancel', 'reader', 'default', JID, 403],
      ['job.savepoint', 'jobs', 'default', JID, 202],
      ['job.stop', 'jobs', 'default', JID, 202],
      ['job.checkpoint', 'jobs', 'default', JID, 202],
      ['savepoint.delete', 'operator', undefined, '/sp', 200],
      ['cluster.stop', 'jobs', undefined, undefined, 403],
    ])
  })
})
