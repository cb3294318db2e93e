/** Every endpoint of cached queries, called by every kind of client, where tokens are required; what lists show; and the audit trail. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { StreamName } from '../../../src/streams/names.ts'
import {
  apisWithQueries,
  connectionView,
  FakeQueries,
  form,
  namespaceNamed,
  queryView,
} from '../../support/cached-queries.ts'
import { POLL } from '../../support/speeds.ts'
import { testApp } from '../../support/test-app.ts'
import { ALL, tokenFile } from '../../support/tokens.ts'

const NOW_MS = 1_000_000
const CLIENTS = {
  noToken: undefined,
  expired: [ALL],
  read: ['default:env1-q2:read'],
  readAll: ['default:env1-*:read'],
  write: ['default:env1-q2:write'],
  admin: ['default:env1-*:admin'],
  adminOfOne: ['default:env1-q2:admin'],
  adminOfWider: ['default:env*:admin'],
  otherEnvironment: ['default:env2-*:read,write,admin'],
  otherNamespace: ['other:*:read,write,admin'],
  namespaceAdmin: ['default:*:admin'],
  jobs: ['default:*:jobs'],
  all: [ALL],
} as const
const NAMES = Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]

const C = 'postgres://app:hidden-word@db/shop'
const row = (text: string) => text.split(' ').map(Number)
//                 noTok exp read rAll writ admin aOne aWide oEnv oNs nsAd jobs all
const CHANGE = row('401 401 403 403 403 201 403 201 403 403 201 201 201')
const LIST = row('  401 401 200 200 200 200 200 200 200 200 200 200 200'.trim())
const READ = row('  401 401 200 200 403 403 403 403 403 404 403 403 200'.trim())
const SEE = row('   401 401 200 200 403 200 403 200 403 404 200 200 200'.trim())
const DELETE = row('401 401 403 403 403 200 403 200 403 404 200 200 200')

const FIELDS = { connectionString: C, environmentId: 'env1' }
const BODIES: Readonly<Record<string, string>> = {
  '/createCachedQuery': form({ ...FIELDS, schema: 's', sqlQuery: 'q' }),
}
const TABLE: readonly (readonly [string, readonly number[]])[] = [
  ['POST /createDatabaseConnection', CHANGE],
  ['POST /createCachedQuery', CHANGE],
  ['POST /deleteDatabaseConnection', CHANGE],
  ['POST /checkJobStatus', CHANGE],
  ['GET /connections', LIST],
  ['GET /connections/1', SEE],
  ['GET /queries', LIST],
  ['GET /queries/2', READ],
  ['GET /queries/2/rows', READ],
  ['GET /queries/2/changes', READ],
  ['DELETE /queries/2', DELETE],
]

async function guarded(queries = new FakeQueries(), config = {}) {
  const tokens = await tokenFile(
    NAMES.flatMap((name) => {
      const grants = CLIENTS[name]
      return grants === undefined ? [] : [{ name, grants, ...(name === 'expired' && { expiresMs: NOW_MS }) }]
    }),
  )
  const apis = apisWithQueries(queries)
  const app = await testApp({ nowMs: NOW_MS, apis, config: { authFile: tokens.path, ...config } })
  const headersOf = (name: (typeof NAMES)[number]) => (name === 'noToken' ? {} : { ...tokens.bearer(name) })
  return { app, tokens, headersOf }
}

const CODES: Readonly<Record<number, string>> = { 401: 'unauthorized', 403: 'forbidden', 404: 'not_found' }

test('every endpoint answers everybody as the table says', async () => {
  const { app, headersOf } = await guarded()
  const wrong: string[] = []
  for (const [route, expected] of TABLE) {
    const [method, path] = route.split(' ') as [string, string]
    const body = method === 'POST' ? { body: BODIES[path] ?? form(FIELDS) } : {}
    for (const [i, name] of NAMES.entries()) {
      for (const one of method === 'GET' ? [method, 'HEAD'] : [method]) {
        const answer = await app.request(one, path, { headers: headersOf(name), ...body })
        if (answer.status !== expected[i]) wrong.push(`${one} ${path} by ${name}: ${answer.status}`)
        if (answer.status < 400 || one === 'HEAD') continue
        const { error } = answer.json() as { error: { code: string } }
        expect(error.code, answer.text).toBe(CODES[answer.status])
        expect(answer.headers['www-authenticate'] !== undefined).toBe(answer.status === 401)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('a refused client cannot tell what exists', async () => {
  const queries = new FakeQueries()
  const { app, headersOf } = await guarded(queries)
  for (const name of ['read', 'write', 'otherEnvironment', 'otherNamespace'] as const) {
    const ask = (path: string) => app.post(path, { headers: headersOf(name), body: form(FIELDS) })
    const there = await ask('/checkJobStatus')
    queries.connectionList.length = 0
    const missing = await ask('/checkJobStatus')
    expect([missing.status, missing.text]).toEqual([there.status, there.text])
    queries.connectionList = new FakeQueries().connectionList
  }
  // Without a grant in the namespace, ids of it are ids of nothing.
  for (const [method, path, missing] of [
    ['GET', '/queries/2', '/queries/3'],
    ['GET', '/queries/2/rows', '/queries/3/rows'],
    ['GET', '/connections/1', '/connections/3'],
    ['DELETE', '/queries/2', '/queries/3'],
  ] as const) {
    const answer = await app.request(method, path, { headers: headersOf('otherNamespace') })
    const other = await app.request(method, missing, { headers: headersOf('otherNamespace') })
    expect([answer.status, answer.text.replace(/ [123] /, ' 0 ')]).toEqual([
      404,
      other.text.replace(/ 3 /, ' 0 '),
    ])
  }
  expect(queries.calls.filter((call) => (call as unknown[])[0] !== 'rows')).toEqual([])
})

test('lists show what the grants include', async () => {
  const queries = new FakeQueries()
  const stream = (name: string) => ({ namespace: namespaceNamed('default'), stream: name as StreamName })
  queries.queryList = [
    queryView(),
    queryView({ id: 3 }),
    queryView({ id: 5, connection: 4, name: 'env2-q5', stream: stream('env2-q5') }),
  ]
  const jobOf = (id: number) => ({ jid: String(id).repeat(32), name: `q${id}`, state: 'RUNNING' as const })
  queries.queryList = queries.queryList.map((query) => ({ ...query, jid: jobOf(query.id).jid }))
  queries.connectionList = [
    { connection: connectionView(), jobs: [jobOf(2), jobOf(3)], queries: queries.queryList.slice(0, 2) },
    {
      connection: connectionView({ id: 4, name: 'env2' }),
      jobs: [jobOf(5)],
      queries: queries.queryList.slice(2),
    },
  ]
  const { app, headersOf } = await guarded(queries)
  const seen = async (name: (typeof NAMES)[number]) => {
    const headers = headersOf(name)
    const listed = (await app.get('/queries', { headers })).json() as { queries: { id: number }[] }
    const { connections } = (await app.get('/connections', { headers })).json() as {
      connections: { id: number; queries: { id: number }[]; jobs: { name: string }[] }[]
    }
    return [
      listed.queries.map(({ id }) => id),
      connections.map(({ id, ...of }) => [
        id,
        of.queries.map((query) => query.id),
        of.jobs.map((job) => job.name),
      ]),
    ]
  }
  const first = [1, [2, 3], ['q2', 'q3']]
  const second = [4, [5], ['q5']]
  expect(await seen('read')).toEqual([[2], [[1, [2], ['q2']]]])
  expect(await seen('readAll')).toEqual([[2, 3], [first]])
  expect(await seen('admin')).toEqual([[], [first]])
  expect(await seen('adminOfWider')).toEqual([[], [first, second]])
  expect(await seen('otherEnvironment')).toEqual([[5], [second]])
  expect(await seen('otherNamespace')).toEqual([[], []])
  expect(await seen('jobs')).toEqual([[], [first, second]])
  expect(await seen('all')).toEqual([
    [2, 3, 5],
    [first, second],
  ])
})

test('the owner of a query is the token', async () => {
  const queries = new FakeQueries()
  const { app, headersOf } = await guarded(queries)
  await app.post('/createCachedQuery', { headers: headersOf('jobs'), body: BODIES['/createCachedQuery']! })
  expect((queries.calls[0] as unknown[])[2]).toBe('jobs')
})

test('changes have a line in the audit trail, refused ones too, and no line has a secret', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-audit-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const auditFile = join(folder, 'audit.log')
  const { app, headersOf } = await guarded(new FakeQueries(), { auditFile })
  for (const [route] of TABLE) {
    const [method, path] = route.split(' ') as [string, string]
    const body = method === 'POST' ? { body: BODIES[path] ?? form(FIELDS) } : {}
    for (const name of ['admin', 'read', 'noToken'] as const)
      await app.request(method, path, { headers: headersOf(name), ...body })
  }
  await app.post('/createDatabaseConnection', { headers: headersOf('all'), body: 'connectionString=a&b' })
  await expect.poll(() => readFile(auditFile, 'utf8'), POLL).toMatch(/"status":400.*\n$/) // written after the answer
  const text = await readFile(auditFile, 'utf8')
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map(({ audit, client, namespace, id, status }) => [audit, client, namespace, id, status])
  const of = (action: string, created: string, refused: string, status: number) => [
    [action, 'admin', 'default', created, status],
    [action, 'read', 'default', refused, 403],
    [action, null, undefined, undefined, 401],
  ]
  expect(lines).toEqual([
    ...of('connection.create', 'env1', 'env1', 201),
    ...of('query.create', 'env1-q2', 'env1', 201),
    ...of('connection.delete', 'env1', 'env1', 201),
    ...of('query.delete', 'env1-q2', 'env1-q2', 200),
    ['connection.create', 'all', undefined, undefined, 400],
  ])
  expect(text + app.logged.join('')).not.toContain('hidden-word')
})
