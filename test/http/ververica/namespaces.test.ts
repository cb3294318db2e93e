/** Namespaces and API tokens as clients of the platform manage them; status of the service. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { STREAMS, type TestApp, testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const N = '/namespaces/v1/namespaces'
const JSON_BODY = { 'Content-Type': 'application/json' }
const NOW_MS = 1_700_000_000_000
const CREATED = '2023-11-14T22:13:20.000Z'
const EVERYBODY = [{ members: ['system:authenticated'], role: 'owner' }]

async function call(
  app: TestApp,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const text = body === undefined ? {} : { body: JSON.stringify(body) }
  const response = await app.request(method, path, { headers: { ...JSON_BODY, ...headers }, ...text })
  return [response.status, response.json()] as const
}

const exception = (
  statusCode: number,
  reason: string,
  message: unknown,
  context: unknown = expect.any(Object),
) => [statusCode, { kind: 'ApiException', apiVersion: 'v1', message, reason, statusCode, context }]

const invalid = (...errors: { attribute: string; message: unknown }[]) => [
  400,
  {
    ...{ kind: 'ApiValidationException', apiVersion: 'v1', statusCode: 400 },
    ...{
      message: `Validation failed for ${errors.length} attribute${errors.length === 1 ? '' : 's'}.`,
      errors,
    },
  },
]

describe('namespaces', () => {
  test('are created with hyphens, found by either spelling, listed, changed and deleted', async () => {
    const app = await testApp({ nowMs: NOW_MS, onDisk: true })
    const ns = {
      name: 'namespaces/my-namespace',
      createTime: CREATED,
      lifecyclePhase: 'LIFECYCLE_PHASE_ACTIVE',
    }
    const made = { namespace: { ...ns, roleBindings: EVERYBODY } }
    expect(await call(app, 'POST', N, { name: 'namespaces/my-namespace' })).toEqual([201, made])
    const initial = {
      name: 'namespaces/default',
      lifecyclePhase: 'LIFECYCLE_PHASE_ACTIVE',
      roleBindings: EVERYBODY,
    }
    expect(await call(app, 'GET', N)).toEqual([200, { namespaces: [initial, made.namespace] }])
    for (const spelling of ['my-namespace', 'my_namespace', 'my-namespace/']) {
      expect(await call(app, 'GET', `${N}/${spelling}`)).toEqual([200, made])
      expect((await app.get(`/api/v1/namespaces/${spelling}/`)).status).toBe(404)
    }
    expect((await app.get('/v3/namespaces/my_namespace')).status).toBe(200)

    const roleBindings = [
      { members: ['user:ann', 'user:bob'], role: 'viewer' },
      { members: ['system:authenticated'], role: 'owner' },
    ]
    const changed = { namespace: { ...ns, roleBindings } }
    expect(await call(app, 'PUT', `${N}/my_namespace`, { ...made.namespace, roleBindings })).toEqual([
      200,
      changed,
    ])
    await app.restart()
    expect(await call(app, 'GET', `${N}/my-namespace`)).toEqual([200, changed])

    const gone = { namespace: { ...changed.namespace, lifecyclePhase: 'LIFECYCLE_PHASE_TERMINATING' } }
    expect(await call(app, 'DELETE', `${N}/my-namespace`)).toEqual([200, gone])
    expect(await call(app, 'GET', `${N}/my-namespace`)).toEqual(
      exception(404, 'NamespaceNotFound', expect.stringMatching('my-namespace does not exist')),
    )
    await app.restart()
    expect(await call(app, 'POST', N, { name: 'my-namespace', roleBindings: [] })).toEqual([
      201,
      { namespace: { ...ns, roleBindings: [] } },
    ])
  })

  test('one name has one namespace, however it is spelled', async () => {
    const app = await testApp()
    await app.put('/v3/namespaces/a_b')
    await call(app, 'POST', N, { name: 'namespaces/c-d' })
    const taken = (name: string, existing: string, also: string) =>
      exception(409, 'NameAlreadyExists', `Namespace ${name} exists already${also}.`, { namespace: existing })
    expect(await call(app, 'POST', N, { name: 'a-b' })).toEqual(
      taken('a-b', 'a_b', ', with the spelling a_b'),
    )
    expect(await call(app, 'POST', N, { name: 'c-d' })).toEqual(taken('c-d', 'c-d', ''))
    expect(await call(app, 'POST', N, { name: 'default' })).toMatchObject([400, { kind: 'ApiException' }])
  })

  const refused: readonly (readonly [body: object, attribute: string, message: unknown])[] = [
    [{}, 'name', 'must not be empty'],
    [{ name: '' }, 'name', 'must not be empty'],
    [{ name: null }, 'name', 'must not be empty'],
    [{ name: 1 }, 'name', 'must be a text'],
    ...['-a', 'a-', 'A', 'a_b', 'a.b', 'namespaces/', 'namespaces/a/b', 'x'.repeat(64), 'other/a'].map(
      (name) => [{ name }, 'name', expect.stringMatching('^must be 1 to 63 of the characters')] as const,
    ),
    [{ name: 'a', roleBinding: [] }, 'roleBinding', 'unknown attribute'],
    [
      { name: 'a', roleBindings: [{ role: 'king', members: [] }] },
      'roleBindings[0].role',
      'must be one of viewer, editor, owner',
    ],
    [
      { name: 'a', roleBindings: [{ role: 'owner', members: [7] }] },
      'roleBindings[0].members[0]',
      'must be a text',
    ],
    [
      { name: 'a', roleBindings: Array(101).fill({ role: 'owner', members: [] }) },
      'roleBindings',
      'must have at most 100 items',
    ],
  ]
  test.each(refused)('POST %j is refused', async (body, attribute, message) => {
    const app = await testApp()
    expect(await call(app, 'POST', N, body)).toEqual(invalid({ attribute, message }))
  })

  test('PUT takes the name of the path alone', async () => {
    const app = await testApp()
    await call(app, 'POST', N, { name: 'a-b' })
    for (const name of ['namespaces/a-b', 'a-b', 'a_b'])
      expect((await call(app, 'PUT', `${N}/a-b`, { name }))[0]).toBe(200)
    expect(await call(app, 'PUT', `${N}/a-b`, { name: 'namespaces/c' })).toEqual(
      invalid({ attribute: 'name', message: 'must be namespaces/a-b, as in the path' }),
    )
  })

  test('default, one that is in use, and one that the operator protects are not deleted', async () => {
    const app = await testApp()
    expect(await call(app, 'DELETE', `${N}/default`)).toEqual(
      exception(403, 'Forbidden', 'namespace default always exists; it cannot be deleted'),
    )
    await call(app, 'POST', N, { name: 'a-b' })
    await app.put('/v3/namespaces/a_b/streams/logs')
    const inUse = 'Namespace a-b has stream logs; delete its streams first.'
    expect(await call(app, 'DELETE', `${N}/a-b`)).toEqual(
      exception(409, 'NamespaceNotEmpty', inUse, { namespace: 'a-b' }),
    )
    await app.delete('/v3/namespaces/a_b/streams/logs')
    expect((await call(app, 'DELETE', `${N}/a-b`))[0]).toBe(200)
    expect((await call(app, 'DELETE', `${N}/a-b`))[0]).toBe(404)

    const kept = await testApp({ config: { unrecoverableReset: false } })
    await call(kept, 'POST', N, { name: 'a' })
    expect(await call(kept, 'DELETE', `${N}/a`)).toEqual(
      exception(403, 'Forbidden', expect.stringMatching('started with --no-unrecoverable-reset')),
    )
    expect((await call(kept, 'GET', `${N}/a`))[0]).toBe(200)
  })

  test('what another API deletes takes its facts with it', async () => {
    const app = await testApp({ nowMs: NOW_MS })
    await call(app, 'POST', N, { name: 'a-b' })
    await app.delete('/v3/unrecoverable/namespaces/a_b')
    await app.put('/v3/namespaces/a_b')
    const named = {
      name: 'namespaces/a_b',
      lifecyclePhase: 'LIFECYCLE_PHASE_ACTIVE',
      roleBindings: EVERYBODY,
    }
    expect(await call(app, 'GET', `${N}/a-b`)).toEqual([200, { namespace: named }])
  })

  test('in YAML too', async () => {
    const app = await testApp({ nowMs: NOW_MS })
    const answer = await app.post(N, {
      headers: { 'Content-Type': 'application/yaml', Accept: 'application/yaml' },
      body: 'name: namespaces/my-namespace\nroleBindings:\n  - {role: owner, members: [system:authenticated]}\n',
    })
    expect([answer.status, answer.headers['content-type'], answer.text]).toEqual([
      201,
      'application/yaml',
      `namespace:
  name: namespaces/my-namespace
  createTime: "${CREATED}"
  lifecyclePhase: LIFECYCLE_PHASE_ACTIVE
  roleBindings:
    - members:
        - "system:authenticated"
      role: owner
`,
    ])
    const list = await app.get(N, { headers: { Accept: 'application/yaml' } })
    expect(parse(list.text)).toEqual((await app.get(N)).json())
  })
})

const TOKENS = (namespace: string) => `/apitokens/v1/namespaces/${namespace}/apitokens`
const T = TOKENS('default')

async function guarded() {
  const file = await tokenFile([
    { name: 'boss', grants: ['*:*:read,write,admin'] },
    { name: 'owner', grants: ['default:*:admin'] },
  ])
  const app = await testApp({ nowMs: NOW_MS, config: { authFile: file.path } })
  return { app, file, as: (name: string) => file.bearer(name) }
}

describe('API tokens', () => {
  test('are made with the grants of their role, used at once, shown without secret, and revoked', async () => {
    const { app, file, as } = await guarded()
    const body = { name: 'namespaces/default/apitokens/ci-token', role: 'editor' }
    const [status, made] = await call(app, 'POST', T, body, as('owner'))
    const { secret } = (made as { apiToken: { secret: string } }).apiToken
    const shown = { ...body, createTime: CREATED }
    expect([status, made]).toEqual([201, { apiToken: { ...shown, secret: expect.stringMatching(/^mr_/) } }])
    expect(await call(app, 'GET', T, undefined, as('owner'))).toEqual([200, { apiTokens: [shown] }])
    expect(await call(app, 'GET', `${T}/ci-token`, undefined, as('owner'))).toEqual([
      200,
      { apiToken: shown },
    ])

    const ci = { Authorization: `Bearer ${secret}` }
    await app.put(`${STREAMS}/logs`, { headers: as('owner') })
    expect((await app.post(`${STREAMS}/logs`, { headers: ci, body: 'x' })).status).toBe(200)
    expect((await app.get(`${STREAMS}/logs/events`, { headers: ci })).status).toBe(200)
    expect((await app.delete(`${STREAMS}/logs`, { headers: ci })).status).toBe(403)
    expect((await app.get(T, { headers: ci })).status).toBe(403)
    const text = await readFile(file.path, 'utf8')
    expect(text).toContain('"default:*:read,write,jobs"')
    expect(text).not.toContain(secret)
    expect((await stat(file.path)).mode & 0o777).toBe(0o600)

    expect(await call(app, 'DELETE', `${T}/ci-token`, undefined, as('owner'))).toEqual([200, {}])
    expect((await app.post(`${STREAMS}/logs`, { headers: ci, body: 'x' })).status).toBe(401)
    const unknown = exception(404, 'ApiTokenNotFound', 'API token ci-token does not exist.')
    for (const method of ['GET', 'DELETE'])
      expect(await call(app, method, `${T}/ci-token`, undefined, as('owner'))).toEqual(unknown)
    expect(app.logged.join('')).not.toContain(secret)
    expect(app.reported).toEqual([])
  })

  test.each([
    ['viewer', 'default:*:read'],
    ['editor', 'default:*:read,write,jobs'],
    ['owner', 'default:*:read,write,admin,jobs'],
  ])('%s has %s', async (role, grant) => {
    const { app, file, as } = await guarded()
    expect((await call(app, 'POST', T, { name: 'a', role }, as('owner')))[0]).toBe(201)
    expect(await readFile(file.path, 'utf8')).toContain(JSON.stringify(grant))
  })

  test('a token of another namespace, and other entries of the file, are not seen', async () => {
    const { app, as } = await guarded()
    await call(app, 'POST', N, { name: 'my-ns' }, as('boss'))
    const inOther = TOKENS('my-ns')
    const [, made] = await call(app, 'POST', inOther, { name: 'x', role: 'owner' }, as('boss'))
    expect(made).toMatchObject({ apiToken: { name: 'namespaces/my-ns/apitokens/x' } })
    expect(await call(app, 'GET', T, undefined, as('owner'))).toEqual([200, { apiTokens: [] }])
    expect((await call(app, 'GET', inOther, undefined, as('owner')))[0]).toBe(403)
    const { secret } = (made as { apiToken: { secret: string } }).apiToken
    const other = { Authorization: `Bearer ${secret}` }
    expect(await call(app, 'GET', N, undefined, other)).toMatchObject([
      200,
      { namespaces: [{ name: 'namespaces/my-ns' }] },
    ])
    expect((await call(app, 'DELETE', `${N}/my-ns`, undefined, as('boss')))[0]).toBe(200)
    expect((await call(app, 'GET', N, undefined, other))[0]).toBe(401)
  })

  test.each([
    [{ role: 'owner' }, { attribute: 'name', message: 'must not be empty' }],
    [{ name: 'a' }, { attribute: 'role', message: 'must not be null' }],
    [
      { name: 'a', role: 'admin' },
      { attribute: 'role', message: 'must be one of viewer, editor, owner' },
    ],
    [
      { name: 'a.b', role: 'owner' },
      { attribute: 'name', message: expect.stringMatching('^must have only the characters') },
    ],
    [
      { name: 'namespaces/other/apitokens/a', role: 'owner' },
      { attribute: 'name', message: 'must have the namespace of the path' },
    ],
    [
      { name: 'x'.repeat(57), role: 'owner' },
      { attribute: 'name', message: 'must have at most 56 characters in namespace default' },
    ],
  ])('POST %j is refused', async (body, error) => {
    const { app, as } = await guarded()
    expect(await call(app, 'POST', T, body, as('owner'))).toEqual(invalid(error))
  })

  test('a name is given once, also by requests at the same time', async () => {
    const { app, as } = await guarded()
    const make = () => call(app, 'POST', T, { name: 'a', role: 'viewer' }, as('owner'))
    const statuses = (await Promise.all([make(), make(), make()])).map(([status]) => status)
    expect(statuses.sort()).toEqual([201, 409, 409])
    expect(await make()).toEqual(exception(409, 'NameAlreadyExists', 'API token a exists already.'))
  })

  test('a file that cannot be used is reported to the operator alone', async () => {
    const { app, file, as } = await guarded()
    await writeFile(file.path, 'no tokens', { mode: 0o600 })
    const refused = exception(
      503,
      'Unavailable',
      'the token file cannot be used; the log of the service says why',
    )
    expect(await call(app, 'POST', T, { name: 'a', role: 'viewer' }, as('owner'))).toEqual(refused)
    expect(app.reported.length).toBeGreaterThan(0)
    app.reported.length = 0
  })

  test('need --auth', async () => {
    const app = await testApp()
    const refused = exception(501, 'NotImplemented', 'tokens need --auth FILE', {})
    expect(await call(app, 'GET', T)).toEqual(refused)
    expect(await call(app, 'POST', T, { name: 'a', role: 'owner' })).toEqual(refused)
    expect(await call(app, 'DELETE', `${T}/a`)).toEqual(refused)
    expect((await call(app, 'GET', TOKENS('nope')))[0]).toBe(404)
  })
})

describe('status', () => {
  test('is empty while the service is well, 503 while writes are refused', async () => {
    let freeBytes = 2 ** 30
    const app = await testApp({ config: { minFreeDiskBytes: 2 ** 20 }, freeBytes: () => freeBytes })
    expect(await call(app, 'GET', '/api/v1/status')).toEqual([200, {}])
    freeBytes = 0
    await expect.poll(async () => (await app.get('/api/v1/status')).status, { timeout: 10_000 }).toBe(503)
    expect(await call(app, 'GET', '/api/v1/status')).toEqual(
      exception(503, 'Unavailable', expect.any(String), {}),
    )
  })

  test('system-info says what is known', async () => {
    const app = await testApp()
    expect(await call(app, 'GET', '/api/v1/status/system-info')).toEqual([
      200,
      {
        ...{ kind: 'SystemInformation', apiVersion: 'v1' },
        status: {
          revisionInformation: {
            ...{ buildTime: '', buildVersion: expect.stringMatching(/^\d/) },
            ...{
              commitShaLong: expect.stringMatching(/^([0-9a-f]{40})?$/),
              commitShaShort: expect.stringMatching(/^([0-9a-f]{7})?$/),
            },
          },
          jvmVersion: '',
          resourceQuota: {
            ...{ kind: 'ResourceQuota', apiVersion: 'v1', spec: { type: 'UNLIMITED' } },
            status: { used: { cpu: 0 } },
          },
        },
      },
    ])
  })
})
