/**
 * The modules that run on one node at a time: they keep their documents in memory, or run processes of their own. A store that no
 * other process shares has them always; otherwise the node that holds the coordinator loads them, and closes them when it loses it.
 */
import { join } from 'node:path'
import type { Storage } from '../storage/storage.ts'
import { captureCode } from './cdc/capture-code.ts'
import { claimRows } from './cdc/rows-place.ts'
import { type CdcModules, loadCdcModules } from './cdc-modules.ts'
import type { Config } from './config.ts'
import { loadDeploymentModules, loadDeploymentStore } from './deployment-modules.ts'
import { NamespaceFacts } from './deployments/platform/namespace-facts.ts'
import { PlatformNamespaces } from './deployments/platform/platform-namespaces.ts'
import type { DiskSpace } from './disk-space.ts'
import type { Environment } from './environment.ts'
import { Explore } from './explore/explore.ts'
import type { AppParts } from './http/api.ts'
import type { Guard } from './http/server/guard.ts'
import { JarJobs } from './jars/jar-jobs.ts'
import type { JarStore } from './jars/jar-store.ts'
import { type JobModules, loadJobModules } from './job-modules.ts'
import type { Jobs } from './jobs/jobs.ts'
import type { StatePlace } from './jobs/state-place.ts'
import { Metadata } from './metadata/metadata.ts'
import { Feeds } from './notifications/feeds.ts'
import { SizeFeed } from './notifications/size-feed.ts'
import { Webhooks } from './notifications/webhooks.ts'
import type { SharedResource } from './shared-resource.ts'
import type { Namespaces } from './streams/namespaces.ts'
import type { Registry } from './streams/registry.ts'
import type { Streams } from './streams/streams.ts'
import type { UsageRegistry } from './streams/usage.ts'
import { connectorHosts } from './tables/connector-hosts.ts'
import type { Sources } from './tables/sources.ts'

/** The services of routes that this file builds. */
export const COORDINATOR_SERVICES = [
  'explore',
  'tables',
  'jobs',
  'jarJobs',
  'cachedQueries',
  'deployments',
  'sqlScripts',
  'platformNamespaces',
  'metadata',
  'feeds',
  'sizeFeed',
  'webhooks',
] as const satisfies readonly (keyof AppParts)[]

export type CoordinatorServices = Pick<AppParts, (typeof COORDINATOR_SERVICES)[number]>

export interface CoordinatorParts {
  readonly storage: Storage
  readonly registry: Registry
  readonly streams: Streams
  readonly namespaces: Namespaces
  readonly config: Config
  readonly environment: Environment
  readonly report: (error: unknown) => void
  readonly space: DiskSpace
  readonly usage: UsageRegistry
  readonly guard: Guard | undefined
  readonly jars: JarStore
  readonly sources: Sources
  /** The folder of states of jobs, rows of captures, savepoints and the key of secrets. */
  readonly filesFolder: string
  /** Undefined: the states of all jobs are in `filesFolder`. */
  readonly statePlace: StatePlace | undefined
}

export interface CoordinatorModules {
  readonly services: CoordinatorServices
  readonly jobs: Jobs
  readonly cdc: Pick<CdcModules, 'captures' | 'queries'>
  readonly shared: readonly SharedResource[]
  /** Starts the jobs that have not ended. Call it when the service answers requests. */
  start(): void
  /** Ends the responses that have no end of their own. */
  endFollowers(): void
  /** Ends all running steps of jobs, at the latest after `withinMs`. Jobs go on when the modules are loaded again. */
  stop(withinMs: number): Promise<void>
  close(): Promise<void>
}

/** Rejects with StorageError, and leaves nothing running then. */
export async function loadCoordinatorModules(parts: CoordinatorParts): Promise<CoordinatorModules> {
  const detach = parts.registry.attachments()
  try {
    return await load(parts, detach)
  } catch (error) {
    detach()
    throw error
  }
}

async function load(parts: CoordinatorParts, detach: () => void): Promise<CoordinatorModules> {
  const { storage, registry, streams, namespaces, config, environment, report, guard, jars } = parts
  const { catalog } = storage
  const { nowMs, random } = environment
  const { metadata, facts, feeds, sizeFeed, webhooks } = await loadStreamModules(parts)
  const explore = newExplore(parts)
  const deploymentStore = await loadDeploymentStore({
    ...{ storage, registry, dataFolder: parts.filesFolder, nowMs, random },
  })
  const jobModules = await newJobModules(parts)
  const { tables, jobs } = jobModules
  jobs.hideSecrets = (namespace, text) => deploymentStore.secrets.hide(namespace, text)
  const jarJobs = new JarJobs(jars, jobs)
  const deploymentModules = loadDeploymentModules({
    ...{ ...deploymentStore, storage, registry, streams, tables, jobs, jarJobs, nowMs },
    ...{ limits: config.limits, report },
    named: guard && ((name) => guard.named(name)),
  })
  const { deployments, sqlScripts } = deploymentModules
  if (parts.statePlace !== undefined) await claimRows(catalog, parts.filesFolder, parts.statePlace.folder)
  const cdc = await newCdcModules(parts, jobModules)
  await jars.load()
  const platformNamespaces = new PlatformNamespaces({ namespaces, registry, facts, deployments, nowMs })
  return {
    services: {
      ...{ explore, tables, jobs, jarJobs, cachedQueries: cdc.queries, deployments, sqlScripts },
      ...{ platformNamespaces, metadata, feeds, sizeFeed, webhooks },
    },
    jobs,
    cdc,
    shared: [explore.openQueries],
    start() {
      cdc.start()
      jobs.start()
      deploymentModules.start()
    },
    endFollowers() {
      sizeFeed.stop()
      cdc.queries.endFollowers()
    },
    async stop(withinMs) {
      await deploymentModules.stop()
      await Promise.all([cdc.stop(), jobModules.stopJobs(withinMs)])
    },
    async close() {
      sizeFeed.stop()
      webhooks.stop()
      await deploymentModules.stop()
      await cdc.stop()
      await jobModules.close()
      await explore.close()
      await catalog.fresh().catch(() => {}) // changes under way are applied, or fail
      jars.unload()
      detach()
    },
  }
}

async function loadStreamModules(parts: CoordinatorParts) {
  const { storage, registry, config, environment, usage, guard } = parts
  const { catalog } = storage
  const { nowMs, random } = environment
  const metadata = await Metadata.load(catalog, registry)
  const facts = await NamespaceFacts.load(catalog, registry)
  const feeds = await Feeds.load(catalog, registry)
  const sizeFeed = new SizeFeed(registry, nowMs)
  const webhooks = await Webhooks.load({
    ...{ catalog, registry, feed: sizeFeed, usage, nowMs, random },
    allowPrivate: config.allowPrivateWebhooks === true,
    mayNotify: (token, { namespace, stream }) =>
      guard === undefined || guard.named(token)?.grants.allow('admin', namespace, stream) === true,
  })
  return { metadata, facts, feeds, sizeFeed, webhooks }
}

function newJobModules(parts: CoordinatorParts): Promise<JobModules> {
  const { config, environment, guard, filesFolder } = parts
  const { storage, registry, streams, usage, space, sources, statePlace, report } = parts
  const { dataFolder, eventBytesMax, limits, savepointFolder, savepointRoots = [] } = config
  const { nowMs, random } = environment
  return loadJobModules({
    ...{ sources, hosts: connectorHosts(config.connectorHosts), savepointFolder, savepointRoots },
    ...{ storage, registry, streams, usage, space, dataFolder, filesFolder, statePlace },
    ...{ eventBytesMax, limits, nowMs, random, report },
    named: guard && ((name) => guard.named(name)),
    othersMayCreateJobs: guard && ((name) => guard.othersMayCreateJobs(name)),
  })
}

function newCdcModules(parts: CoordinatorParts, { jobs, planner }: JobModules): Promise<CdcModules> {
  const { config, environment, filesFolder: dataFolder } = parts
  const { storage, registry, streams, usage, space, report } = parts
  const { eventBytesMax, limits, connectorHosts: hosts } = config
  const { nowMs, random } = environment
  return loadCdcModules({
    ...{ storage, registry, streams, usage, space, dataFolder, eventBytesMax, limits, nowMs, random, report },
    ...{ jobs, planner, code: captureCode({ nowMs }), hosts: connectorHosts(hosts) },
  })
}

function newExplore(parts: CoordinatorParts): Explore {
  const { storage, streams, registry, config, environment, space, usage, guard, report } = parts
  const { limits } = config
  return new Explore(streams, registry, {
    nowMs: environment.nowMs,
    random: environment.random,
    report,
    oldestMs: async (id) => (await storage.log.tail(id))?.firstTimestampMs ?? 0,
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
