/** Jobs: create, list, get, cancel, validate, and the paths by which the client for Go gets and cancels them. */
import { describe, expect, test } from 'vitest'
import { createJob, createTable, FLINK, jsonBody, PROJECT, refusal, seen } from '../../support/aiven.ts'
import { type TestApp, testApp } from '../../support/test-app.ts'

const NO_TABLE = '5d7be5e2-85af-4931-959f-3245b15381b2'
const NO_JOB = 'b63c78c70033e00afa84de9029257e31'
const STATEMENT = 'INSERT INTO KAlert SELECT * FROM KCpuIn WHERE `cpu` > 70'
const SCHEMA = '`node` INT, `cpu` DOUBLE'

/** Tables KCpuIn and KAlert over the streams kcpuin, which is there, and kalert. */
async function appWithTables(): Promise<{ app: TestApp; table_ids: string[] }> {
  const app = await testApp({ nowMs: Date.now(), streams: ['kcpuin'] })
  const table_ids = []
  for (const name of ['KCpuIn', 'KAlert'])
    table_ids.push(await createTable(app, { name, schema_sql: SCHEMA }))
  return { app, table_ids }
}

const stateOf = async (app: TestApp, id: string) =>
  ((await app.get(`${FLINK}/job/${id}`)).json() as { state: string }).state

test.each(['', '/test'])('the request of the documentation, with %j after the project', async (test) => {
  const { app, table_ids } = await appWithTables()
  const jobs = `${PROJECT}${test}/service/default/flink/job`
  const answer = await app.post(jobs, jsonBody({ statement: STATEMENT, table_ids, job_name: 'JobExample' }))
  expect(seen(answer)).toEqual([
    200,
    { job_id: expect.stringMatching(/^[0-9a-f]{32}$/), job_name: 'JobExample' },
  ])
  const { job_id } = answer.json() as { job_id: string }
  await expect.poll(() => stateOf(app, job_id)).toBe('RUNNING')
  expect(seen(await app.get(`${jobs}?limit=999`))).toEqual([
    200,
    { jobs: [{ id: job_id, status: 'RUNNING' }] },
  ])

  const detail = (await app.get(`${jobs}/${job_id}`)).json() as Record<string, unknown>
  expect(detail).toMatchObject({
    jid: job_id,
    name: 'JobExample',
    isStoppable: false,
    state: 'RUNNING',
    'end-time': -1,
    maxParallelism: 128,
    'status-counts': { RUNNING: 3 },
    plan: { jid: job_id, name: 'JobExample' },
    millrace: { statement: STATEMENT, restarts: 0 },
  })
  expect(detail.vertices).toHaveLength(3)

  // The command line sends no body, with a content type.
  const headers = { 'Content-Type': 'application/octet-stream' }
  expect((await app.post(`${jobs}/${job_id}/cancel`, { headers })).text).toBe('{}')
  await expect.poll(() => stateOf(app, job_id)).toBe('CANCELED')
  expect(seen(await app.get(jobs))).toEqual([200, { jobs: [{ id: job_id, status: 'CANCELED' }] }])
  expect(seen(await app.post(`${jobs}/${job_id}/cancel`))).toEqual([200, {}])
})

test.each(['/proxy/v1/jobs', '/proxy/jobs'])('by %s', async (path) => {
  const { app, table_ids } = await appWithTables()
  const id = await createJob(app, { statement: STATEMENT, table_ids })
  const job = `${FLINK}${path}/${id}`
  expect((await app.get(job)).json()).toMatchObject({ jid: id, name: 'insert-into_KAlert' })
  const answer = await app.request('PATCH', job)
  expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([
    202,
    '{}',
    'application/json',
  ])
  await expect.poll(() => stateOf(app, id)).toBe('CANCELED')
})

test('jobs stand newest first', async () => {
  const { app } = await appWithTables()
  const first = await createJob(app, { statement: STATEMENT })
  const second = await createJob(app, { statement: STATEMENT })
  const { jobs } = (await app.get(`${FLINK}/job`)).json() as { jobs: { id: string }[] }
  expect(jobs.map(({ id }) => id)).toEqual([second, first])
})

test('a table of a job that has not ended is not deleted', async () => {
  const { app, table_ids } = await appWithTables()
  const id = await createJob(app, { statement: STATEMENT, table_ids, job_name: 'JobExample' })
  const table = `${FLINK}/table/${table_ids[1]}`
  expect(seen(await app.delete(table))).toEqual(
    refusal(409, `Table KAlert is used by job JobExample (${id})`),
  )
  await app.post(`${FLINK}/job/${id}/cancel`)
  await expect.poll(() => stateOf(app, id)).toBe('CANCELED')
  expect(seen(await app.delete(table))).toEqual([200, {}])
})

describe('refused', () => {
  const none = { line_number: 0, character_number: 0, end_line_number: 0, end_character_number: 0 }
  const WANTED = 'send {"statement":"INSERT INTO …","table_ids":[…],"job_name":"…"}'
  const refused = [
    {
      members: { statement: undefined },
      status: 400,
      text: `there is no statement; ${WANTED}`,
      position: none,
    },
    {
      members: { table_ids: 'x' },
      status: 400,
      text: 'table_ids is a text; use a list of texts',
      position: none,
    },
    { members: { name: 'x' }, status: 400, text: "unknown field 'name'", position: none },
    {
      members: { table_ids: [NO_TABLE] },
      status: 404,
      text: `Table ${NO_TABLE} does not exist`,
      position: none,
    },
    {
      members: { statement: 'SELECT * FROM KCpuIn' },
      status: 400,
      text: expect.stringContaining('a job needs INSERT INTO'),
      position: expect.any(Object),
    },
  ]
  test.each(refused)('$members: $status', async ({ members, status, text, position }) => {
    const { app, table_ids } = await appWithTables()
    const body = jsonBody({ statement: STATEMENT, table_ids, ...members })
    expect(seen(await app.post(`${FLINK}/job`, body))).toEqual(refusal(status, text))
    expect(seen(await app.post(`${FLINK}/job/validate`, body))).toEqual([
      200,
      { job_validate_error: { message: text, position } },
    ])
    expect(seen(await app.get(`${FLINK}/job`))).toEqual([200, { jobs: [] }])
  })

  test('a table that is named but not listed', async () => {
    const { app, table_ids } = await appWithTables()
    const body = jsonBody({ statement: STATEMENT, table_ids: table_ids.slice(1) })
    expect(seen(await app.post(`${FLINK}/job`, body))).toEqual(
      refusal(400, expect.stringContaining('table KCpuIn is not in table_ids')),
    )
  })

  test('a statement with a mistake, with its place', async () => {
    const { app } = await appWithTables()
    const statement = 'INSERT INTO KAlert\nSELECT node, nope FROM KCpuIn'
    const answer = await app.post(`${FLINK}/job/validate`, jsonBody({ statement }))
    expect(seen(answer)).toEqual([
      200,
      {
        job_validate_error: {
          message: expect.stringMatching(/ at line 2, column 14$/),
          position: { line_number: 2, character_number: 14, end_line_number: 2, end_character_number: 17 },
        },
      },
    ])
  })

  test('a statement for a Flink cluster: the text ends with this, behind the place', async () => {
    const { app } = await appWithTables()
    const statement = 'INSERT INTO KAlert\nSELECT DISTINCT node, cpu FROM KCpuIn'
    const text =
      'DISTINCT over a stream is not supported at line 2, column 17; run this job on a Flink cluster'
    expect(seen(await app.post(`${FLINK}/job`, jsonBody({ statement })))).toEqual(refusal(400, text))
    expect(seen(await app.post(`${FLINK}/job/validate`, jsonBody({ statement })))).toEqual([
      200,
      {
        job_validate_error: {
          message: text,
          position: { line_number: 2, character_number: 17, end_line_number: 2, end_character_number: 20 },
        },
      },
    ])
  })

  const calls = ['GET /job/ID', 'POST /job/ID/cancel', 'GET /proxy/v1/jobs/ID', 'PATCH /proxy/v1/jobs/ID']
  test.each(calls)('%s of a job that does not exist', async (call) => {
    const app = await testApp()
    const [method, path] = call.split(' ') as [string, string]
    for (const id of [NO_JOB, 'x'])
      expect(seen(await app.request(method, `${FLINK}${path.replace('ID', id)}`))).toEqual(
        refusal(404, `Job ${id} does not exist`),
      )
  })
})

test('validate answers an empty object for what is fine, and starts nothing', async () => {
  const { app, table_ids } = await appWithTables()
  const body = jsonBody({ statement: STATEMENT, table_ids })
  for (const P of [PROJECT, `${PROJECT}/test`])
    expect((await app.post(`${P}/service/default/flink/job/validate`, body)).text).toBe('{}')
  expect(seen(await app.get(`${FLINK}/job`))).toEqual([200, { jobs: [] }])
})
