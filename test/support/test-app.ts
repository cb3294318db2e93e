/**
 * The whole service on a free port of 127.0.0.1, with a clock that stands still until a test moves it. The log is a
 * LevelDB in memory, or with `onDisk` one in a temporary folder that `restart` opens again.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLevel } from 'memory-level'
import { expect, onTestFinished, test } from 'vitest'
import type { Config } from '../../src/config.ts'
import type { Environment } from '../../src/environment.ts'
import type { Api, AppOptions } from '../../src/http/api.ts'
import { openParsePort } from '../../src/http/document-parsers.ts'
import { Workers } from '../../src/http/messages/parse-workers.ts'
import { Followers } from '../../src/http/server/followers.ts'
import { Load } from '../../src/http/server/load.ts'
import { OpenAnswers } from '../../src/http/server/open-answers.ts'
import { SlowClients } from '../../src/http/server/slow-clients.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/limits.ts'
import { LoopShare } from '../../src/loop-share.ts'
import { type RunningService, startService } from '../../src/main.ts'
import { openKafkaStorage } from '../../storage/kafka/open.ts'
import type { KafkaStorageOptions } from '../../storage/kafka/settings.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import { removeKafkaStore, takeKafkaStore } from './kafka-stores.ts'
import { newWeakData, openWeakStorage } from './weak-engine/weak-storage.ts'

/** Path prefix of the streams of the default namespace. */
export const STREAMS = '/v3/namespaces/default/streams'

export interface TestAppOptions {
  /** Streams of the default namespace that exist already. */
  readonly streams?: readonly string[]
  readonly nowMs?: number
  readonly onDisk?: boolean
  /** On disk, in this folder, which stays. */
  readonly dataFolder?: string
  readonly config?: Partial<Omit<Config, 'limits'>>
  readonly limits?: Partial<Limits>
  /** The APIs of the service, where the test adds one. */
  readonly apis?: readonly Api[]
  /** A store of the test's own. */
  readonly openStorage?: (nowMs: () => number) => Promise<Storage>
  /** Free disk space in bytes, where the test is about it. */
  readonly freeBytes?: () => number
  /** Log files and the end of the service, where the test is about them. */
  readonly environment?: Pick<Environment, 'logs' | 'shutdown'> & Partial<Pick<Environment, 'random'>>
  /** How busy the process seems to be, 0 to 1, where the test is about it. */
  readonly busyShare?: () => number
}

export interface RequestOptions {
  /** Sent as they are written here, names in this very case; an array value is sent as several lines. */
  readonly headers?: Record<string, string | string[]>
  readonly body?: string | Uint8Array
  /** The body in these pieces, with `Transfer-Encoding: chunked`. */
  readonly chunks?: readonly Uint8Array[]
}

export interface TestResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  json(): unknown
}

export interface EventJson {
  readonly timestamp: number
  readonly headers: Record<string, string>
  readonly body: string
  readonly encoding?: string
  readonly cursor?: string
}

export interface TestApp {
  readonly port: number
  /** With `flinkPort` in the config. */
  readonly flinkPort: number | undefined
  /** With `cachedQueriesPort` in the config. */
  readonly cachedQueriesPort: number | undefined
  /** With `ververicaPort` in the config. */
  readonly ververicaPort: number | undefined
  /** With `onDisk`. */
  readonly dataFolder: string
  /** Time of the service, in milliseconds; tests set it. */
  nowMs: number
  /** Failures the service reported as its own. Empty at the end of a good test. */
  readonly reported: unknown[]
  /** What it wrote to its log, line by line. */
  readonly logged: string[]
  request(method: string, path: string, options?: RequestOptions): Promise<TestResponse>
  get(path: string, options?: RequestOptions): Promise<TestResponse>
  put(path: string, options?: RequestOptions): Promise<TestResponse>
  post(path: string, options?: RequestOptions): Promise<TestResponse>
  delete(path: string, options?: RequestOptions): Promise<TestResponse>
  /** All events of a stream of the default namespace; `query` such as `limit=3`. */
  events(stream: string, query?: string): Promise<EventJson[]>
  /** As on SIGHUP. */
  reload(): void
  /** Lets the janitor do all it has to do. */
  tidy(): Promise<number>
  /** Stops the service and starts it again on the same data. */
  restart(graceMs?: number): Promise<void>
}

/** Stops by itself when the test is over. */
export async function testApp(options: TestAppOptions = {}): Promise<TestApp> {
  const app = await startTestApp(options)
  onTestFinished(() => app.stop())
  return app
}

/** For tests that need many, one after the other: has to be stopped. */
export async function startTestApp(
  options: TestAppOptions = {},
): Promise<TestApp & { stop(): Promise<void> }> {
  const store = await storeFor(options)
  const config: Config = {
    port: 0,
    host: '127.0.0.1',
    dataFolder: store.folder,
    eventBytesMax: 16 * 1024 * 1024,
    asyncQueueBytesMax: 32 * 1024 * 1024,
    janitorIntervalMs: 86_400_000,
    minFreeDiskBytes: 0, // the machine's own disk is no part of a test
    unrecoverableReset: true,
    corsOrigins: [],
    ...options.config,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  }
  const agent = new Agent({ keepAlive: true })
  const reported: unknown[] = []
  const logged: string[] = []
  const { freeBytes, busyShare } = options
  let service: RunningService

  async function start(): Promise<void> {
    service = await startService(
      config,
      {
        nowMs: () => app.nowMs,
        random: () => 0.5,
        report: (error) => reported.push(error),
        log: (line) => logged.push(line),
        ...options.environment,
        ...(store.open && { openStorage: store.open }),
        ...(busyShare && { busyShare }),
        ...(freeBytes && { statfs: async () => ({ bavail: freeBytes(), bsize: 1 }) }),
      },
      options.apis,
    )
  }

  const app = {
    dataFolder: store.folder,
    nowMs: options.nowMs ?? 1_000_000,
    reported,
    logged,
    get port() {
      return service.port
    },
    get flinkPort() {
      return service.flinkPort
    },
    get cachedQueriesPort() {
      return service.cachedQueriesPort
    },
    get ververicaPort() {
      return service.ververicaPort
    },
    request: (method: string, path: string, request: RequestOptions = {}) =>
      send(agent, service.port, method, path, request),
    get: (path: string, request?: RequestOptions) => app.request('GET', path, request),
    put: (path: string, request?: RequestOptions) => app.request('PUT', path, request),
    post: (path: string, request?: RequestOptions) => app.request('POST', path, request),
    delete: (path: string, request?: RequestOptions) => app.request('DELETE', path, request),
    async events(stream: string, query = '') {
      const response = await app.get(`${STREAMS}/${stream}/events${query && `?${query}`}`)
      if (response.status === 204) return []
      if (response.status !== 200) throw new Error(`GET events answered ${response.status}: ${response.text}`)
      return response.json() as EventJson[]
    },
    reload: () => service.reload(),
    async tidy() {
      let removed = 0
      for (;;) {
        const tick = await service.janitor.tick()
        removed += tick.removed
        if (!tick.more) return removed
      }
    },
    async restart(graceMs = 1_000) {
      agent.destroy() // a service that stops waits for connections between two requests
      await service.close(graceMs)
      await start()
    },
    async stop() {
      agent.destroy()
      await service.close(1_000)
      await store.remove()
    },
  }
  await start()
  const { streams = [] } = options
  if (streams.length > 50) await Promise.all(streams.map((stream) => app.put(`${STREAMS}/${stream}`)))
  else for (const stream of streams) await app.put(`${STREAMS}/${stream}`) // in this order, which their logs have, too
  return app
}

/** What `createApp` needs beside the services, for tests that call it themselves. */
export function routeOptions(given: Pick<AppOptions, 'nowMs' | 'report'>): AppOptions {
  const limits = DEFAULT_LIMITS
  const parts = {
    load: new Load(limits),
    slowClients: new SlowClients(limits, {}),
    loopShare: new LoopShare(),
    openAnswers: new OpenAnswers(undefined),
    followers: new Followers(1),
    workers: new Workers({ maxDocumentBytes: limits.maxDocumentBytes, openPort: openParsePort }),
  }
  return { eventBytesMax: 1, limits, ...parts, ...given }
}

interface Store {
  readonly folder: string
  readonly open?: (nowMs: () => number) => Promise<Storage>
  remove(): Promise<void>
}

/**
 * The engine of stores, where a test does not bring its own. `TEST_STORAGE=weak`: the weak engine. `TEST_STORAGE=kafka`: the
 * cluster of MILLRACE_TEST_KAFKA, with the times of the test's clock.
 */
const { TEST_STORAGE } = process.env
/** Streams are topics of a Kafka cluster. */
export const ON_KAFKA = TEST_STORAGE === 'kafka'

/** An engine that does not promise what LevelDB does. */
export const ON_WEAK_ENGINE = TEST_STORAGE === 'weak' || ON_KAFKA

/** Of the event of this index, where a log has no holes; otherwise any number. */
export function sequenceOf(index: number): number {
  return ON_WEAK_ENGINE ? expect.any(Number) : index
}

/** For facts that only LevelDB promises: files on disk, sequences without holes, contiguous batches, merged blocks. */
export const testOnLevelDb = test.skipIf(ON_WEAK_ENGINE)

function storeFor({ onDisk, dataFolder, openStorage }: TestAppOptions): Promise<Store> | Store {
  if (dataFolder !== undefined) return { folder: dataFolder, remove: async () => {} }
  if (ON_KAFKA && openStorage === undefined) return kafkaStore()
  if (ON_WEAK_ENGINE && openStorage === undefined) return weakStore()
  return onDisk ? diskStore() : memoryStore(openStorage)
}

/** With a folder, for what the service keeps beside its store. */
async function weakStore(): Promise<Store> {
  const data = newWeakData()
  const folder = await mkdtemp(join(tmpdir(), 'millrace-app-'))
  return {
    folder: join(folder, 'data'),
    async open(nowMs) {
      await mkdir(join(folder, 'data'), { recursive: true }) // an engine on disk makes it
      return openWeakStorage(data, nowMs)
    },
    remove: () => rm(folder, { recursive: true }),
  }
}

async function kafkaStore(): Promise<Store> {
  const store = await takeKafkaStore()
  const { prefix } = store
  const folder = await mkdtemp(join(tmpdir(), 'millrace-app-'))
  return {
    folder: join(folder, 'data'),
    async open(nowMs) {
      await mkdir(join(folder, 'data'), { recursive: true })
      const access = { brokers: store.addresses }
      return openTestKafka({ access, prefix, folder: join(folder, 'data', 'node'), nowMs })
    },
    async remove() {
      removeKafkaStore(store)
      await rm(folder, { recursive: true })
    },
  }
}

/** With the times of the test's clock. */
export async function openTestKafka(
  options: Omit<KafkaStorageOptions, 'eventClock' | 'insecure'>,
): Promise<Storage> {
  const storage = await openKafkaStorage({ ...options, eventClock: options.nowMs, insecure: true })
  return Object.assign(storage, { remarks: [] }) // one broker has no replicas, which every test would report
}

async function diskStore(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-app-'))
  return { folder: join(folder, 'data'), remove: () => rm(folder, { recursive: true }) }
}

let folders = 0

/** With a folder for what is kept beside the store: keys of secrets, states of jobs. */
function memoryStore(open?: (nowMs: () => number) => Promise<Storage>): Store {
  const folder = join(tmpdir(), `millrace-memory-${process.pid}-${++folders}`)
  const remove = () => rm(folder, { recursive: true, force: true })
  if (open !== undefined) return { folder, open, remove }
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  return {
    folder,
    async open(nowMs) {
      await mkdir(folder, { recursive: true })
      await db.open()
      return openStorageOn(db as unknown as Level, { nowMs, sync: true })
    },
    remove,
  }
}

function send(
  agent: Agent,
  port: number,
  method: string,
  path: string,
  { headers = {}, body, chunks }: RequestOptions,
): Promise<TestResponse> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ agent, host: '127.0.0.1', port, method, path, headers }, (response) => {
      const received: Buffer[] = []
      response.on('data', (chunk: Buffer) => received.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const whole = Buffer.concat(received)
        const text = whole.toString('utf8')
        const status = response.statusCode ?? 0
        resolve({ status, headers: response.headers, body: whole, text, json: () => JSON.parse(text) })
      })
    })
    request.on('error', reject)
    if (chunks === undefined) {
      request.end(body)
    } else {
      for (const chunk of chunks) request.write(chunk)
      request.end()
    }
  })
}
