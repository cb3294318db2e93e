/**
 * Every endpoint, called by every kind of client, and the status it answers. The table below is written by hand; a route
 * without a row and a row without a route fail the test. The short form sends the other forms of a request, and pairs of requests
 * that have to look alike, for some clients; the long one for all.
 */
import { describe, expect, test } from 'vitest'
import { Tokens } from '../../src/auth/tokens.ts'
import type { AppParts, Route } from '../../src/http/api.ts'
import { createApp, routesOf } from '../../src/http/app.ts'
import { openParsePort } from '../../src/http/document-parsers.ts'
import { Workers } from '../../src/http/messages/parse-workers.ts'
import { Followers } from '../../src/http/server/followers.ts'
import { Guard } from '../../src/http/server/guard.ts'
import { Load } from '../../src/http/server/load.ts'
import { OpenAnswers } from '../../src/http/server/open-answers.ts'
import { SlowClients } from '../../src/http/server/slow-clients.ts'
import { vertexId } from '../../src/jobs/vertex-detail.ts'
import { DEFAULT_LIMITS } from '../../src/limits.ts'
import { LoopShare } from '../../src/loop-share.ts'
import type { StreamId } from '../../src/streams/names.ts'
import { type ProgramId, UsageRegistry } from '../../src/streams/usage.ts'
import { builtIn, createJob, createTable } from '../support/aiven.ts'
import { appParts } from '../support/app-parts.ts'
import { apisWithQueries, FakeQueries, form } from '../support/cached-queries.ts'
import { effort, tellProof } from '../support/effort.ts'
import { ended } from '../support/explore.ts'
import { ON_KAFKA, type RequestOptions, type TestApp, testApp } from '../support/test-app.ts'
import { ALL, secretNumber, type TestTokens, tokenEntry, tokenFile } from '../support/tokens.ts'

const NOW_MS = 1_000_000

/** Names of the paths below mean stream `s` of namespace `shop`, and of `default` on the `/v2` paths. */
const CLIENTS = {
  noToken: undefined,
  badToken: undefined,
  expired: [ALL],
  read: ['shop:s:read', 'default:s:read'],
  write: ['shop:s:write', 'default:s:write'],
  admin: ['shop:s:admin', 'default:s:admin'],
  otherStream: ['shop:t*:read,write,admin', 'default:t*:read,write,admin'],
  otherNamespace: ['other:*:read,write,admin'],
  namespaceAdmin: ['shop:*:admin', 'default:*:admin'],
  jobs: ['shop:*:jobs', 'default:*:jobs'],
  all: [ALL],
} as const
type ClientName = keyof typeof CLIENTS
const NAMES = Object.keys(CLIENTS) as ClientName[]

/** In the order of the clients above. */
const row = (text: string) => text.split(' ').map(Number)
//               noToken bad expired read write admin otherStream otherNamespace namespaceAdmin jobs all
const ANYBODY = row('200 200 200 200 200 200 200 200 200 200 200')
const CLIENT = row('401 401 401 200 200 200 200 200 200 200 200')
const IN_NAMESPACE = row('401 401 401 200 200 200 200 403 200 200 200')
const NAMESPACE = row('401 401 401 403 403 403 403 403 200 403 200')
const STREAM = row('401 401 401 200 200 200 403 403 200 200 200')
const READ = row('401 401 401 200 403 403 403 403 403 403 200')
const WRITE = row('401 401 401 403 200 403 403 403 403 403 200')
const WRITE_ASYNC = row('401 401 401 403 202 403 403 403 403 403 202')
const ADMIN = row('401 401 401 403 403 200 403 403 200 403 200')
/** Of a query that `all` has submitted: to others it is not there, whatever they may read. */
const QUERY = row('401 401 401 404 404 404 404 404 404 404 200')
/** A query about a table that only `read` and `all` may read; the same status if there is no such table. */
const ASKING = row('401 401 401 200 403 403 403 403 403 403 200')
const TABLE = row('401 401 401 200 200 200 404 403 200 200 200')
// The named entity is missing, which is reported only to clients that may know it.
const IN_NAMESPACE_MISSING = row('401 401 401 404 404 404 404 403 404 404 404')
const NAMESPACE_MISSING = row('401 401 401 403 403 403 403 403 404 403 404')
const ADMIN_MISSING = row('401 401 401 403 403 404 403 403 404 403 404')
const BASIC_ONLY = row('401 401 401 401 401 401 401 401 401 401 401')
const UNKNOWN = row('401 401 401 404 404 404 404 404 404 404 404')
const JOBS = row('401 401 401 403 403 403 403 403 200 200 200')
/** A job needs grants for its streams as well. */
const NEW_JOB = row('401 401 401 403 403 403 403 403 403 403 200')
/** Integrations are named by id: without a grant in its namespace there is none. */
const INTEGRATION = row('401 401 401 200 200 200 200 404 200 200 200')
const INTEGRATION_CHANGE = row('401 401 401 403 403 403 403 404 200 200 200')
/** For an operator: admin of all namespaces, not of some. */
const OPERATOR = row('401 401 401 403 403 403 403 403 403 403 200')
/** With this status for each client that has access. */
const as = (expected: readonly number[], status: number) =>
  expected.map((one) => (one === 200 ? status : one))
const UNSUPPORTED = row('401 401 401 501 501 501 501 501 501 501 501')
const WRONG_VERB = row('401 401 401 405 405 405 405 405 405 405 405')

const N = '/v3/namespaces/:namespace'
const S = `${N}/streams`
const V = `${S}/:stream/views/:view`
const Q = '/v3/data/explore/queries'
const J = '/v3/data/explore/jdbc'
/** The schema is a pattern: the answer has what the grants include (jdbc.test.ts). */
const JS = '/v3/namespaces/:schema/data/explore/jdbc'
const V2 = '/v2/streams'

/** The API of Aiven for Apache Flink; each path also with `/test` after the project. */
const P = '/v1/project/:project'
const SERVICE = `${P}/service/:service`
const F = `${SERVICE}/flink`
const AIVEN: Readonly<Record<string, readonly number[]>> = {
  [`GET ${P}/service`]: CLIENT,
  [`POST ${P}/service`]: UNSUPPORTED,
  [`GET ${SERVICE}`]: IN_NAMESPACE,
  [`GET ${P}/service_types`]: UNSUPPORTED,
  [`GET ${P}/vpcs`]: UNSUPPORTED,
  [`GET ${SERVICE}/integration`]: IN_NAMESPACE,
  [`POST ${P}/integration`]: JOBS,
  [`GET ${P}/integration/:integration`]: INTEGRATION,
  [`PUT ${P}/integration/:integration`]: INTEGRATION_CHANGE,
  [`DELETE ${P}/integration/:integration`]: INTEGRATION_CHANGE,
  [`POST ${F}/table`]: JOBS,
  [`GET ${F}/table`]: IN_NAMESPACE,
  [`POST ${F}/table/validate`]: JOBS,
  [`GET ${F}/table/:table`]: IN_NAMESPACE,
  [`DELETE ${F}/table/:table`]: JOBS,
  [`POST ${F}/job`]: NEW_JOB,
  [`GET ${F}/job`]: IN_NAMESPACE,
  [`POST ${F}/job/validate`]: JOBS,
  [`GET ${F}/job/:job`]: IN_NAMESPACE,
  [`POST ${F}/job/:job/cancel`]: JOBS,
}

/**
 * Ververica Platform's APIs. No resource has the names of the paths; bodies are of a type that is not read, or missing, so that a client
 * with access is refused for them.
 */
const R = '/api/v1/namespaces/:namespace'
const PN = '/namespaces/v1/namespaces'
const PT = '/apitokens/v1/namespaces/:namespace/apitokens'
const SCRIPTS = [':', '%3A', '%3a'].map((colon) => `/sql/v1beta1/namespaces/:namespace/sqlscripts${colon}`)
const VERVERICA: Readonly<Record<string, readonly number[]>> = {
  [`GET ${R}/deployments`]: IN_NAMESPACE,
  [`POST ${R}/deployments`]: as(JOBS, 415),
  [`GET ${R}/deployments/:id`]: IN_NAMESPACE_MISSING,
  [`PATCH ${R}/deployments/:id`]: as(JOBS, 400),
  [`DELETE ${R}/deployments/:id`]: as(JOBS, 404),
  [`GET ${R}/deployment-targets`]: IN_NAMESPACE,
  [`POST ${R}/deployment-targets`]: as(NAMESPACE, 415),
  [`GET ${R}/deployment-targets/:name`]: IN_NAMESPACE_MISSING,
  [`DELETE ${R}/deployment-targets/:name`]: NAMESPACE_MISSING,
  [`GET ${R}/deployment-defaults`]: IN_NAMESPACE,
  [`PATCH ${R}/deployment-defaults`]: as(NAMESPACE, 400),
  'GET /api/v1/global-deployment-defaults': CLIENT,
  [`GET ${R}/jobs`]: IN_NAMESPACE,
  [`GET ${R}/jobs/:id`]: IN_NAMESPACE_MISSING,
  [`GET ${R}/savepoints`]: IN_NAMESPACE,
  [`POST ${R}/savepoints`]: as(JOBS, 415),
  [`GET ${R}/savepoints/:id`]: IN_NAMESPACE_MISSING,
  [`DELETE ${R}/savepoints/:id`]: as(JOBS, 404),
  [`GET ${R}/events`]: IN_NAMESPACE,
  [`GET ${R}/secret-values`]: JOBS,
  [`POST ${R}/secret-values`]: as(JOBS, 415),
  [`GET ${R}/secret-values/:name`]: as(JOBS, 404),
  [`PATCH ${R}/secret-values/:name`]: as(JOBS, 400),
  [`DELETE ${R}/secret-values/:name`]: as(JOBS, 404),

  [`GET ${PN}`]: CLIENT,
  [`POST ${PN}`]: as(OPERATOR, 415),
  [`GET ${PN}/:namespace`]: NAMESPACE,
  [`PUT ${PN}/:namespace`]: NAMESPACE,
  [`DELETE ${PN}/:namespace`]: as(OPERATOR, 409), // it has streams
  [`GET ${PT}`]: NAMESPACE,
  [`POST ${PT}`]: as(NAMESPACE, 415),
  [`GET ${PT}/:name`]: NAMESPACE_MISSING,
  [`DELETE ${PT}/:name`]: NAMESPACE_MISSING,

  'GET /api/v1/status': CLIENT,
  'GET /api/v1/status/system-info': CLIENT,
  ...Object.fromEntries(
    SCRIPTS.flatMap((path) =>
      ['validate', 'execute', 'suggest'].map((call) => [`POST ${path}${call}`, as(JOBS, 415)]),
    ),
  ),

  'GET /swagger': CLIENT,
  'GET /swagger/:file': UNKNOWN,
  'GET /swagger.json': CLIENT,
  'GET /api/swagger.json': CLIENT,
}

/**
 * Flink's REST API. The job is that of namespace `shop`: without a grant there it does not exist. All paths are there under five
 * prefixes, with and without /v1; where the path names the namespace, the guard refuses what the handler hides at the root.
 */
const FLINK: Readonly<Record<string, readonly number[]>> = flinkRows()
const isChange = (route: string) => /^(PATCH|PUT)|^POST .*\/jobs\/:job|\/yarn-/.test(route)

function flinkRows(): Record<string, readonly number[]> {
  const K = '/jobs/:job'
  const X = `${K}/vertices/:vertex`
  const M = '/jobmanager'
  const T = '/taskmanagers'
  const each = (method: string, prefix: string, paths: string, expected: readonly number[]) =>
    paths.split(' ').map((path) => [`${method} ${prefix}${path === '.' ? '' : path}`, expected] as const)
  return Object.fromEntries([
    ...each('GET', '', '/overview /config /datasets /jobs /jobs/overview /jobs/metrics', CLIENT),
    ...each('GET', '', `${M}/metrics ${T} ${T}/metrics ${T}/:taskmanager/metrics`, CLIENT),
    ...each('GET', '', `${T}/:taskmanager`, as(CLIENT, 404)), // the process of jobs is another each time
    ...each('POST', '', '/jobs', as(CLIENT, 501)),
    ...each('DELETE', '', '/cluster', as(OPERATOR, 403)), // not enabled
    ...each('GET', '', '/jars', OPERATOR),
    ...each('POST', '', '/jars/upload /jars/:jar/plan /jars/:jar/run', as(OPERATOR, 400)), // without a file, and of no jar
    ...each('GET', '', '/jars/:jar/plan', as(OPERATOR, 400)),
    ...each('DELETE', '', '/jars/:jar', as(OPERATOR, 400)),
    ...each('DELETE', '', '/datasets/:dataset', as(OPERATOR, 202)),
    ...each('GET', '', '/datasets/delete/:trigger /savepoint-disposal/:trigger', as(OPERATOR, 404)),
    ...each('POST', '', '/savepoint-disposal', as(OPERATOR, 400)),
    ...each('GET', M, '/config /environment /logs /thread-dump /profiler', OPERATOR),
    ...each('GET', M, '/logs/:file /log /stdout /profiler/:file', as(OPERATOR, 404)),
    ...each('POST', '', `${M}/profiler ${T}/:taskmanager/profiler`, as(OPERATOR, 400)),
    ...each('GET', `${T}/:taskmanager`, '/logs /logs/:file /log /stdout', as(OPERATOR, 404)),
    ...each('GET', `${T}/:taskmanager`, '/thread-dump /profiler/:file', as(OPERATOR, 404)),
    ...each('GET', `${T}/:taskmanager`, '/profiler', OPERATOR),
    ...each('GET', K, '. /status /config /plan /exceptions /execution-result /accumulators', INTEGRATION),
    ...each('GET', K, '/resource-requirements /checkpoints /checkpoints/config', INTEGRATION),
    ...each('GET', K, '/metrics', CLIENT), // without a grant there is none
    ...each('GET', K, '/jobmanager/config /jobmanager/environment', OPERATOR),
    ...each('GET', K, '/checkpoints/details/:checkpoint', as(INTEGRATION, 404)),
    ...each('GET', K, '/checkpoints/details/:checkpoint/subtasks/:vertex', as(INTEGRATION, 404)),
    ...each('GET', K, '/checkpoints/:trigger /savepoints/:trigger', as(INTEGRATION, 404)),
    ...each('GET', K, '/rescaling/:trigger', as(INTEGRATION, 503)),
    ...each('PATCH', K, '/rescaling', as(INTEGRATION_CHANGE, 503)),
    ...each('PUT', K, '/resource-requirements', as(INTEGRATION_CHANGE, 400)),
    ...each('PATCH', K, '. /clientHeartbeat', as(INTEGRATION_CHANGE, 202)),
    ...each('GET', K, '/yarn-cancel', as(INTEGRATION_CHANGE, 202)),
    ...each('GET', K, '/yarn-stop', as(INTEGRATION_CHANGE, 308)),
    ...each('POST', K, '/checkpoints /savepoints /stop', as(INTEGRATION_CHANGE, 400)), // a body that is none
    ...each('GET', X, '. /backpressure /watermarks /subtasktimes /taskmanagers', INTEGRATION),
    ...each('GET', X, '/accumulators /flamegraph /subtasks/accumulators', INTEGRATION),
    ...each('GET', X, '/subtasks/:subtask', INTEGRATION),
    ...each('GET', X, '/subtasks/:subtask/attempts/:attempt', INTEGRATION),
    ...each('GET', X, '/subtasks/:subtask/attempts/:attempt/accumulators', INTEGRATION),
    ...each('GET', X, '/metrics /jm-operator-metrics /subtasks/metrics', CLIENT),
    ...each('GET', X, '/subtasks/:subtask/metrics', CLIENT),
  ])
}

/** The rows with a prefix whose paths name the namespace. */
function inNamespaceRows(prefix: string): Record<string, readonly number[]> {
  const inNamespace = (route: string, expected: readonly number[]) => {
    if (expected[7] === 403) return expected
    const allowed = isChange(route) ? JOBS : IN_NAMESPACE
    return allowed.map((one) => (one === 200 ? expected.at(-1)! : one))
  }
  return Object.fromEntries(
    Object.entries(FLINK).map(([route, expected]) => [
      route.replace(' ', ` ${prefix}`),
      inNamespace(route, expected),
    ]),
  )
}

const PROXY = `${F}/proxy`
const OTHER_PREFIXES = [N, PROXY, PROXY.replace(P, `${P}/test`)].map((prefix) =>
  prefix === N ? `${N}/flink` : prefix,
)
const FLINK_ROWS: Readonly<Record<string, readonly number[]>> = {
  ...FLINK,
  ...withPrefix('/v1', FLINK),
  ...Object.fromEntries(
    OTHER_PREFIXES.flatMap((prefix) =>
      [prefix, `${prefix}/v1`].flatMap((one) => Object.entries(inNamespaceRows(one))),
    ),
  ),
}

/** Cached queries: connection 1 is environment `env1` of namespace `default`, and query 2 has the stream `env1-q2`. */
const CALL = row('401 401 401 403 403 403 403 403 201 201 201')
const CONNECTION = row('401 401 401 403 403 403 403 404 200 200 200')
const CACHED_QUERY = row('401 401 401 403 403 403 403 404 403 403 200')
const CACHED: Readonly<Record<string, readonly number[]>> = {
  'POST /createDatabaseConnection': CALL,
  'POST /createCachedQuery': CALL,
  'POST /deleteDatabaseConnection': CALL,
  'POST /checkJobStatus': CALL,
  'GET /connections': CLIENT,
  'GET /connections/:connection': CONNECTION,
  'GET /queries': CLIENT,
  'GET /queries/:query': CACHED_QUERY,
  'DELETE /queries/:query': CONNECTION,
  'GET /queries/:query/rows': CACHED_QUERY,
  'GET /queries/:query/changes': CACHED_QUERY,
}
const CALLED = form({ connectionString: 'postgres://db/shop', environmentId: 'env1' })

function withPrefix(prefix: string, rows: Readonly<Record<string, readonly number[]>>) {
  return Object.fromEntries(
    Object.entries(rows).map(([route, expected]) => [route.replace(' ', ` ${prefix}`), expected]),
  )
}

const withTest = (route: string) => route.replace(P, `${P}/test`)
/** These have the handlers and the access of other paths, so some clients are enough. */
const isOfTest = (route: string) => route.includes(`${P}/test/`) || isPrefixed(route)
/** Paths of Flink's API that are also at the root. */
const isPrefixed = (route: string) => route in FLINK_ROWS && !(route in FLINK)
const clientsOf = (route: string): readonly ClientName[] =>
  isPrefixed(route) ? ['noToken', 'otherNamespace', 'all'] : ['noToken', 'read', 'otherNamespace', 'all']

/** Clients whose requests are also sent as HEAD, and not the short way of plain POSTs. */
const IN_ALL_FORMS: readonly ClientName[] = effort({
  short: ['noToken', 'write', 'otherStream', 'all'],
  long: NAMES,
})
/** A client without a token, and two that have one for something else. */
const REFUSED: readonly ClientName[] = effort({
  short: ['noToken', 'otherStream', 'otherNamespace'],
  long: NAMES,
})

const EXPECTED: Readonly<Record<string, readonly number[]>> = {
  ...FLINK_ROWS,
  ...AIVEN,
  ...CACHED,
  ...VERVERICA,
  ...Object.fromEntries(Object.entries(AIVEN).map(([route, expected]) => [withTest(route), expected])),

  [`GET ${S}`]: IN_NAMESPACE,
  [`PUT ${S}/:stream`]: ADMIN,
  [`GET ${S}/:stream`]: STREAM,
  [`DELETE ${S}/:stream`]: ADMIN,
  [`PUT ${S}/:stream/properties`]: ADMIN,
  [`POST ${S}/:stream/truncate`]: ADMIN,
  [`POST ${S}/:stream`]: WRITE,
  [`POST ${S}/:stream/async`]: WRITE_ASYNC,
  [`POST ${S}/:stream/batch`]: WRITE,
  [`GET ${S}/:stream/events`]: READ,
  [`GET ${S}/:stream/export`]: READ,

  [`GET ${S}/:stream/views`]: STREAM,
  [`PUT ${S}/:stream/views/:view`]: ADMIN,
  [`GET ${S}/:stream/views/:view`]: STREAM,
  [`DELETE ${S}/:stream/views/:view`]: ADMIN,

  [`POST ${S}/:stream/try-format`]: READ,

  [`POST ${N}/data/explore/queries`]: ASKING,
  [`GET ${N}/data/explore/queries`]: IN_NAMESPACE,
  [`GET ${N}/data/explore/queries/count`]: IN_NAMESPACE,
  [`GET ${Q}/:handle/status`]: QUERY,
  [`GET ${Q}/:handle/schema`]: QUERY,
  [`POST ${Q}/:handle/next`]: QUERY,
  [`POST ${Q}/:handle/preview`]: QUERY,
  [`POST ${Q}/:handle/download`]: QUERY,
  [`DELETE ${Q}/:handle`]: QUERY,
  [`GET ${N}/data/explore/tables`]: IN_NAMESPACE,
  [`GET ${N}/data/explore/tables/:table/info`]: TABLE,
  [`POST ${N}/data/explore/streams/:stream/tables/:table/enable`]: ADMIN,
  [`POST ${N}/data/explore/streams/:stream/tables/:table/disable`]: ADMIN,
  'GET /v3/explore/status': CLIENT,

  [`POST ${J}/catalogs`]: CLIENT,
  [`POST ${J}/tableTypes`]: CLIENT,
  [`POST ${J}/types`]: CLIENT,
  [`GET ${J}/info/:type`]: CLIENT,
  [`POST ${JS}/schemas`]: CLIENT,
  [`POST ${JS}/tables`]: CLIENT,
  [`POST ${JS}/columns`]: CLIENT,
  [`POST ${JS}/functions`]: CLIENT,

  [`GET ${V2}`]: IN_NAMESPACE,
  [`PUT ${V2}/:stream`]: ADMIN,
  [`GET ${V2}/:stream`]: STREAM,
  [`GET ${V2}/:stream/info`]: STREAM,
  [`PUT ${V2}/:stream/config`]: ADMIN,
  [`POST ${V2}/:stream/truncate`]: ADMIN,
  [`POST ${V2}/:stream`]: WRITE,
  [`POST ${V2}/:stream/async`]: WRITE_ASYNC,
  [`POST ${V2}/:stream/batch`]: WRITE,
  [`GET ${V2}/:stream/events`]: READ,

  'GET /v3/namespaces': CLIENT,
  [`GET ${N}`]: IN_NAMESPACE,
  [`PUT ${N}`]: NAMESPACE,
  [`PUT ${N}/properties`]: NAMESPACE,
  'DELETE /v3/unrecoverable/namespaces/:namespace': NAMESPACE,

  [`GET ${S}/:stream/programs`]: STREAM,
  [`GET ${N}/data/datasets/:dataset/programs`]: STREAM,
  [`GET ${N}/apps/:application/streams`]: IN_NAMESPACE,
  [`GET ${N}/apps/:application/flows/:program/streams`]: IN_NAMESPACE,
  [`GET ${N}/apps/:application/mapreduce/:program/streams`]: IN_NAMESPACE,
  [`GET ${N}/apps/:application/services/:program/streams`]: IN_NAMESPACE,
  [`GET ${N}/apps/:application/spark/:program/streams`]: IN_NAMESPACE,
  [`GET ${N}/apps/:application/workflows/:program/streams`]: IN_NAMESPACE,
  [`GET ${N}/apps/:application/workers/:program/streams`]: IN_NAMESPACE,

  [`GET ${S}/:stream/metadata`]: STREAM,
  [`DELETE ${S}/:stream/metadata`]: ADMIN,
  [`GET ${S}/:stream/metadata/properties`]: STREAM,
  [`POST ${S}/:stream/metadata/properties`]: ADMIN,
  [`DELETE ${S}/:stream/metadata/properties`]: ADMIN,
  [`DELETE ${S}/:stream/metadata/properties/:property`]: ADMIN,
  [`GET ${S}/:stream/metadata/tags`]: STREAM,
  [`POST ${S}/:stream/metadata/tags`]: ADMIN,
  [`DELETE ${S}/:stream/metadata/tags`]: ADMIN,
  [`DELETE ${S}/:stream/metadata/tags/:tag`]: ADMIN,
  [`GET ${V}/metadata`]: STREAM,
  [`DELETE ${V}/metadata`]: ADMIN,
  [`GET ${V}/metadata/properties`]: STREAM,
  [`POST ${V}/metadata/properties`]: ADMIN,
  [`DELETE ${V}/metadata/properties`]: ADMIN,
  [`DELETE ${V}/metadata/properties/:property`]: ADMIN,
  [`GET ${V}/metadata/tags`]: STREAM,
  [`POST ${V}/metadata/tags`]: ADMIN,
  [`DELETE ${V}/metadata/tags`]: ADMIN,
  [`DELETE ${V}/metadata/tags/:tag`]: ADMIN,
  [`GET ${N}/metadata/search`]: IN_NAMESPACE,
  [`GET ${S}/:stream/lineage`]: STREAM,

  [`GET ${S}/:stream/notifications`]: STREAM,
  [`GET ${S}/:stream/webhooks`]: ADMIN,
  [`POST ${S}/:stream/webhooks`]: ADMIN,
  [`DELETE ${S}/:stream/webhooks/:webhook`]: ADMIN_MISSING,
  [`GET ${N}/feeds`]: IN_NAMESPACE,
  [`GET ${N}/feeds/categories/:category/names/:feed`]: IN_NAMESPACE_MISSING,
  [`PUT ${N}/feeds/categories/:category/names/:feed`]: NAMESPACE,
  [`DELETE ${N}/feeds/categories/:category/names/:feed`]: NAMESPACE_MISSING,

  'POST /v3/metrics/query': CLIENT,
  'POST /v3/metrics/search': CLIENT,
  'GET /metrics': CLIENT,

  'GET /token': BASIC_ONLY,
  'GET /': ANYBODY,
  'GET /ping': CLIENT,
  'GET /status': ANYBODY,
  'GET /v3/version': CLIENT,
  'GET /v3/system/services': CLIENT,
  'GET /v3/system/services/status': CLIENT,
  'GET /v3/system/services/streams/status': CLIENT,
  'GET /v3/system/services/streams/instances': CLIENT,

  [`GET ${N}/apps`]: IN_NAMESPACE,
  [`GET ${N}/flows`]: IN_NAMESPACE,
  [`GET ${N}/mapreduce`]: IN_NAMESPACE,
  [`GET ${N}/services`]: IN_NAMESPACE,
  [`GET ${N}/spark`]: IN_NAMESPACE,
  [`GET ${N}/workers`]: IN_NAMESPACE,
  [`GET ${N}/workflows`]: IN_NAMESPACE,
  [`GET ${N}/artifacts`]: IN_NAMESPACE,
  [`GET ${N}/classes/apps`]: IN_NAMESPACE,
  [`GET ${N}/data/datasets`]: IN_NAMESPACE,
  [`GET ${N}/data/modules`]: IN_NAMESPACE,
  [`GET ${N}/data/types`]: IN_NAMESPACE,
  [`GET ${N}/configuration/dashboards`]: IN_NAMESPACE,
  [`GET ${N}/preferences`]: IN_NAMESPACE,
  'GET /v3/preferences': CLIENT,
  'GET /v3/config/cdap': CLIENT,
  'GET /v3/config/hadoop': CLIENT,
}

/** What a route needs to answer 200. */
const QUERIES: Readonly<Record<string, string>> = {
  'POST /v3/metrics/query': '?metric=system.collect.events',
  'POST /v3/metrics/search': '?target=tag',
  [`GET ${N}/metadata/search`]: '?query=x',
  [`GET ${S}/:stream/notifications`]: '?limit=1',
}

const BODIES: Readonly<Record<string, string>> = {
  [`POST ${S}/:stream/metadata/properties`]: '{"a":"b"}',
  [`POST ${S}/:stream/metadata/tags`]: '["a"]',
  [`POST ${V}/metadata/properties`]: '{"a":"b"}',
  [`POST ${V}/metadata/tags`]: '["a"]',
  [`POST ${S}/:stream/webhooks`]: '{"url":"http://127.0.0.1:9/","secret":"0123456789abcdef"}',
  'POST /createDatabaseConnection': CALLED,
  'POST /createCachedQuery': `${CALLED}&${form({ schema: 's', sqlQuery: 'q' })}`,
  'POST /deleteDatabaseConnection': CALLED,
  'POST /checkJobStatus': CALLED,
}

/** Paths without a route: without a token all answers are the same. */
const NO_ROUTES: Readonly<Record<string, readonly number[]>> = {
  'GET /nope': UNKNOWN,
  'GET /v3/namespaces/:namespace/streams/:stream/nope': UNKNOWN,
  'GET /v3/system/services/nope/status': UNKNOWN,
  [`GET ${F}/proxy/v1/nope`]: UNKNOWN,
  'GET /v1/nope': UNKNOWN,
  'GET /queries/2/nope': UNKNOWN,
  'DELETE /connections/1': WRONG_VERB,
  [`PUT ${R}/deployments`]: WRONG_VERB,
  [`PATCH ${R}/deployment-targets/:name`]: WRONG_VERB,
  [`GET ${R}/nope`]: UNKNOWN,
  'GET /createCachedQuery': WRONG_VERB,
  'DELETE /overview': WRONG_VERB,
  'GET /cluster': WRONG_VERB,
  [`PUT ${F}/table`]: WRONG_VERB,
  'PATCH /v3/namespaces/:namespace/streams/:stream': WRONG_VERB,
  'OPTIONS /v3/namespaces/:namespace/streams/:stream': WRONG_VERB,
  'PUT /v3/namespaces/:namespace/streams/:stream/events': WRONG_VERB,
  'POST /status': WRONG_VERB,
  'POST /token': WRONG_VERB,
}

test('every route has a row, and every row a route', async () => {
  const { routes, app } = await routesOfService()
  const inTable = routes.map(([method, path]) => `${method} ${path}`)
  expect(new Set(inTable).size).toBe(inTable.length)
  expect([...inTable].sort()).toEqual(Object.keys(EXPECTED).sort())
  // Nothing else is known to the router: a handler beside the table would show here.
  expect(app.routes.map(({ method, path }) => `${method} ${path}`)).toEqual(inTable)
})

test('a route whose access is about a name has that name in its path', async () => {
  for (const [method, path, access] of (await routesOfService()).routes) {
    if (access === 'operator' || `${method} ${path}` in FLINK_ROWS) continue // no name, or looked up by the handler
    const ofStream = ['stream', 'read', 'write', 'admin'].includes(access)
    const name = `${method} ${path}`
    if (ofStream) expect(path, name).toMatch(/\/:(stream|dataset)(\/|$)/)
    if (ofStream || access === 'namespace' || access === 'in-namespace' || access === 'jobs') {
      expect(path, name).toMatch(/\/:namespace(\/|$)|^\/v2\/streams|^\/v1\/project\/.*\/:service(\/|$)/)
    } else {
      // A handle and an integration are looked up first; for a client without access they are unknown.
      const known = path
        .replace(`${Q}/:handle`, Q)
        .replace(JS, J)
        .replace(`${J}/info/:type`, J)
        .replace(/^\/v1\/project\/:project(\/test)?(\/integration\/:integration)?/, '')
        .replace(/^\/(connections\/:connection|queries\/:query)/, '')
        .replace(/^\/swagger\/:file/, '')
      expect(known, name).not.toMatch(/:/)
    }
  }
})

/** Some thousand requests, hundreds of which change the catalog, which takes longer on Kafka. */
const TIME_LIMIT_MS = ON_KAFKA ? 900_000 : 120_000

describe('with tokens', () => {
  const all = { ...EXPECTED, ...NO_ROUTES }

  test('every endpoint answers everybody as the table says', { timeout: TIME_LIMIT_MS }, async () => {
    const { app, tokens, filled: first } = await guardedApp()
    let filled = first
    let cells = 0
    const wrong: string[] = []
    let query: string | undefined
    for (const [route, expected] of Object.entries(all)) {
      for (const [i, name] of NAMES.entries()) {
        if (isOfTest(route) && !clientsOf(route).includes(name)) continue
        for (const { method, path, options } of formsFor(name, route)) {
          if (path.includes(':handle')) query ??= await endedQuery(app, tokens.bearer('all'))
          const answer = await app.request(
            method,
            named(path, filled).replace(':handle', query ?? ''),
            withToken(tokens, name, options),
          )
          cells++
          if (mayHaveChanged(route, answer.status)) {
            filled = await refill(app, tokens.bearer('all'), path, filled)
            query = undefined
          }
          if (answer.status !== expected[i]) {
            wrong.push(`${method} ${path} by ${name}: ${answer.status}, not ${expected[i]}: ${answer.text}`)
          }
          if (answer.status === 401) {
            expect(answer.headers['www-authenticate'], `${method} ${path}`).toMatch(
              /^(Bearer|Basic) realm="millrace"/,
            )
          }
        }
      }
    }
    expect(wrong).toEqual([])
    expect(app.reported).toEqual([])
    tellProof('access matrix', {
      endpoints: Object.keys(EXPECTED).length,
      'paths and verbs that are none': Object.keys(NO_ROUTES).length,
      clients: NAMES.length,
      'requests with an exact status': cells,
    })
  })

  test('a refused client cannot tell what exists', { timeout: TIME_LIMIT_MS }, async () => {
    const { app, tokens, filled } = await guardedApp()
    let compared = 0
    for (const [route, expected] of Object.entries(all)) {
      // These also depend on grants for streams.
      const ofStreams = [`POST ${N}/data/explore/queries`, `POST ${F}/job`, withTest(`POST ${F}/job`)]
      if (!route.includes(':') || ofStreams.includes(route) || isOfTest(route)) continue
      for (const [i, name] of NAMES.entries()) {
        if ((expected[i] !== 401 && expected[i] !== 403) || !REFUSED.includes(name)) continue
        for (const { method, path: template, options } of formsOf(route)) {
          const path = named(template, filled)
          const request = withToken(tokens, name, options)
          const there = await app.request(method, path, request)
          for (const missing of [path.replaceAll('shop', 'none'), path.replace(/\/s(?=\/|\?|$)/, '/none')]) {
            const answer = await app.request(method, missing, request)
            expect(
              { ...answer, headers: { ...answer.headers, date: '' } },
              `${method} ${missing} by ${name}`,
            ).toEqual({ ...there, json: expect.any(Function), headers: { ...there.headers, date: '' } })
            compared++
          }
        }
      }
    }
    tellProof('forbidden looks like missing', { 'pairs of answers': compared })
  })
})

test('a client that may not read a table cannot tell whether there is one', async () => {
  const { app, tokens } = await guardedApp()
  const ask = (name: ClientName, query: string) =>
    app.post(
      '/v3/namespaces/shop/data/explore/queries',
      withToken(tokens, name, { body: JSON.stringify({ query }) }),
    )
  for (const name of ['write', 'admin', 'otherStream', 'namespaceAdmin'] as const) {
    for (const table of ['stream_s', 'stream_s_v', 'stream_none']) {
      for (const query of [
        `select 1 from ${table}`,
        `describe ${table}`,
        `explain select * from ${table}, stream_t`,
      ]) {
        const answer = await ask(name, query)
        expect([answer.status, answer.text]).toEqual([
          403,
          `token '${name}' has no read grant for a stream with table ${table}`,
        ])
      }
    }
    expect((await ask(name, 'select 1')).status).toBe(200)
  }
  expect((await ask('all', 'select 1 from stream_none')).status).toBe(400)
  expect((await ask('read', 'select 1 from stream_none')).status).toBe(403)
})

test('without tokens everybody may do everything, and Authorization is ignored', {
  timeout: TIME_LIMIT_MS,
}, async () => {
  const apis = apisWithQueries(new FakeQueries())
  const app = await testApp({ nowMs: NOW_MS, apis, config: { allowPrivateWebhooks: true } })
  let filled = await fill(app, {})
  for (const [route, expected] of Object.entries(EXPECTED)) {
    if (isPrefixed(route)) continue // test/http/flink/ calls them all without tokens
    if (isOfTest(route) && effort({ short: true, long: false })) continue
    const ignored = { Authorization: `Bearer ${secretNumber(1)}` }
    for (const headers of effort({ short: [ignored], long: [ignored, {}] })) {
      for (const { method, path, options } of formsOf(route)) {
        const query = path.includes(':handle') ? await endedQuery(app, {}) : ''
        const answer = await app.request(method, named(path, filled).replace(':handle', query), {
          ...options,
          headers: { ...options.headers, ...headers },
        })
        expect(answer.status, `${method} ${path}`).toBe(withoutTokens(route) ?? expected.at(-1))
        if (mayHaveChanged(route, answer.status)) filled = await refill(app, {}, path, filled)
      }
    }
  }
})

test('usage shows streams that the grants include', async () => {
  const usage = new UsageRegistry()
  const program = { namespace: 'default', application: 'app', type: 'Flow', program: 'flow' } as ProgramId
  for (const stream of ['a', 'b']) usage.register(program, { namespace: 'default', stream } as StreamId)
  const tokens = new Tokens()
  tokens.replace([tokenEntry({ name: 'b', grants: ['default:b:write'] }, secretNumber(1))], NOW_MS)
  const { app } = await routesOfService({
    usage,
    guard: new Guard(
      tokens,
      () => NOW_MS,
      () => 'http://127.0.0.1:11015',
    ),
  })
  const incoming = { headers: { authorization: `Bearer ${secretNumber(1)}` } }
  for (const path of ['app/streams', 'app/flows/flow/streams']) {
    const answer = await app.request(`/v3/namespaces/default/apps/${path}`, {}, { incoming })
    expect(await answer.json(), path).toEqual([{ namespace: { id: 'default' }, streamName: 'b' }])
  }
})

/** What needs tokens to be there. */
function withoutTokens(route: string): number | undefined {
  if (route === 'GET /token') return 404
  return route.includes('/apitokens') ? 501 : undefined
}

const VIEW = '{"format":{"name":"text"}}'

function formsFor(client: ClientName, route: string): ReturnType<typeof formsOf> {
  const inAll = IN_ALL_FORMS.includes(client) && !(isOfTest(route) && effort({ short: true, long: false }))
  return formsOf(route).slice(0, inAll ? undefined : 1)
}

/** The request as it is, as HEAD where that works, and as one that does not take the short way of plain POSTs. */
function formsOf(route: string): { method: string; path: string; options: RequestOptions }[] {
  const [method, template] = route.split(' ') as [string, string]
  const path = template
    .replace(':namespace', 'shop')
    .replace(':service', 'shop')
    .replace(':project', 'p')
    .replace(':connection', '1')
    .replace(':query', '2')
    .replace('datasets/:dataset', route.includes('/data/') ? 'datasets/s' : `datasets/${'0'.repeat(32)}`)
    .replace(':stream', 's')
    .replace(':application', 'app')
    .replace(':program', 'program')
    .replace(':view', 'v')
    .replace(route.includes(P) ? '' : ':table', route.includes(P) ? '' : 'stream_s')
    .replace(':schema', 'shop')
    .replace(':type', 'DBMS_NAME')
    .replace(':category', 'c')
    .replace(':feed', method)
    .replace(/:(vertex|trigger|dataset)/g, (_, name) => (name === 'vertex' ? SOURCE : '0'.repeat(32)))
    .replace(/:(subtask|attempt|checkpoint)/g, '0')
    .replace(/:(file|taskmanager)/g, 'none')
    .concat(QUERIES[route] ?? '')
  const options =
    method === 'POST'
      ? {
          headers: route in CACHED ? {} : { 'Content-Type': 'text/plain' },
          body: BODIES[route] ?? bodyOf(path),
        }
      : method === 'PUT'
        ? { body: path.includes('/views/') ? VIEW : path.includes('/integration/') ? INTEGRATION_BODY : '{}' }
        : {}
  const asItIs = { method, path, options }
  // A HEAD must not change anything, so these answer it 405.
  if (path.includes('/yarn-') || isPrefixed(route)) return [asItIs]
  if (method === 'GET') return [asItIs, { method: 'HEAD', path, options }]
  if (method === 'POST')
    return [asItIs, { method, path: path.includes('?') ? `${path}&` : `${path}?`, options }]
  return [asItIs]
}

/** The first vertex of every job. */
const SOURCE = vertexId({ kind: 'source', index: 0 })

const CONFIG = { user_config: { connection_uri: 'postgres://127.0.0.1:1/db' } }
const INTEGRATION_BODY = JSON.stringify({
  ...CONFIG,
  source_service: 'db',
  dest_service: 'shop',
  integration_type: 'flink',
})
const JOB_BODY = JSON.stringify({ statement: 'INSERT INTO B SELECT * FROM A' })
/** Id of the integration that the service `shop` has. */
let builtInOfShop = ''
/** The table that requests create; `fill` deletes it. */
const NEW = 'New'

function bodyOf(path: string): string {
  if (path.endsWith('/integration')) return INTEGRATION_BODY
  if (/\/flink\/job(\/validate)?$/.test(path)) return JOB_BODY
  if (/\/flink\/table(\/validate)?$/.test(path))
    return `{"name":"${NEW}","schema_sql":"a INT","kafka_topic":"s","integration_id":"${builtInOfShop}"}`
  if (path.endsWith('/data/explore/queries')) return '{"query":"SELECT body FROM stream_s"}'
  if (path.endsWith('/enable') || path.endsWith('/try-format')) return '{"name":"text"}'
  return path.endsWith('/next') || path.includes('/jdbc/') ? '' : 'x'
}

/** The handle of a query about stream `s` that has ended. */
async function endedQuery(app: TestApp, headers: Record<string, string>): Promise<string> {
  const body = bodyOf('/data/explore/queries')
  const answer = await app.post('/v3/namespaces/shop/data/explore/queries', { headers, body })
  const { handle } = answer.json() as { handle: string }
  await ended(app, handle, { headers })
  return handle
}

function withToken(tokens: TestTokens, name: ClientName, options: RequestOptions): RequestOptions {
  if (name === 'noToken') return options
  const secret = name === 'badToken' ? secretNumber(99) : tokens.secrets[name]
  return { ...options, headers: { ...options.headers, Authorization: `Bearer ${secret}` } }
}

async function guardedApp(): Promise<{ app: TestApp; tokens: TestTokens; filled: Filled }> {
  const tokens = await tokenFile(
    NAMES.flatMap((name) => {
      const grants = CLIENTS[name]
      return grants === undefined ? [] : [{ name, grants, ...(name === 'expired' && { expiresMs: NOW_MS }) }]
    }),
  )
  const app = await testApp({
    nowMs: NOW_MS,
    config: { authFile: tokens.path, allowPrivateWebhooks: true },
    limits: { maxQueries: 10_000 },
    apis: apisWithQueries(new FakeQueries()),
  })
  return { app, tokens, filled: await fill(app, tokens.bearer('all')) }
}

/**
 * What is filled in is missing after some of the calls that succeed. A call that is refused changes nothing, and a job that Flink's
 * API has cancelled is still there.
 */
function mayHaveChanged(route: string, status: number): boolean {
  return status < 400 && !route.startsWith('GET ') && !(route in FLINK_ROWS)
}

/** Creates again what a request to this path may have deleted. */
async function refill(
  app: TestApp,
  headers: Record<string, string>,
  path: string,
  filled: Filled,
): Promise<Filled> {
  if (path.startsWith('/v1/project/')) return fillAiven(app, headers)
  if (path.startsWith('/v3/unrecoverable/')) return fill(app, headers)
  await fillStreams(app, headers)
  return filled
}

/** Namespace `shop` and the streams that are asked for, with an event, a view and a table each. */
async function fillStreams(app: TestApp, headers: Record<string, string>): Promise<void> {
  await app.put('/v3/namespaces/shop', { headers })
  for (const namespace of ['shop', 'default']) {
    const stream = `/v3/namespaces/${namespace}/streams/s`
    await app.put(stream, { headers })
    expect((await app.post(stream, { headers, body: 'x' })).status).toBe(200)
    await app.put(`${stream}/views/v`, { headers, body: VIEW })
    const table = `/v3/namespaces/${namespace}/data/explore/streams/s/tables/stream_s`
    await app.post(`${table}/enable`, { headers, body: '{"name":"text"}' })
  }
}

async function fill(app: TestApp, headers: Record<string, string>): Promise<Filled> {
  await fillStreams(app, headers)
  return fillAiven(app, headers)
}

/** Ids of what the paths of Aiven's API name: a table that no job uses, a job that has not ended, an integration. */
interface Filled {
  readonly table: string
  readonly job: string
  readonly integration: string
}

/** A path with ids. */
function named(path: string, { table, job, integration }: Filled): string {
  return path.replace(':table', table).replace(':job', job).replace(':integration', integration)
}

async function fillAiven(app: TestApp, headers: Record<string, string>): Promise<Filled> {
  const service = '/v1/project/p/service/shop'
  builtInOfShop = await builtIn(app, headers, service)
  const listed = async (path: string, member: string) =>
    ((await app.get(`${service}${path}`, { headers })).json() as Record<string, Record<string, string>[]>)[
      member
    ]!
  const tables = await listed('/flink/table', 'tables')
  for (const { table_name, table_id } of tables)
    if (table_name === NEW) await app.delete(`${service}/flink/table/${table_id}`, { headers })
  const ids = new Map(tables.map(({ table_name, table_id }) => [table_name, table_id!]))
  for (const name of ['A', 'B', 'Unused']) {
    if (ids.has(name)) continue
    const members = { name, schema_sql: 'a INT', kafka_topic: name === 'B' ? 's2' : 's' } // a job must not read what it writes
    ids.set(name, await createTable(app, members, { headers, service }))
  }
  const integrations = await listed('/integration', 'service_integrations')
  const [integration = await createIntegration(app, headers)] = integrations
    .slice(1)
    .map(({ service_integration_id }) => service_integration_id!)
  const [job = await createJob(app, JSON.parse(JOB_BODY), { headers, service })] = (
    await listed('/flink/job', 'jobs')
  )
    .filter(({ status }) => !['CANCELED', 'CANCELLING', 'FAILED', 'FINISHED'].includes(status!))
    .map(({ id }) => id!)
  return { table: ids.get('Unused')!, job, integration }
}

async function createIntegration(app: TestApp, headers: Record<string, string>): Promise<string> {
  const answer = await app.post('/v1/project/p/integration', { headers, body: INTEGRATION_BODY })
  expect(answer.status, answer.text).toBe(200)
  return (answer.json() as { service_integration: { service_integration_id: string } }).service_integration
    .service_integration_id
}

async function routesOfService(
  others: Partial<AppParts> = {},
): Promise<{ routes: readonly Route[]; app: ReturnType<typeof createApp> }> {
  const made = await appParts(Date.now)
  await made.storage.close()
  const parts = { ...made.parts, tokens: new Tokens(), ...others }
  const limits = DEFAULT_LIMITS
  const options = {
    eventBytesMax: 1,
    limits,
    load: new Load(limits),
    slowClients: new SlowClients(limits, {}),
    loopShare: new LoopShare(),
    openAnswers: new OpenAnswers(undefined),
    followers: new Followers(1),
    workers: new Workers({ maxDocumentBytes: limits.maxDocumentBytes, openPort: openParsePort }),
    nowMs: Date.now,
    report: () => {},
  }
  return { routes: routesOf(parts, options), app: createApp(parts, options) }
}
