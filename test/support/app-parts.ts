/** What `createApp` is made of, on a store in memory, for tests that call the app themselves. */
import { MemoryLevel } from 'memory-level'
import { NamespaceFacts } from '../../src/deployments/platform/namespace-facts.ts'
import { PlatformNamespaces } from '../../src/deployments/platform/platform-namespaces.ts'
import type { AppParts } from '../../src/http/api.ts'
import { JarJobs } from '../../src/jars/jar-jobs.ts'
import { JarStore } from '../../src/jars/jar-store.ts'
import { loadJobModules } from '../../src/job-modules.ts'
import { DEFAULT_LIMITS } from '../../src/limits.ts'
import { Metadata } from '../../src/metadata/metadata.ts'
import { Meter } from '../../src/metrics/meter.ts'
import { Prometheus } from '../../src/metrics/prometheus.ts'
import { StreamMetrics } from '../../src/metrics/query.ts'
import { Feeds } from '../../src/notifications/feeds.ts'
import { SizeFeed } from '../../src/notifications/size-feed.ts'
import { Webhooks } from '../../src/notifications/webhooks.ts'
import { ServiceError } from '../../src/service-error.ts'
import { Namespaces } from '../../src/streams/namespaces.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import { UsageRegistry } from '../../src/streams/usage.ts'
import { Views } from '../../src/streams/views.ts'
import { connectorHosts } from '../../src/tables/connector-hosts.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import { ABSENT_DEPLOYMENTS, ABSENT_SCRIPTS } from './absent-services.ts'
import { FakeQueries } from './cached-queries.ts'
import { restingExplore } from './explore.ts'
import { thisProcess } from './this-process.ts'

export async function appParts(nowMs: () => number): Promise<{ parts: AppParts; storage: Storage }> {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  const storage = await openStorageOn(db as unknown as Level, { nowMs, sync: true })
  const registry = await Registry.load(storage.catalog)
  const options = { nowMs, asyncQueueBytesMax: 1, onAsyncLost: () => {} }
  const streams = new Streams(storage.log, registry, options)
  const { catalog, log } = storage
  const meter = await Meter.open({
    catalog,
    log,
    registry,
    traffic: streams.traffic,
    nowMs,
    report: () => {},
  })
  const usage = new UsageRegistry()
  const sizeFeed = new SizeFeed(registry, nowMs)
  const around = { feed: sizeFeed, usage, nowMs, random: () => 0, allowPrivate: false }
  const webhooks = await Webhooks.load({ catalog, registry, ...around })
  const limits = { ...DEFAULT_LIMITS, maxJobs: 1 }
  const { tables, jobs } = await loadJobModules({
    ...{
      storage,
      registry,
      streams,
      usage,
      limits,
      nowMs,
      random: () => 0.5,
      report: () => {},
      named: undefined,
      othersMayCreateJobs: undefined,
    },
    ...{
      space: { low: false, refusal: () => new ServiceError('disk_low', 'low') },
      dataFolder: '(none)',
      filesFolder: '(none)',
    },
    ...{
      eventBytesMax: 1,
      sources: new Map(),
      hosts: connectorHosts(undefined),
      savepointFolder: undefined,
      savepointRoots: [],
    },
  })
  const jars = new JarStore({
    ...{ folder: '(none)/jars', limits, nowMs, random: () => 0.5 },
    space: { low: false, refusal: () => new ServiceError('disk_low', 'low') },
  })
  const namespaces = new Namespaces(registry, true)
  const parts = {
    tables,
    jobs,
    cachedQueries: new FakeQueries(),
    deployments: ABSENT_DEPLOYMENTS,
    sqlScripts: ABSENT_SCRIPTS,
    process: thisProcess(),
    jars,
    jarJobs: new JarJobs(jars, jobs),
    streams,
    views: new Views(registry),
    explore: restingExplore(registry),
    namespaces,
    platformNamespaces: new PlatformNamespaces({
      ...{ namespaces, registry, nowMs, deployments: ABSENT_DEPLOYMENTS },
      facts: await NamespaceFacts.load(catalog, registry),
    }),
    usage,
    feeds: await Feeds.load(catalog, registry),
    sizeFeed,
    webhooks,
    metadata: await Metadata.load(catalog, registry),
    metrics: new StreamMetrics(meter, registry),
    prometheus: new Prometheus(),
    address: () => 'http://127.0.0.1:11015',
    storeFailure: () => undefined,
  }
  return { parts, storage }
}
