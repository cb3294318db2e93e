/** Who changed what is written down: with tokens in the log, with --audit-file in a file of its own. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/service-process.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { secretNumber, tokenFile } from '../support/tokens.ts'

interface Step {
  readonly request: string
  readonly body?: string
  readonly status: number
  /** Undefined: nothing is written. */
  readonly audit?: string
  readonly namespace?: string
  readonly stream?: string
}

const N = '/v3/namespaces'
const TABLES_OF_S = `${N}/default/data/explore/streams/s/tables`

/** In this order. */
const steps: readonly Step[] = [
  { request: `PUT ${N}/shop`, status: 200, audit: 'namespace.create', namespace: 'shop' },
  { request: `PUT ${N}/my-ns`, status: 400, audit: 'namespace.create', namespace: 'my-ns' },
  {
    request: `PUT ${N}/shop/properties`,
    body: '{}',
    status: 200,
    audit: 'namespace.properties',
    namespace: 'shop',
  },
  { request: `PUT ${STREAMS}/s`, status: 200, audit: 'stream.create', namespace: 'default', stream: 's' },
  {
    request: 'PUT /v2/streams/old',
    status: 200,
    audit: 'stream.create',
    namespace: 'default',
    stream: 'old',
  },
  {
    request: `PUT ${STREAMS}/s/properties`,
    body: '{"ttl":5}',
    status: 200,
    audit: 'stream.properties',
    namespace: 'default',
    stream: 's',
  },
  {
    request: 'PUT /v2/streams/old/config',
    body: '{"ttl":-5}',
    status: 400,
    audit: 'stream.properties',
    namespace: 'default',
    stream: 'old',
  },
  ...[
    {
      request: `PUT ${STREAMS}/s/views/v`,
      body: '{"format":{"name":"text"}}',
      status: 201,
      audit: 'view.put',
    },
    { request: `POST ${STREAMS}/s/views/v/metadata/tags`, body: '["a"]', audit: 'view.metadata' },
    { request: `POST ${TABLES_OF_S}/stream_s/disable`, audit: 'table.disable' },
    { request: `POST ${TABLES_OF_S}/stream_s/enable`, body: '{"name":"text"}', audit: 'table.enable' },
    { request: `DELETE ${STREAMS}/s/views/v`, audit: 'view.delete' },
  ].map((step) => ({ status: 200, namespace: 'default', stream: 's', ...step })),
  {
    request: `POST ${STREAMS}/s/truncate`,
    status: 200,
    audit: 'stream.truncate',
    namespace: 'default',
    stream: 's',
  },
  { request: `DELETE ${STREAMS}/s`, status: 200, audit: 'stream.delete', namespace: 'default', stream: 's' },
  { request: `DELETE ${STREAMS}/s`, status: 404, audit: 'stream.delete', namespace: 'default', stream: 's' },
  {
    request: `DELETE /v3/unrecoverable/namespaces/shop`,
    status: 200,
    audit: 'namespace.delete',
    namespace: 'shop',
  },
  {
    request: `DELETE /v3/unrecoverable/namespaces/%0a`,
    status: 400,
    audit: 'namespace.delete',
    namespace: '\n',
  },
  // What changes nothing, or only adds events, is not written down.
  { request: 'POST /v2/streams/old', body: 'x', status: 200 },
  { request: 'GET /v2/streams/old/events', status: 200 },
  { request: 'GET /v2/streams', status: 200 },
  { request: 'PATCH /v2/streams', status: 405 },
]

async function takeSteps(app: TestApp, headers: Record<string, string>, only?: number): Promise<void> {
  for (const { request, body, status } of steps) {
    const [method, path] = request.split(' ') as [string, string]
    const answer = await app.request(method, path, { headers, ...(body !== undefined && { body }) })
    expect(answer.status, request).toBe(only ?? status)
  }
}

function expected(client: string | undefined, only?: number): object[] {
  return steps.flatMap(({ audit, namespace, stream, status: usual }) => {
    const status = only ?? usual
    return audit === undefined
      ? []
      : [
          {
            audit,
            time: '1970-01-01T00:16:40.000Z',
            ...(client !== undefined && { client }),
            from: expect.stringMatching(/^127\.0\.0\.1:[0-9]+$/),
            namespace,
            ...(stream !== undefined && { stream }),
            status,
            outcome: status < 400 ? 'done' : 'refused',
          },
        ]
  })
}

function parsed(lines: string): object[] {
  return lines
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

test('with tokens every change is in the log and in the file, with its client', async () => {
  const tokens = await tokenFile([{ name: 'boss' }])
  const auditFile = join(await temporaryFolder(), 'audit.jsonl')
  const app = await testApp({ nowMs: 1_000_000, config: { authFile: tokens.path, auditFile } })
  await takeSteps(app, tokens.bearer('boss'))
  expect(parsed(app.logged.join(''))).toEqual(expected('boss'))
  await expect
    .poll(async () => (await readFile(auditFile, 'utf8')).split('\n').length)
    .toBe(app.logged.length + 1)
  expect(await readFile(auditFile, 'utf8')).toBe(app.logged.join(''))
})

test('refused attempts are recorded too, with and without a token', async () => {
  const tokens = await tokenFile([{ name: 'reader', grants: ['default:old:read'] }])
  const app = await testApp({ nowMs: 1_000_000, config: { authFile: tokens.path } })
  const changing = steps.filter(({ audit }) => audit !== undefined)
  for (const [headers, client, status] of [
    [tokens.bearer('reader'), 'reader', 403],
    [{}, null, 401],
    [{ Authorization: `Bearer ${secretNumber(99)}` }, null, 401],
  ] as const) {
    app.logged.length = 0
    for (const { request } of changing) {
      const [method, path] = request.split(' ') as [string, string]
      expect((await app.request(method, path, { headers })).status, request).toBe(status)
    }
    expect(parsed(app.logged.join(''))).toEqual(
      expected(undefined, status).map((line) => ({ ...line, client })),
    )
  }
})

test('without tokens a file that is named has everything, and the log nothing', async () => {
  const auditFile = join(await temporaryFolder(), 'audit.jsonl')
  const app = await testApp({ nowMs: 1_000_000, config: { auditFile } })
  await takeSteps(app, {})
  await app.restart() // what is closed has been written
  expect(parsed(await readFile(auditFile, 'utf8'))).toEqual(expected(undefined))
  expect(app.logged).toEqual([])
})

test('whom a proxy speaks for is written down as its claim', async () => {
  const tokens = await tokenFile([{ name: 'boss' }])
  const app = await testApp({ config: { authFile: tokens.path } })
  await app.put(`${STREAMS}/s`, { headers: { ...tokens.bearer('boss'), 'X-Forwarded-For': '203.0.113.9' } })
  expect(parsed(app.logged.join(''))).toMatchObject([{ client: 'boss', forwardedFor: '203.0.113.9' }])
})
