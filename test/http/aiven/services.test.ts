/** Services are namespaces; and what every path of this API has in common: both forms, unknown paths, the shape of errors. */
import { describe, expect, test } from 'vitest'
import { createTable, FLINK, jsonBody, PROJECT, refusal, SERVICE, seen } from '../../support/aiven.ts'
import { type TestApp, testApp } from '../../support/test-app.ts'

const serviceNamed = (service_name: string) => ({
  service_name,
  service_type: 'flink',
  state: 'RUNNING',
  plan: 'embedded',
  cloud_name: 'local',
  create_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  update_time: expect.any(String),
  notifications: [],
})

async function appWithNamespace(): Promise<TestApp> {
  const app = await testApp()
  await app.put('/v3/namespaces/my_flink_service')
  return app
}

describe('services', () => {
  test.each(['', '/test'])('list, with %j after the project', async (test) => {
    const app = await appWithNamespace()
    expect(seen(await app.get(`/v1/project/any%20project${test}/service`))).toEqual([
      200,
      { services: [serviceNamed('default'), serviceNamed('my_flink_service')] },
    ])
  })

  const names = ['my_flink_service', 'my-flink-service', 'my_flink-service']
  test.each(names)('%s is namespace my_flink_service', async (name) => {
    const app = await appWithNamespace()
    for (const path of [`${PROJECT}/service/${name}`, `${PROJECT}/test/service/${name}?limit=999`])
      expect(seen(await app.get(path))).toEqual([200, { service: serviceNamed(name) }])
  })

  const PUT = 'create namespace my_other_service with PUT /v3/namespaces/my_other_service'
  const NO_NAME = 'services are namespaces, whose names have letters, digits and _ (- stands for _)'
  const unknown = [
    { name: 'my-other-service', text: `Service my-other-service does not exist; ${PUT}` },
    { name: 'my_other_service', text: `Service my_other_service does not exist; ${PUT}` },
    { name: 'a.b', text: `Service a.b does not exist; ${NO_NAME}` },
    { name: 'a%2Fb', text: `Service a/b does not exist; ${NO_NAME}` },
    { name: 'a%252Fb', text: `Service a%2Fb does not exist; ${NO_NAME}` },
    { name: 'x'.repeat(2000), text: `Service ${'x'.repeat(100)}… does not exist; ${NO_NAME}` },
  ]
  test.each(unknown)('$name does not exist: $text', async ({ name, text }) => {
    const app = await testApp()
    for (const path of ['', '/integration', '/flink/table', '/flink/job'])
      expect(seen(await app.get(`${PROJECT}/service/${name}${path}`))).toEqual(refusal(404, text))
    const posts = [
      '/flink/table',
      '/flink/job',
      '/flink/table/validate',
      '/flink/job/validate',
      '/flink/job/x/cancel',
    ]
    for (const path of posts)
      expect(seen(await app.post(`${PROJECT}/service/${name}${path}`, jsonBody({})))).toEqual(
        refusal(404, text),
      )
    expect(seen(await app.get(`${PROJECT}/service/${name}/flink/proxy/v1/jobs/x`))).toEqual([
      404,
      { errors: [text] },
    ])
    expect(seen(await app.delete(`${PROJECT}/service/${name}/flink/table/x`))).toEqual(refusal(404, text))
  })

  test('are created as namespaces', async () => {
    const app = await testApp()
    const text = 'services are namespaces here: create one with PUT /v3/namespaces/<name>'
    for (const P of [PROJECT, `${PROJECT}/test`]) {
      expect(seen(await app.post(`${P}/service`, jsonBody({ service_name: 'x' })))).toEqual(
        refusal(501, text),
      )
      // What the command line asks for first.
      expect(seen(await app.get(`${P}/service_types`))).toEqual(refusal(501, text))
      expect(seen(await app.get(`${P}/vpcs`))).toEqual(refusal(501, text))
    }
  })
})

describe('paths', () => {
  const unknown = [
    'GET /v1/project',
    'GET /v1/project/',
    `GET ${PROJECT}`,
    `GET ${PROJECT}/clouds`,
    `GET ${PROJECT}/test/test/service`,
    `GET ${SERVICE}/flink`,
    `GET ${SERVICE}/test/flink/table`,
    `POST ${FLINK}/application`,
    `GET ${FLINK}/proxies`,
    `POST ${FLINK}/table/x/y`,
  ]
  test.each(unknown)('%s: not found', async (request) => {
    const app = await testApp()
    const [method, path] = request.split(' ') as [string, string]
    const answer = await app.request(method, path)
    expect(seen(answer)).toEqual(refusal(404, 'Not found'))
    expect(answer.headers['content-type']).toBe('application/json')
  })

  const others = [
    { request: `PUT ${FLINK}/table`, allow: 'GET, HEAD, POST' },
    { request: `PATCH ${FLINK}/table/x`, allow: 'GET, HEAD, DELETE' },
    { request: `GET ${FLINK}/job/x/cancel`, allow: 'POST' },
    { request: `GET ${PROJECT}/integration`, allow: 'POST' },
    { request: `POST ${PROJECT}/integration/x`, allow: 'GET, HEAD, PUT, DELETE' },
  ]
  test.each(others)('$request: 405, allowed are $allow', async ({ request, allow }) => {
    const app = await testApp()
    const [method, path] = request.split(' ') as [string, string]
    const answer = await app.request(method, path)
    expect(seen(answer)).toEqual(refusal(405, 'Method not allowed'))
    expect(answer.headers.allow).toBe(allow)
  })

  test('others keep their own errors', async () => {
    const app = await testApp()
    const ofFlink = ['/v1/projects', '/v1', `${FLINK}/proxy/v2/jobs/x`]
    for (const path of ofFlink) expect((await app.get(path)).text).toBe(`{"errors":["Not found: ${path}"]}`)
    expect((await app.get('/v4')).text).toBe('Problem accessing: /v4. Reason: Not Found')
  })
})

describe('bodies', () => {
  const posts = [`${FLINK}/table`, `${FLINK}/table/validate`, `${FLINK}/job`, `${FLINK}/job/validate`]
  test.each([...posts, `${PROJECT}/integration`])(
    'of %s are JSON objects within the limits',
    async (path) => {
      const app = await testApp({ limits: { maxDocumentBytes: 1000 } })
      expect(seen(await app.post(path))).toEqual(refusal(400, 'the body is empty; send a JSON object'))
      expect(seen(await app.post(path, { body: '[]' }))).toEqual(
        refusal(400, 'the body is a list; send a JSON object'),
      )
      expect(seen(await app.post(path, { body: '{' }))).toEqual(
        refusal(400, expect.stringContaining('the body is not JSON: ')),
      )
      expect(seen(await app.post(path, { body: `{"a":${'['.repeat(65)}${']'.repeat(65)}}` }))).toEqual(
        refusal(400, 'the body is not JSON: nested deeper than 64 levels at line 1 column 69'),
      )
      expect(seen(await app.post(path, { body: ' '.repeat(1001) }))).toEqual(
        refusal(413, 'the JSON document has 1001 bytes; at most 1000 bytes are taken'),
      )
      const headers = { 'Content-Encoding': 'compress' }
      expect(seen(await app.post(path, { headers, body: 'x' }))).toEqual([415, expect.any(Object)])
      expect(seen(await app.get(`${FLINK}/table`))).toEqual([200, { tables: [] }])
      expect(seen(await app.get(`${FLINK}/job`))).toEqual([200, { jobs: [] }])
    },
  )

  test('the type of the content does not matter', async () => {
    const app = await testApp()
    await createTable(app)
    const headers = { 'Content-Type': 'application/octet-stream' }
    const body = JSON.stringify({ name: 'KAlert' })
    expect(seen(await app.post(`${FLINK}/table`, { headers, body }))).toEqual([400, expect.any(Object)])
  })

  test('a page of an allowed origin may send every method', async () => {
    const app = await testApp({ config: { corsOrigins: ['https://ui.example.org'] } })
    const headers = { Origin: 'https://ui.example.org', 'Access-Control-Request-Method': 'PATCH' }
    const answer = await app.request('OPTIONS', `${FLINK}/proxy/v1/jobs/x`, { headers })
    expect([answer.status, answer.headers['access-control-allow-methods']]).toEqual([
      204,
      'GET, HEAD, POST, PUT, PATCH, DELETE',
    ])
  })
})
