/** Integrations: the built-in one, those that clients configure, secrets, and what cannot be changed. */
import { describe, expect, test } from 'vitest'
import { builtIn, createTable, jsonBody, PROJECT, refusal, SERVICE, seen } from '../../support/aiven.ts'
import { type TestApp, testApp } from '../../support/test-app.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const NO_ID = '5d7be5e2-85af-4931-959f-3245b15381b2'

/** As the command line sends it: all six members. */
const postgres = (members: object = {}) => ({
  source_service: 'demo-postgresql',
  source_endpoint_id: null,
  dest_service: 'default',
  dest_endpoint_id: null,
  integration_type: 'flink',
  user_config: { connection_uri: 'postgres://millrace:s3cret@127.0.0.1:1/db' },
  ...members,
})

const shown = (members: object) => ({
  service_integration_id: expect.stringMatching(UUID),
  integration_type: 'flink',
  source_service: 'demo-postgresql',
  source_project: 'my-test-project',
  source_service_type: 'pg',
  dest_service: 'default',
  dest_project: 'my-test-project',
  dest_service_type: 'flink',
  source_endpoint_id: null,
  source_endpoint: null,
  dest_endpoint_id: null,
  dest_endpoint: null,
  enabled: true,
  active: true,
  description: '',
  integration_status: {},
  user_config: { connection_uri: '***' },
  ...members,
})

async function created(app: TestApp, P = PROJECT, members: object = {}): Promise<string> {
  const answer = await app.post(`${P}/integration`, jsonBody(postgres(members)))
  expect(answer.status, answer.text).toBe(200)
  return (answer.json() as { service_integration: { service_integration_id: string } }).service_integration
    .service_integration_id
}

test('the built-in one echoes the project and the name of the service, as other integrations do', async () => {
  const app = await testApp()
  await app.put('/v3/namespaces/my_shop')
  const list = await app.get('/v1/project/my%20project/service/my-shop/integration')
  const names = { source_project: 'my project', dest_project: 'my project', source_service: 'streams' }
  const { service_integrations: all } = list.json() as {
    service_integrations: { service_integration_id: string }[]
  }
  expect(all).toEqual([expect.objectContaining({ ...names, dest_service: 'my-shop' })])
  const { service_integration_id: id } = all[0]!
  const one = await app.get(`/v1/project/other/integration/${id}`)
  const other = { source_project: 'other', dest_project: 'other', dest_service: 'my_shop' }
  expect(one.json()).toEqual({ service_integration: expect.objectContaining(other) })
})

test('every service has one for its streams, which cannot be deleted', async () => {
  const app = await testApp()
  await app.put('/v3/namespaces/shop')
  const id = await builtIn(app)
  const own = shown({
    service_integration_id: id,
    source_service: 'streams',
    source_service_type: 'kafka',
    user_config: {},
  })
  for (const P of [PROJECT, `${PROJECT}/test`])
    expect(seen(await app.get(`${P}/service/default/integration`))).toEqual([
      200,
      { service_integrations: [own] },
    ])
  expect(await builtIn(app)).toBe(id)
  expect(await builtIn(app, {}, `${PROJECT}/service/shop`)).not.toBe(id)
  expect(seen(await app.delete(`${PROJECT}/integration/${id}`))).toEqual([409, expect.any(Object)])
  expect(seen(await app.get(`${PROJECT}/integration/${id}`))).toEqual([200, { service_integration: own }])
})

test.each([PROJECT, `${PROJECT}/test`])('create, list, get, change, delete at %s', async (P) => {
  const app = await testApp()
  const id = await created(app, P)
  const integration = shown({ service_integration_id: id })
  expect(seen(await app.get(`${P}/integration/${id}?limit=999`))).toEqual([
    200,
    { service_integration: integration },
  ])
  const listed = (await app.get(`${P}/service/default/integration`)).json() as {
    service_integrations: object[]
  }
  expect(listed.service_integrations.slice(1)).toEqual([integration])
  const user_config = { connection_uri: 'postgres://other:pw@127.0.0.1:2/db' }
  expect(seen(await app.put(`${P}/integration/${id}`, jsonBody({ user_config })))).toEqual([
    200,
    { service_integration: integration },
  ])
  expect((await app.delete(`${P}/integration/${id}`)).text).toBe('{}')
  expect(seen(await app.get(`${P}/integration/${id}`))).toEqual(
    refusal(404, `Integration ${id} does not exist`),
  )
})

test('secrets are in no answer, and not in the log', async () => {
  const app = await testApp()
  const id = await created(app)
  const answers = [
    await app.get(`${PROJECT}/integration/${id}`),
    await app.get(`${SERVICE}/integration`),
    await app.put(`${PROJECT}/integration/${id}`, jsonBody(postgres())),
    await app.post(
      `${PROJECT}/integration`,
      jsonBody(postgres({ user_config: { connection_uri: 's3cret' } })),
    ),
  ]
  for (const { text } of answers) expect(text).not.toContain('s3cret')
  expect(app.logged.join('')).not.toContain('s3cret')
})

test('one that a table uses is not deleted', async () => {
  const app = await testApp()
  const id = await created(app)
  await createTable(app, { name: 'KAlert', integration_id: id, jdbc_table: 'public.node' })
  expect(seen(await app.delete(`${PROJECT}/integration/${id}`))).toEqual(
    refusal(409, `Integration ${id} is used by table KAlert`),
  )
})

describe('refused', () => {
  const WANTED = 'send {"source_service":"…","dest_service":"…","integration_type":"flink","user_config":{…}}'
  const refused = [
    { members: { source_service: null }, status: 400, text: `there is no source_service; ${WANTED}` },
    { members: { dest_service: null }, status: 400, text: `there is no dest_service; ${WANTED}` },
    { members: { integration_type: null }, status: 400, text: `there is no integration_type; ${WANTED}` },
    {
      members: { integration_type: 'kafka_logs' },
      status: 400,
      text: "integration_type is 'kafka_logs'; use flink",
    },
    {
      members: { dest_endpoint_id: NO_ID },
      status: 400,
      text: 'dest_endpoint_id is given; there are no endpoints, so name a source_service',
    },
    { members: { user_config: [] }, status: 400, text: 'user_config is a list; use an object' },
    {
      members: { dest_service: 'no-service' },
      status: 404,
      text: 'Service no-service does not exist; create namespace no_service with PUT /v3/namespaces/no_service',
    },
    {
      members: { source_service: 'demo-kafka', user_config: {} },
      status: 404,
      text: 'Service demo-kafka does not exist; name it in --sources, or give user_config.connection_uri or user_config.bootstrap_servers',
    },
  ]
  test.each(refused)('$members: $text', async ({ members, status, text }) => {
    const app = await testApp()
    expect(seen(await app.post(`${PROJECT}/integration`, jsonBody(postgres(members))))).toEqual(
      refusal(status, text),
    )
  })

  test.each([NO_ID, 'x'])('an integration that does not exist: %s', async (id) => {
    const app = await testApp()
    const text = `Integration ${id} does not exist`
    expect(seen(await app.get(`${PROJECT}/integration/${id}`))).toEqual(refusal(404, text))
    expect(seen(await app.put(`${PROJECT}/integration/${id}`, jsonBody({})))).toEqual(refusal(404, text))
    expect(seen(await app.delete(`${PROJECT}/integration/${id}`))).toEqual(refusal(404, text))
  })
})
