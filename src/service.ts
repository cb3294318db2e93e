/**
 * The service on one open store: storage -> streams -> app -> janitor. The process opens it at the start, and again
 * when its store has failed (supervisor.ts). The modules of one node at a time are in coordinator-modules.ts.
 */

import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import type { Storage } from '../storage/storage.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { AuditLog } from './audit/audit-log.ts'
import type { Tokens } from './auth/tokens.ts'
import type { Config } from './config.ts'
import { COORDINATOR_LEASE, Coordinator } from './coordinator.ts'
import {
  COORDINATOR_SERVICES,
  type CoordinatorModules,
  type CoordinatorServices,
  loadCoordinatorModules,
} from './coordinator-modules.ts'
import { beginTerm } from './coordinator-term.ts'
import type { ApiTokens } from './deployments/platform/api-tokens.ts'
import type { DiskSpace } from './disk-space.ts'
import { openEngine } from './engine.ts'
import type { Environment } from './environment.ts'
import { type Api, type AppParts, problemShapes } from './http/api.ts'
import { createApp } from './http/app.ts'
import { directPosts } from './http/cdap/direct-posts.ts'
import { SingleEvents } from './http/cdap/single-event.ts'
import { honoListener } from './http/listener.ts'
import type { Workers } from './http/messages/parse-workers.ts'
import type { ProblemCounts } from './http/messages/problems.ts'
import { byPlace, servicesElsewhere } from './http/other-node.ts'
import { Followers } from './http/server/followers.ts'
import { Forwarding } from './http/server/forwarding.ts'
import type { Guard } from './http/server/guard.ts'
import type { Load } from './http/server/load.ts'
import type { OpenAnswers } from './http/server/open-answers.ts'
import { SharedRequests } from './http/server/shared-requests.ts'
import type { SlowClients } from './http/server/slow-clients.ts'
import { readIdentity } from './http/server/tls.ts'
import type { PublicAddress } from './http/server/unauthorized.ts'
import { WaitingRequests } from './http/server/waiting-requests.ts'
import { Janitor } from './janitor/janitor.ts'
import { scheduleJanitor } from './janitor/schedule.ts'
import type { JarStore } from './jars/jar-store.ts'
import { JOBS_FOLDER } from './jobs/embedded/state-folders.ts'
import { statePlaceOf } from './jobs/state-place.ts'
import type { LoopShare } from './loop-share.ts'
import { Meter, type UnwrittenTotals } from './metrics/meter.ts'
import type { Prometheus } from './metrics/prometheus.ts'
import { StreamMetrics } from './metrics/query.ts'
import type { NodeFacts } from './node-facts.ts'
import type { ServiceProcess } from './process/service-process.ts'
import type { SharedResource } from './shared-resource.ts'
import { Namespaces } from './streams/namespaces.ts'
import { Registry } from './streams/registry.ts'
import { SharedWriters } from './streams/shared-writers.ts'
import { Streams } from './streams/streams.ts'
import type { UsageRegistry } from './streams/usage.ts'
import { Views } from './streams/views.ts'
import type { Service } from './supervisor.ts'
import { idFrom } from './tables/id.ts'
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
  /** Undefined while another node runs them, or none. */
  readonly coordinator: () => CoordinatorModules | undefined
  /** Undefined: no other node shares the store. */
  readonly cluster: (() => NodeFacts) | undefined
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
  const storage = await openEngine(config, environment)
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
  const { streams, registry, meter } = modules
  const followers = new Followers(config.limits.maxFollowers)
  const coordinator = await newCoordinator(storage, { ...modules, followers }, opening, reports)
  const listeners = await coordinator.begin()
  const janitor = new Janitor(storage.log, registry, nowMs, reports.report, shared.space)
  meter.start()
  const schedule = scheduleJanitor(janitor, config.janitorIntervalMs, random, reports.report, isAgain)
  return {
    ...listeners,
    janitor,
    asyncQueueBytes: () => streams.asyncQueueBytes,
    coordinator: () => coordinator.modules(),
    cluster: coordinator.facts,
    endFollowers: () => coordinator.endFollowers(),
    startJobs: () => coordinator.start(),
    stopJobs: async (withinMs) => coordinator.modules()?.stop(withinMs),
    get shared() {
      return [followers, ...coordinator.shared, ...(coordinator.modules()?.shared ?? [])]
    },
    failure: () => storage.log.failure(),
    failureHeals: storage.promises.failureHeals,
    freeBytesAtFailure: () => storage.freeBytesAtFailure?.(),
    async close() {
      await schedule.stop()
      await janitor.stop()
      coordinator.endFollowers()
      await meter.stop()
      reports.closing = true
      await coordinator.close()
      await storage.close()
      reports.reportAsyncLost()
    },
  }
}

type NodeModules = Modules & {
  readonly followers: Followers
  readonly cluster?: (() => NodeFacts) | undefined
}

/** The modules of one node at a time, and the listeners that use them or send requests on. */
interface CoordinatorHandle {
  readonly modules: () => CoordinatorModules | undefined
  readonly facts: (() => NodeFacts) | undefined
  readonly shared: readonly SharedResource[]
  begin(): Promise<Listeners>
  start(): void
  /** Ends the responses that have no end of their own. */
  endFollowers(): void
  close(): Promise<void>
}

function newCoordinator(
  storage: Storage,
  modules: NodeModules,
  opening: Opening,
  reports: Reports,
): Promise<CoordinatorHandle> | CoordinatorHandle {
  return storage.cluster === undefined
    ? onlyNode(storage, modules, opening, reports)
    : oneOfNodes(storage, storage.cluster, modules, opening, reports)
}

function onlyNode(
  storage: Storage,
  modules: NodeModules,
  opening: Opening,
  reports: Reports,
): CoordinatorHandle {
  let loaded: CoordinatorModules
  return {
    modules: () => loaded,
    facts: undefined,
    shared: [],
    async begin() {
      loaded = await loadCoordinator(storage, modules, opening, reports)
      return newListeners({ ...modules, ...loaded.services }, opening, reports)
    },
    start: () => loaded.start(),
    endFollowers: () => loaded.endFollowers(),
    close: () => loaded.close(),
  }
}

async function oneOfNodes(
  storage: Storage,
  cluster: NonNullable<Storage['cluster']>,
  own: NodeModules,
  opening: Opening,
  reports: Reports,
): Promise<CoordinatorHandle> {
  const { shared, config } = opening
  interface Loaded {
    readonly modules: CoordinatorModules
    readonly listeners: Listeners
  }
  const facts = (): NodeFacts => ({
    ...cluster.facts(),
    nodeId: cluster.nodeId,
    coordinator: cluster.holder(COORDINATOR_LEASE)?.id,
    forwarded: forwardings.reduce((sum, { total }) => sum + total, 0),
  })
  const modules: NodeModules = { ...own, cluster: facts }
  const { catalog } = storage
  const { registry } = own
  const writers = await SharedWriters.load({ catalog, registry, cluster, report: reports.report })
  registry.waitForWriters = () => writers.known()
  const end = () => {
    writers.end()
    registry.catalogOfModules = undefined
  }
  const coordinator = new Coordinator<Loaded>({
    async load(term) {
      await storage.catalog.fresh()
      const ofTerm = await beginTerm(storage, term, cluster.nodeId)
      writers.begin(ofTerm.catalog)
      registry.catalogOfModules = ofTerm.catalog
      try {
        const loaded = await loadCoordinator(ofTerm, modules, opening, reports)
        writers.loaded()
        const services = { ...modules, ...loaded.services }
        return { modules: loaded, listeners: newListeners(services, opening, reports) }
      } catch (error) {
        end()
        throw error
      }
    },
    started: (loaded) => loaded.modules.start(),
    async close(loaded) {
      loaded.modules.endFollowers()
      await loaded.modules.close()
      end()
    },
    report: reports.report,
  })
  const identity = config.tls && readIdentity(config.tls)
  const forwardings = [shared.apis, ...shared.furtherApis].map(
    (apis) =>
      new Forwarding({
        nodeId: cluster.nodeId,
        target: () => cluster.holder(COORDINATOR_LEASE),
        isAlive: (id) => cluster.holder(COORDINATOR_LEASE)?.id === id,
        ...{ load: shared.load, slowClients: shared.slowClients, shapeOf: problemShapes(apis) },
        requestsMax: config.limits.maxRequests,
        tls: identity,
      }),
  )
  const waiting = new WaitingRequests({
    place: () => {
      if (coordinator.modules !== undefined) return cluster.nodeId
      const holder = cluster.holder(COORDINATOR_LEASE)?.id
      return holder === cluster.nodeId ? undefined : holder
    },
    isHopeless: () => !cluster.facts().isLive,
    requestsMax: config.limits.maxRequests,
    waitMs: config.limits.coordinatorWaitSeconds * 1000,
  })
  const claim = cluster.want(COORDINATOR_LEASE, coordinator)
  return {
    modules: () => coordinator.modules?.modules,
    facts,
    shared: forwardings.slice(0, 1),
    async begin() {
      const here = () => coordinator.modules?.listeners
      const elsewhere = newListeners(
        { ...modules, ...servicesElsewhere(COORDINATOR_SERVICES) },
        opening,
        reports,
      )
      const [main, ...further] = forwardings
      return {
        listener: byPlace(shared.apis, elsewhere.listener, () => here()?.listener, main!, waiting),
        furtherListeners: elsewhere.furtherListeners.map((listener, i) =>
          byPlace(shared.furtherApis[i]!, listener, () => here()?.furtherListeners[i], further[i]!, waiting),
        ),
      }
    },
    start: () => coordinator.start(),
    endFollowers() {
      coordinator.modules?.modules.endFollowers()
      for (const forwarding of forwardings) forwarding.endFollowers()
    },
    async close() {
      waiting.close()
      for (const forwarding of forwardings) forwarding.close()
      await coordinator.stop()
      await claim.release().catch(reports.report) // another node takes over when this one is seen as dead
    },
  }
}

async function loadCoordinator(
  storage: Storage,
  { registry, streams, namespaces }: NodeModules,
  { config, environment, shared }: Opening,
  { report }: Reports,
): Promise<CoordinatorModules> {
  const { space, usage, guard, jars, sources } = shared
  const filesFolder = config.kafka?.sharedFolder ?? config.dataFolder
  const newId = idFrom(environment.nowMs(), environment.random(), storage.cluster?.nodeId ?? '')
  return loadCoordinatorModules({
    ...{ storage, registry, streams, namespaces, config, environment, report },
    ...{ space, usage, guard, jars, sources, filesFolder },
    statePlace:
      storage.cluster && (await statePlaceOf(join(filesFolder, JOBS_FOLDER), storage.cluster.nodeId, newId)),
  })
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
  const { catalog, log, cluster } = storage
  const { nowMs } = environment
  const { space, usage, prometheus } = shared
  const registry = await Registry.load(catalog, cluster)
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
  log.watchGroups(prometheus.groupWritten)
  prometheus.show({ registry, traffic })
  const namespaces = new Namespaces(registry, config.unrecoverableReset)
  return { registry, streams, meter, namespaces }
}

interface Listeners {
  readonly listener: RequestListener
  readonly furtherListeners: readonly RequestListener[]
}

/** The routes of all APIs, with the plain POSTs of events in front of them; and those of each further port. */
function newListeners(
  given: NodeModules & CoordinatorServices,
  { config, environment, shared }: Opening,
  { report }: Reports,
): Listeners {
  const { registry, streams, meter, followers } = given
  const { eventBytesMax, limits } = config
  const options = { ...shared, eventBytesMax, limits, followers, nowMs: environment.nowMs, report }
  const { apis, furtherApis, writeRefusal } = shared
  const parts: AppParts = {
    ...shared,
    ...given,
    views: new Views(registry),
    sharedRequests: registry.sharing && new SharedRequests(registry, registry.sharing),
    metrics: new StreamMetrics(meter, registry),
    storeFailure: writeRefusal,
    cluster: given.cluster,
  }
  const listenerOf = (some: readonly Api[]) =>
    honoListener(createApp(parts, options, some), config.host, problemShapes(some))
  return {
    listener: directPosts(new SingleEvents(streams, options), options, listenerOf(apis)),
    furtherListeners: furtherApis.map(listenerOf),
  }
}
