/** Tokens at the API of Aiven for Apache Flink: both schemes, its errors, integrations of others, and the audit. Who may do what: access-matrix.test.ts. */
import { describe, expect, test } from 'vitest'
import {
  builtIn,
  createTable,
  FLINK,
  jsonBody,
  PROJECT,
  refusal,
  SERVICE,
  seen,
} from '../../support/aiven.ts'
import { type TestApp, testApp } from '../../support/test-app.ts'
import { type TestTokens, tokenFile } from '../../support/tokens.ts'

const NOW_MS = 1_000_000
const NO_ID = '5d7be5e2-85af-4931-959f-3245b15381b2'

async function guardedApp(): Promise<{ app: TestApp; tokens: TestTokens }> {
  const tokens = await tokenFile([
    { name: 'all' },
    { name: 'jobs', grants: ['default:*:jobs'] },
    { name: 'reader', grants: ['default:s:read'] },
    { name: 'other', grants: ['other:*:read,write,admin'] },
    { name: 'old', expiresMs: NOW_MS },
  ])
  const app = await testApp({ nowMs: NOW_MS, config: { authFile: tokens.path } })
  await app.put('/v3/namespaces/other', { headers: tokens.bearer('all') })
  return { app, tokens }
}

const aivenv1 = (tokens: TestTokens, name: string) => ({ Authorization: `aivenv1 ${tokens.secrets[name]}` })

test.each(['Bearer', 'bearer', 'aivenv1', 'AIVENV1', 'AivenV1'])('the scheme %s', async (scheme) => {
  const { app, tokens } = await guardedApp()
  const headers = { Authorization: `${scheme} ${tokens.secrets.reader}` }
  expect(seen(await app.get(`${FLINK}/table`, { headers }))).toEqual([200, { tables: [] }])
  expect((await app.get('/ping', { headers })).status).toBe(200)
})

describe('refused, in the shape of this API', () => {
  const realm = 'Bearer realm="millrace"'
  test('401', async () => {
    const { app, tokens } = await guardedApp()
    for (const path of [`${FLINK}/table`, `${PROJECT}/nope`, `${PROJECT}/integration/${NO_ID}`]) {
      const none = await app.get(path)
      expect(seen(none)).toEqual(refusal(401, 'send a token, as Bearer in the header Authorization'))
      expect(none.headers['www-authenticate']).toBe(realm)
      const old = await app.get(path, { headers: aivenv1(tokens, 'old') })
      expect(seen(old)).toEqual(refusal(401, 'the token has expired'))
      expect(old.headers['www-authenticate']).toBe(
        `${realm}, error="invalid_token", error_description="the token has expired"`,
      )
    }
  })

  test('403', async () => {
    const { app, tokens } = await guardedApp()
    const headers = aivenv1(tokens, 'reader')
    const text = "token 'reader' has no jobs grant for this namespace"
    expect(seen(await app.post(`${FLINK}/table`, jsonBody({}, headers)))).toEqual(refusal(403, text))
    expect(seen(await app.post(`${FLINK}/job/validate`, jsonBody({}, headers)))).toEqual(refusal(403, text))
    for (const service of ['other', 'no-service']) {
      const path = `${PROJECT}/service/${service}/flink/table`
      expect(seen(await app.get(path, { headers }))).toEqual(
        refusal(403, "token 'reader' has no grant in this namespace"),
      )
      const body = {
        source_service: 'x',
        dest_service: service,
        integration_type: 'flink',
        user_config: { connection_uri: 'postgres://127.0.0.1:1/db' },
      }
      expect(seen(await app.post(`${PROJECT}/integration`, jsonBody(body, headers)))).toEqual(
        refusal(403, text),
      )
    }
  })
})

test('a job needs grants on its streams, and validate says so', async () => {
  const { app, tokens } = await guardedApp()
  const all = { headers: tokens.bearer('all') }
  for (const name of ['SOURCE', 'SINK']) await createTable(app, { name }, all)
  const headers = tokens.bearer('jobs')
  const body = jsonBody({ statement: 'INSERT INTO SINK SELECT * FROM SOURCE' }, headers)
  const text = "token 'jobs' has no read grant for stream source"
  expect(seen(await app.post(`${FLINK}/job`, body))).toEqual(refusal(403, text))
  const none = { line_number: 0, character_number: 0, end_line_number: 0, end_character_number: 0 }
  expect(seen(await app.post(`${FLINK}/job/validate`, body))).toEqual([
    200,
    { job_validate_error: { message: text, position: none } },
  ])
})

test('slots of jobs are shared by the tokens that may create jobs', async () => {
  const owners = ['one', 'other'].map((name) => ({ name, grants: ['default:*:read,write,admin'] }))
  const tokens = await tokenFile(owners)
  const app = await testApp({ nowMs: NOW_MS, config: { authFile: tokens.path }, limits: { maxJobs: 2 } })
  for (const name of ['SOURCE', 'SINK']) await createTable(app, { name }, { headers: tokens.bearer('one') })
  const create = async (name: string) => {
    const body = jsonBody({ statement: 'INSERT INTO SINK SELECT * FROM SOURCE' }, tokens.bearer(name))
    return seen(await app.post(`${FLINK}/job`, body))
  }
  const created = [200, { job_id: expect.any(String), job_name: 'insert-into_SINK' }]
  expect(await create('one')).toEqual(created)
  expect(await create('one')).toEqual(
    refusal(
      503,
      "token 'one' has 1 of 2 job slots, and the last free one is kept for a token without a job; cancel a job first",
    ),
  )
  expect(await create('other')).toEqual(created)
  expect(await create('one')).toEqual(refusal(503, 'all 2 job slots are in use'))
})

test('services are those in whose namespace the token has a grant', async () => {
  const { app, tokens } = await guardedApp()
  const names = async (name: string) => {
    const answer = await app.get(`${PROJECT}/service`, { headers: tokens.bearer(name) })
    return (answer.json() as { services: { service_name: string }[] }).services.map((one) => one.service_name)
  }
  expect(await names('all')).toEqual(['default', 'other'])
  expect(await names('reader')).toEqual(['default'])
  expect(await names('other')).toEqual(['other'])
})

test('an integration of another namespace is answered as one that does not exist', async () => {
  const { app, tokens } = await guardedApp()
  const id = await builtIn(app, tokens.bearer('all'))
  const headers = tokens.bearer('other')
  const requests = [['GET'], ['DELETE'], ['PUT', JSON.stringify({ user_config: {} })]] as const
  for (const [method, body] of requests) {
    const options = { headers, ...(body !== undefined && { body }) }
    const there = await app.request(method, `${PROJECT}/integration/${id}`, options)
    const missing = await app.request(method, `${PROJECT}/integration/${NO_ID}`, options)
    expect(seen(there)).toEqual(refusal(404, `Integration ${id} does not exist`))
    expect(missing.text).toBe(there.text.replaceAll(id, NO_ID))
  }
  const reader = { headers: tokens.bearer('reader') }
  expect((await app.get(`${PROJECT}/integration/${id}`, reader)).status).toBe(200)
  expect(seen(await app.delete(`${PROJECT}/integration/${id}`, reader))).toEqual(
    refusal(403, "token 'reader' has no jobs grant for this namespace"),
  )
})

test('a line of the audit for every change, refusals included', async () => {
  const { app, tokens } = await guardedApp()
  const headers = tokens.bearer('jobs')
  const before = app.logged.length
  const table = await createTable(app, {}, { headers })
  await app.delete(`${FLINK}/table/${table}`, { headers })
  await app.delete(`${PROJECT}/test/service/default/flink/table/${table}`, { headers })
  await app.post(`${SERVICE}/flink/table`, jsonBody({}, tokens.bearer('reader')))
  await app.post(`${SERVICE}/flink/table`, jsonBody({}))
  await app.post(`${FLINK}/job`, jsonBody({}, headers))
  await app.post(`${FLINK}/job/${NO_ID}/cancel`, { headers })
  await app.request('PATCH', `${FLINK}/proxy/v1/jobs/${NO_ID}`, { headers })
  const integration = {
    source_service: 'db',
    dest_service: 'default',
    integration_type: 'flink',
    user_config: { connection_uri: 'postgres://127.0.0.1:1/db' },
  }
  const made = (await app.post(`${PROJECT}/integration`, jsonBody(integration, headers))).json() as {
    service_integration: { service_integration_id: string }
  }
  const { service_integration_id: id } = made.service_integration
  await app.put(`${PROJECT}/integration/${id}`, jsonBody(integration, headers))
  await app.delete(`${PROJECT}/integration/${id}`, { headers })
  await app.delete(`${PROJECT}/integration/${id}`, { headers })
  await app.post(`${PROJECT}/integration`, { headers, body: '{' })
  // Changes nothing.
  await app.post(`${FLINK}/table/validate`, jsonBody({}, headers))
  await app.post(`${FLINK}/job/validate`, jsonBody({}, headers))
  const lines = app.logged
    .slice(before)
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))))
    .map((one) => [one.audit, one.client, one.namespace, one.id, one.status])
  expect(lines).toEqual([
    ['table.create', 'jobs', 'default', table, 200],
    ['table.delete', 'jobs', 'default', table, 200],
    ['table.delete', 'jobs', 'default', table, 404],
    ['table.create', 'reader', 'default', undefined, 403],
    ['table.create', null, 'default', undefined, 401],
    ['job.create', 'jobs', 'default', undefined, 400],
    ['job.cancel', 'jobs', 'default', NO_ID, 404],
    ['job.cancel', 'jobs', 'default', NO_ID, 404],
    ['integration.create', 'jobs', 'default', id, 200],
    ['integration.update', 'jobs', 'default', id, 200],
    ['integration.delete', 'jobs', 'default', id, 200],
    ['integration.delete', 'jobs', undefined, id, 404],
    ['integration.create', 'jobs', undefined, undefined, 400],
  ])
})
