/** docs/openapi.yaml and the service say the same: neither has a route, a status or a text that the other lacks. */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { Tokens } from '../../src/auth/tokens.ts'
import { CaptureError } from '../../src/cdc/capture-service.ts'
import { apiOf } from '../../src/http/api.ts'
import { APIS, createApp } from '../../src/http/app.ts'
import { EMPTY_LISTS } from '../../src/http/cdap/absent-routes.ts'
import { printCursor } from '../../src/http/cdap/cursor.ts'
import { vertexId } from '../../src/jobs/vertex-detail.ts'
import { ServiceError } from '../../src/service-error.ts'
import { builtIn, createJob, createTable, PROJECT } from '../support/aiven.ts'
import { appParts } from '../support/app-parts.ts'
import { apisWithQueries, FakeQueries, form } from '../support/cached-queries.ts'
import { ended, handleOf } from '../support/explore.ts'
import { jarOf, multipart } from '../support/jars.ts'
import { streamId } from '../support/sample-store.ts'
import {
  type RequestOptions,
  routeOptions,
  STREAMS,
  type TestApp,
  type TestResponse,
  testApp,
} from '../support/test-app.ts'
import { secretNumber, tokenFile } from '../support/tokens.ts'

type Json = null | boolean | number | string | readonly Json[] | JsonObject
interface JsonObject {
  readonly [key: string]: Json
}

interface MediaType {
  readonly example?: Json
  readonly examples?: Readonly<Record<string, JsonObject>>
}

interface Response {
  readonly description: string
  readonly content?: Readonly<Record<string, MediaType>>
}

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly parameters?: readonly JsonObject[]
  readonly responses: Readonly<Record<string, Response | { readonly $ref: string }>>
}

const VERBS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options']

const document = parse(readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8')) as {
  readonly openapi: string
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** `GET /path/{name}` -> operation. */
const operations: ReadonlyMap<string, Operation> = new Map(
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([verb]) => VERBS.includes(verb))
      .map(([verb, operation]) => [`${verb.toUpperCase()} ${path}`, operation] as const),
  ),
)

test('the document and the service have the same routes', async () => {
  const routes = await routesOfService()
  expect([...operations.keys()].sort()).toEqual(routes.sort())
})

test('every operation has an id of its own, a summary, a known tag and a good answer', () => {
  const ids = [...operations.values()].map(({ operationId }) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
  const tags = document.tags.map(({ name }) => name)
  for (const [name, { operationId, summary, tags: used, responses }] of operations) {
    expect(operationId, name).toMatch(/^[a-z][A-Za-z0-9]+$/)
    expect(summary, name).toMatch(/^[A-Z].{5,}[^.]$/)
    expect(tags, name).toEqual(expect.arrayContaining([...used]))
    expect(Object.keys(responses), name).toEqual(expect.arrayContaining([expect.stringMatching(/^(2|501)/)]))
    for (const response of Object.values(responses)) {
      expect(resolved<Response>(response).description, name).toBeTypeOf('string')
    }
  }
})

test('every path parameter is described, and no other', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    const inPath = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => name)
    const described = ((item.parameters ?? []) as unknown as JsonObject[]).map(
      (parameter) => resolved<{ name: string }>(parameter).name,
    )
    expect(described, path).toEqual(inPath)
  }
})

test('every reference leads somewhere, and every component is used', () => {
  const references = new Set(referencesIn(document as unknown as Json))
  for (const reference of references) expect(find(reference), reference).toBeDefined()
  const { components } = document as unknown as { components: Record<string, Record<string, Json>> }
  const { securitySchemes: _byName, ...referred } = components // named where they are asked for, not referred to
  const all = Object.entries(referred).flatMap(([kind, members]) =>
    Object.keys(members).map((name) => `#/components/${kind}/${name}`),
  )
  expect([...references].sort()).toEqual(all.sort())
})

interface Exchange extends RequestOptions {
  /** Verb and path. */
  readonly request: string
  readonly status: number
  /** For a service set up in another way. */
  readonly resetForbidden?: true
  /** For a service that requires tokens. */
  readonly tokens?: true
  /** Thrown by the query service. */
  readonly failure?: Error
  /** `HANDLE` in the request is that of this query, which has ended, or is closed already. */
  readonly query?: string
  readonly closed?: true
}

const N = '/v3/namespaces'
/** Lists of what is not here. */
const ABSENT = [...EMPTY_LISTS, 'preferences']
const QUERIES = `${N}/default/data/explore/queries`
const JDBC = '/v3/data/explore/jdbc'
const HANDLES = '/v3/data/explore/queries'
const TABLES = `${N}/default/data/explore/tables`
const OF_STREAM = `${N}/default/data/explore/streams`
const EVENT_BYTES_MAX = 16 * 1024 * 1024
const UNKNOWN_ENCODING = { headers: { 'Content-Encoding': 'compress' }, body: 'x' }
/** A cursor of another store. */
const GONE = printCursor(streamId('mystream'), {
  log: 1,
  position: { sequence: 0, timestampMs: 1_407_806_944_181 },
  origin: { identity: 1, epoch: 1 },
})
const TEXT = { 'Content-Type': 'text/plain' }
const TWICE = { headers: { ...TEXT, 'mystream.host': ['a', 'b'] } }
const NOT_GZIP = { headers: { ...TEXT, 'Content-Encoding': 'gzip' }, body: 'plain' }
/** Two layers: one can never grow so much. */
const BOMB = {
  headers: { ...TEXT, 'Content-Encoding': 'gzip, gzip' },
  body: gzipSync(gzipSync(Buffer.alloc(20_000_000, '\n'))),
}
const LARGE = { body: Buffer.alloc(1_100_000, ' ') }
const FEEDS = `${N}/default/feeds/categories`
const WEBHOOK = (url: string, secret = '0123456789abcdef') => JSON.stringify({ url, secret })
const WEBHOOK_ID = createHash('sha256').update('https://example.invalid/hook').digest('hex').slice(0, 16)
const BOB = { body: '{"principal":"bob"}' }

/**
 * Of Aiven's API. Words in capitals stand for what is there: BUILT_IN and DATABASE are integrations, TABLE is used by no job, SINK by
 * JOB, which has not ended.
 */
const SERVICE = `${PROJECT}/service/default`
const FLINK = `${SERVICE}/flink`
const NO_SERVICE = `${PROJECT}/service/no-service`
const NEW_TABLE = (members: object) => ({
  body: JSON.stringify({ name: 'New', integration_id: 'BUILT_IN', schema_sql: 'a INT', ...members }),
})
const NEW_JOB = (statement: string, table_ids: string[] = []) => ({
  body: JSON.stringify({ statement, table_ids }),
})
const NEW_INTEGRATION = (members: object) => ({
  body: JSON.stringify({
    source_service: 'db',
    dest_service: 'default',
    integration_type: 'flink',
    user_config: { connection_uri: 'postgres://127.0.0.1:1/db' },
    ...members,
  }),
})

const aivenExchanges: readonly Exchange[] = [
  { request: `GET ${PROJECT}/service`, status: 200 },
  { request: `POST ${PROJECT}/service`, status: 501 },
  { request: `GET ${SERVICE}`, status: 200 },
  { request: `GET ${NO_SERVICE}`, status: 404 },
  { request: `GET ${PROJECT}/service_types`, status: 501 },
  { request: `GET ${PROJECT}/vpcs`, status: 501 },
  { request: `GET ${SERVICE}/integration`, status: 200 },
  { request: `GET ${NO_SERVICE}/integration`, status: 404 },
  { request: `POST ${PROJECT}/integration`, status: 200, ...NEW_INTEGRATION({}) },
  { request: `POST ${PROJECT}/integration`, status: 400, ...NEW_INTEGRATION({ integration_type: 'x' }) },
  { request: `POST ${PROJECT}/integration`, status: 404, ...NEW_INTEGRATION({ dest_service: 'no-service' }) },
  { request: `POST ${PROJECT}/integration`, status: 413, ...LARGE },
  { request: `POST ${PROJECT}/integration`, status: 415, ...UNKNOWN_ENCODING },
  { request: `GET ${PROJECT}/integration/BUILT_IN`, status: 200 },
  { request: `GET ${PROJECT}/integration/nope`, status: 404 },
  { request: `PUT ${PROJECT}/integration/DATABASE`, status: 200, ...NEW_INTEGRATION({}) },
  { request: `PUT ${PROJECT}/integration/DATABASE`, status: 400, body: '[]' },
  { request: `PUT ${PROJECT}/integration/nope`, status: 404, body: '{}' },
  { request: `PUT ${PROJECT}/integration/DATABASE`, status: 413, ...LARGE },
  { request: `PUT ${PROJECT}/integration/DATABASE`, status: 415, ...UNKNOWN_ENCODING },
  { request: `DELETE ${PROJECT}/integration/BUILT_IN`, status: 409 },
  { request: `DELETE ${PROJECT}/integration/DATABASE`, status: 200 },
  { request: `DELETE ${PROJECT}/integration/DATABASE`, status: 404 },

  { request: `POST ${FLINK}/table`, status: 200, ...NEW_TABLE({ kafka_topic: 'new' }) },
  { request: `POST ${FLINK}/table`, status: 409, ...NEW_TABLE({ kafka_topic: 'new' }) },
  { request: `POST ${FLINK}/table`, status: 400, ...NEW_TABLE({}) },
  { request: `POST ${FLINK}/table`, status: 404, ...NEW_TABLE({ integration_id: 'nope' }) },
  {
    request: `POST ${FLINK}/table`,
    status: 501,
    ...NEW_TABLE({ name: 'Other', kafka: { topic: 'new', value_format: 'avro-confluent' } }),
  },
  { request: `POST ${FLINK}/table`, status: 413, ...LARGE },
  { request: `POST ${FLINK}/table`, status: 415, ...UNKNOWN_ENCODING },
  { request: `GET ${FLINK}/table`, status: 200 },
  { request: `GET ${NO_SERVICE}/flink/table`, status: 404 },
  { request: `POST ${FLINK}/table/validate`, status: 200, ...NEW_TABLE({}) },
  { request: `POST ${FLINK}/table/validate`, status: 400, body: '[]' },
  { request: `POST ${NO_SERVICE}/flink/table/validate`, status: 404, body: '{}' },
  { request: `POST ${FLINK}/table/validate`, status: 413, ...LARGE },
  { request: `POST ${FLINK}/table/validate`, status: 415, ...UNKNOWN_ENCODING },
  { request: `GET ${FLINK}/table/TABLE`, status: 200 },
  { request: `GET ${FLINK}/table/nope`, status: 404 },
  { request: `DELETE ${FLINK}/table/SINK`, status: 409 },
  { request: `DELETE ${FLINK}/table/TABLE`, status: 200 },
  { request: `DELETE ${FLINK}/table/TABLE`, status: 404 },

  { request: `POST ${FLINK}/job`, status: 200, ...NEW_JOB('INSERT INTO Sink SELECT a FROM Source') },
  { request: `POST ${FLINK}/job`, status: 400, ...NEW_JOB('SELECT 1') },
  { request: `POST ${FLINK}/job`, status: 404, ...NEW_JOB('INSERT INTO Sink SELECT 1', ['nope']) },
  { request: `POST ${FLINK}/job`, status: 413, ...LARGE },
  { request: `POST ${FLINK}/job`, status: 415, ...UNKNOWN_ENCODING },
  { request: `GET ${FLINK}/job`, status: 200 },
  { request: `GET ${NO_SERVICE}/flink/job`, status: 404 },
  { request: `POST ${FLINK}/job/validate`, status: 200, ...NEW_JOB('SELECT 1') },
  { request: `POST ${FLINK}/job/validate`, status: 400, body: '[]' },
  { request: `POST ${NO_SERVICE}/flink/job/validate`, status: 404, body: '{}' },
  { request: `POST ${FLINK}/job/validate`, status: 413, ...LARGE },
  { request: `POST ${FLINK}/job/validate`, status: 415, ...UNKNOWN_ENCODING },
  { request: `GET ${FLINK}/job/JOB`, status: 200 },
  { request: `GET ${FLINK}/job/nope`, status: 404 },
  { request: `POST ${FLINK}/job/JOB/cancel`, status: 200 },
  { request: `POST ${FLINK}/job/nope/cancel`, status: 404 },
]

/** Of Flink's API, at the root. */
const ID = '0'.repeat(32)
const VERTEX = `/jobs/JOB/vertices/${vertexId({ kind: 'source', index: 0 })}`
const NO_FILE = '/logs/nope /log /stdout /profiler/nope'
const flinkExchanges: readonly Exchange[] = [
  ...flinkGets('', '/overview /config /datasets /taskmanagers /taskmanagers/metrics /jobs', 200),
  ...flinkGets('', '/jobs/overview /jobs/metrics', 200),
  ...flinkGets('', '/jobs/metrics?jobs=x /taskmanagers/metrics?agg=x', 400),
  ...flinkGets('', `/datasets/delete/${ID} /savepoint-disposal/${ID}`, 404),
  ...flinkGets('/jobmanager', '/config /environment /logs /thread-dump /metrics /profiler', 200),
  ...flinkGets('/jobmanager', NO_FILE, 404),
  ...flinkGets('/taskmanagers/nope', `. /logs /thread-dump ${NO_FILE}`, 404),
  ...flinkGets('/taskmanagers/nope', '/metrics /profiler', 200),
  ...flinkGets('/jobs/JOB', '. /status /config /plan /exceptions /execution-result /accumulators', 200),
  ...flinkGets('/jobs/JOB', '/metrics /jobmanager/config /jobmanager/environment', 200),
  ...flinkGets('/jobs/JOB', '/resource-requirements /checkpoints /checkpoints/config', 200),
  ...flinkGets('/jobs/JOB', '/checkpoints/details/99 /checkpoints/details/99/subtasks/x', 404),
  ...flinkGets('/jobs/JOB', `/checkpoints/${ID} /savepoints/${ID}`, 404),
  ...flinkGets('/jobs/JOB', `/rescaling/${ID}`, 503),
  ...flinkGets('/jobs/JOB', '/yarn-stop', 308),
  ...flinkGets('/jobs/nope', '. /status /metrics', 400),
  ...flinkGets(`/jobs/${ID}`, '. /status /config /plan /exceptions /checkpoints', 404),
  ...flinkGets(VERTEX, '. /backpressure /watermarks /subtasktimes /taskmanagers /accumulators', 200),
  ...flinkGets(VERTEX, '/flamegraph /metrics /jm-operator-metrics /subtasks/accumulators', 200),
  ...flinkGets(VERTEX, '/subtasks/metrics /subtasks/0 /subtasks/0/metrics /subtasks/0/attempts/0', 200),
  ...flinkGets(VERTEX, '/subtasks/0/attempts/0/accumulators', 200),
  ...flinkGets(VERTEX, '/subtasks/1 /subtasks/0/attempts/9', 404),
  { request: 'DELETE /cluster', status: 403 },
  { request: 'GET /jars', status: 200 },
  { request: 'POST /jars/upload', status: 200, ...multipart([{ file: 'x.jar', content: jarOf({}) }]) },
  { request: 'POST /jars/upload', status: 400 },
  ...['GET', 'POST'].map((method) => ({ request: `${method} /jars/nope/plan`, status: 400 })),
  { request: 'POST /jars/nope/run', status: 400 },
  { request: 'DELETE /jars/nope', status: 400 },
  { request: `DELETE /datasets/${ID}`, status: 202 },
  { request: 'POST /savepoint-disposal', status: 400 },
  { request: 'POST /jobmanager/profiler', status: 400 },
  { request: 'POST /taskmanagers/nope/profiler', status: 400 },
  { request: 'POST /jobs', status: 501 },
  ...['checkpoints', 'savepoints', 'stop'].flatMap((path) => [
    { request: `POST /jobs/JOB/${path}`, status: 400, body: '[]' },
    { request: `POST /jobs/${ID}/${path}`, status: 404 },
  ]),
  { request: 'PUT /jobs/JOB/resource-requirements', status: 400, body: '{}' },
  { request: 'PATCH /jobs/JOB/rescaling?parallelism=2', status: 503 },
  { request: 'PATCH /jobs/JOB/clientHeartbeat', status: 202 },
  { request: 'PATCH /jobs/JOB?mode=stop', status: 308 },
  { request: 'PATCH /jobs/JOB?mode=x', status: 400 },
  { request: 'GET /jobs/JOB/yarn-cancel', status: 403, headers: { 'Sec-Fetch-Site': 'cross-site' } },
  { request: 'PATCH /jobs/JOB', status: 202 },
  { request: 'GET /jobs/JOB/yarn-cancel', status: 202 },
]

/** Of cached queries, whose query service is scripted. */
const CALLED = form({ connectionString: 'postgres://db/shop', environmentId: 'env1' })
const callExchanges = (path: string, body: string): readonly Exchange[] => [
  { request: `POST ${path}`, status: 201, body },
  { request: `POST ${path}`, status: 400, body: `${body}&x=1` },
  { request: `POST ${path}`, status: 403, body, headers: { 'Sec-Fetch-Site': 'cross-site' } },
  { request: `POST ${path}?namespace=none`, status: 404, body },
  { request: `POST ${path}`, status: 409, body, failure: new CaptureError('conflict', 'm') },
  { request: `POST ${path}`, status: 413, ...LARGE },
  { request: `POST ${path}`, status: 415, body, headers: TEXT },
  { request: `POST ${path}`, status: 502, body, failure: new CaptureError('no_free_slot', 'm') },
  { request: `POST ${path}`, status: 503, body, failure: new CaptureError('limit', 'm') },
]
const CSV = { headers: { Accept: 'text/csv' } }
const cachedExchanges: readonly Exchange[] = [
  ...callExchanges('/createDatabaseConnection', CALLED),
  ...callExchanges('/createCachedQuery', `${CALLED}&${form({ schema: 's', sqlQuery: 'q' })}`),
  ...callExchanges('/deleteDatabaseConnection', CALLED),
  ...callExchanges('/checkJobStatus', CALLED),
  ...['/connections', '/connections/1', '/queries', '/queries/2'].flatMap((path) => [
    { request: `GET ${path}`, status: 200 },
    { request: `GET ${path}`, status: 406, ...CSV },
  ]),
  { request: 'GET /connections/9', status: 404 },
  { request: 'GET /queries/9', status: 404 },
  { request: 'DELETE /queries/2', status: 200 },
  { request: 'DELETE /queries/2?purge=x', status: 400 },
  { request: 'DELETE /queries/9', status: 404 },
  { request: 'GET /queries/2/rows', status: 200 },
  { request: 'GET /queries/2/rows', status: 200, ...CSV },
  { request: 'GET /queries/2/rows', status: 200, headers: { Accept: 'application/x-ndjson' } },
  { request: 'GET /queries/2/rows', status: 304, headers: { 'If-None-Match': '*' } },
  { request: 'GET /queries/2/rows?limit=0', status: 400 },
  { request: 'GET /queries/9/rows', status: 404 },
  { request: 'GET /queries/2/rows', status: 406, headers: { Accept: 'text/html' } },
  { request: 'GET /queries/2/rows', status: 409, failure: new CaptureError('conflict', 'm') },
  { request: 'GET /queries/2/rows', status: 503, failure: new ServiceError('query_not_ready', 'm') },
  { request: 'GET /queries/2/rows', status: 504, failure: new ServiceError('not_yet', 'm') },
  { request: 'GET /queries/2/changes', status: 200 },
  { request: 'GET /queries/2/changes', status: 200, headers: { Accept: 'application/x-ndjson' } },
  { request: 'GET /queries/2/changes?heartbeat=1s', status: 400 },
  { request: 'GET /queries/9/changes', status: 404 },
  { request: 'GET /queries/2/changes', status: 406, ...CSV },
]

function flinkGets(prefix: string, paths: string, status: number): Exchange[] {
  return paths.split(' ').map((path) => ({ request: `GET ${prefix}${path === '.' ? '' : path}`, status }))
}

/** Creates what the words in capitals stand for. */
async function aivenNames(app: TestApp): Promise<Readonly<Record<string, string>>> {
  const { body } = NEW_INTEGRATION({})
  const made = (await app.post(`${PROJECT}/integration`, { body })).json() as {
    service_integration: { service_integration_id: string }
  }
  await app.put(`${STREAMS}/source`)
  const [, SINK, TABLE] = [
    await createTable(app, { name: 'Source', schema_sql: 'a INT' }),
    await createTable(app, { name: 'Sink', schema_sql: 'a INT' }),
    await createTable(app, { name: 'Unused', schema_sql: 'a INT' }),
  ]
  const JOB = await createJob(app, { statement: 'INSERT INTO Sink SELECT a FROM Source' })
  const DATABASE = made.service_integration.service_integration_id
  return { BUILT_IN: await builtIn(app), DATABASE, SINK: SINK!, TABLE: TABLE!, JOB }
}

/** Of a stream or a view that is there, one that is not, and one that cannot be. */
const metadataExchanges = (there: string, nope: string, invalid: string): readonly Exchange[] => [
  ...['', '/properties', '/tags'].flatMap((part) => [
    { request: `GET ${there}/metadata${part}`, status: 200 },
    { request: `GET ${there}/metadata${part}?scope=x`, status: 400 },
    { request: `GET ${invalid}/metadata${part}`, status: 400 },
    { request: `GET ${nope}/metadata${part}`, status: 404 },
    { request: `DELETE ${there}/metadata${part}`, status: 200 },
    { request: `DELETE ${invalid}/metadata${part}`, status: 400 },
    { request: `DELETE ${nope}/metadata${part}`, status: 404 },
  ]),
  { request: `POST ${there}/metadata/properties`, status: 200, body: '{"owner":"ann"}' },
  { request: `POST ${there}/metadata/properties`, status: 400, body: '[]' },
  { request: `POST ${there}/metadata/properties`, status: 400, body: '{"tags":"x"}' },
  { request: `POST ${nope}/metadata/properties`, status: 404, body: '{"owner":"ann"}' },
  { request: `POST ${there}/metadata/properties`, status: 413, ...LARGE },
  { request: `POST ${there}/metadata/properties`, status: 415, ...UNKNOWN_ENCODING },
  { request: `POST ${there}/metadata/tags`, status: 200, body: '["a"]' },
  { request: `POST ${there}/metadata/tags`, status: 400, body: '{}' },
  { request: `POST ${there}/metadata/tags`, status: 400, body: '[""]' },
  { request: `POST ${nope}/metadata/tags`, status: 404, body: '["a"]' },
  ...['properties/owner', 'tags/a'].flatMap((one) => [
    { request: `DELETE ${there}/metadata/${one}`, status: 200 },
    { request: `DELETE ${nope}/metadata/${one}`, status: 404 },
  ]),
]

/** `mystream` is there and is alice's, `weather` too; rows stand in the order in which they are sent. */
const exchanges: readonly Exchange[] = [
  ...aivenExchanges,
  ...flinkExchanges, // these cancel the job
  ...cachedExchanges,

  { request: `GET ${STREAMS}`, status: 200 },
  { request: `GET ${N}/nope/streams`, status: 404 },
  { request: `GET ${N}/my-ns/streams`, status: 400 },

  { request: `PUT ${STREAMS}/other`, status: 200 },
  { request: `PUT ${STREAMS}/mystream`, status: 403, ...BOB },
  { request: `PUT ${STREAMS}/inv%40lid`, status: 400 },
  { request: `PUT ${N}/nope/streams/x`, status: 404 },
  { request: `PUT ${STREAMS}/x`, status: 413, ...LARGE },
  { request: `PUT ${STREAMS}/x`, status: 415, ...UNKNOWN_ENCODING },
  { request: `PUT ${STREAMS}/x`, status: 400, ...NOT_GZIP },

  { request: `GET ${STREAMS}/mystream`, status: 200 },
  { request: `GET ${STREAMS}/nope`, status: 404 },
  { request: `GET ${STREAMS}/inv%40lid`, status: 400 },
  { request: `GET ${STREAMS}/${'x'.repeat(1025)}`, status: 400 },
  { request: `GET ${N}/my-ns/streams/x`, status: 400 },

  { request: `PUT ${STREAMS}/mystream/properties`, status: 200, body: '{"ttl":86400}' },
  { request: `PUT ${STREAMS}/nope/properties`, status: 404, body: '{}' },
  { request: `PUT ${STREAMS}/mystream/properties`, status: 403, ...BOB },
  { request: `PUT ${STREAMS}/mystream/properties`, status: 413, ...LARGE },
  { request: `PUT ${STREAMS}/mystream/properties`, status: 415, ...UNKNOWN_ENCODING },
  ...[
    'nope',
    '',
    '{"ttl":-1}',
    '{"format":{}}',
    '{"format":{"name":"gibberish"}}',
    '{"format":{"name":"avro"}}',
    '{"notification.threshold.mb":0}',
    '{"principal":"a@b@c"}',
  ].map((body) => ({ request: `PUT ${STREAMS}/mystream/properties`, status: 400, body })),

  { request: `POST ${STREAMS}/mystream`, status: 200, body: 'first' },
  { request: `POST ${STREAMS}/nope`, status: 404, body: 'x' },
  { request: `POST ${STREAMS}/mystream`, status: 413, body: Buffer.alloc(17_000_000) },
  { request: `POST ${STREAMS}/mystream`, status: 413, chunks: [Buffer.alloc(EVENT_BYTES_MAX + 1)] },
  { request: `POST ${STREAMS}/mystream`, status: 415, ...UNKNOWN_ENCODING },
  {
    request: `POST ${STREAMS}/mystream`,
    status: 415,
    headers: { 'Content-Encoding': 'gzip, gzip, gzip' },
    body: 'x',
  },
  { request: `POST ${STREAMS}/mystream`, status: 400, ...TWICE },

  { request: `POST ${STREAMS}/mystream/async`, status: 202, body: 'second' },
  { request: `POST ${STREAMS}/nope/async`, status: 404 },
  { request: `POST ${STREAMS}/mystream/async`, status: 400, ...TWICE },

  { request: `POST ${STREAMS}/mystream/batch`, status: 200, headers: TEXT, body: 'third\nfourth\n' },
  { request: `POST ${STREAMS}/mystream/batch`, status: 413, ...BOMB },
  { request: `POST ${STREAMS}/nope/batch`, status: 404, headers: TEXT },
  { request: `POST ${STREAMS}/mystream/batch`, status: 406 },
  { request: `POST ${STREAMS}/mystream/batch`, status: 406, headers: { 'Content-Type': 'application/json' } },
  { request: `POST ${STREAMS}/mystream/batch`, status: 400, headers: { 'Content-Type': 'avro/binary' } },
  {
    request: `POST ${STREAMS}/mystream/batch`,
    status: 400,
    headers: { 'Content-Type': 'text/csv' },
    body: '"a',
  },
  { request: `POST ${STREAMS}/mystream/batch`, status: 400, ...TWICE },
  { request: `POST ${STREAMS}/mystream/batch`, status: 400, ...NOT_GZIP },
  {
    request: `POST ${STREAMS}/mystream/batch`,
    status: 413,
    headers: TEXT,
    body: Buffer.alloc(EVENT_BYTES_MAX + 1, 'x'),
  },
  {
    request: `POST ${STREAMS}/mystream/batch`,
    status: 415,
    headers: { ...TEXT, 'Content-Encoding': 'compress' },
  },

  {
    request: `POST ${STREAMS}/mystream/batch`,
    status: 415,
    headers: { 'Content-Type': 'text/plain; charset=utf-16' },
  },
  { request: `POST ${STREAMS}/mystream/batch`, status: 415, headers: TEXT, body: Buffer.from([0xff, 0xfe]) },
  { request: `POST ${STREAMS}/mystream/batch`, status: 400, headers: { 'Content-Type': 'text/csv x=y' } },
  ...['events', 'export', 'notifications'].map((path) => ({
    request: `GET ${STREAMS}/mystream/${path}`,
    status: 406,
    headers: { Accept: 'text/csv' },
  })),
  { request: 'GET /metrics', status: 406, headers: { Accept: 'text/csv' } },

  { request: `GET ${STREAMS}/mystream/events`, status: 200 },
  { request: `GET ${STREAMS}/mystream/events?limit=1&cursor=true&encoding=utf8`, status: 200 },
  { request: `GET ${STREAMS}/mystream/events`, status: 200, headers: { Accept: 'application/x-ndjson' } },
  { request: `GET ${STREAMS}/other/events`, status: 204 },
  { request: `GET ${STREAMS}/nope/events`, status: 404 },
  { request: `GET ${STREAMS}/inv%40lid/events`, status: 400 },
  ...[
    'start=yesterday',
    'start=9223372036854775809',
    'start=now-99999d',
    'end=now-99999d',
    'start=5&end=5',
    'limit=0',
    'limit=ten',
    'after=x',
    'encoding=hex',
    'cursor=yes',
  ].map((query) => ({ request: `GET ${STREAMS}/mystream/events?${query}`, status: 400 })),

  { request: `GET ${STREAMS}/mystream/events?after=${GONE}`, status: 410 },

  { request: `GET ${STREAMS}/mystream/export`, status: 200 },
  { request: `GET ${STREAMS}/mystream/export?after=${GONE}`, status: 410 },
  { request: `GET ${STREAMS}/mystream/export?limit=0`, status: 400 },
  { request: `GET ${STREAMS}/nope/export`, status: 404 },

  { request: `GET ${STREAMS}/mystream/views`, status: 200 },
  { request: `GET ${STREAMS}/inv%40lid/views`, status: 400 },
  { request: `GET ${STREAMS}/nope/views`, status: 404 },
  { request: `PUT ${STREAMS}/mystream/views/view1`, status: 201, body: '{"format":{"name":"clf"}}' },
  { request: `PUT ${STREAMS}/mystream/views/view1`, status: 200, body: '{"format":{"name":"text"}}' },
  ...[
    '',
    '[',
    '{"format":{}}',
    '{"format":{"name":"gibberish"}}',
    '{"format":{"name":"avro"}}',
    '{"format":{"name":"text"},"tableName":"a b"}',
    '{"format":{"name":"text"},"tableName":"c"}',
  ].map((body) => ({ request: `PUT ${STREAMS}/mystream/views/view1`, status: 400, body })),
  {
    request: `PUT ${STREAMS}/mystream/views/view2`,
    status: 400,
    body: '{"format":{"name":"text"},"tableName":"stream_other"}',
  },
  { request: `PUT ${STREAMS}/mystream/views/inv%40lid`, status: 400, body: '{"format":{"name":"text"}}' },
  { request: `PUT ${STREAMS}/nope/views/view1`, status: 404, body: '{"format":{"name":"text"}}' },
  { request: `PUT ${STREAMS}/mystream/views/view1`, status: 413, ...LARGE },
  { request: `PUT ${STREAMS}/mystream/views/view1`, status: 415, ...UNKNOWN_ENCODING },
  { request: `GET ${STREAMS}/mystream/views/view1`, status: 200 },
  { request: `GET ${STREAMS}/inv%40lid/views/view1`, status: 400 },
  { request: `GET ${STREAMS}/mystream/views/nope`, status: 404 },
  ...metadataExchanges(
    `${STREAMS}/mystream/views/view1`,
    `${STREAMS}/mystream/views/nope`,
    `${STREAMS}/inv%40lid/views/view1`,
  ),
  { request: `DELETE ${STREAMS}/mystream/views/view1`, status: 200 },
  { request: `DELETE ${STREAMS}/inv%40lid/views/view1`, status: 400 },
  { request: `DELETE ${STREAMS}/nope/views/view1`, status: 404 },

  { request: `POST ${STREAMS}/mystream/truncate`, status: 200 },
  { request: `POST ${STREAMS}/nope/truncate`, status: 404 },
  { request: `POST ${STREAMS}/inv%40lid/truncate`, status: 400 },
  { request: `DELETE ${STREAMS}/other`, status: 200 },
  { request: `DELETE ${STREAMS}/nope`, status: 404 },

  { request: `GET ${N}`, status: 200 },
  { request: `GET ${N}/default`, status: 200 },
  { request: `GET ${N}/nope`, status: 404 },
  { request: `GET ${N}/my-ns`, status: 400 },
  { request: `PUT ${N}/weather`, status: 200 },
  { request: `PUT ${N}/weather`, status: 200 },
  { request: `PUT ${N}/my-ns`, status: 400 },
  { request: `PUT ${N}/default`, status: 400 },
  { request: `PUT ${N}/x`, status: 400, body: '[' },
  { request: `PUT ${N}/x`, status: 400, body: '{"config":{"principal":"alice"}}' },
  { request: `PUT ${N}/x`, status: 413, ...LARGE },
  { request: `PUT ${N}/x`, status: 415, ...UNKNOWN_ENCODING },
  { request: `PUT ${N}/weather/properties`, status: 200, body: '{"description":"Stations"}' },
  { request: `PUT ${N}/my-ns/properties`, status: 400 },
  { request: `PUT ${N}/weather/properties`, status: 400, body: '[' },
  { request: `PUT ${N}/weather/properties`, status: 400, body: '{"config":{"principal":"alice"}}' },
  { request: `PUT ${N}/nope/properties`, status: 404 },
  { request: 'DELETE /v3/unrecoverable/namespaces/weather', status: 403, resetForbidden: true },
  { request: 'DELETE /v3/unrecoverable/namespaces/weather', status: 200 },
  { request: 'DELETE /v3/unrecoverable/namespaces/nope', status: 404 },
  { request: 'DELETE /v3/unrecoverable/namespaces/my-ns', status: 400 },

  { request: `GET ${STREAMS}/nope/programs`, status: 200 },
  { request: `GET ${STREAMS}/inv%40lid/programs`, status: 400 },
  { request: `GET ${N}/default/data/datasets/words/programs`, status: 200 },
  { request: `GET ${N}/default/data/datasets/a%40b/programs`, status: 400 },
  { request: `GET ${N}/default/apps/HelloWorld/streams`, status: 200 },
  { request: `GET ${N}/default/apps/a%40b/streams`, status: 400 },
  { request: `GET ${N}/my-ns/apps/HelloWorld/streams`, status: 400 },
  { request: `GET ${N}/default/apps/HelloWorld/flows/WhoFlow/streams`, status: 200 },
  { request: `GET ${N}/default/apps/HelloWorld/flows/a%40b/streams`, status: 400 },

  { request: `POST ${STREAMS}/mystream/try-format`, status: 200 },
  ...['[', '{}', '{"name":"gibberish"}'].map((body) => ({
    request: `POST ${STREAMS}/mystream/try-format`,
    status: 400,
    body,
  })),
  { request: `POST ${STREAMS}/nope/try-format`, status: 404 },
  { request: `POST ${STREAMS}/mystream/try-format?after=${GONE}`, status: 410 },
  { request: `POST ${STREAMS}/mystream/try-format`, status: 413, ...LARGE },
  { request: `POST ${STREAMS}/mystream/try-format`, status: 415, ...UNKNOWN_ENCODING },
  { request: `POST ${QUERIES}`, status: 200, body: '{"query":"SELECT 1"}' },
  ...[
    '',
    '{"query":"SELECT 1","strict":"maybe"}',
    '{"query":"SELECT 1","app":"Shop"}',
    '{"query":"SELECT 1","app":"a b","program":"Counter"}',
    '{"query":"SELECT * FROM FROM x"}',
    '{"query":"SELECT * FROM stream_nope"}',
    '{"query":"DROP TABLE x"}',
  ].map((body) => ({ request: `POST ${QUERIES}`, status: 400, body })),
  { request: `POST ${QUERIES.replace('default', 'nope')}`, status: 404, body: '{"query":"SELECT 1"}' },
  { request: `POST ${QUERIES}`, status: 413, ...LARGE },
  { request: `POST ${QUERIES}`, status: 415, ...UNKNOWN_ENCODING },
  { request: `GET ${QUERIES}?limit=5`, status: 200 },
  { request: `GET ${QUERIES}?limit=x`, status: 400 },
  { request: `GET ${QUERIES}?cursor=up`, status: 400 },
  { request: `GET ${QUERIES.replace('default', 'nope')}`, status: 404 },
  { request: `GET ${QUERIES}/count`, status: 200 },
  { request: `GET ${QUERIES.replace('default', 'nope')}/count`, status: 404 },
  ...['GET status', 'GET schema', 'POST next', 'POST preview', 'POST download'].flatMap((one) => {
    const [verb, path] = one.split(' ')
    return [
      { request: `${verb} ${HANDLES}/HANDLE/${path}`, status: 200, query: 'SELECT 1' },
      { request: `${verb} ${HANDLES}/nope/${path}`, status: 404 },
    ]
  }),
  { request: `GET ${HANDLES}/HANDLE/schema`, status: 400, query: "SELECT 'x'::INT" },
  { request: `POST ${HANDLES}/NO_OP/next`, status: 200 },
  { request: `POST ${HANDLES}/HANDLE/next`, status: 400, query: 'SELECT 1', body: '{"size":"0"}' },
  { request: `POST ${HANDLES}/HANDLE/next`, status: 413, query: 'SELECT 1', ...LARGE },
  { request: `POST ${HANDLES}/HANDLE/next`, status: 415, query: 'SELECT 1', ...UNKNOWN_ENCODING },
  { request: `POST ${HANDLES}/HANDLE/preview`, status: 409, query: 'SELECT 1', closed: true },
  { request: `POST ${HANDLES}/HANDLE/download`, status: 409, query: 'SELECT 1', closed: true },
  {
    request: `POST ${HANDLES}/HANDLE/download`,
    status: 406,
    query: 'SELECT 1',
    headers: { Accept: 'text/html' },
  },
  { request: `DELETE ${HANDLES}/HANDLE`, status: 200, query: 'SELECT 1' },
  { request: `DELETE ${HANDLES}/HANDLE`, status: 404, query: 'SELECT 1', closed: true },
  { request: `GET ${TABLES}`, status: 200 },
  { request: `GET ${TABLES.replace('default', 'nope')}`, status: 404 },
  { request: `GET ${TABLES}/stream_mystream/info`, status: 200 },
  { request: `GET ${TABLES}/nope/info`, status: 404 },
  ...[
    { status: 200, body: '{"name":"text"}' },
    { status: 400, body: '[' },
    { status: 413, ...LARGE },
    { status: 415, ...UNKNOWN_ENCODING },
  ].map((one) => ({ request: `POST ${OF_STREAM}/mystream/tables/raw/enable`, ...one })),
  {
    request: `POST ${OF_STREAM}/mystream/tables/stream_mystream/enable`,
    status: 400,
    body: '{"name":"clf"}',
  },
  { request: `POST ${OF_STREAM}/mystream/tables/stream_mystream/disable`, status: 200 },
  {
    request: `POST ${OF_STREAM}/mystream/tables/stream_mystream/enable`,
    status: 200,
    body: '{"name":"text"}',
  },
  { request: `PUT ${STREAMS}/my-stream`, status: 200 },
  { request: `PUT ${STREAMS}/my_stream`, status: 200 },
  {
    request: `POST ${OF_STREAM}/my_stream/tables/stream_my_stream/enable`,
    status: 400,
    body: '{"name":"text"}',
  },
  { request: `POST ${OF_STREAM}/nope/tables/raw/enable`, status: 404, body: '{"name":"text"}' },
  { request: `POST ${OF_STREAM}/mystream/tables/raw/disable`, status: 200 },
  { request: `POST ${OF_STREAM}/mystream/tables/nope/disable`, status: 404 },
  { request: `POST ${OF_STREAM}/nope/tables/raw/disable`, status: 404 },
  { request: 'GET /v3/explore/status', status: 200 },
  ...['catalogs', 'tableTypes', 'types']
    .map((what) => `POST ${JDBC}/${what}`)
    .concat(
      ['schemas', 'tables', 'columns', 'functions'].map(
        (what) => `POST ${N}/default/data/explore/jdbc/${what}`,
      ),
    )
    .flatMap((request) => [
      { request, status: 200 },
      { request, status: 400, body: '[1]' },
      { request, status: 413, ...LARGE },
      { request, status: 415, ...UNKNOWN_ENCODING },
    ]),
  { request: `GET ${JDBC}/info/DBMS_NAME`, status: 200 },
  { request: `GET ${JDBC}/info/NOPE`, status: 400 },
  { request: `GET ${STREAMS}/mystream/notifications?limit=1`, status: 200 },
  { request: `GET ${STREAMS}/mystream/notifications?limit=0`, status: 400 },
  { request: `GET ${STREAMS}/inv%40lid/notifications`, status: 400 },
  { request: `GET ${STREAMS}/nope/notifications`, status: 404 },
  ...[
    { status: 200, body: WEBHOOK('https://example.invalid/hook') },
    { status: 400, body: '{}' },
    { status: 400, body: WEBHOOK('https://example.invalid/hook', 'short') },
    { status: 400, body: WEBHOOK('https://example.invalid/hook', 'whsec_0123456789') },
    { status: 400, body: WEBHOOK('ftp://example.invalid/') },
    { status: 400, body: WEBHOOK('http://127.0.0.1/') },
    { status: 413, ...LARGE },
    { status: 415, ...UNKNOWN_ENCODING },
  ].map((one) => ({ request: `POST ${STREAMS}/mystream/webhooks`, ...one })),
  { request: `POST ${STREAMS}/nope/webhooks`, status: 404, body: WEBHOOK('https://example.invalid/hook') },
  { request: `GET ${STREAMS}/mystream/webhooks`, status: 200 },
  { request: `GET ${STREAMS}/inv%40lid/webhooks`, status: 400 },
  { request: `GET ${STREAMS}/nope/webhooks`, status: 404 },
  { request: `DELETE ${STREAMS}/mystream/webhooks/${WEBHOOK_ID}`, status: 200 },
  { request: `DELETE ${STREAMS}/nope/webhooks/${WEBHOOK_ID}`, status: 404 },
  { request: `GET ${N}/default/feeds`, status: 200 },
  { request: `GET ${N}/my-ns/feeds`, status: 400 },
  { request: `GET ${N}/nope/feeds`, status: 404 },
  { request: `PUT ${FEEDS}/a/names/b`, status: 200, body: '{"description":"Mine"}' },
  { request: `PUT ${FEEDS}/a/names/b`, status: 200 },
  { request: `PUT ${FEEDS}/a.b/names/b`, status: 400 },
  { request: `PUT ${FEEDS}/a/names/b`, status: 400, body: '[' },
  { request: `PUT ${N}/nope/feeds/categories/a/names/b`, status: 404 },
  { request: `PUT ${FEEDS}/a/names/b`, status: 413, ...LARGE },
  { request: `PUT ${FEEDS}/a/names/b`, status: 415, ...UNKNOWN_ENCODING },
  { request: `GET ${FEEDS}/stream/names/mystreamSize`, status: 200 },
  { request: `GET ${FEEDS}/a/names/nope`, status: 404 },
  { request: `GET ${FEEDS}/a.b/names/b`, status: 400 },
  { request: `DELETE ${FEEDS}/stream/names/mystreamSize`, status: 400 },
  { request: `DELETE ${FEEDS}/a/names/b`, status: 200 },
  { request: `DELETE ${FEEDS}/a/names/b`, status: 404 },
  ...ABSENT.flatMap((path) => [
    { request: `GET ${N}/default/${path}`, status: 200 },
    { request: `GET ${N}/my-ns/${path}`, status: 400 },
    { request: `GET ${N}/nope/${path}`, status: 404 },
  ]),
  { request: 'GET /v3/preferences', status: 200 },
  { request: 'GET /v3/config/cdap', status: 200 },
  { request: 'GET /v3/config/hadoop', status: 200 },
  { request: 'GET /v3/system/services', status: 200 },
  { request: 'GET /v3/system/services/streams/instances', status: 200 },
  ...metadataExchanges(`${STREAMS}/mystream`, `${STREAMS}/nope`, `${STREAMS}/inv%40lid`),
  { request: `GET ${N}/default/metadata/search?query=x`, status: 200 },
  { request: `GET ${N}/default/metadata/search?query=x&offset=0&limit=5`, status: 200 },
  { request: `GET ${N}/default/metadata/search?query=x&limit=-1`, status: 400 },
  { request: `GET ${N}/default/metadata/search`, status: 400 },
  { request: `GET ${N}/default/metadata/search?query=x&target=y`, status: 400 },
  { request: `GET ${N}/nope/metadata/search?query=x`, status: 404 },
  { request: `GET ${STREAMS}/mystream/lineage`, status: 200 },
  { request: `GET ${STREAMS}/mystream/lineage?start=9&end=8`, status: 400 },
  { request: `GET ${STREAMS}/nope/lineage`, status: 404 },

  { request: 'POST /v3/metrics/query?metric=system.collect.events&tag=stream:mystream', status: 200 },
  {
    request: 'POST /v3/metrics/query',
    status: 200,
    body: '{"all":{"tags":{},"metrics":["system.collect.bytes"]}}',
  },
  ...['aggregate=true', 'metric=m&start=5', 'metric=m&start=yesterday', 'metric=m&tag=x'].map((query) => ({
    request: `POST /v3/metrics/query?${query}`,
    status: 400,
  })),
  { request: 'POST /v3/metrics/query', status: 400 },
  { request: 'POST /v3/metrics/query', status: 413, ...LARGE },
  { request: 'POST /v3/metrics/query', status: 415, ...UNKNOWN_ENCODING },
  { request: 'POST /v3/metrics/search?target=tag', status: 200 },
  { request: 'POST /v3/metrics/search?target=tag&tag=x', status: 400 },
  { request: 'POST /v3/metrics/search', status: 400 },

  { request: 'GET /metrics', status: 200 },

  { request: 'GET /', status: 200 },
  { request: 'GET /ping', status: 200 },
  { request: 'GET /ping', status: 401, tokens: true },
  { request: 'GET /token', status: 404 },
  { request: 'GET /token', status: 401, tokens: true },
  {
    request: 'GET /token',
    status: 200,
    tokens: true,
    headers: { Authorization: `Basic ${btoa(`all:${secretNumber(1)}`)}` },
  },
  { request: 'GET /status', status: 200 },
  { request: 'GET /v3/version', status: 200 },
  { request: 'GET /v3/system/services/status', status: 200 },
  { request: 'GET /v3/system/services/streams/status', status: 200 },

  { request: 'GET /v2/streams', status: 200 },
  { request: 'PUT /v2/streams/old', status: 200 },
  { request: 'PUT /v2/streams/inv%40lid', status: 400 },
  { request: 'GET /v2/streams/old', status: 200 },
  { request: 'GET /v2/streams/nope', status: 404 },
  { request: 'GET /v2/streams/old/info', status: 200 },
  { request: 'PUT /v2/streams/old/config', status: 200, body: '{"ttl":60}' },
  { request: 'PUT /v2/streams/old/config', status: 400, body: '{"ttl":-1}' },
  { request: 'POST /v2/streams/old', status: 200, body: 'x' },
  { request: 'POST /v2/streams/nope', status: 404, body: 'x' },
  { request: 'POST /v2/streams/old/async', status: 202, body: 'x' },
  { request: 'POST /v2/streams/old/batch', status: 200, headers: TEXT, body: 'x' },
  { request: 'POST /v2/streams/old/batch', status: 406 },
  { request: 'GET /v2/streams/old/events', status: 200 },
  { request: 'GET /v2/streams/nope/events', status: 404 },
  { request: 'GET /v2/streams/old/events?limit=0', status: 400 },
  { request: 'POST /v2/streams/old/truncate', status: 200 },
]

test('real answers have a status and a content type of the document, and refusals its texts', async () => {
  const queries = new FakeQueries()
  const apps = {
    usual: await preparedApp(true, queries),
    resetForbidden: await preparedApp(false, queries),
    withTokens: await testApp({ config: { authFile: (await tokenFile([{ name: 'all' }])).path } }),
  }
  const names = Object.entries(await aivenNames(apps.usual))
  const withNames = (text: string) => names.reduce((all, [name, id]) => all.replaceAll(name, id), text)
  const operationsSeen = new Set<string>()
  const textsSeen = new Set<string>()
  for (const { request, status, resetForbidden, tokens, query, closed, failure, ...options } of exchanges) {
    queries.failure = failure
    const [method, template] = withNames(request).split(' ') as [string, string]
    const { body } = options
    const app = resetForbidden ? apps.resetForbidden : tokens ? apps.withTokens : apps.usual
    const path = query === undefined ? template : template.replace('HANDLE', await handleOf(app, query))
    if (query !== undefined) await ended(app, path.split('/')[5]!)
    if (closed) await app.delete(path.split('/').slice(0, 6).join('/'))
    const named = typeof body === 'string' && path.startsWith(PROJECT) ? { body: withNames(body) } : {}
    const answer = await app.request(method, path, { ...options, ...named })
    expect(answer.status, `${request}: ${answer.text.slice(0, 200)}`).toBe(status)
    const name = operationOf(method, path)
    operationsSeen.add(name)
    for (const text of checkAnswer(name, answer)) textsSeen.add(text)
  }
  expect([...operationsSeen].sort(), 'every operation is tried').toEqual([...operations.keys()].sort())
  expect([...textsSeen].sort(), 'every text of a refusal is seen').toEqual(textsOfRefusals().sort())
})

/** The answer has to be as documented; answers the text if it is one of a refusal. */
function checkAnswer(name: string, answer: TestResponse): string[] {
  const responses = operations.get(name)!.responses
  const response = responses[String(answer.status)]
  expect(response, `${name} has ${answer.status}`).toBeDefined()
  const { content } = resolved<Response>(response)
  const contentType = answer.headers['content-type']
  if (content === undefined) {
    expect([contentType, answer.text], `${name} ${answer.status}`).toEqual([undefined, ''])
    return []
  }
  expect(Object.keys(content), `${name} ${answer.status}`).toContain(contentType)
  if (contentType?.startsWith('text/plain')) {
    const texts = textsOf(content)
    if (texts.length > 0) expect(texts, `${name} ${answer.status}`).toContain(answer.text)
    return answer.status >= 400 ? [answer.text] : []
  }
  if (contentType?.startsWith('application/json')) JSON.parse(answer.text)
  return []
}

/** All that the document shows and that does not take a broken disk. */
function textsOfRefusals(): string[] {
  const texts = new Set<string>()
  for (const { responses } of operations.values()) {
    for (const [status, response] of Object.entries(responses)) {
      if (status < '400' || status >= '500') continue
      const { content = {} } = resolved<Response>(response)
      for (const [type, media] of Object.entries(content)) {
        if (type.startsWith('text/plain')) for (const text of textsOf({ [type]: media })) texts.add(text)
      }
    }
  }
  return [...texts]
}

function textsOf(content: Response['content']): string[] {
  return Object.values(content ?? {}).flatMap(({ example, examples }) => [
    ...(example === undefined ? [] : [String(example)]),
    ...Object.values(examples ?? {}).map((one) => String(resolved<{ value: Json }>(one).value)),
  ])
}

/** `GET /path/{name}` of a request; of two that fit, the one with fewer parameters. */
function operationOf(method: string, path: string): string {
  const [pathname] = path.split('?')
  const fitting = [...operations.keys()].filter((name) => {
    const [verb, template] = name.split(' ') as [string, string]
    return verb === method && new RegExp(`^${template.replace(/\{[a-z]+\}/g, '[^/]+')}$`).test(pathname!)
  })
  expect(fitting, `${method} ${pathname}`).not.toEqual([])
  return fitting.sort((a, b) => a.split('{').length - b.split('{').length)[0]!
}

async function preparedApp(unrecoverableReset: boolean, queries: FakeQueries): Promise<TestApp> {
  const app = await testApp({ config: { unrecoverableReset }, apis: apisWithQueries(queries) })
  await app.put(`${STREAMS}/mystream`, { body: '{"principal":"alice"}' })
  return app
}

async function routesOfService(): Promise<string[]> {
  const { parts, storage } = await appParts(Date.now)
  const app = createApp(
    { ...parts, tokens: new Tokens() },
    routeOptions({ nowMs: Date.now, report: () => {} }),
  )
  await storage.close()
  // Those of Ververica's API are in descriptions of its own, which the service has.
  const described = app.routes.filter(({ path }) => apiOf(APIS, path).name !== 'ververica')
  const routes = described.map(({ method, path }) => {
    // The document has the paths of Aiven's API without `/test`; each is there in both forms.
    const templated = path
      .replace(/:([a-z]+)/g, '{$1}')
      .replace(/^\/v1\/project\/\{project\}\/test\//, '/v1/project/{project}/')
    // Those of Flink's API are there under several prefixes.
    const atRoot = templated
      .replace(/^\/v1\/project\/\{project\}\/service\/\{service\}\/flink\/proxy(?=\/)/, '')
      .replace(/^\/v3\/namespaces\/\{namespace\}\/flink(?=\/)/, '')
      .replace(/^\/v1(?!\/project)(?=\/)/, '')
    // The service has a path for every type of program; the document has one with the type as a parameter.
    return `${method} ${atRoot.replace(/[a-z]+(?=\/\{program\})/, '{type}')}`
  })
  return [...new Set(routes)]
}

function resolved<T>(value: unknown): T {
  const reference = (value as { $ref?: string }).$ref
  return (reference === undefined ? value : find(reference)) as T
}

function find(reference: string): Json | undefined {
  let value = document as unknown as Json | undefined
  for (const key of reference.split('/').slice(1)) value = (value as JsonObject | undefined)?.[key]
  return value
}

function referencesIn(json: Json): string[] {
  if (typeof json !== 'object' || json === null) return []
  if (Array.isArray(json)) return json.flatMap(referencesIn)
  return Object.entries(json).flatMap(([key, value]) =>
    key === '$ref' ? [String(value)] : referencesIn(value),
  )
}
