/** The four POSTs: both forms of bodies, what the query service is asked, whole answers, and every refusal with its body. */
import { describe, expect, test } from 'vitest'
import { CaptureError, type CaptureErrorCode } from '../../../src/cdc/capture-service.ts'
import { QueryProblem } from '../../../src/jobs/plan/query-plan.ts'
import { ServiceError } from '../../../src/service-error.ts'
import { SqlProblem } from '../../../src/sql/sql-problem.ts'
import { StorageError } from '../../../storage/storage-error.ts'
import { apisWithQueries, FakeQueries, form, JID } from '../../support/cached-queries.ts'
import { type RequestOptions, testApp } from '../../support/test-app.ts'

const C = 'postgres://app:s3cr+t%21@db:5432/shop?sslmode=require&x=1'
const CONNECTION = { connectionString: C, environmentId: 'env1' }
const QUERY = { ...CONNECTION, schema: 'model Order { id Int @id }', sqlQuery: "SELECT '%&+é'\nFROM x" }
const ASKED = { namespace: 'default', name: 'env1', connectionString: C }
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const JSON_BODY = { 'Content-Type': 'application/json' }

const CREATED = {
  ...{ id: 1, name: 'env1', status: 'new', database: 'postgres://app:***@db:5432/shop' },
  ...{ slot: 'millrace_env1', publication: 'millrace_env1', tables: [] },
}
const CREATED_QUERY = {
  ...{ id: 2, name: 'env1-q2', status: 'new', connection: 1, stream: 'env1-q2', jobId: JID },
  columns: [
    { name: 'region_code', type: 'text', nullable: false },
    { name: 'orders', type: 'bigint', nullable: true },
  ],
  ...{ primaryKey: ['region_code'], readUrl: '/queries/2/rows' },
}
const WORKER = (port: number) => ({ worker_id: `127.0.0.1:${port}`, version: expect.any(String) })
const STATUS = (port: number) => ({
  ...{ id: 1, name: 'env1', status: 'running' },
  connector: {
    name: 'env1',
    connector: { state: 'RUNNING', ...WORKER(port) },
    tasks: [{ id: 0, state: 'RUNNING', ...WORKER(port) }],
    type: 'source',
    ...{ lsn: '0/256E898', lagBytes: 0, lastCommitMs: 1_795_229_577_213 },
    snapshot: { done: true, tables: 2, rows: 100_000 },
    ...{ reconnects: 0, error: null },
  },
  jobs: [{ job_id: JID, name: 'env1-q2', state: 'RUNNING' }],
  queries: [
    {
      ...{ id: 2, name: 'env1-q2', status: 'running', stream: 'env1-q2', rows: 2 },
      asOf: { lsn: '0/256E898', ts_ms: 1_795_229_577_213 },
      error: null,
    },
  ],
})

interface Good {
  readonly path: string
  readonly fields: Readonly<Record<string, string>>
  readonly call: unknown[]
  readonly location: string
  readonly body: (port: number) => object
}

const good: readonly Good[] = [
  {
    path: '/createDatabaseConnection',
    fields: CONNECTION,
    call: ['createConnection', ASKED],
    location: '/connections/1',
    body: () => CREATED,
  },
  {
    path: '/createDatabaseConnection',
    fields: { ...CONNECTION, tables: 'public.orders, "My Schema"."a.""b"' },
    call: [
      'createConnection',
      {
        ...ASKED,
        tables: [
          { schema: 'public', table: 'orders' },
          { schema: 'My Schema', table: 'a."b' },
        ],
      },
    ],
    location: '/connections/1',
    body: () => CREATED,
  },
  {
    path: '/createDatabaseConnection',
    fields: { ...CONNECTION, tables: '*', namespace: 'default' },
    call: ['createConnection', { ...ASKED, tables: '*' }],
    location: '/connections/1',
    body: () => CREATED,
  },
  {
    path: '/createCachedQuery',
    fields: QUERY,
    call: ['createQuery', { ...ASKED, schema: QUERY.schema, sqlQuery: QUERY.sqlQuery }, undefined],
    location: '/queries/2',
    body: () => CREATED_QUERY,
  },
  {
    path: '/deleteDatabaseConnection',
    fields: CONNECTION,
    call: ['deleteConnection', ASKED, { purge: false }],
    location: '/connections/1',
    body: () => ({ id: 1, name: 'env1', status: 'deleted', queries: [2], slotDropped: true }),
  },
  {
    path: '/deleteDatabaseConnection',
    fields: { ...CONNECTION, purge: 'true' },
    call: ['deleteConnection', ASKED, { purge: true }],
    location: '/connections/1',
    body: () => ({ id: 1, name: 'env1', status: 'deleted', queries: [2], slotDropped: true }),
  },
  {
    path: '/checkJobStatus',
    fields: CONNECTION,
    call: ['check', ASKED],
    location: '/connections/1',
    body: STATUS,
  },
]

describe('each call is 201', () => {
  const forms: readonly (readonly [string, (fields: Good['fields']) => RequestOptions])[] = [
    ['a form', (fields) => ({ headers: FORM, body: form(fields) })],
    ['a form without Content-Type', (fields) => ({ body: form(fields) })],
    [
      'a form with a charset and stray separators',
      (fields) => ({
        headers: { 'Content-Type': `${FORM['Content-Type']};charset="UTF-8"` },
        body: `&&${form(fields)}&`,
      }),
    ],
    ['JSON', (fields) => ({ headers: JSON_BODY, body: JSON.stringify(fields, undefined, 2) })],
    [
      'JSON with a byte order mark, a charset and an Accept of something else',
      (fields) => ({
        headers: { 'Content-Type': 'Application/JSON; charset=utf-8', Accept: 'text/html' },
        body: `\uFEFF${JSON.stringify(fields)} `,
      }),
    ],
  ]
  for (const [name, options] of forms) {
    test(`with ${name}`, async () => {
      const queries = new FakeQueries()
      const app = await testApp({ apis: apisWithQueries(queries) })
      for (const { path, fields, call, location, body } of good) {
        const answer = await app.post(path, options(fields))
        expect([answer.status, answer.headers.location, answer.headers['content-type']], answer.text).toEqual(
          [201, location, 'application/json'],
        )
        expect(answer.json(), path).toEqual(body(app.port))
        expect(answer.text, 'the placeholder members come first').toMatch(
          /^\{"id":\d+,"name":"[^"]+","status":"[a-z]+"/,
        )
        expect(queries.calls.splice(0)).toEqual([call])
      }
      expect(app.reported).toEqual([])
    })
  }

  test('with a trailing slash, as on all paths; purge as truth value of JSON; in another namespace', async () => {
    const queries = new FakeQueries()
    const app = await testApp({ apis: apisWithQueries(queries) })
    await app.put('/v3/namespaces/shop')
    const body = JSON.stringify({ ...CONNECTION, purge: true })
    const answer = await app.post('/deleteDatabaseConnection/?namespace=shop', { headers: JSON_BODY, body })
    expect(answer.status, answer.text).toBe(201)
    expect(queries.calls).toEqual([['deleteConnection', { ...ASKED, namespace: 'shop' }, { purge: true }]])
  })

  test('warnings of a query are in the answer', async () => {
    const queries = new FakeQueries()
    queries.createQuery = async () => ({
      ...queries.queryList[0]!,
      warnings: ['texts compare by code point'],
    })
    const app = await testApp({ apis: apisWithQueries(queries) })
    const answer = await app.post('/createCachedQuery', { body: form(QUERY) })
    expect((answer.json() as { warnings: string[] }).warnings).toEqual(['texts compare by code point'])
  })
})

interface Refusal {
  readonly name: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body: string | Uint8Array
  readonly status?: number
  readonly code?: string
  readonly message: string | RegExp
}

const HINT = 'was connectionString sent without --data-urlencode?'
const ALL_OF_QUERY = 'connectionString, environmentId, schema, sqlQuery'
const bytes = (text: string, ...more: number[]) => Buffer.concat([Buffer.from(text), Buffer.from(more)])

const refusals: readonly Refusal[] = [
  {
    name: 'an empty body',
    body: '',
    message: 'fields connectionString, environmentId missing; send connectionString, environmentId',
  },
  {
    name: 'a missing field',
    body: form({ connectionString: C }),
    message: 'field environmentId missing; send connectionString, environmentId',
  },
  {
    name: 'an empty field',
    body: form({ ...CONNECTION, environmentId: '' }),
    message: 'field environmentId missing; send connectionString, environmentId',
  },
  {
    name: 'missing fields of a query',
    path: '/createCachedQuery',
    body: form(CONNECTION),
    message: `fields schema, sqlQuery missing; send ${ALL_OF_QUERY}`,
  },
  {
    name: 'an unknown field behind a string that was not coded',
    body: 'connectionString=postgres://a:b@h/d?x=1&sslmode=require&environmentId=env1',
    message: `unknown field 'sslmode'; ${HINT}`,
  },
  {
    name: 'any unknown field',
    body: `${form(CONNECTION)}&enviroment=x`,
    message: `unknown field 'enviroment'; ${HINT}`,
  },
  {
    name: 'a rest of a password, which is not named',
    body: 'connectionString=postgres://a:pass&word@h/d&environmentId=env1',
    message: `unknown field; ${HINT}`,
  },
  {
    name: 'a rest of a password that looks like a name',
    body: 'connectionString=postgres://a:pass&word=x&y@h/d&environmentId=env1',
    message: `unknown field; ${HINT}`,
  },
  {
    name: 'a rest of a password parameter',
    body: 'connectionString=postgres://h/d?password=pass&word=1&environmentId=env1',
    message: `unknown field; ${HINT}`,
  },
  {
    name: 'a password as a field',
    body: `${form(CONNECTION)}&x=1&password=word`,
    message: `unknown field; ${HINT}`,
  },
  {
    name: 'a field of another call',
    body: form({ ...CONNECTION, sqlQuery: 'SELECT 1' }),
    message: `unknown field 'sqlQuery'; ${HINT}`,
  },
  {
    name: 'a field that is there twice',
    body: `${form(CONNECTION)}&environmentId=env1`,
    message: 'field environmentId is there twice; send it once',
  },
  {
    name: 'a % that codes nothing',
    path: '/createCachedQuery',
    body: "connectionString=x&sqlQuery=SELECT 'a%'",
    message: 'field sqlQuery has % without two hexadecimal digits; was it sent without --data-urlencode?',
  },
  {
    name: 'a % at the end',
    body: 'connectionString=x%4',
    message:
      'field connectionString has % without two hexadecimal digits; was it sent without --data-urlencode?',
  },
  {
    name: 'a % in a name',
    body: 'connection%zzString=x',
    message: 'the name of a field has % without two hexadecimal digits; use --data-urlencode',
  },
  {
    name: 'bytes that are not UTF-8',
    body: bytes('environmentId=', 0xff),
    message: 'field environmentId is not UTF-8; send it in UTF-8',
  },
  {
    name: 'escapes that are not UTF-8',
    body: 'environmentId=%C3%28',
    message: 'field environmentId is not UTF-8; send it in UTF-8',
  },
  { name: 'a name that is not UTF-8', body: '%ff=1', message: 'the name of a field is not UTF-8' },
  {
    name: 'NUL in a form',
    body: 'environmentId=a%00b',
    message: 'field environmentId has the character NUL, which is not allowed; leave it out',
  },
  {
    name: 'JSON that is called a form',
    headers: FORM,
    body: JSON.stringify(CONNECTION),
    message: 'the body seems to be JSON; send the header Content-Type: application/json',
  },

  {
    name: 'an empty body as JSON',
    headers: JSON_BODY,
    body: '',
    message: 'the body is empty; send a JSON object of texts',
  },
  {
    name: 'a list',
    headers: JSON_BODY,
    body: '[{}]',
    message: 'the body is a list; send a JSON object of texts',
  },
  {
    name: 'a text',
    headers: JSON_BODY,
    body: '"a"',
    message: 'the body is a text; send a JSON object of texts',
  },
  {
    name: 'null',
    headers: JSON_BODY,
    body: 'null',
    message: 'the body is null; send a JSON object of texts',
  },
  {
    name: 'a number',
    headers: JSON_BODY,
    body: '1',
    message: 'the body is a number; send a JSON object of texts',
  },
  {
    name: 'a form that is called JSON',
    headers: JSON_BODY,
    body: form(CONNECTION),
    message: 'the body is no JSON; send a JSON object of texts',
  },
  {
    name: 'an unknown member',
    headers: JSON_BODY,
    body: '{"x":1}',
    message: "unknown field 'x'; this call has connectionString, environmentId, tables, namespace",
  },
  {
    name: '__proto__',
    headers: JSON_BODY,
    body: '{"__proto__":{}}',
    message: "unknown field '__proto__'; this call has connectionString, environmentId, tables, namespace",
  },
  {
    name: 'a member that is a number',
    headers: JSON_BODY,
    body: '{"environmentId":1}',
    message: 'field environmentId is a number; use a text',
  },
  {
    name: 'a member that is null',
    headers: JSON_BODY,
    body: '{"environmentId": null}',
    message: 'field environmentId is null; use a text',
  },
  {
    name: 'a member that is a list',
    headers: JSON_BODY,
    body: '{"environmentId":["env1"]}',
    message: 'field environmentId is a list; use a text',
  },
  {
    name: 'a member that is there twice',
    headers: JSON_BODY,
    body: '{"environmentId":"a","environmentI\\u0064":"a"}',
    message: 'field environmentId is there twice; send it once',
  },
  {
    name: 'cut JSON',
    headers: JSON_BODY,
    body: '{"environmentId":"a"',
    message: 'the body is not JSON at line 1, column 21; send a JSON object of texts',
  },
  {
    name: 'JSON with a stray comma',
    headers: JSON_BODY,
    body: '{\n"environmentId":"a",}',
    message: 'the body is not JSON at line 2, column 21; send a JSON object of texts',
  },
  {
    name: 'JSON with single quotes',
    headers: JSON_BODY,
    body: "{'environmentId':'a'}",
    message: 'the body is not JSON at line 1, column 2; send a JSON object of texts',
  },
  {
    name: 'something behind the object',
    headers: JSON_BODY,
    body: '{} {}',
    message: 'the body is not JSON at line 1, column 4; send a JSON object of texts',
  },
  {
    name: 'an escape that JSON does not have',
    headers: JSON_BODY,
    body: '{"environmentId":"\\x41"}',
    message: /^the body is not JSON/,
  },
  {
    name: 'a line break in a text',
    headers: JSON_BODY,
    body: '{"environmentId":"a\nb"}',
    message: /^the body is not JSON/,
  },
  {
    name: 'NUL in JSON',
    headers: JSON_BODY,
    body: '{"environmentId":"\\u0000"}',
    message: 'field environmentId has the character NUL, which is not allowed; leave it out',
  },
  {
    name: 'half a surrogate pair',
    headers: JSON_BODY,
    body: '{"environmentId":"\\ud800"}',
    message: 'field environmentId has a half of a surrogate pair, which is no character; leave it out',
  },
  {
    name: 'JSON that is not UTF-8',
    headers: JSON_BODY,
    body: bytes('{"environmentId":"', 0xff),
    message: 'the body is not UTF-8; send JSON in UTF-8',
  },

  ...(
    [
      ['a.b', "'a.b'"],
      ['ä', "'ä'"],
      ['a b', "'a b'"],
      ['a'.repeat(101), `'${'a'.repeat(100)}…'`],
      [C, 'no name'], // the other field's value
    ] as const
  ).map(([environmentId, shown]) => ({
    name: `the environment ${environmentId.slice(0, 5)}`,
    body: form({ ...CONNECTION, environmentId }),
    code: 'invalid_environment_id',
    message: `environmentId is ${shown}; use 1 to 100 letters, digits, _ and -`,
  })),
  {
    name: 'a namespace outside of its grammar',
    body: form({ ...CONNECTION, namespace: 'my-ns' }),
    message: 'Invalid namespace ID: my-ns. Should only contain alphanumeric characters or _.',
  },
  {
    name: 'a connection string as namespace',
    body: form({ ...CONNECTION, namespace: C }),
    message: 'namespace is no name; use letters, digits and _',
  },
  {
    name: 'a namespace that does not exist',
    body: form({ ...CONNECTION, namespace: 'none' }),
    status: 404,
    code: 'not_found',
    message: "'namespace:none' was not found.",
  },
  {
    name: 'two namespaces',
    path: '/checkJobStatus?namespace=a',
    body: form({ ...CONNECTION, namespace: 'b' }),
    message: 'namespace is in the query and, with another value, in the body; send it once',
  },
  {
    name: 'a purge that is none',
    path: '/deleteDatabaseConnection',
    body: form({ ...CONNECTION, purge: 'yes' }),
    message: "purge is 'yes'; use true or false",
  },
  ...['orders', 'public.', 'public.a,', ',public.a', 'a.b.c', 'public."a'].map((tables) => ({
    name: `tables ${tables}`,
    body: form({ ...CONNECTION, tables }),
    message:
      /^tables is no list at character \d+; use \* or names with their schema, as in public\.orders,public\.customers$/,
  })),

  ...[
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/json-patch+json',
    'x',
  ].map((type) => ({
    name: `a body of type ${type}`,
    headers: { 'Content-Type': type },
    body: form(CONNECTION),
    status: 415,
    code: 'unsupported_media_type',
    message: `Content-Type is '${type.split(';')[0]}'; use application/x-www-form-urlencoded or application/json`,
  })),
  {
    name: 'another charset',
    headers: { 'Content-Type': 'application/json; charset=latin1' },
    body: '{}',
    status: 415,
    code: 'unsupported_media_type',
    message: "the charset of the body is 'latin1'; send it in UTF-8",
  },
  {
    name: 'an encoding that is not known',
    headers: { 'Content-Encoding': 'lzma' },
    body: 'x',
    status: 415,
    code: 'unsupported_media_type',
    message: /lzma/,
  },
  {
    name: 'a body that does not decompress',
    headers: { 'Content-Encoding': 'gzip' },
    body: 'x',
    message: /gzip/,
  },
  {
    name: 'more than 1 MiB',
    body: `sqlQuery=${'x'.repeat(1024 * 1024)}`,
    status: 413,
    code: 'too_large',
    message: 'the body has 1048585 bytes; at most 1048576 bytes are taken',
  },
  {
    name: 'a form of another site',
    headers: { Origin: 'http://evil.example' },
    body: form(CONNECTION),
    status: 403,
    code: 'forbidden',
    message: 'a page of another site sends this form; send JSON',
  },
]

test('what is refused before the query service is asked', async () => {
  const queries = new FakeQueries()
  const app = await testApp({ apis: apisWithQueries(queries) })
  for (const { name, path = '/createDatabaseConnection', headers = {}, body, ...wanted } of refusals) {
    const answer = await app.post(path, { headers, body })
    const { status = 400, code = 'invalid_request', message } = wanted
    expect([answer.status, answer.headers['content-type']], `${name}: ${answer.text}`).toEqual([
      status,
      'application/json',
    ])
    const { error } = answer.json() as { error: { code: string; message: string } }
    expect(Object.keys(answer.json() as object)).toEqual(['error'])
    expect(error, name).toEqual({
      code,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
    expect(answer.text, name).not.toMatch(/s3cr|pass[^w]|word@/)
  }
  expect(queries.calls).toEqual([])
  expect(app.reported).toEqual([])
})

const place = { line: 1, column: 8, endLine: 1, endColumn: 9 }
const capture = (code: CaptureErrorCode) => new CaptureError(code, 'a sentence')
const failures: readonly (readonly [Error, status: number, error: object, retryAfter?: string])[] = [
  ...(
    [
      ['invalid_connection_string', 400],
      ['no_primary_key', 400],
      ['schema_mismatch', 400],
      ['not_found', 404],
      ['conflict', 409],
      ['database_unreachable', 502],
      ['database_rejected', 502],
      ['replication_not_enabled', 502],
      ['insufficient_privilege', 502],
      ['no_free_slot', 502],
    ] as const
  ).map(([code, status]) => [capture(code), status, { code, message: 'a sentence' }] as const),
  [capture('limit'), 503, { code: 'limit', message: 'a sentence' }, '5'],
  ...(['invalid_schema', 'invalid_sql', 'unsupported_sql', 'schema_mismatch'] as const).flatMap((code) => [
    [new QueryProblem(code, 'm', place), 400, { code, message: 'm', line: 1, column: 8 }] as const,
    [new QueryProblem(code, 'm'), 400, { code, message: 'm' }] as const,
  ]),
  [
    new SqlProblem('no such column', place),
    400,
    { code: 'invalid_sql', message: 'no such column', line: 1, column: 8 },
  ],
  [new ServiceError('job_slots', 'm'), 503, { code: 'limit', message: 'm' }, '5'],
  [new ServiceError('overloaded', 'm'), 503, { code: 'overloaded', message: 'm' }, '1'],
  [new ServiceError('disk_low', 'm'), 507, { code: 'disk_low', message: 'm' }, '30'],
  [new ServiceError('secret_unusable', 'm'), 503, { code: 'unavailable', message: 'm' }, '5'],
  [new StorageError('unavailable', 'm'), 503, { code: 'unavailable', message: 'm' }, '5'],
  [new Error(C), 500, { code: 'internal', message: 'the server failed at this request; its log says how' }],
]

test('what the query service refuses has the code, the status and the place', async () => {
  const queries = new FakeQueries()
  const app = await testApp({ apis: apisWithQueries(queries) })
  for (const { path, fields } of good) {
    for (const [failure, status, error, retryAfter] of failures) {
      queries.failure = failure
      const answer = await app.post(path, { body: form(fields) })
      expect([answer.status, answer.json(), answer.headers['retry-after']], path).toEqual([
        status,
        { error },
        retryAfter,
      ])
      expect(answer.headers.location).toBeUndefined()
    }
  }
})

test('paths that are none, and other methods', async () => {
  const app = await testApp({ apis: apisWithQueries(new FakeQueries()) })
  const refused: readonly (readonly [string, string, number, string | undefined, string])[] = [
    ['GET', '/createCachedQuery', 405, 'POST', '/createCachedQuery has other methods; see the header Allow'],
    ['PUT', '/queries/2', 405, 'GET, HEAD, DELETE', '/queries/2 has other methods; see the header Allow'],
    [
      'POST',
      '/connections?x=secret',
      405,
      'GET, HEAD',
      '/connections has other methods; see the header Allow',
    ],
    ['DELETE', '/connections/1', 405, 'GET, HEAD', '/connections/1 has other methods; see the header Allow'],
    ['GET', '/queries/2/nope', 404, undefined, 'there is nothing at /queries/2/nope'],
    ['GET', '/connections/1/rows', 404, undefined, 'there is nothing at /connections/1/rows'],
    ['POST', '/checkJobStatus/x', 404, undefined, 'there is nothing at /checkJobStatus/x'],
  ]
  for (const [method, path, status, allow, message] of refused) {
    const answer = await app.request(method, path)
    const code = status === 404 ? 'not_found' : 'method_not_allowed'
    expect([answer.status, answer.headers.allow, answer.json()]).toEqual([
      status,
      allow,
      { error: { code, message } },
    ])
  }
  expect((await app.get('/queriesX')).headers['content-type']).toBe('text/plain; charset=utf-8')
})
