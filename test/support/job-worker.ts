/**
 * A worker of jobs in the test's process, with a service end made of a real store in memory. Epochs of sinks are kept
 * beside it: a test can change them.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { MemoryLevel } from 'memory-level'
import { onTestFinished } from 'vitest'
import type { JobPlan } from '../../src/jobs/plan/job-plan.ts'
import type { QueryBoundary, ResultUpdate } from '../../src/jobs/query-job.ts'
import type { JobOrder, OrderOutcome } from '../../src/jobs/savepoints/savepoint.ts'
import type {
  ConnectedTable,
  FromJobWorker,
  Heartbeat,
  JobFailure,
  JobFigures,
  JobReport,
  JobStart,
  SinkEvents,
  ToJobWorker,
} from '../../src/jobs/worker/job-worker-protocol.ts'
import { type JobWorkerOptions, JobWorkerServer } from '../../src/jobs/worker/job-worker-server.ts'
import type { DataType } from '../../src/sql/data-types.ts'
import type { NamespaceName, StreamId, StreamName } from '../../src/streams/names.ts'
import { DEFAULT_NAMESPACE } from '../../src/streams/names.ts'
import { earliestVisibleMs } from '../../src/streams/properties.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import type { TopicConnector } from '../../src/tables/table.ts'
import type { EventMessage } from '../../src/worker/event-pipe.ts'
import { EventSender } from '../../src/worker/event-sender.ts'
import { StreamSource } from '../../src/worker/event-source.ts'
import { failureOf } from '../../src/worker/failure.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { EventBlock } from '../../storage/log.ts'
import type { Storage } from '../../storage/storage.ts'

const MB = 1024 * 1024

export interface TestWorkerOptions extends Partial<JobWorkerOptions> {
  readonly jobsFolder?: string
  readonly store?: TestStore
}

/** A snapshot is not complete. */
export const NO_BOUNDARY = () => null

/** The streams of the test. */
export class TestStore {
  readonly storage: Storage
  readonly registry: Registry
  readonly streams: Streams
  readonly epochs = new Map<string, number>()
  readonly nowMs: () => number

  private constructor(storage: Storage, registry: Registry, streams: Streams, nowMs: () => number) {
    this.storage = storage
    this.registry = registry
    this.streams = streams
    this.nowMs = nowMs
  }

  static async open(nowMs: () => number = Date.now): Promise<TestStore> {
    const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const storage = await openStorageOn(db as unknown as Level, { nowMs, sync: true })
    const registry = await Registry.load(storage.catalog)
    const streams = new Streams(storage.log, registry, {
      nowMs,
      asyncQueueBytesMax: MB,
      onAsyncLost: () => {},
    })
    return new TestStore(storage, registry, streams, nowMs)
  }

  async create(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.streams.create(streamId(name), {})
  }

  log(name: string): number {
    return this.streams.get(streamId(name)).log
  }

  /** Appends bodies as one group, with one timestamp. */
  async append(
    name: string,
    bodies: readonly string[],
    headers: readonly (readonly [string, string])[] = [],
  ): Promise<void> {
    await this.storage.log.append(
      this.log(name),
      bodies.map((body) => ({ headers, body: Buffer.from(body) })),
    )
  }

  /** Bodies of all events. */
  async bodies(name: string): Promise<string[]> {
    return (await this.events(name)).map(({ body }) => body)
  }

  async events(
    name: string,
  ): Promise<{ body: string; headers: Record<string, string>; timestampMs: number }[]> {
    const read = await this.storage.log.read(this.log(name), {
      startMs: 0,
      endMs: Number.MAX_SAFE_INTEGER,
      limit: 2_147_483_647,
    })
    const events: { body: string; headers: Record<string, string>; timestampMs: number }[] = []
    if (read === undefined) return events
    for await (const { bytes, starts, ends, runs } of read.blocks) {
      for (const { begin, end, headers, timestampMs } of runs) {
        for (let i = begin; i < end; i++) {
          const body = Buffer.from(bytes.subarray(starts[i], ends[i])).toString('utf8')
          events.push({ body, headers: Object.fromEntries(headers), timestampMs })
        }
      }
    }
    return events
  }
}

export function streamId(name: string): StreamId {
  return { namespace: DEFAULT_NAMESPACE as NamespaceName, stream: name as StreamName }
}

type Methods = {
  readonly [method: string]: (...args: never[]) => Promise<unknown>
}

export class TestWorker {
  readonly store: TestStore
  readonly server: JobWorkerServer
  readonly reports: JobReport[] = []
  readonly jobsFolder: string
  /** Set: appends fail with this. */
  /** Called with the job that begins to use the engine; null: none does. */
  onTurn: (jid: string | null) => void = () => {}
  /** Of jobs of cached queries. */
  boundary: () => QueryBoundary | null = NO_BOUNDARY
  readonly published: ResultUpdate[] = []
  publishFailure: Error | undefined
  appendFailure: { message: string; passing: boolean } | undefined
  /** Appends take at least this time. */
  /** Writes of sinks wait for it. */
  beforeAppend: () => Promise<void> = async () => {}
  readonly heartbeats: Heartbeat[] = []
  readonly dumps: (FromJobWorker & { kind: 'dumped' })[] = []
  readonly #port: MessageChannel
  readonly #sender: EventSender
  readonly #starts = new Map<string, JobStart>()
  readonly #staged = new Map<string, SinkEvents[]>()
  readonly #watches = new AbortController()
  readonly #calls = new Map<number, (answer: FromJobWorker) => void>()
  readonly #waiting = new Set<() => void>()
  #lastCall = 0
  #closed: Promise<void> | undefined

  private constructor(store: TestStore, jobsFolder: string, options: Partial<JobWorkerOptions>) {
    this.store = store
    this.jobsFolder = jobsFolder
    this.#port = new MessageChannel()
    const { port1, port2 } = this.#port
    this.#sender = new EventSender(
      new StreamSource(store.streams, store.registry, store.nowMs),
      async (message) => {
        port1.postMessage(message.kind === 'block' ? { ...message, block: copied(message.block) } : message)
      },
    )
    port1.on('message', (message: FromJobWorker) => this.#take(message))
    this.server = new JobWorkerServer(
      {
        post: (message) => port2.postMessage(message),
        listen: (onMessage) =>
          port2.on('message', (message: ToJobWorker | EventMessage) => onMessage(message)),
      },
      { nowMs: Date.now, random: Math.random, ...options },
    )
    this.#post({
      kind: 'open',
      options: {
        memoryBytes: 512 * MB,
        processBytes: 2048 * MB,
        diskBytes: 100 * MB,
        spillFolder: '',
        jobsFolder,
      },
    })
  }

  static async open({ jobsFolder, store, ...options }: TestWorkerOptions = {}): Promise<TestWorker> {
    const folder = jobsFolder ?? (await temporaryFolder())
    return new TestWorker(store ?? (await TestStore.open()), folder, options)
  }

  /** Resolves when the worker has taken the job over. */
  async start(start: JobStart): Promise<void> {
    this.#starts.set(start.jid, start)
    const call = ++this.#lastCall
    await this.#call({ kind: 'call', call, method: 'start', start })
  }

  async cancel(jid: string): Promise<void> {
    const call = ++this.#lastCall
    await this.#call({ kind: 'call', call, method: 'cancel', jid })
  }

  /** Resolves with what has become of the order, or with the job's failure. */
  async order(jid: string, order: JobOrder): Promise<OrderOutcome> {
    const call = ++this.#lastCall
    await this.#call({ kind: 'call', call, method: 'order', jid, order })
    return this.until(() => {
      const found = this.reports.find((report) => report.kind === 'order' && report.id === order.id)
      if (found?.kind === 'order') return found.outcome
      return this.failure && { kind: 'failed', message: this.failure.message }
    })
  }

  get running(): number {
    return this.reports.filter(({ kind }) => kind === 'running').length
  }

  get failure(): JobFailure | undefined {
    const found = this.reports.find((report) => report.kind === 'failed')
    return found?.kind === 'failed' ? found.failure : undefined
  }

  /** The last ones after a commit: a job reports also when it begins. */
  get figures(): JobFigures | undefined {
    const found = this.reports.findLast(
      (report) => report.kind === 'progress' && report.figures.checkpoint !== undefined,
    )
    return found?.kind === 'progress' ? found.figures : undefined
  }

  /** Resolves when `test` returns a value; it is called after each message of the worker. */
  async until<T>(test: () => T | undefined | Promise<T | undefined>, timeoutMs = 120_000): Promise<T> {
    const endsMs = Date.now() + timeoutMs
    for (;;) {
      const value = await test()
      if (value !== undefined && value !== false) return value
      if (Date.now() > endsMs) throw new Error(`not reached: ${JSON.stringify(this.reports.slice(-5))}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20)
        this.#waiting.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  failed(): Promise<JobFailure> {
    return this.until(() => this.failure)
  }

  /** Leaves the worker as it is, as if its process were gone: a second engine must not use its files meanwhile. */
  abandon(): void {
    this.#closed = Promise.resolve()
    this.#watches.abort()
    this.#sender.stop()
    this.#port.port1.close()
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.server.close()
      this.#watches.abort()
      this.#sender.stop()
      this.#port.port1.close()
    })()
    return this.#closed
  }

  /** Asks for a heartbeat, and for what the worker is doing. */
  look(): void {
    this.#post({ kind: 'look' })
    this.#post({ kind: 'dump', asked: 1 })
  }

  #post(message: ToJobWorker): void {
    this.#port.port1.postMessage(message)
  }

  async #call(message: ToJobWorker & { kind: 'call' }): Promise<void> {
    const answer = await new Promise<FromJobWorker>((resolve) => {
      this.#calls.set(message.call, resolve)
      this.#post(message)
    })
    if (answer.kind === 'refusal') throw new Error(answer.failure.message)
  }

  #take(message: FromJobWorker): void {
    switch (message.kind) {
      case 'answer':
      case 'refusal':
        this.#calls.get(message.call)?.(message)
        break
      case 'request':
        void this.#reply(message)
        break
      case 'report':
        this.reports.push(message.report)
        break
      case 'heartbeat':
        this.heartbeats.push(message.heartbeat)
        break
      case 'dumped':
        this.dumps.push(message)
        break
      case 'ticking':
        this.onTurn(message.jid)
        break
      case 'out-of-memory':
      case 'stuck':
      case 'engine-failed':
        break
      default:
        this.#sender.take(message)
    }
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  async #reply({ requested, method, args }: FromJobWorker & { kind: 'request' }): Promise<void> {
    try {
      const value = await (this.#methods()[method] as (...all: readonly unknown[]) => Promise<unknown>)(
        ...args,
      )
      this.#post({ kind: 'reply', request: requested, value })
    } catch (error) {
      const passing = (error as { passing?: boolean }).passing ?? true
      this.#post({ kind: 'reply', request: requested, failure: { ...failureOf(error), passing } })
    }
  }

  #methods(): Methods {
    const { storage, registry, epochs, nowMs } = this.store
    const stream = (jid: string, tableId: string): StreamId =>
      this.#starts.get(jid)!.tables.find(({ id }) => id === tableId)!.stream!
    return {
      recorded: async (jid: string, sink: number) => epochs.get(`${jid}/${sink}`) ?? null,
      stage: async (jid: string, sink: number, epoch: number, _table: string, events: SinkEvents) => {
        const key = `${jid}/${sink}/${epoch}`
        this.#staged.set(key, [...(this.#staged.get(key) ?? []), events])
      },
      append: async (jid: string, sink: number, epoch: number, table: string, events: SinkEvents) => {
        await this.beforeAppend()
        if (this.appendFailure !== undefined)
          throw Object.assign(new Error(this.appendFailure.message), this.appendFailure)
        const key = `${jid}/${sink}/${epoch}`
        const parts = [...(this.#staged.get(key) ?? []), events]
        this.#staged.delete(key)
        const { namespace, stream: name } = stream(jid, table)
        const { log } = registry.find(namespace, name)!
        const batch = storage.log.stage(log)
        for (const { bytes, starts, ends, runs } of parts) {
          let begin = 0
          for (const { end, headers } of runs) {
            const slices = {
              bytes,
              starts: starts.subarray(begin, end),
              ends: ends.subarray(begin, end),
              count: end - begin,
            }
            if (end > begin) await batch.add(slices, headers)
            begin = end
          }
        }
        await batch.commit()
        epochs.set(`${jid}/${sink}`, epoch)
      },
      tail: async (jid: string, table: string) => {
        const { namespace, stream: name } = stream(jid, table)
        const found = registry.find(namespace, name)
        if (found === undefined) return null
        const tail = await storage.log.tail(found.log)
        const visibleMs = earliestVisibleMs(nowMs(), found.properties.ttlSeconds)
        return {
          log: found.log,
          nextSequence: tail?.nextSequence ?? 0,
          lastTimestampMs: tail?.lastTimestampMs ?? 0,
          firstSequence: tail?.firstSequence ?? 0,
          firstTimestampMs: Math.max(tail?.firstTimestampMs ?? 0, visibleMs),
          nowMs: storage.log.nowMs(),
        }
      },
      boundary: async () => this.boundary(),
      publish: async (_: string, update: ResultUpdate) => {
        if (this.publishFailure !== undefined) throw this.publishFailure
        this.published.push(update)
      },
      watch: async (jid: string, source: number, log: number, sequence: number) => {
        void storage.log
          .growth(log, sequence, this.#watches.signal)
          .then(() => this.#post({ kind: 'grown', jid, source }))
      },
    }
  }
}

function copied(block: EventBlock): EventBlock {
  return {
    ...block,
    bytes: Uint8Array.prototype.slice.call(block.bytes),
    starts: block.starts.slice(),
    ends: block.ends.slice(),
  }
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jobs-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export async function testWorker(options: TestWorkerOptions = {}): Promise<TestWorker> {
  const worker = await TestWorker.open(options)
  onTestFinished(() => worker.close())
  return worker
}

export const JID = 'a'.repeat(32)

export function column(
  name: string,
  kind: DataType['kind'],
  more: object = {},
): { name: string; type: DataType } {
  return { name, type: { kind, ...more } as DataType }
}

type Columns = readonly { readonly name: string; readonly type: DataType }[]

/** A table over the stream of this name in the format json. */
export function streamTable(
  name: string,
  columns: Columns,
  more: Partial<TopicConnector> = {},
  primaryKey: readonly string[] = [],
): ConnectedTable {
  const connector: TopicConnector = {
    kind: 'topic',
    topic: name,
    startup: 'earliest',
    valueFormat: 'json',
    keyFormat: undefined,
    keyFields: [],
    valueFieldsInclude: 'ALL',
    ...more,
  }
  return {
    id: name,
    name,
    connector,
    access: { kind: 'stream' },
    physical: columns.map(({ name: of, type }) => ({ name: of, type, nullable: true })),
    primaryKey,
    stream: streamId(name),
  }
}

export function jobStart(
  worker: { readonly jobsFolder: string },
  plan: JobPlan,
  tables: readonly ConnectedTable[],
  more: Partial<JobStart> = {},
): JobStart {
  const jid = more.jid ?? JID
  return {
    jid,
    plan,
    tables,
    stateFolder: join(worker.jobsFolder, jid),
    stateBytesMax: 4096 * MB,
    tickEventsMax: 100_000,
    tickBytesMax: 16 * MB,
    ...more,
  }
}
