/** The modules of change data capture and cached queries on one open store: captures -> cached queries, which use jobs. */
import type { Storage } from '../storage/storage.ts'
import { CachedQueries } from './cached-queries/cached-queries.ts'
import type { QueryPlanner } from './cached-queries/query-planner.ts'
import type { CaptureCode } from './cdc/capture-process.ts'
import type { CaptureService } from './cdc/capture-service.ts'
import { Captures } from './cdc/captures.ts'
import { parseConnection } from './cdc/connection-string.ts'
import type { Jobs } from './jobs/jobs.ts'
import type { Limits } from './limits.ts'
import { readBuildFacts } from './process/build-facts.ts'
import type { Registry } from './streams/registry.ts'
import type { Space, Streams } from './streams/streams.ts'
import type { UsageRegistry } from './streams/usage.ts'
import type { ConnectorHosts } from './tables/connector-hosts.ts'

export interface CdcModulesParts {
  readonly storage: Storage
  readonly registry: Registry
  readonly streams: Streams
  readonly usage: UsageRegistry
  readonly space: Space
  readonly dataFolder: string
  readonly eventBytesMax: number
  readonly limits: Limits
  readonly hosts: ConnectorHosts
  readonly jobs: Jobs
  readonly planner: QueryPlanner
  readonly code: CaptureCode
  readonly nowMs: () => number
  readonly random: () => number
  readonly report: (error: unknown) => void
}

export interface CdcModules {
  readonly captures: CaptureService
  readonly queries: CachedQueries
  /** Call it before jobs are started, when the service answers requests. */
  start(): void
  /** Nothing is captured any more, and followers of queries have ended. */
  stop(): Promise<void>
}

/** Call it when jobs are loaded, before they are started. */
export async function loadCdcModules(parts: CdcModulesParts): Promise<CdcModules> {
  const { storage, registry, streams, limits, nowMs, report, jobs } = parts
  const { version } = readBuildFacts()
  const captures = await Captures.load({
    ...{ storage, registry, streams, nowMs, report, version },
    ...{ space: parts.space, dataFolder: parts.dataFolder, eventBytesMax: parts.eventBytesMax },
    ...{ connectionsMax: limits.maxConnectionsCdc, hosts: parts.hosts, code: parts.code },
  })
  const queries = await CachedQueries.load({
    ...{ catalog: storage.catalog, registry, streams, captures, jobs, nowMs, report, version },
    ...{ usage: parts.usage, planner: parts.planner, random: parts.random },
    assertConnectionString: (text) => void parseConnection(text),
    queriesMax: limits.maxCachedQueries,
    resultBytesMax: limits.maxCachedResultBytes,
    allResultsBytesMax: limits.maxCachedResultsBytes,
  })
  jobs.querySource = queries
  return {
    captures,
    queries,
    start() {
      void queries.start()
      captures.start()
    },
    async stop() {
      queries.close()
      await captures.close()
    },
  }
}
