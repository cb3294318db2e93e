/**
 * The service on one open store: storage -> streams -> app -> janitor. The process opens it at the start, and again
 * when its store has failed (supervisor.ts).
 */

import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { openStorage } from '../storage/level/open.ts'
import type { Storage } from '../storage/storage.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { AuditLog } from './audit/audit-log.ts'
import type { Tokens } from './auth/tokens.ts'
import { captureCode } from './cdc/capture-code.ts'
import { type CdcModules, loadCdcModules } from './cdc-modules.ts'
import type { Config } from './config.ts'
import { type DeploymentModules, loadDeploymentModules, loadDeploymentStore } from './deployment-modules.ts'
import type { ApiTokens } from './deployments/platform/api-tokens.ts'
import { NamespaceFacts } from './deployments/platform/namespace-facts.ts'
import { PlatformNamespaces } from './deployments/platform/platform-namespaces.ts'
import type { DiskSpace } from './disk-space.ts'
import type { Environment } from './environment.ts'
import { Explore } from './explore/explore.ts'
import { type Api, type AppParts, problemShapes } from './http/api.ts'
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
import { JarJobs } from './jars/jar-jobs.ts'
import type { JarStore } from './jars/jar-store.ts'
import { type JobModules, loadJobModules } from './job-modules.ts'
import type { Jobs } from './jobs/jobs.ts'
import type { LoopShare } from './loop-share.ts'
import { Metadata } from './metadata/metadata.ts'
import { Meter, type UnwrittenTotals } from './metrics/meter.ts'
import type { Prometheus } from './metrics/prometheus.ts'
import { StreamMetrics } from './metrics/query.ts'
import { Feeds } from './notifications/feeds.ts'
import { SizeFeed } from './notifications/size-feed.ts'
import { Webhooks } from './notifications/webhooks.ts'
import type { ServiceProcess } from './process/service-process.ts'
import type { SharedResource } from './shared-resource.ts'
import { Namespaces } from './streams/namespaces.ts'
import { Registry } from './streams/registry.ts'
import { Streams } from './streams/streams.ts'
import type { UsageRegistry } from './streams/usage.ts'
import { Views } from './streams/views.ts'
import type { Service } from './supervisor.ts'
import { connectorHosts } from './tables/connector-hosts.ts'
import type { Sources } from './tables/sources.ts'

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
  readonly apiTokens: ApiTokens | undefined
  readonly address: PublicAddress
  readonly audit: AuditLog | undefined
  readonly apis: readonly Api[]
  readonly process: ServiceProcess
  /** Those of each further port. */
  readonly furtherApis: readonly (readonly Api[])[]
  readonly jars: JarStore
  /** The sources of tables that the operator has declared. */
  readonly sources: Sources
  readonly usage: UsageRegistry
  readonly unwrittenTotals: UnwrittenTotals
  readonly prometheus: Prometheus
  readonly problems: ProblemCounts
  /** Why writes are refused; undefined while they are accepted. */
  readonly writeRefusal: () => Error | undefined
}

export interface OpenService extends Service {
  /** Of the further ports, in the order of `furtherApis`. */
  readonly furtherListeners: readonly RequestListener[]
  readonly janitor: Janitor
  readonly asyncQueueBytes: () => number
  /** Free disk space at the time the store failed; undefined if it is not known. */
  readonly freeBytesAtFailure: () => number | undefined
  /** Ends the responses that have no end of their own, such as those of followers. */
  readonly endFollowers: () => void
  readonly jobs: Jobs
  readonly cdc: Pick<CdcModules, 'captures' | 'queries'>
  readonly deployments: DeploymentModules['deployments']
  /** Starts the jobs that have not ended. Call it when the service answers requests. */
  readonly startJobs: () => void
  /** Ends all running steps of jobs, at the latest after `withinMs`. Jobs go on when the service starts again. */
  readonly stopJobs: (withinMs: number) => Promise<void>
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
  shared: SharedParts,
  isAgain = false,
): Promise<OpenService> {
  const open =
    environment.openStorage ?? ((clock) => openStorage(config.dataFolder, { nowMs: clock, sync: true }))
  const storage = await open(environment.nowMs)
  try {
    for (const remark of storage.remarks) environment.report(remark)
    return await serviceOn(storage, { config, environment, shared, isAgain })
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** The parameters of `openService`. */
interface Opening {
  readonly config: Config
  readonly environment: Environment
  readonly shared: SharedParts
  readonly isAgain: boolean
}

async function serviceOn(storage: Storage, opening: Opening): Promise<OpenService> {
  const { config, environment, shared, isAgain } = opening
  const { nowMs, random } = environment
  const reports = new Reports(environment.report)
  const modules = await loadModules(storage, opening, reports)
  const { streams, registry, meter, sizeFeed, webhooks } = modules
  const followers = new Followers(config.limits.maxFollowers)
  const explore = newExplore(storage, modules, opening, reports)
  const deploymentStore = await loadDeploymentStore({
    ...{ storage, registry, dataFolder: config.dataFolder, nowMs, random },
  })
  const jobModules = await newJobModules(storage, modules, opening, reports)
  const { tables, jobs } = jobModules
  jobs.hideSecrets = (namespace, text) => deploymentStore.secrets.hide(namespace, text)
  const jarJobs = new JarJobs(shared.jars, jobs)
  const deployments = loadDeploymentModules({
    ...{ ...deploymentStore, storage, registry, streams, tables, jobs, jarJobs, nowMs },
    ...{ limits: config.limits, report: reports.report },
    named: shared.guard && ((name) => shared.guard?.named(name)),
  })
  const cdc = await newCdcModules(storage, modules, jobModules, opening, reports)
  await shared.jars.load()
  const { listener, furtherListeners } = newListeners(
    {
      ...{ ...modules, tables, jobs, jarJobs, explore, followers, cachedQueries: cdc.queries },
      ...{ deployments: deployments.deployments, sqlScripts: deployments.sqlScripts },
    },
    opening,
    reports,
  )
  const janitor = new Janitor(storage.log, registry, nowMs, reports.report, shared.space)
  meter.start()
  const schedule = scheduleJanitor(janitor, config.janitorIntervalMs, random, reports.report, isAgain)
  return {
    listener,
    furtherListeners,
    janitor,
    asyncQueueBytes: () => streams.asyncQueueBytes,
    endFollowers() {
      sizeFeed.stop()
      cdc.queries.endFollowers()
    },
    jobs,
    cdc,
    deployments: deployments.deployments,
    startJobs() {
      cdc.start()
      jobs.start()
      deployments.start()
    },
    async stopJobs(withinMs) {
      await deployments.stop()
      await Promise.all([cdc.stop(), jobModules.stopJobs(withinMs)])
    },
    shared: [followers, explore.openQueries],
    failure: () => storage.log.failure(),
    failureHeals: storage.promises.failureHeals,
    freeBytesAtFailure: () => storage.freeBytesAtFailure?.(),
    async close() {
      await schedule.stop()
      sizeFeed.stop()
      webhooks.stop()
      await meter.stop()
      reports.closing = true
      await deployments.stop()
      await cdc.stop()
      await jobModules.close()
      await explore.close()
      await storage.close()
      reports.reportAsyncLost()
    },
  }
}

/** What the modules report: failures, and the number of events that were answered 202 and could not be written. */
class Reports {
  /** Reads still running at shutdown fail with 'closed'. That is expected, so it is not reported. */
  closing = false
  #asyncLost = 0
  readonly #sink: (error: unknown) => void

  constructor(sink: (error: unknown) => void) {
    this.#sink = sink
  }

  readonly report = (error: unknown): void => {
    if (!(this.closing && error instanceof StorageError && error.code === 'closed')) this.#sink(error)
  }

  readonly asyncLost = (_: unknown, error: unknown): void => {
    this.#asyncLost++
    this.#sink(error)
  }

  reportAsyncLost(): void {
    if (this.#asyncLost > 0)
      this.#sink(`events that were answered 202 and could not be written: ${this.#asyncLost}`)
    this.#asyncLost = 0
  }
}

type Modules = Awaited<ReturnType<typeof loadModules>>

/** The modules that keep documents in the catalog, each with what it has loaded from there. */
async function loadModules(storage: Storage, { config, environment, shared }: Opening, reports: Reports) {
  const { catalog, log } = storage
  const { nowMs, random } = environment
  const { space, guard, usage, prometheus } = shared
  const registry = await Registry.load(catalog)
  const streams = new Streams(log, registry, {
    nowMs,
    asyncQueueBytesMax: config.asyncQueueBytesMax,
    onAsyncLost: reports.asyncLost,
    space,
  })
  const { traffic } = streams
  const meter = await Meter.open({
    catalog,
    log,
    registry,
    traffic,
    nowMs,
    report: reports.report,
    unwrittenTotals: shared.unwrittenTotals,
  })
  usage.onRemoval(registry)
  const metadata = await Metadata.load(catalog, registry)
  const namespaceFacts = await NamespaceFacts.load(catalog, registry)
  const feeds = await Feeds.load(catalog, registry)
  const sizeFeed = new SizeFeed(registry, nowMs)
  const webhooks = await Webhooks.load({
    catalog,
    registry,
    feed: sizeFeed,
    usage,
    nowMs,
    random,
    allowPrivate: config.allowPrivateWebhooks === true,
    mayNotify: (token, { namespace, stream }) =>
      guard === undefined || guard.named(token)?.grants.allow('admin', namespace, stream) === true,
  })
  log.watchGroups(prometheus.groupWritten)
  prometheus.show({ registry, traffic })
  return { registry, streams, meter, metadata, namespaceFacts, feeds, sizeFeed, webhooks }
}

function newJobModules(
  storage: Storage,
  { registry, streams }: Modules,
  { config, environment, shared }: Opening,
  { report }: Reports,
): Promise<JobModules> {
  const { dataFolder, eventBytesMax, limits, savepointFolder, savepointRoots = [] } = config
  const { nowMs, random } = environment
  const { usage, space, guard, sources } = shared
  return loadJobModules({
    ...{ sources, hosts: connectorHosts(config.connectorHosts), savepointFolder, savepointRoots },
    ...{ storage, registry, streams, usage, space, dataFolder, eventBytesMax, limits, nowMs, random, report },
    named: guard && ((name) => guard.named(name)),
    othersMayCreateJobs: guard && ((name) => guard.othersMayCreateJobs(name)),
  })
}

function newCdcModules(
  storage: Storage,
  { registry, streams }: Modules,
  { jobs, planner }: JobModules,
  { config, environment, shared: { usage, space } }: Opening,
  { report }: Reports,
): Promise<CdcModules> {
  const { dataFolder, eventBytesMax, limits, connectorHosts: hosts } = config
  const { nowMs, random } = environment
  return loadCdcModules({
    ...{ storage, registry, streams, usage, space, dataFolder, eventBytesMax, limits, nowMs, random, report },
    ...{
      jobs,
      planner,
      code: captureCode({ nowMs }),
      hosts: connectorHosts(hosts),
    },
  })
}

function newExplore(
  { log }: Storage,
  { streams, registry }: Modules,
  { config, environment, shared: { space, usage, guard } }: Opening,
  { report }: Reports,
): Explore {
  const { limits } = config
  return new Explore(streams, registry, {
    nowMs: environment.nowMs,
    random: environment.random,
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
}

/** The routes of all APIs, with the plain POSTs of events in front of them; and those of each further port. */
function newListeners(
  given: Modules &
    Pick<JobModules, 'tables' | 'jobs'> &
    Required<Pick<AppParts, 'explore' | 'jarJobs' | 'cachedQueries' | 'deployments' | 'sqlScripts'>> & {
      readonly followers: Followers
    },
  { config, environment, shared }: Opening,
  { report }: Reports,
): { readonly listener: RequestListener; readonly furtherListeners: readonly RequestListener[] } {
  const { registry, streams, meter, followers, namespaceFacts: facts, deployments } = given
  const { eventBytesMax, limits } = config
  const options = { ...shared, eventBytesMax, limits, followers, nowMs: environment.nowMs, report }
  const { apis, furtherApis, writeRefusal } = shared
  const namespaces = new Namespaces(registry, config.unrecoverableReset)
  const { nowMs } = environment
  const parts = {
    ...shared,
    ...given,
    views: new Views(registry),
    namespaces,
    platformNamespaces: new PlatformNamespaces({ namespaces, registry, facts, deployments, nowMs }),
    metrics: new StreamMetrics(meter, registry),
    storeFailure: writeRefusal,
  }
  const listenerOf = (some: readonly Api[]) =>
    honoListener(createApp(parts, options, some), config.host, problemShapes(some))
  return {
    listener: directPosts(new SingleEvents(streams, options), options, listenerOf(apis)),
    furtherListeners: furtherApis.map(listenerOf),
  }
}
