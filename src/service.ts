/**
 * The service on one open store: storage -> streams -> app -> janitor. The process opens it at the start, and again
 * when its store has failed (supervisor.ts).
 */

import { join } from 'node:path'
import { openStorage } from '../storage/level/open.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { AuditLog } from './audit/audit-log.ts'
import type { Tokens } from './auth/tokens.ts'
import type { Config } from './config.ts'
import type { DiskSpace } from './disk-space.ts'
import type { Environment } from './environment.ts'
import { Explore } from './explore/explore.ts'
import { type Api, problemShapes } from './http/api.ts'
import { createApp } from './http/app.ts'
import { directPosts } from './http/cdap/direct-posts.ts'
import { SingleEvents } from './http/cdap/single-event.ts'
import { honoListener } from './http/listener.ts'
import type { Workers } from './http/messages/parse-workers.ts'
import type { ProblemCounts } from './http/messages/problems.ts'
import { Followers } from './http/server/followers.ts'
import type { Guard } from './http/server/guard.ts'
import type { Load } from './http/server/load.ts'
import type { OpenAnswers } from './http/server/open-answers.ts'
import type { SlowClients } from './http/server/slow-clients.ts'
import type { PublicAddress } from './http/server/unauthorized.ts'
import { Janitor } from './janitor/janitor.ts'
import { scheduleJanitor } from './janitor/schedule.ts'
import type { LoopShare } from './loop-share.ts'
import { Metadata } from './metadata/metadata.ts'
import { Meter, type UnwrittenTotals } from './metrics/meter.ts'
import type { Prometheus } from './metrics/prometheus.ts'
import { StreamMetrics } from './metrics/query.ts'
import { Feeds } from './notifications/feeds.ts'
import { SizeFeed } from './notifications/size-feed.ts'
import { Webhooks } from './notifications/webhooks.ts'
import type { SharedResource } from './shared-resource.ts'
import { Namespaces } from './streams/namespaces.ts'
import { Registry } from './streams/registry.ts'
import { Streams } from './streams/streams.ts'
import type { UsageRegistry } from './streams/usage.ts'
import { Views } from './streams/views.ts'
import type { Service } from './supervisor.ts'

/** Parts that remain when the store is opened again. */
export interface SharedParts {
  readonly space: DiskSpace
  readonly load: Load
  readonly slowClients: SlowClients
  readonly loopShare: LoopShare
  readonly workers: Workers
  readonly openAnswers: OpenAnswers
  /** Undefined, like `tokens`, if tokens are not required. `audit` is undefined if there is no audit trail. */
  readonly guard: Guard | undefined
  readonly tokens: Tokens | undefined
  readonly address: PublicAddress
  readonly audit: AuditLog | undefined
  readonly apis: readonly Api[]
  readonly usage: UsageRegistry
  readonly unwrittenTotals: UnwrittenTotals
  readonly prometheus: Prometheus
  readonly problems: ProblemCounts
  /** Why writes are refused; undefined while they are accepted. */
  readonly writeRefusal: () => Error | undefined
}

export interface OpenService extends Service {
  readonly janitor: Janitor
  readonly asyncQueueBytes: () => number
  /** Free disk space at the time the store failed; undefined if it is not known. */
  readonly freeBytesAtFailure: () => number | undefined
  /** Ends the responses that have no end of their own, such as those of followers. */
  readonly endFollowers: () => void
  /** The shared resources that are closed with the store. */
  readonly shared: readonly SharedResource[]
}

/**
 * `isAgain`: the store is opened after it has failed, perhaps on a full disk. Rejects with StorageError if the store
 * cannot be opened.
 */
export async function openService(
  config: Config,
  environment: Environment,
  {
    space,
    load,
    slowClients,
    loopShare,
    workers,
    openAnswers,
    guard,
    tokens,
    address,
    audit,
    apis,
    usage,
    unwrittenTotals,
    prometheus,
    problems,
    writeRefusal,
  }: SharedParts,
  isAgain = false,
): Promise<OpenService> {
  const { nowMs, random } = environment
  let asyncLost = 0
  let closing = false
  // Reads still running at shutdown fail with 'closed'. That is expected, so it is not reported.
  const report = (error: unknown) => {
    if (!(closing && error instanceof StorageError && error.code === 'closed')) environment.report(error)
  }
  const open =
    environment.openStorage ?? ((clock) => openStorage(config.dataFolder, { nowMs: clock, sync: true }))
  const storage = await open(nowMs)
  try {
    for (const remark of storage.remarks) environment.report(remark)
    const registry = await Registry.load(storage.catalog)
    const streams = new Streams(storage.log, registry, {
      nowMs,
      asyncQueueBytesMax: config.asyncQueueBytesMax,
      onAsyncLost(_, error) {
        asyncLost++
        environment.report(error)
      },
      space,
    })
    const { catalog, log } = storage
    const meter = await Meter.open({
      catalog,
      log,
      registry,
      traffic: streams.traffic,
      nowMs,
      report,
      unwrittenTotals,
    })
    usage.onRemoval(registry)
    const metadata = await Metadata.load(catalog, registry)
    const feeds = await Feeds.load(catalog, registry)
    const sizeFeed = new SizeFeed(registry, nowMs)
    const allowPrivate = config.allowPrivateWebhooks === true
    const webhooks = await Webhooks.load({
      catalog,
      registry,
      feed: sizeFeed,
      usage,
      nowMs,
      random,
      allowPrivate,
      mayNotify: (token, { namespace, stream }) =>
        guard === undefined || guard.named(token)?.grants.allow('admin', namespace, stream) === true,
    })
    const { eventBytesMax, limits } = config
    log.watchGroups(prometheus.groupWritten)
    prometheus.show({ registry, traffic: streams.traffic })
    const followers = new Followers(limits.maxFollowers)
    const options = {
      eventBytesMax,
      limits,
      load,
      slowClients,
      loopShare,
      workers,
      openAnswers,
      followers,
      guard,
      nowMs,
      report,
      problems,
    }
    const explore = new Explore(streams, registry, {
      nowMs,
      random,
      report,
      oldestMs: async (id) => (await log.tail(id))?.firstTimestampMs ?? 0,
      memoryBytes: limits.maxQueryMemoryBytes,
      diskBytes: limits.maxQueryDiskBytes,
      spillFolder: join(config.dataFolder, 'explore-spill'),
      diskIsLow: () => space.low,
      queriesMax: limits.maxQueries,
      idleMs: limits.queryIdleSeconds * 1000,
      runMs: limits.maxQuerySeconds * 1000,
      usage,
      mayStillRead: guard && ((owner, ids) => guard.mayStillRead(owner, ids)),
    })
    const namespaces = new Namespaces(registry, config.unrecoverableReset)
    const app = createApp(
      {
        streams,
        views: new Views(registry),
        explore,
        namespaces,
        usage,
        metadata,
        feeds,
        sizeFeed,
        webhooks,
        metrics: new StreamMetrics(meter, registry),
        prometheus,
        storeFailure: writeRefusal,
        guard,
        tokens,
        address,
        audit,
      },
      options,
      apis,
    )
    const listener = honoListener(app, config.host, problemShapes(apis))
    const janitor = new Janitor(storage.log, registry, nowMs, report, space)
    meter.start()
    const schedule = scheduleJanitor(janitor, config.janitorIntervalMs, random, report, isAgain)
    return {
      listener: directPosts(new SingleEvents(streams, options), options, listener),
      janitor,
      asyncQueueBytes: () => streams.asyncQueueBytes,
      endFollowers: () => sizeFeed.stop(),
      shared: [followers, explore.openQueries],
      failure: () => storage.log.failure(),
      failureHeals: storage.promises.failureHeals,
      freeBytesAtFailure: () => storage.freeBytesAtFailure?.(),
      async close() {
        await schedule.stop()
        sizeFeed.stop()
        webhooks.stop()
        await meter.stop()
        closing = true
        await explore.close()
        await storage.close()
        if (asyncLost > 0)
          environment.report(`events that were answered 202 and could not be written: ${asyncLost}`)
        asyncLost = 0
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}
