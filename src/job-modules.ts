/** The modules of tables and SQL jobs on one open store: tables -> engine -> jobs. */
import { join } from 'node:path'
import type { Storage } from '../storage/storage.ts'
import { EmbeddedEngine } from './jobs/embedded/embedded-engine.ts'
import { JobHost } from './jobs/embedded/job-host.ts'
import { jobWorkerCode } from './jobs/embedded/job-process.ts'
import { PlannerClient } from './jobs/embedded/planner-client.ts'
import { SinkWrites } from './jobs/embedded/sink-writes.ts'
import { JOBS_FOLDER, StateFolders } from './jobs/embedded/state-folders.ts'
import type { OthersMayCreateJobs, TokenNamed } from './jobs/job-access.ts'
import { Jobs } from './jobs/jobs.ts'
import type { QueryJobSource } from './jobs/query-job.ts'
import { SAVEPOINTS_FOLDER, SavepointPlaces } from './jobs/savepoints/savepoint-places.ts'
import type { StatePlace } from './jobs/state-place.ts'
import type { WorkerOptions } from './jobs/worker/job-worker-protocol.ts'
import type { Limits } from './limits.ts'
import { readBuildFacts } from './process/build-facts.ts'
import type { Registry } from './streams/registry.ts'
import { StreamWrites } from './streams/stream-writes.ts'
import type { Space, Streams } from './streams/streams.ts'
import type { UsageRegistry } from './streams/usage.ts'
import type { ConnectorHosts } from './tables/connector-hosts.ts'
import type { Sources } from './tables/sources.ts'
import { Tables } from './tables/tables.ts'
import { StreamSource } from './worker/event-source.ts'

export interface JobModulesParts {
  readonly storage: Storage
  readonly registry: Registry
  readonly streams: Streams
  readonly usage: UsageRegistry
  readonly space: Space
  readonly dataFolder: string
  /** The folder of states of jobs, savepoints and the key of secrets. */
  readonly filesFolder: string
  /** Undefined: no other node runs jobs. */
  readonly statePlace?: StatePlace | undefined
  /** Undefined: in `filesFolder`. */
  readonly savepointFolder: string | undefined
  readonly savepointRoots: readonly string[]
  readonly eventBytesMax: number
  readonly limits: Limits
  readonly sources: Sources
  readonly hosts: ConnectorHosts
  readonly nowMs: () => number
  readonly random: () => number
  readonly report: (error: unknown) => void
  readonly named: TokenNamed
  readonly othersMayCreateJobs: OthersMayCreateJobs
}

export interface JobModules {
  readonly tables: Tables
  readonly jobs: Jobs
  readonly planner: PlannerClient
  /** Ends all running steps, at the latest after `withinMs`. Jobs go on when the service starts again. */
  stopJobs(withinMs?: number): Promise<void>
  /** After `stopJobs`. */
  close(): Promise<void>
}

/** For node and the library, plans, texts of functions, and events between the processes. */
const UNCOUNTED_BYTES = 384 * 1024 * 1024

export async function loadJobModules(parts: JobModulesParts): Promise<JobModules> {
  const { storage, registry, streams, usage, limits, nowMs, random, report, named } = parts
  const { catalog } = storage
  const planner = new PlannerClient({ report })
  const engine = newEngine(
    parts,
    planner,
    (jid, role, stream) => jobs.refusal(jid, role, stream),
    () => jobs.querySource,
  )
  const tables = await Tables.load({
    ...{ catalog, registry, nowMs, report, typer: engine, dataFolder: parts.filesFolder },
    ...{ sources: parts.sources, hosts: parts.hosts },
  })
  const jobs: Jobs = await Jobs.load({
    ...{ catalog, registry, streams, tables, engine, usage, nowMs, random, report, named },
    ...{
      jobsMax: limits.maxJobs,
      othersMayCreateJobs: parts.othersMayCreateJobs,
      statePlace: parts.statePlace,
    },
    places: new SavepointPlaces(
      parts.savepointFolder ?? join(parts.filesFolder, SAVEPOINTS_FOLDER),
      parts.savepointRoots,
    ),
    version: readBuildFacts().version,
  })
  return {
    tables,
    jobs,
    planner,
    stopJobs(withinMs) {
      jobs.halt()
      return engine.close(withinMs)
    },
    async close() {
      jobs.halt()
      await engine.close()
      await jobs.close()
    },
  }
}

function newEngine(
  parts: JobModulesParts,
  planner: PlannerClient,
  refusal: Jobs['refusal'],
  queries: () => QueryJobSource | undefined,
): EmbeddedEngine {
  const { storage, registry, streams, space, eventBytesMax, limits, nowMs, random, report } = parts
  const folders = new StateFolders(join(parts.filesFolder, JOBS_FOLDER))
  const writes = new StreamWrites(storage, streams, space)
  const host = new JobHost({
    ...{ log: storage.log, hasHoles: !storage.promises.gaplessSequences },
    ...{ registry, nowMs, random, refusal, queries, report },
    options: workerOptions(parts, folders.folder),
    source: new StreamSource(streams, registry, nowMs),
    sinks: new SinkWrites({ catalog: storage.catalog, writes, eventBytesMax }),
    code: jobWorkerCode({ nowMs, random }),
  })
  const { maxJobDiskBytes: stateBytesMax, maxJobTickEvents: tickEventsMax } = limits
  return new EmbeddedEngine({ planner, host, folders, space, stateBytesMax, tickEventsMax })
}

function workerOptions({ dataFolder, limits }: JobModulesParts, jobsFolder: string): WorkerOptions {
  const { maxJobMemoryBytes: memoryBytes, maxJobDiskBytes: diskBytes } = limits
  const spillFolder = join(dataFolder, 'jobs-spill')
  return { memoryBytes, processBytes: memoryBytes + UNCOUNTED_BYTES, diskBytes, spillFolder, jobsFolder }
}
