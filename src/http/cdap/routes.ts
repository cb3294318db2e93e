/** Every path of the CDAP API: its method, the access it needs, its handler, and the audit action of a change. */
import type { AuditAction } from '../../audit/audit-log.ts'
import type { Tokens } from '../../auth/tokens.ts'
import type { AppOptions, AppParts, Route } from '../api.ts'
import type { PublicAddress } from '../server/unauthorized.ts'
import { absentRoutes, EMPTY_LISTS } from './absent-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { exploreRoutes } from './explore-routes.ts'
import { feedRoutes } from './feed-routes.ts'
import { metadataRoutes } from './metadata-routes.ts'
import { metricsRoutes } from './metrics-routes.ts'
import { namespaceRoutes } from './namespace-routes.ts'
import { sizeEventsRoute } from './size-events.ts'
import { streamRoutes } from './stream-routes.ts'
import { systemRoutes } from './system-routes.ts'
import { tokenRoutes } from './token-routes.ts'
import { tryFormatRoute } from './try-format.ts'
import { usageRoutes } from './usage-routes.ts'
import { viewRoutes } from './view-routes.ts'
import { webhookRoutes } from './webhook-routes.ts'
import { welcomePage } from './welcome-page.ts'

export function routes(parts: AppParts, options: AppOptions): readonly Route[] {
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
  const system = systemRoutes(parts.storeFailure, parts.cluster)
  const absent = absentRoutes(parts.streams)

  const N = '/v3/namespaces/:namespace'
  const S = `${N}/streams`
  const Q = '/v3/data/explore/queries'
  const J = '/v3/data/explore/jdbc'
  const JS = '/v3/namespaces/:schema/data/explore/jdbc'
  const V2 = '/v2/streams' // CDAP 2: the JavaScript client and the file tailer still use it.
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

    // The schema may be a pattern, or `null` for all: the answer lists what the grants include.
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
