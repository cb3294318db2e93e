/**
 * Jobs on the real engine, with the real worker in the test's process and DuckDB: the statement is always
 * `INSERT INTO OUT SELECT * FROM IN`, and its plan is written by hand: rows of IN with `a` above 10.
 *
 * Streams and documents are in LevelDB; with TEST_STORAGE=kafka, in a cluster, and the states of jobs in the folder all the same.
 */
import { cp, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { EmbeddedEngine, type StatementPlanner } from '../../src/jobs/embedded/embedded-engine.ts'
import { JobHost } from '../../src/jobs/embedded/job-host.ts'
import type { JobWorkerCode } from '../../src/jobs/embedded/job-process.ts'
import { PlannerClient } from '../../src/jobs/embedded/planner-client.ts'
import { SinkWrites } from '../../src/jobs/embedded/sink-writes.ts'
import { StateFolders } from '../../src/jobs/embedded/state-folders.ts'
import { Jobs } from '../../src/jobs/jobs.ts'
import type { JobPlan, PlannedTable } from '../../src/jobs/plan/job-plan.ts'
import type { QueryJobSource } from '../../src/jobs/query-job.ts'
import { SavepointPlaces } from '../../src/jobs/savepoints/savepoint-places.ts'
import { type JobWorkerOptions, JobWorkerServer } from '../../src/jobs/worker/job-worker-server.ts'
import { ServiceError } from '../../src/service-error.ts'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../src/streams/names.ts'
import { Namespaces } from '../../src/streams/namespaces.ts'
import { Registry } from '../../src/streams/registry.ts'
import { StreamWrites } from '../../src/streams/stream-writes.ts'
import { Streams } from '../../src/streams/streams.ts'
import { UsageRegistry } from '../../src/streams/usage.ts'
import { StreamSource } from '../../src/worker/event-source.ts'
import { openKafkaStorage } from '../../storage/kafka/open.ts'
import { openStorage } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import { FixedTables } from './fixed-tables.ts'
import { TestKafka } from './kafka.ts'
import { removeTopics } from './kafka-topics.ts'
import { ON_KAFKA } from './test-app.ts'

export const IN = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('in') }
export const OUT = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('out') }
const MIB = 1024 * 1024

export interface EmbeddedOptions {
  /** Tables by name with their schemas: statements are planned by the planner then. */
  readonly tables?: Readonly<Record<string, string>>
  /** Of these tables the primary key is the key of events. */
  readonly upsert?: readonly string[]
  readonly worker?: Partial<JobWorkerOptions>
  readonly queries?: QueryJobSource
}

export async function embeddedJobs({
  worker = {},
  tables: schemas,
  upsert = [],
  queries,
}: EmbeddedOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-jobs-'))
  const reported: unknown[] = []
  const tables = new FixedTables()
  if (schemas === undefined) for (const name of ['IN', 'OUT']) tables.add(DEFAULT_NAMESPACE, name)
  const space = { low: false, refusal: () => new ServiceError('disk_low', 'the disk is nearly full') }
  const servers: JobWorkerServer[] = []
  const code: JobWorkerCode = {
    entry: new URL('file:///none'),
    async serve(port) {
      const server = new JobWorkerServer(port, { nowMs: Date.now, random: Math.random, ...worker })
      servers.push(server)
      return server
    },
  }

  const store = ON_KAFKA ? await storeOnKafka(join(folder, 'node')) : storeOnDisk(join(folder, 'data'))

  async function open() {
    const storage = await store.open()
    const { catalog, log, promises } = storage
    const registry = await Registry.load(catalog, storage.cluster)
    const report = (error: unknown) => reported.push(error)
    const streams = new Streams(log, registry, {
      ...{ nowMs: Date.now, asyncQueueBytesMax: 1, onAsyncLost: () => {}, space },
    })
    const folders = new StateFolders(join(folder, 'data', 'jobs'))
    const writes = new StreamWrites(storage, streams, space)
    const host = new JobHost({
      ...{ log, hasHoles: !promises.gaplessSequences, registry, nowMs: Date.now, random: Math.random },
      ...{ folders, report, code },
      options: {
        ...{ memoryBytes: 128 * MIB, processBytes: 4096 * MIB, diskBytes: 128 * MIB },
        ...{ spillFolder: join(folder, 'data', 'jobs-spill'), jobsFolder: folders.folder },
      },
      source: new StreamSource(streams, registry, Date.now),
      sinks: new SinkWrites({ catalog, writes, eventBytesMax: 16 * MIB }),
      refusal: (...args) => jobs.refusal(...args),
      queries: () => jobs.querySource,
    })
    const planner = schemas === undefined ? PLANNER_BY_HAND : new PlannerClient({ report })
    const engine = new EmbeddedEngine({
      planner,
      host,
      folders,
      space,
      stateBytesMax: 64 * MIB,
      tickEventsMax: 100_000,
    })
    const jobs: Jobs = await Jobs.load({
      ...{
        catalog,
        registry,
        streams,
        tables,
        engine,
        usage: new UsageRegistry(),
        jobsMax: 64,
        random: Math.random,
      },
      places: new SavepointPlaces(join(folder, 'data', 'savepoints'), [join(folder, 'root')]),
      version: '0.0.0-test',
      ...{ nowMs: Date.now, report, named: undefined },
    })
    jobs.querySource = queries
    const close = async () => {
      await engine.close(5_000)
      await jobs.close()
      await storage.close()
    }
    return {
      storage,
      registry,
      streams,
      engine,
      host,
      jobs,
      close,
      namespaces: new Namespaces(registry, true),
    }
  }

  let opened = await open()
  await opened.streams.create(IN, {})
  for (const [name, schemaSql] of Object.entries(schemas ?? {}))
    await tables.define(DEFAULT_NAMESPACE, name, schemaSql, opened.engine, upsert.includes(name))
  opened.jobs.start()
  onTestFinished(async () => {
    await opened.close()
    await store.remove()
    await rm(folder, { recursive: true })
  })
  return {
    ...{ folder, reported, space, servers },
    now: () => opened,
    async restart() {
      await opened.close()
      opened = await open()
      opened.jobs.start()
    },
    /** What a kill of the service and its worker at this moment would leave on the disk. */
    async snapshot(): Promise<string> {
      const copy = await mkdtemp(join(tmpdir(), 'millrace-killed-'))
      await cp(folder, copy, { recursive: true })
      return copy
    },
    /** Starts the service again on a snapshot. */
    async continueFrom(snapshot: string) {
      await opened.close()
      await rm(folder, { recursive: true })
      await rename(snapshot, folder)
      opened = await open()
      opened.jobs.start()
    },
    /** Events in IN. */
    async streamSize(): Promise<number> {
      const { streams, storage } = opened
      return (await storage.log.tail(streams.get(IN).log))?.nextSequence ?? 0
    },
    tables: () => tables.list(DEFAULT_NAMESPACE),
    async create(
      statement = 'INSERT INTO OUT SELECT * FROM IN',
      restore?: { readonly location: string; readonly allowNonRestoredState?: boolean },
    ): Promise<string> {
      const request = {
        ...{ statement, tableIds: [], name: undefined },
        ...(restore && { restore: { allowNonRestoredState: false, ...restore } }),
      }
      return (await opened.jobs.create(DEFAULT_NAMESPACE, request, undefined)).jid
    },
    view: (jid: string) => opened.jobs.get(DEFAULT_NAMESPACE, jid),
    async post(...values: readonly number[]): Promise<void> {
      await Promise.all(values.map((a) => this.postJson({ a })))
    },
    async postJson(value: unknown, headers: readonly (readonly [string, string])[] = []): Promise<void> {
      const { streams } = opened
      await streams.append(streams.get(IN), { headers, body: Buffer.from(JSON.stringify(value)) })
    },
    /** The values of `a` in OUT. */
    async results(): Promise<number[]> {
      return (await this.resultsJson()).map((row) => (row as { a: number }).a)
    },
    async resultsJson(): Promise<unknown[]> {
      if (!opened.streams.has(OUT)) return []
      const all = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER, limit: Number.MAX_SAFE_INTEGER }
      const read = await opened.streams.read(OUT, all)
      const values: unknown[] = []
      for await (const { bytes, starts, ends, runs } of read?.blocks ?? []) {
        for (const { begin, end } of runs) {
          for (let i = begin; i < end; i++)
            values.push(JSON.parse(Buffer.from(bytes.subarray(starts[i], ends[i])).toString()))
        }
      }
      return values
    },
  }
}

async function never(): Promise<never> {
  throw new Error('this planner has no types')
}

interface JobsStore {
  open(): Promise<Storage>
  remove(): Promise<void>
}

function storeOnDisk(folder: string): JobsStore {
  return { open: () => openStorage(folder, { nowMs: Date.now, sync: true }), remove: async () => {} }
}

async function storeOnKafka(folder: string): Promise<JobsStore> {
  const kafka = await TestKafka.shared()
  const { addresses: brokers } = kafka
  const prefix = kafka.newPrefix()
  return {
    open: () => openKafkaStorage({ access: { brokers }, prefix, folder, nowMs: Date.now, insecure: true }),
    remove: () => removeTopics(brokers, prefix),
  }
}

const PLANNER_BY_HAND: StatementPlanner = {
  plan: async (_, tables) => planOf(tables),
  typesOf: never,
  describe: never,
  async close() {},
}

function planOf(tables: readonly PlannedTable[]): JobPlan {
  const [from, to] = ['IN', 'OUT'].map((name) => tables.find((table) => table.name === name)!)
  const column = { name: 'a', type: { kind: 'INT' } } as const
  const sink = { tableId: to!.id, tableName: 'OUT', columns: [column], primaryKey: [] }
  return {
    ...{ signature: 's', lookups: [], fixed: [], vertices: [] },
    sources: [
      {
        ...{ relation: 's0', tableId: from!.id, tableName: 'IN', decoded: [column], columns: [column] },
        ...{ view: 'SELECT "a" FROM in_s0', watermark: undefined, changeKey: [] },
      },
    ],
    inserts: [{ sink, way: 'arrival', select: 'SELECT __ord, "a" AS c0 FROM s0 WHERE "a" > 10' }],
  }
}
