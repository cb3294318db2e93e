/** The whole surface on one screen: every path, its verb, who may call it, who answers it, and what is audited. */
import { Hono } from 'hono'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import type { AuditAction, AuditLog } from '../audit/audit-log.ts'
import { withoutSecrets } from '../auth/token-hash.ts'
import type { Tokens } from '../auth/tokens.ts'
import type { Explore } from '../explore/explore.ts'
import type { Metadata } from '../metadata/metadata.ts'
import type { Prometheus } from '../metrics/prometheus.ts'
import type { StreamMetrics } from '../metrics/query.ts'
import type { Feeds } from '../notifications/feeds.ts'
import type { SizeFeed } from '../notifications/size-feed.ts'
import type { Webhooks } from '../notifications/webhooks.ts'
import type { Namespaces } from '../streams/namespaces.ts'
import type { Streams } from '../streams/streams.ts'
import type { UsageRegistry } from '../streams/usage.ts'
import type { Views } from '../streams/views.ts'
import { absentRoutes, EMPTY_LISTS } from './cdap/absent-routes.ts'
import { type EventRoutesOptions, eventRoutes } from './cdap/event-routes.ts'
import { exploreRoutes } from './cdap/explore-routes.ts'
import { feedRoutes } from './cdap/feed-routes.ts'
import { metadataRoutes } from './cdap/metadata-routes.ts'
import { metricsRoutes } from './cdap/metrics-routes.ts'
import { namespaceRoutes } from './cdap/namespace-routes.ts'
import { type SizeEventOptions, sizeEventsRoute } from './cdap/size-events.ts'
import { streamRoutes } from './cdap/stream-routes.ts'
import { systemRoutes } from './cdap/system-routes.ts'
import { tokenRoutes } from './cdap/token-routes.ts'
import { tryFormatRoute } from './cdap/try-format.ts'
import { usageRoutes } from './cdap/usage-routes.ts'
import { viewRoutes } from './cdap/view-routes.ts'
import { webhookRoutes } from './cdap/webhook-routes.ts'
import { welcomePage } from './cdap/welcome-page.ts'
import { answerText } from './messages/answers.ts'
import type { Handler, HttpContext, HttpEnv } from './messages/bindings.ts'
import type { DocumentOptions } from './messages/documents.ts'
import { answerProblem, type ProblemCounts } from './messages/problems.ts'
import type { SlicedAnswerOptions } from './messages/sliced-answer.ts'
import type { Access } from './server/access.ts'
import { audited } from './server/audited.ts'
import type { Guard } from './server/guard.ts'
import type { PublicAddress } from './server/unauthorized.ts'

export interface AppParts {
  readonly streams: Streams
  readonly views: Views
  readonly explore: Explore
  readonly namespaces: Namespaces
  readonly usage: UsageRegistry
  readonly metadata: Metadata
  readonly feeds: Feeds
  readonly sizeFeed: SizeFeed
  readonly webhooks: Webhooks
  readonly metrics: StreamMetrics
  readonly prometheus: Prometheus
  readonly storeFailure: () => Error | undefined
  /** Undefined: everybody may do everything. */
  readonly guard?: Guard | undefined
  readonly tokens?: Tokens | undefined
  readonly address: PublicAddress
  /** Undefined: nothing is written down. */
  readonly audit?: AuditLog | undefined
}

export interface AppOptions extends EventRoutesOptions, DocumentOptions, SlicedAnswerOptions {
  readonly limits: EventRoutesOptions['limits'] & DocumentOptions['limits'] & SizeEventOptions['limits']
  readonly followers: SizeEventOptions['followers']
  readonly problems?: ProblemCounts
}

/** One way in. The table below is the only place where a path gets a handler, so that none can lack its access. */
export type Route = readonly [
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  access: Access,
  handle: Handler,
  audit?: AuditAction,
]

export function createApp(parts: AppParts, options: AppOptions): Hono<HttpEnv> {
  // Its router matches any path with one regular expression; it refuses paths that could be read in two ways.
  // Not strict: one slash at the end of a path is none, as in CDAP.
  const app = new Hono<HttpEnv>({ router: new RegExpRouter(), strict: false })
  const { guard, audit } = parts
  const guarded = (access: Access, handle: Handler) =>
    guard === undefined ? handle : guard.around(access, handle)
  for (const [method, path, access, handle, action] of routesOf(parts, options)) {
    const handler = guarded(access, handle)
    const watched = action !== undefined && audit !== undefined
    app.on(
      method,
      path,
      watched ? audited(action, audit, handler, options.report, options.problems) : handler,
    )
  }
  app.notFound(guarded('client', (c) => answerUnknown(app, c)))
  app.onError((error, c) => answerProblem(error, c, options.report, options.problems))
  return app
}

export function routesOf(parts: AppParts, options: AppOptions): readonly Route[] {
  const stream = streamRoutes(parts.streams, options)
  const event = eventRoutes(parts.streams, { ...options, guard: parts.guard })
  const view = viewRoutes(parts.streams, parts.views, options)
  const explore = exploreRoutes(parts.explore, parts.streams, parts.views, options)
  const namespace = namespaceRoutes(parts.namespaces, options)
  const usage = usageRoutes(parts.usage)
  const metadata = metadataRoutes(parts.streams, parts.metadata, options)
  const sizeEvents = sizeEventsRoute(parts.streams, parts.sizeFeed, options)
  const webhook = webhookRoutes(parts.streams, parts.webhooks, options)
  const feed = feedRoutes(parts.feeds, options)
  const metrics = metricsRoutes(parts.metrics, parts.prometheus, options)
  const system = systemRoutes(parts.storeFailure)
  const absent = absentRoutes(parts.streams)

  const N = '/v3/namespaces/:namespace'
  const S = `${N}/streams`
  const Q = '/v3/data/explore/queries'
  const J = '/v3/data/explore/jdbc'
  const JS = '/v3/namespaces/:schema/data/explore/jdbc'
  const V2 = '/v2/streams' // CDAP 2: the JavaScript client and the file tailer still speak it.
  const metadataOf = (entity: string, changed: AuditAction): readonly Route[] => [
    ['GET', `${entity}/metadata`, 'stream', metadata.get],
    ['DELETE', `${entity}/metadata`, 'admin', metadata.remove, changed],
    ['GET', `${entity}/metadata/properties`, 'stream', metadata.properties],
    ['POST', `${entity}/metadata/properties`, 'admin', metadata.addProperties, changed],
    ['DELETE', `${entity}/metadata/properties`, 'admin', metadata.removeProperties, changed],
    ['DELETE', `${entity}/metadata/properties/:property`, 'admin', metadata.removeProperty, changed],
    ['GET', `${entity}/metadata/tags`, 'stream', metadata.tags],
    ['POST', `${entity}/metadata/tags`, 'admin', metadata.addTags, changed],
    ['DELETE', `${entity}/metadata/tags`, 'admin', metadata.removeTags, changed],
    ['DELETE', `${entity}/metadata/tags/:tag`, 'admin', metadata.removeTag, changed],
  ]
  return [
    ['GET', S, 'in-namespace', stream.list],
    ['PUT', `${S}/:stream`, 'admin', stream.create, 'stream.create'],
    ['GET', `${S}/:stream`, 'stream', stream.properties],
    ['DELETE', `${S}/:stream`, 'admin', stream.delete, 'stream.delete'],
    ['PUT', `${S}/:stream/properties`, 'admin', stream.setProperties, 'stream.properties'],
    ['POST', `${S}/:stream/truncate`, 'admin', stream.truncate, 'stream.truncate'],
    ['POST', `${S}/:stream`, 'write', event.send],
    ['POST', `${S}/:stream/async`, 'write', event.sendAsync],
    ['POST', `${S}/:stream/batch`, 'write', event.sendBatch],
    ['GET', `${S}/:stream/events`, 'read', event.read],
    ['GET', `${S}/:stream/export`, 'read', event.export],

    ['GET', `${S}/:stream/views`, 'stream', view.list],
    ['PUT', `${S}/:stream/views/:view`, 'admin', view.put, 'view.put'],
    ['GET', `${S}/:stream/views/:view`, 'stream', view.get],
    ['DELETE', `${S}/:stream/views/:view`, 'admin', view.delete, 'view.delete'],

    ['POST', `${S}/:stream/try-format`, 'read', tryFormatRoute(parts.streams, options)],

    ['POST', `${N}/data/explore/queries`, 'in-namespace', explore.submit],
    ['GET', `${N}/data/explore/queries`, 'in-namespace', explore.list],
    ['GET', `${N}/data/explore/queries/count`, 'in-namespace', explore.count],
    ['GET', `${Q}/:handle/status`, 'client', explore.status],
    ['GET', `${Q}/:handle/schema`, 'client', explore.schema],
    ['POST', `${Q}/:handle/next`, 'client', explore.next],
    ['POST', `${Q}/:handle/preview`, 'client', explore.preview],
    ['POST', `${Q}/:handle/download`, 'client', explore.download],
    ['DELETE', `${Q}/:handle`, 'client', explore.close],
    ['GET', `${N}/data/explore/tables`, 'in-namespace', explore.tables],
    ['GET', `${N}/data/explore/tables/:table/info`, 'in-namespace', explore.tableInfo],
    [
      'POST',
      `${N}/data/explore/streams/:stream/tables/:table/enable`,
      'admin',
      explore.enableTable,
      'table.enable',
    ],
    [
      'POST',
      `${N}/data/explore/streams/:stream/tables/:table/disable`,
      'admin',
      explore.disableTable,
      'table.disable',
    ],
    ['GET', '/v3/explore/status', 'client', explore.serviceStatus],

    // Of a schema, which may be a pattern, or `null` for all: what is listed is what the grants include.
    ['POST', `${J}/catalogs`, 'client', explore.jdbc('catalogs')],
    ['POST', `${J}/tableTypes`, 'client', explore.jdbc('tableTypes')],
    ['POST', `${J}/types`, 'client', explore.jdbc('types')],
    ['GET', `${J}/info/:type`, 'client', explore.jdbcInfo],
    ['POST', `${JS}/schemas`, 'client', explore.jdbc('schemas')],
    ['POST', `${JS}/tables`, 'client', explore.jdbc('tables')],
    ['POST', `${JS}/columns`, 'client', explore.jdbc('columns')],
    ['POST', `${JS}/functions`, 'client', explore.jdbc('functions')],

    ['GET', V2, 'in-namespace', stream.listV2],
    ['PUT', `${V2}/:stream`, 'admin', stream.create, 'stream.create'],
    ['GET', `${V2}/:stream`, 'stream', stream.getV2],
    ['GET', `${V2}/:stream/info`, 'stream', stream.properties],
    ['PUT', `${V2}/:stream/config`, 'admin', stream.setProperties, 'stream.properties'],
    ['POST', `${V2}/:stream/truncate`, 'admin', stream.truncate, 'stream.truncate'],
    ['POST', `${V2}/:stream`, 'write', event.send],
    ['POST', `${V2}/:stream/async`, 'write', event.sendAsync],
    ['POST', `${V2}/:stream/batch`, 'write', event.sendBatch],
    ['GET', `${V2}/:stream/events`, 'read', event.read],

    ['GET', '/v3/namespaces', 'client', namespace.list],
    ['GET', N, 'in-namespace', namespace.get],
    ['PUT', N, 'namespace', namespace.create, 'namespace.create'],
    ['PUT', `${N}/properties`, 'namespace', namespace.setProperties, 'namespace.properties'],
    ['DELETE', '/v3/unrecoverable/namespaces/:namespace', 'namespace', namespace.delete, 'namespace.delete'],

    ['GET', `${S}/:stream/programs`, 'stream', usage.programsOfStream],
    ['GET', `${N}/data/datasets/:dataset/programs`, 'stream', usage.programsOfDataset],
    ['GET', `${N}/apps/:application/streams`, 'in-namespace', usage.streamsOfApplication],
    ...usage.streamsOfProgram.map(
      ([word, streamsOfProgram]): Route => [
        'GET',
        `${N}/apps/:application/${word}/:program/streams`,
        'in-namespace',
        streamsOfProgram,
      ],
    ),

    ...metadataOf(`${S}/:stream`, 'stream.metadata'),
    ...metadataOf(`${S}/:stream/views/:view`, 'view.metadata'),
    ['GET', `${N}/metadata/search`, 'in-namespace', metadata.search],
    ['GET', `${S}/:stream/lineage`, 'stream', metadata.lineage],

    ['GET', `${S}/:stream/notifications`, 'stream', sizeEvents],
    ['GET', `${S}/:stream/webhooks`, 'admin', webhook.list],
    ['POST', `${S}/:stream/webhooks`, 'admin', webhook.register, 'webhook.register'],
    ['DELETE', `${S}/:stream/webhooks/:webhook`, 'admin', webhook.remove, 'webhook.delete'],
    ['GET', `${N}/feeds`, 'in-namespace', feed.list],
    ['GET', `${N}/feeds/categories/:category/names/:feed`, 'in-namespace', feed.get],
    ['PUT', `${N}/feeds/categories/:category/names/:feed`, 'namespace', feed.create, 'feed.create'],
    ['DELETE', `${N}/feeds/categories/:category/names/:feed`, 'namespace', feed.remove, 'feed.delete'],

    ['POST', '/v3/metrics/query', 'client', metrics.query],
    ['POST', '/v3/metrics/search', 'client', metrics.search],
    ['GET', '/metrics', 'client', metrics.prometheus],

    ...(parts.tokens === undefined ? [] : [tokenRoute(parts.tokens, options.nowMs, parts.address)]),
    ['GET', '/', 'anybody', welcomePage(parts.guard !== undefined)],
    ['GET', '/ping', 'client', system.ping],
    ['GET', '/status', 'anybody', system.status],
    ['GET', '/v3/version', 'client', system.version],
    ['GET', '/v3/system/services', 'client', system.serviceList],
    ['GET', '/v3/system/services/status', 'client', system.services],
    ['GET', '/v3/system/services/streams/status', 'client', system.streamsService],
    ['GET', '/v3/system/services/streams/instances', 'client', system.streamsInstances],

    ...EMPTY_LISTS.map((list): Route => ['GET', `${N}/${list}`, 'in-namespace', absent.list]),
    ['GET', `${N}/preferences`, 'in-namespace', absent.preferences],
    ['GET', '/v3/preferences', 'client', absent.instancePreferences],
    ['GET', '/v3/config/cdap', 'client', absent.configuration],
    ['GET', '/v3/config/hadoop', 'client', absent.configuration],
  ]
}

function tokenRoute(tokens: Tokens, nowMs: () => number, address: PublicAddress): Route {
  return ['GET', '/token', 'anybody', tokenRoutes(tokens, nowMs, address).token]
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']

/** 404 for a path nobody answers; 405 naming the verbs if the path is known and the verb is not. */
function answerUnknown(app: Hono<HttpEnv>, c: HttpContext): Response {
  const { path } = c.req
  const isTwoSlashes = c.env.incoming.url!.startsWith('//') // of which Hono makes one
  const allowed = METHODS.filter(
    (method) => !isTwoSlashes && app.router.match(method === 'HEAD' ? 'GET' : method, path)[0].length > 0,
  )
  const { pathname, search } = new URL(c.req.url)
  const problem = `Problem accessing: ${withoutSecrets(pathname + search)}. Reason: `
  if (allowed.length === 0) return answerText(c, `${problem}Not Found`, 404)
  return answerText(c, `${problem}Method Not Allowed`, 405, { Allow: allowed.join(', ') })
}
