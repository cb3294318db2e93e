/** What all paths of these APIs have in common: types of bodies and answers, errors, lists, verbs. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createTable } from '../../support/aiven.ts'
import { type RequestOptions, type TestApp, testApp } from '../../support/test-app.ts'

const N = '/api/v1/namespaces/default'
const TARGETS = `${N}/deployment-targets`
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const YAML = { Accept: 'application/yaml' }

const exception = (statusCode: number, reason: string, message: unknown, context: unknown = {}) => ({
  ...{ kind: 'ApiException', apiVersion: 'v1', message, reason, statusCode, context },
})

/** A body that creates a target, in both forms. */
const target = (name: string) => ({
  json: JSON.stringify({ metadata: { name }, spec: { embedded: {} } }),
  yaml: `metadata:\n  name: ${name}\nspec: {embedded: {}}\n`,
})

async function answerOf(app: TestApp, method: string, path: string, options: RequestOptions = {}) {
  const { status, headers, text } = await app.request(method, path, options)
  const type = headers['content-type']
  return { status, type, value: type === 'application/yaml' ? parse(text) : JSON.parse(text) }
}

describe('the type of a body', () => {
  const one = target('t')
  const patch = { json: '{"metadata":{"labels":{"a":"b"}}}', yaml: 'metadata: {labels: {a: b}}' }
  const types: readonly (readonly [
    type: string | undefined,
    form: 'json' | 'yaml',
    post: number,
    patch: number,
  ])[] = [
    [undefined, 'json', 201, 200],
    ['', 'json', 201, 200],
    ['application/json', 'json', 201, 200],
    ['Application/JSON; charset=utf-8', 'json', 201, 200],
    ['application/yaml', 'yaml', 201, 200],
    ['application/yaml;charset=utf-8', 'yaml', 201, 200],
    ['application/x-yaml', 'yaml', 201, 200],
    ['text/yaml', 'yaml', 201, 200],
    ['application/yaml', 'json', 201, 200], // JSON is YAML
    ['application/merge-patch+json', 'json', 415, 200],
    ['application/json', 'yaml', 400, 400],
    ['application/json-patch+json', 'json', 415, 415],
    ['application/x-www-form-urlencoded', 'json', 415, 415],
    ['text/plain', 'json', 415, 415],
    ['constructor', 'json', 415, 415],
  ]
  test('is JSON or YAML', async () => {
    const app = await testApp()
    for (const [type, form, onPost, onPatch] of types) {
      const headers = type === undefined ? {} : { 'Content-Type': type }
      const name = `${type} ${form}`
      const posted = await answerOf(app, 'POST', TARGETS, { headers, body: one[form] })
      expect([posted.status, posted.type], name).toEqual([onPost, 'application/json'])
      if (onPost === 201) await app.delete(`${TARGETS}/t`)
      const patched = await answerOf(app, 'PATCH', `${N}/deployment-defaults`, { headers, body: patch[form] })
      expect([patched.status, patched.type], name).toEqual([onPatch, 'application/json'])
      if (onPost === 415)
        expect(posted.value).toEqual(
          exception(
            415,
            'UnsupportedMediaType',
            `Content-Type is '${type}'; send application/json or application/yaml`,
          ),
        )
    }
    expect(app.reported).toEqual([])
  })

  test('matters only where there is a body', async () => {
    const app = await testApp()
    const headers = { 'Content-Type': 'text/plain' }
    expect((await app.get(TARGETS, { headers })).status).toBe(200)
    await app.post(TARGETS, { headers: { 'Content-Type': 'application/json' }, body: one.json })
    expect((await app.delete(`${TARGETS}/t`, { headers })).status).toBe(200)
  })

  test('a page of another site cannot send a body without a type, or DELETE without being asked', async () => {
    const app = await testApp()
    const foreign = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' }
    const refused = await answerOf(app, 'POST', TARGETS, { headers: foreign, body: one.json })
    expect([refused.status, refused.value.reason]).toEqual([403, 'Forbidden'])
  })
})

describe('the type of an answer', () => {
  const accepted: readonly (readonly [accept: string | undefined, type: string])[] = [
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['application/json', 'json'],
    ['application/yaml', 'yaml'],
    ['application/x-yaml', 'yaml'],
    ['text/yaml', 'yaml'],
    ['application/yaml, */*', 'json'],
    ['application/yaml, */*;q=0.9', 'yaml'],
    ['application/yaml;q=0.5, application/json;q=0.4', 'yaml'],
    ['application/yaml;q=0.5, application/json;q=0.5', 'json'],
    ['application/json;q=0, */*', 'yaml'],
    ['application/json;q=0, application/yaml', 'yaml'],
    ['text/html, application/yaml;q=0.9', 'yaml'],
  ]
  test.each(accepted)('Accept %s is answered in %s', async (accept, form) => {
    const app = await testApp()
    const headers: Record<string, string> = accept === undefined ? {} : { Accept: accept }
    const both = { ...headers, 'Content-Type': 'application/yaml' }
    const answers = [
      await answerOf(app, 'GET', TARGETS, { headers }),
      await answerOf(app, 'GET', `${TARGETS}/embedded`, { headers }),
      await answerOf(app, 'POST', TARGETS, { headers: both, body: target('t').yaml }),
      await answerOf(app, 'DELETE', `${TARGETS}/t`, { headers }),
      await answerOf(app, 'GET', `${TARGETS}/t`, { headers }),
      await answerOf(app, 'GET', '/api/nope', { headers }),
      await answerOf(app, 'GET', '/api/v1/status', { headers }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 201, 200, 404, 404, 200])
    for (const { type } of answers) expect(type).toBe(`application/${form}`)
  })

  test('a client that accepts neither changes nothing', async () => {
    const app = await testApp()
    for (const accept of [
      'text/html',
      'application/json;q=0',
      'application/json;q=0, application/yaml;q=0, */*',
    ]) {
      const headers = { Accept: accept, 'Content-Type': 'application/json' }
      for (const [method, path] of [
        ['GET', TARGETS],
        ['GET', `${TARGETS}/embedded`],
        ['POST', TARGETS],
        ['DELETE', `${TARGETS}/embedded`],
      ] as const) {
        const body = method === 'POST' ? { body: target('t').json } : {}
        const { status, type, value } = await answerOf(app, method, path, { headers, ...body })
        expect([status, type, value], `${method} ${accept}`).toEqual([
          406,
          'application/json',
          exception(
            406,
            'NotAcceptable',
            `Accept is '${accept}'; there is application/json and application/yaml`,
          ),
        ])
      }
    }
    expect((await app.get(`${TARGETS}/t`)).status).toBe(404)
    expect((await app.get(`${TARGETS}/embedded`)).status).toBe(200)
  })

  test('HEAD has the type and no body', async () => {
    const app = await testApp()
    for (const path of [TARGETS, `${TARGETS}/embedded`, '/namespaces/v1/namespaces', '/api/v1/status']) {
      const { status, headers, text } = await app.request('HEAD', path, { headers: YAML })
      expect([status, headers['content-type'], text], path).toEqual([200, 'application/yaml', ''])
    }
  })
})

describe('errors', () => {
  test('a namespace that is not there comes before all else that is wrong', async () => {
    const app = await testApp()
    const headers = { 'Content-Type': 'text/html', Accept: 'text/html' }
    for (const [method, path] of [
      ['GET', 'deployments/x'],
      ['GET', 'deployments?labelSelector=(('],
      ['POST', 'deployments'],
      ['PATCH', 'deployment-defaults'],
      ['DELETE', 'deployments/x'],
      ['GET', 'events'],
      ['POST', 'secret-values'],
    ] as const) {
      for (const namespace of ['nope', 'no.name', 'a-b', '%20', 'x'.repeat(2000)]) {
        const { status, value } = await answerOf(app, method, `/api/v1/namespaces/${namespace}/${path}`, {
          headers,
        })
        expect([status, value.kind, value.reason, value.context], `${method} ${path}`).toEqual([
          404,
          'ApiException',
          'NamespaceNotFound',
          {},
        ])
        expect(value.message.length).toBeLessThan(250)
      }
    }
    const script = await answerOf(app, 'POST', '/sql/v1beta1/namespaces/nope/sqlscripts:validate', {
      headers,
    })
    expect(script.value.reason).toBe('NamespaceNotFound')
  })

  test.each([
    ['deployments/075fb597-1a5d-436b-9e86-cc650f800c71', 'DeploymentNotFound', 'Deployment'],
    ['deployments/nope', 'DeploymentNotFound', 'Deployment'],
    ['deployment-targets/nope', 'DeploymentTargetNotFound', 'Deployment target'],
    ['jobs/nope', 'JobNotFound', 'Job'],
    ['savepoints/nope', 'SavepointNotFound', 'Savepoint'],
    ['secret-values/nope', 'SecretValueNotFound', 'Secret value'],
  ])('GET %s: %s', async (path, reason) => {
    const app = await testApp()
    const id = path.split('/')[1]!
    const { status, value } = await answerOf(app, 'GET', `${N}/${path}`)
    expect([status, value]).toEqual([
      404,
      exception(
        404,
        reason,
        expect.stringMatching(`${id} does not exist in namespace default`),
        expect.objectContaining({ namespace: 'default' }),
      ),
    ])
    for (const text of Object.values(value.context)) expect(text).toBeTypeOf('string')
  })

  test('the error of SPEC, to the letter', async () => {
    const app = await testApp()
    const id = '075fb597-1a5d-436b-9e86-cc650f800c71'
    expect((await app.get(`${N}/deployments/${id}`)).text).toBe(
      `{"kind":"ApiException","apiVersion":"v1","message":"Deployment ${id} does not exist in namespace default.","reason":"DeploymentNotFound","statusCode":404,"context":{"namespace":"default","id":"${id}"}}`,
    )
  })

  test('all attributes that are wrong are named, in JSON and in YAML', async () => {
    const app = await testApp()
    const body = JSON.stringify({
      metadata: { name: '' },
      spec: { stat: 1, state: 'x', template: { spec: { parallelism: 0 } } },
    })
    const headers = { 'Content-Type': 'application/json' }
    const inJson = await answerOf(app, 'POST', `${N}/deployments`, { headers, body })
    expect([inJson.status, inJson.type]).toEqual([400, 'application/json'])
    const { errors, ...rest } = inJson.value
    expect(rest).toEqual({
      ...{ kind: 'ApiValidationException', apiVersion: 'v1', statusCode: 400 },
      message: `Validation failed for ${errors.length} attributes.`,
    })
    expect(errors).toEqual(
      expect.arrayContaining([
        { attribute: 'metadata.name', message: 'must not be empty' },
        { attribute: 'spec.state', message: 'must be one of RUNNING, SUSPENDED, CANCELLED' },
        { attribute: 'spec.stat', message: 'unknown attribute' },
        { attribute: 'spec.template.spec.artifact.kind', message: 'must not be null' },
        { attribute: 'spec.template.spec.parallelism', message: 'must be greater than or equal to 1' },
      ]),
    )
    const inYaml = await answerOf(app, 'POST', `${N}/deployments`, { headers: { ...headers, ...YAML }, body })
    expect([inYaml.status, inYaml.type, inYaml.value]).toEqual([400, 'application/yaml', inJson.value])
  })

  const bodies: readonly (readonly [
    type: string,
    body: string,
    status: number,
    reason: string,
    message: RegExp,
  ])[] = [
    ['application/json', '', 400, 'MalformedBody', /^the body is no JSON: /],
    ['application/json', '{"a":', 400, 'MalformedBody', /^the body is no JSON: /],
    ['application/json', "{'a': 1}", 400, 'MalformedBody', /^the body is no JSON: /],
    ['application/json', '[]', 400, 'MalformedBody', /^the body is a list; send an object$/],
    ['application/json', '"x"', 400, 'MalformedBody', /^the body is a string; send an object$/],
    ['application/json', 'null', 400, 'MalformedBody', /^the body is null; send an object$/],
    ['application/json', '{"a":1e400}', 400, 'MalformedBody', /a number that is too large/],
    ['application/json', `${'['.repeat(65)}${']'.repeat(65)}`, 400, 'MalformedBody', /more than 64 levels/],
    ['application/json', '['.repeat(500_000), 400, 'MalformedBody', /^the body is no JSON: /],
    [
      'application/json',
      ' '.repeat(1024 * 1024 + 1),
      413,
      'PayloadTooLarge',
      /1048577 bytes; at most 1048576/,
    ],
    ['application/yaml', '', 400, 'MalformedBody', /^the body is null; send an object$/],
    ['application/yaml', '- a', 400, 'MalformedBody', /^the body is a list; send an object$/],
    ['application/yaml', 'a: [', 400, 'MalformedBody', /^the body is no YAML: .* at line 1, column 5$/],
    [
      'application/yaml',
      'a: 1\na: 2',
      400,
      'MalformedBody',
      /^the body has the key a twice at line 2, column 1$/,
    ],
    ['application/yaml', 'a: 1\n---\na: 2', 400, 'MalformedBody', /^the body is no YAML/],
    [
      'application/yaml',
      ' '.repeat(1024 * 1024 + 1),
      413,
      'PayloadTooLarge',
      /1048577 bytes; at most 1048576/,
    ],
  ]
  test('bodies that cannot be read', async () => {
    const app = await testApp()
    for (const [type, body, status, reason, message] of bodies) {
      const headers = { 'Content-Type': type }
      for (const [method, path] of [
        ['POST', TARGETS],
        ['PATCH', `${N}/deployment-defaults`],
      ] as const) {
        const refused = await answerOf(app, method, path, { headers, body })
        expect(refused.value, `${type} ${body.slice(0, 20)}`).toEqual(
          exception(status, reason, expect.stringMatching(message)),
        )
      }
    }
    expect(app.reported).toEqual([])
  })

  test('a body of 1 MiB is read in both forms', async () => {
    const app = await testApp()
    const text = 'x'.repeat(1024 * 1024 - 100)
    for (const [type, body] of [
      ['application/json', `{"comment":"${text}"}`],
      ['application/yaml', `comment: ${text}`],
    ] as const) {
      const { status, value } = await answerOf(app, 'POST', TARGETS, {
        headers: { 'Content-Type': type },
        body,
      })
      expect([status, value.kind], type).toEqual([400, 'ApiValidationException'])
      expect(JSON.stringify(value).length, type).toBeLessThan(10_000)
    }
  })

  const verbs: readonly (readonly [method: string, path: string, allow: string])[] = [
    ['PUT', `${N}/deployments`, 'GET, HEAD, POST'],
    ['PUT', `${N}/deployments/x`, 'GET, HEAD, PATCH, DELETE'],
    ['PATCH', `${TARGETS}/embedded`, 'GET, HEAD, DELETE'],
    ['PUT', `${N}/deployment-defaults`, 'GET, HEAD, PATCH'],
    ['DELETE', `${N}/deployment-defaults`, 'GET, HEAD, PATCH'],
    ['POST', `${N}/jobs`, 'GET, HEAD'],
    ['DELETE', `${N}/jobs/x`, 'GET, HEAD'],
    ['DELETE', `${N}/events`, 'GET, HEAD'],
    ['PATCH', `${N}/savepoints/x`, 'GET, HEAD, DELETE'],
    ['PUT', `${N}/secret-values/x`, 'GET, HEAD, PATCH, DELETE'],
    ['POST', '/api/v1/global-deployment-defaults', 'GET, HEAD'],
    ['DELETE', '/namespaces/v1/namespaces', 'GET, HEAD, POST'],
    ['PATCH', '/namespaces/v1/namespaces/default', 'GET, HEAD, PUT, DELETE'],
    ['GET', '/sql/v1beta1/namespaces/default/sqlscripts:validate', 'POST'],
  ]
  test('another verb on a known path is 405 with Allow', async () => {
    const app = await testApp()
    for (const [method, path, allow] of verbs) {
      const { status, headers, text } = await app.request(method, path)
      expect([status, headers.allow, JSON.parse(text)], `${method} ${path}`).toEqual([
        405,
        allow,
        exception(405, 'MethodNotAllowed', `${path} has other methods; see the header Allow`),
      ])
    }
  })

  test('paths that are not there', async () => {
    const app = await testApp()
    for (const path of [
      '/api',
      '/api/v2/x',
      '/api/v1',
      `${N}/nope`,
      '/sql/v1beta1',
      '/namespaces/v1/x',
      '/apitokens',
    ]) {
      const { status, value } = await answerOf(app, 'GET', path)
      expect([status, value], path).toEqual([404, exception(404, 'NotFound', `there is nothing at ${path}`)])
    }
  })
})

describe('lists', () => {
  const kinds = [
    ['deployments', 'DeploymentList'],
    ['jobs', 'JobList'],
    ['savepoints', 'SavepointList'],
    ['events', 'EventList'],
    ['secret-values', 'SecretValueList'],
  ] as const
  test.each(kinds)('%s: %s, empty', async (path, kind) => {
    const app = await testApp()
    for (const slash of ['', '/'])
      expect((await app.get(`${N}/${path}${slash}`)).text).toBe(
        `{"kind":"${kind}","apiVersion":"v1","metadata":{},"items":[]}`,
      )
    expect((await app.get(`${N}/${path}`, { headers: YAML })).text).toBe(
      `kind: ${kind}\napiVersion: v1\nmetadata: {}\nitems: []\n`,
    )
  })

  test('items are complete resources, oldest first', async () => {
    const app = await testApp()
    const items = [(await app.get(`${TARGETS}/embedded`)).json()]
    for (const name of ['b', 'a', 'c']) {
      app.nowMs += 1000
      const made = await app.post(TARGETS, {
        headers: { 'Content-Type': 'application/json' },
        body: target(name).json,
      })
      expect(made.status).toBe(201)
      expect((await app.get(`${TARGETS}/${name}/`)).text).toBe(made.text)
      items.push(made.json())
    }
    const list = { kind: 'DeploymentTargetList', apiVersion: 'v1', metadata: {}, items }
    expect((await app.get(TARGETS)).json()).toEqual(list)
    const inYaml = await app.get(TARGETS, { headers: YAML })
    expect(parse(inYaml.text)).toEqual(list)
    expect(inYaml.text).toMatch(
      /^kind: DeploymentTargetList\napiVersion: v1\nmetadata: \{\}\nitems:\n {2}- kind: DeploymentTarget\n {4}apiVersion: v1\n {4}metadata:\n {6}id: [0-9a-f-]{36}\n/,
    )
  })

  test('a filter that fits nothing gives an empty list, a selector that cannot be read 400', async () => {
    const app = await testApp()
    for (const query of [
      'jobs?deploymentId=x',
      'events?deploymentId=x',
      'events?jobId=x',
      'savepoints?deploymentId=x&jobId=y',
      'deployments?labelSelector=a%3Db',
    ])
      expect(((await app.get(`${N}/${query}`)).json() as { items: unknown }).items, query).toEqual([])
    const { status, value } = await answerOf(app, 'GET', `${N}/deployments?labelSelector=a%20in`)
    expect([status, value.reason]).toEqual([400, 'InvalidLabelSelector'])
  })
})

test('a long list is the same in both forms', async () => {
  const app = await testApp()
  for (let i = 0; i < 8; i++) {
    const annotations = {
      text: `line ${i}\nand another\n`.repeat(4_000),
      words: 'yes, no: on #'.repeat(4_000),
    }
    const body = JSON.stringify({ metadata: { name: `t${i}`, annotations }, spec: { embedded: {} } })
    const made = await app.post(TARGETS, { headers: { 'Content-Type': 'application/json' }, body })
    expect(made.status, made.text.slice(0, 300)).toBe(201)
  }
  const [inJson, inYaml] = [await app.get(TARGETS), await app.get(TARGETS, { headers: YAML })]
  expect(inJson.body.length).toBeGreaterThan(512 * 1024)
  expect(inYaml.headers['content-length']).toBeUndefined()
  expect(parse(inYaml.text)).toEqual(inJson.json())
})

test('a body may be compressed', async () => {
  const app = await testApp()
  const headers = { 'Content-Type': 'application/yaml', 'Content-Encoding': 'gzip' }
  expect((await app.post(TARGETS, { headers, body: gzipSync(target('t').yaml) })).status).toBe(201)
  const unknown = await answerOf(app, 'POST', TARGETS, {
    headers: { 'Content-Encoding': 'compress' },
    body: 'x',
  })
  expect([unknown.status, unknown.value.reason]).toEqual([415, 'UnsupportedMediaType'])
  const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024, ' '))
  expect((await answerOf(app, 'POST', TARGETS, { headers, body: bomb })).value.reason).toBe('PayloadTooLarge')
})

test('metadata: name, namespace, times, ids and versions of a target', async () => {
  const app = await testApp({ nowMs: Date.UTC(2019, 9, 7, 11, 7, 12, 667) })
  const body = JSON.stringify({
    kind: 'DeploymentTarget',
    apiVersion: 'v1',
    metadata: {
      id: 'x',
      name: 't',
      namespace: 'default',
      resourceVersion: 99,
      labels: { a: 1, b: false },
      other: 1,
    },
    spec: { embedded: {} },
    status: { any: 'thing' },
  })
  const headers = { 'Content-Type': 'application/json' }
  const made = await answerOf(app, 'POST', TARGETS, { headers, body })
  const at = '2019-10-07T11:07:12.667Z'
  expect([made.status, made.value]).toEqual([
    201,
    {
      kind: 'DeploymentTarget',
      apiVersion: 'v1',
      metadata: {
        ...{
          id: expect.stringMatching(UUID),
          name: 't',
          namespace: 'default',
          createdAt: at,
          modifiedAt: at,
        },
        ...{ labels: { a: '1', b: 'false' }, annotations: {}, resourceVersion: 1 },
      },
      spec: { embedded: {} },
    },
  ])
  for (const [wrong, attribute] of [
    [{ kind: 'Deployment' }, 'kind'],
    [{ apiVersion: 'v2' }, 'apiVersion'],
    [{ metadata: { name: 'u', namespace: 'other' } }, 'metadata.namespace'],
  ] as const) {
    const text = JSON.stringify({ ...JSON.parse(target('u').json), ...wrong })
    const { status, value } = await answerOf(app, 'POST', TARGETS, { headers, body: text })
    expect([status, value.errors.map((one: { attribute: string }) => one.attribute)]).toEqual([
      400,
      [attribute],
    ])
  }
})

test('a namespace with a hyphen is one namespace in all paths, and is shown as it was written', async () => {
  const app = await testApp()
  const headers = { 'Content-Type': 'application/json' }
  await app.post('/namespaces/v1/namespaces', { headers, body: '{"name":"my-ns"}' })
  for (const [spelling, name] of [
    ['my-ns', 'a'],
    ['my_ns', 'b'],
  ] as const) {
    const body = JSON.stringify({ metadata: { name, namespace: 'my-ns' }, spec: { embedded: {} } })
    const path = `/api/v1/namespaces/${spelling}/deployment-targets`
    const made = await answerOf(app, 'POST', path, { headers, body })
    expect([made.status, made.value.metadata.namespace]).toEqual([201, 'my-ns'])
    expect((await answerOf(app, 'GET', `${path}/${name}`)).value).toEqual(made.value)
  }
  const { items } = (await answerOf(app, 'GET', '/api/v1/namespaces/my-ns/deployment-targets')).value
  expect(
    items.map(
      ({ metadata }: { metadata: Record<string, string> }) => `${metadata.namespace} ${metadata.name}`,
    ),
  ).toEqual(['my-ns embedded', 'my-ns a', 'my-ns b'])
})

test('a deployment goes through YAML and comes back the same', { timeout: 60_000 }, async () => {
  const app = await testApp({ streams: ['in1', 'out1'] })
  for (const name of ['in1', 'out1']) await createTable(app, { name, schema_sql: 'a INT', kafka_topic: name })
  const both = { 'Content-Type': 'application/yaml', ...YAML }
  const body = `metadata: {name: copy, labels: {team: a}}
spec:
  state: CANCELLED
  template: {spec: {artifact: {kind: SQLSCRIPT, sqlScript: "INSERT INTO out1 SELECT * FROM in1"}, flinkConfiguration: {foo: 1, bar: x}}}
`
  const made = await app.post(`${N}/deployments`, { headers: both, body })
  expect([made.status, made.headers['content-type']], made.text).toEqual([201, 'application/yaml'])
  const id = /^ {2}id: (\S+)$/m.exec(made.text)![1]!
  expect(id).toMatch(UUID)
  for (const name of [id, 'copy', id.toUpperCase()])
    expect((await app.get(`${N}/deployments/${name}`, { headers: YAML })).text).toBe(made.text)
  expect(made.text).toContain('        sqlScript: INSERT INTO out1 SELECT * FROM in1\n')

  const patched = await answerOf(app, 'PATCH', `${N}/deployments/${id}`, {
    headers: { 'Content-Type': 'application/yaml' },
    body: 'spec: {template: {spec: {flinkConfiguration: {foo: null, bar: baz}}}}',
  })
  expect([patched.status, patched.type]).toEqual([200, 'application/json'])
  expect(patched.value.spec.template.spec.flinkConfiguration).toEqual({ bar: 'baz' })
  expect(patched.value.metadata.resourceVersion).toBe(2)

  const selected = await answerOf(app, 'GET', `${N}/deployments?labelSelector=team%20in%20(a,b)`)
  expect(selected.value.items).toEqual([patched.value])
  expect((await answerOf(app, 'GET', `${N}/deployments?labelSelector=team!=a`)).value.items).toEqual([])

  // What GET prints can be sent back.
  const printed = (await app.get(`${N}/deployments/${id}`, { headers: YAML })).text
  const again = await app.request('PATCH', `${N}/deployments/${id}`, { headers: both, body: printed })
  expect([again.status, parse(again.text).spec]).toEqual([200, parse(printed).spec])

  const removed = await answerOf(app, 'DELETE', `${N}/deployments/copy`)
  expect([removed.status, removed.value.metadata.id]).toEqual([200, id])
  expect((await app.get(`${N}/deployments/${id}`)).status).toBe(404)
  expect(app.reported).toEqual([])
})
