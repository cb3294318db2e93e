/** Which node serves each path. A new route of the API of streams is served by every node, unless a row says otherwise. */
import { expect, test } from 'vitest'
import { APIS, routesOf } from '../../../src/http/app.ts'
import { servedBy } from '../../../src/http/served-by.ts'
import { appParts } from '../../support/app-parts.ts'
import { routeOptions } from '../../support/test-app.ts'

const PATHS = [
  ['GET', '/v3/namespaces/default/streams', 'node'],
  ['PUT', '/v3/namespaces/default/streams/s', 'node'],
  ['POST', '/v3/namespaces/default/streams/s', 'node'],
  ['POST', '/v3/namespaces/default/streams/s/batch', 'node'],
  ['POST', '/v3/namespaces/default/streams/s/truncate', 'node'],
  ['GET', '/v3/namespaces/default/streams/metadata', 'node'],
  ['GET', '/v3/namespaces/default/streams/s/events?limit=3', 'node'],
  ['DELETE', '/v3/namespaces/default/streams/s', 'coordinator'],
  ['DELETE', '/v3/namespaces/default/streams/s/', 'coordinator'],
  ['DELETE', '/v3/namespaces/default/streams/%73', 'coordinator'],
  ['DELETE', 'http://host/v3/namespaces/default/streams/s?x=1', 'coordinator'],
  ['DELETE', '/v3/unrecoverable/namespaces/n', 'coordinator'],
  ['PUT', '/v3/namespaces/default/streams/s/views/v', 'node'],
  ['DELETE', '/v3/namespaces/default/streams/s/views/v', 'coordinator'],
  ['GET', '/v3/namespaces/default/streams/s/metadata', 'coordinator'],
  ['POST', '/v3/namespaces/default/streams/s/metadata/tags', 'coordinator'],
  ['DELETE', '/v3/namespaces/default/streams/s/views/v/metadata/tags/t', 'coordinator'],
  ['GET', '/v3/namespaces/default/metadata/search?query=x', 'coordinator'],
  ['GET', '/v3/namespaces/default/streams/s/notifications', 'coordinator'],
  ['POST', '/v3/namespaces/default/streams/s/webhooks', 'coordinator'],
  ['GET', '/v3/namespaces/default/feeds', 'coordinator'],
  ['POST', '/v3/namespaces/default/data/explore/queries', 'coordinator'],
  ['GET', '/v3/data/explore/queries/h/status', 'coordinator'],
  ['GET', '/v3/explore/status', 'coordinator'],
  ['GET', '/v1/project/p/service/s/flink/table', 'coordinator'],
  ['GET', '/jobs/overview', 'coordinator'],
  ['GET', '/api/v1/namespaces/default/deployments', 'coordinator'],
  ['GET', '/metrics', 'node'],
  ['GET', '/status', 'node'],
  ['GET', '/nothing', 'node'],
  ['GET', '/%E0%A4%A', 'node'],
] as const

test.each(PATHS)('%s %s is served by the %s', (method, path, place) => {
  expect(servedBy(APIS, method, path)).toBe(place)
})

test('paths that every node serves', async () => {
  const { parts } = await appParts(() => 0)
  const routes = routesOf(parts, routeOptions({ nowMs: () => 0, report: () => {} }))
  const own = routes.filter(([method, path]) => servedBy(APIS, method, path) === 'node')
  expect([...new Set(own.map(([method, path]) => `${method} ${path}`))].sort()).toMatchInlineSnapshot(`
    [
      "GET /",
      "GET /metrics",
      "GET /ping",
      "GET /status",
      "GET /v2/streams",
      "GET /v2/streams/:stream",
      "GET /v2/streams/:stream/events",
      "GET /v2/streams/:stream/info",
      "GET /v3/config/cdap",
      "GET /v3/config/hadoop",
      "GET /v3/namespaces",
      "GET /v3/namespaces/:namespace",
      "GET /v3/namespaces/:namespace/apps",
      "GET /v3/namespaces/:namespace/artifacts",
      "GET /v3/namespaces/:namespace/classes/apps",
      "GET /v3/namespaces/:namespace/configuration/dashboards",
      "GET /v3/namespaces/:namespace/data/datasets",
      "GET /v3/namespaces/:namespace/data/modules",
      "GET /v3/namespaces/:namespace/data/types",
      "GET /v3/namespaces/:namespace/flows",
      "GET /v3/namespaces/:namespace/mapreduce",
      "GET /v3/namespaces/:namespace/preferences",
      "GET /v3/namespaces/:namespace/services",
      "GET /v3/namespaces/:namespace/spark",
      "GET /v3/namespaces/:namespace/streams",
      "GET /v3/namespaces/:namespace/streams/:stream",
      "GET /v3/namespaces/:namespace/streams/:stream/events",
      "GET /v3/namespaces/:namespace/streams/:stream/export",
      "GET /v3/namespaces/:namespace/streams/:stream/views",
      "GET /v3/namespaces/:namespace/streams/:stream/views/:view",
      "GET /v3/namespaces/:namespace/workers",
      "GET /v3/namespaces/:namespace/workflows",
      "GET /v3/preferences",
      "GET /v3/system/services",
      "GET /v3/system/services/status",
      "GET /v3/system/services/streams/instances",
      "GET /v3/system/services/streams/status",
      "GET /v3/version",
      "POST /v2/streams/:stream",
      "POST /v2/streams/:stream/async",
      "POST /v2/streams/:stream/batch",
      "POST /v2/streams/:stream/truncate",
      "POST /v3/metrics/query",
      "POST /v3/metrics/search",
      "POST /v3/namespaces/:namespace/streams/:stream",
      "POST /v3/namespaces/:namespace/streams/:stream/async",
      "POST /v3/namespaces/:namespace/streams/:stream/batch",
      "POST /v3/namespaces/:namespace/streams/:stream/truncate",
      "POST /v3/namespaces/:namespace/streams/:stream/try-format",
      "PUT /v2/streams/:stream",
      "PUT /v2/streams/:stream/config",
      "PUT /v3/namespaces/:namespace",
      "PUT /v3/namespaces/:namespace/properties",
      "PUT /v3/namespaces/:namespace/streams/:stream",
      "PUT /v3/namespaces/:namespace/streams/:stream/properties",
      "PUT /v3/namespaces/:namespace/streams/:stream/views/:view",
    ]
  `)
})
