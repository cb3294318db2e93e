/** Every change of a resource has a line in the audit, with its id; secrets are in none. */
import { expect, test } from 'vitest'
import { createTable } from '../../support/aiven.ts'
import { STREAMS, testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const N = '/api/v1/namespaces/default'
const P = '/namespaces/v1/namespaces'
const T = '/apitokens/v1/namespaces/my-ns/apitokens'
const SECRET = 'swordfish-and-more'

interface Step {
  readonly request: string
  readonly body?: object
  readonly status: number
  readonly audit: string
  /** Of the line: a word in capitals is the id that the request with this word has made. */
  readonly id?: string
  readonly namespace?: string
  /** A name for the id of what is made. */
  readonly makes?: string
}

const spec = {
  state: 'CANCELLED',
  template: { spec: { artifact: { kind: 'SQLSCRIPT', sqlScript: 'INSERT INTO out1 SELECT * FROM in1' } } },
}
const steps: readonly Step[] = [
  {
    request: `POST ${N}/deployments`,
    body: { metadata: { name: 'd' }, spec },
    status: 201,
    audit: 'deployment.create',
    makes: 'DEP',
  },
  { request: `POST ${N}/deployments`, body: { metadata: {} }, status: 400, audit: 'deployment.create' },
  {
    request: `PATCH ${N}/deployments/d`,
    body: { metadata: { labels: { a: 'b' } } },
    status: 200,
    audit: 'deployment.update',
    id: 'DEP',
  },
  { request: `PATCH ${N}/deployments/nope`, body: {}, status: 404, audit: 'deployment.update', id: 'nope' },
  {
    request: `POST ${N}/savepoints`,
    body: { metadata: { deploymentId: 'DEP' } },
    status: 409,
    audit: 'savepoint.create',
  },
  { request: `DELETE ${N}/savepoints/nope`, status: 404, audit: 'savepoint.delete', id: 'nope' },
  { request: `DELETE ${N}/deployments/DEP`, status: 200, audit: 'deployment.delete', id: 'DEP' },
  {
    request: `POST ${N}/deployment-targets`,
    body: { metadata: { name: 't' }, spec: { embedded: {} } },
    status: 201,
    audit: 'target.create',
    makes: 'TAR',
    id: 'TAR',
  },
  { request: `DELETE ${N}/deployment-targets/t`, status: 200, audit: 'target.delete', id: 'TAR' },
  {
    request: `PATCH ${N}/deployment-defaults`,
    body: { spec: { maxJobCreationAttempts: 2 } },
    status: 200,
    audit: 'defaults.update',
    makes: 'DEF',
    id: 'DEF',
  },
  {
    request: `POST ${N}/secret-values`,
    body: { metadata: { name: 's' }, spec: { kind: 'PLAIN', value: SECRET } },
    status: 201,
    audit: 'secret.create',
    makes: 'SEC',
    id: 'SEC',
  },
  {
    request: `PATCH ${N}/secret-values/s`,
    body: { spec: { value: `${SECRET}2` } },
    status: 200,
    audit: 'secret.update',
    id: 'SEC',
  },
  { request: `DELETE ${N}/secret-values/s`, status: 200, audit: 'secret.delete', id: 'SEC' },
  { request: '/sql', body: { statement: 'SELECT' }, status: 400, audit: 'script.execute' },
  {
    request: `POST ${P}`,
    body: { name: 'namespaces/my-ns' },
    status: 201,
    audit: 'namespace.create',
    namespace: 'my_ns',
  },
  {
    request: `POST ${P}`,
    body: { name: 'my-ns' },
    status: 409,
    audit: 'namespace.create',
    namespace: 'my_ns',
  },
  { request: `PUT ${P}/my-ns`, body: {}, status: 200, audit: 'namespace.properties', namespace: 'my_ns' },
  {
    request: `POST ${T}`,
    body: { name: 'ci', role: 'viewer' },
    status: 201,
    audit: 'token.create',
    namespace: 'my_ns',
    id: 'ci',
  },
  { request: `DELETE ${T}/ci`, status: 200, audit: 'token.delete', namespace: 'my_ns', id: 'ci' },
  { request: `DELETE ${P}/my-ns`, status: 200, audit: 'namespace.delete', namespace: 'my_ns' },
].map((step) =>
  step.request === '/sql'
    ? { ...step, request: 'POST /sql/v1beta1/namespaces/default/sqlscripts%3Aexecute' }
    : step,
)

test('every change, done or refused, has one line', { timeout: 60_000 }, async () => {
  const tokens = await tokenFile([{ name: 'ops' }])
  const headers = { ...tokens.bearer('ops'), 'Content-Type': 'application/json' }
  const app = await testApp({ config: { authFile: tokens.path } })
  for (const name of ['in1', 'out1']) {
    await app.put(`${STREAMS}/${name}`, { headers })
    await createTable(app, { name, schema_sql: 'a INT', kafka_topic: name }, { headers })
  }
  const linesOf = () =>
    app.logged.flatMap((line) => {
      const entry = JSON.parse(line) as Record<string, unknown>
      return entry.audit === 'tokens' ? [] : [entry]
    })
  const ids = new Map<string, string>()
  const withIds = (text: string) => text.replace(/[A-Z]{3}(?![A-Z])/g, (word) => ids.get(word) ?? word)
  for (const { request, body, status, audit, namespace = 'default', id, makes } of steps) {
    const before = linesOf().length
    const [method, path] = withIds(request).split(' ') as [string, string]
    const text = body === undefined ? {} : { body: withIds(JSON.stringify(body)) }
    const response = await app.request(method, path, { headers, ...text })
    expect(response.status, `${request}: ${response.text}`).toBe(status)
    if (makes !== undefined) ids.set(makes, (response.json() as { metadata: { id: string } }).metadata.id)
    const made = id ?? makes
    expect(linesOf().slice(before), request).toEqual([
      {
        ...{ audit, client: 'ops', namespace, status, outcome: status < 400 ? 'done' : 'refused' },
        ...{ time: expect.any(String), from: expect.any(String) },
        ...(made !== undefined && { id: withIds(made) }),
      },
    ])
  }
  expect(app.logged.join('')).not.toContain(SECRET)
  expect(app.reported).toEqual([])
})

test('what only reads has none', async () => {
  const tokens = await tokenFile([{ name: 'ops' }])
  const headers = tokens.bearer('ops')
  const app = await testApp({ config: { authFile: tokens.path } })
  for (const path of [
    `${N}/deployments`,
    `${N}/events`,
    P,
    '/apitokens/v1/namespaces/default/apitokens',
    '/api/v1/status',
  ])
    expect((await app.get(path, { headers })).status, path).toBe(200)
  expect(app.logged).toEqual([])
})
