/** The job model on a store in memory, with a scripted engine, fixed tables IN, OUT and OTHER, and a clock that the test moves. */
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Grants, parseGrant } from '../../src/auth/grants.ts'
import type { Client } from '../../src/auth/tokens.ts'
import { Jobs } from '../../src/jobs/jobs.ts'
import { SavepointPlaces } from '../../src/jobs/savepoints/savepoint-places.ts'
import { DEFAULT_NAMESPACE, type NamespaceName, parseStreamName } from '../../src/streams/names.ts'
import { Namespaces } from '../../src/streams/namespaces.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import { UsageRegistry } from '../../src/streams/usage.ts'
import type { Storage } from '../../storage/storage.ts'
import { FixedTables } from './fixed-tables.ts'
import { ScriptedEngine } from './scripted-engine.ts'
import { newWeakData, openWeakStorage, type WeakStorage } from './weak-engine/weak-storage.ts'

export const STATEMENT = 'INSERT INTO OUT SELECT * FROM IN'

/** Timers that run when the test moves the clock. */
export class FakeClock {
  nowMs = 1_000_000
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>()

  readonly timer = (delayMs: number, run: () => void): (() => void) => {
    const timer = { atMs: this.nowMs + delayMs, run }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Runs the timers that are due, in their order, and lets what they start settle. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs)
      if (next === undefined || next.atMs > endMs) break
      this.#timers.delete(next)
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.run()
      await settled()
    }
    this.nowMs = endMs
  }
}

/** Long enough for writes of the weak engine, which take some turns of the event loop. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await new Promise((resolve) => setImmediate(resolve))
}

export function client(name: string, ...grants: string[]): Client {
  return {
    ...{ name, hash: 'sha256:0' as Client['hash'], expiresMs: undefined, rate: undefined },
    grants: new Grants(grants.map(parseGrant)),
  }
}

export interface JobsOptions {
  readonly jobsMax?: number
  readonly queriesMax?: number
  /** Valid tokens by name; undefined: tokens are not required. */
  readonly tokens?: Map<string, Client>
}

export async function jobsSetup({ jobsMax: slots = 64, queriesMax, tokens }: JobsOptions = {}) {
  let jobsMax = slots
  let savepointFolder: string | undefined
  const folder = join(tmpdir(), `millrace-savepoints-${randomUUID()}`)
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const data = newWeakData()
  const clock = new FakeClock()
  const tables = new FixedTables()
  const usage = new UsageRegistry()
  const reported: unknown[] = []
  for (const name of ['IN', 'OUT', 'OTHER']) tables.add(DEFAULT_NAMESPACE, name)

  async function open() {
    const storage: WeakStorage = openWeakStorage(data, () => clock.nowMs)
    const registry = await Registry.load(storage.catalog)
    const streams = new Streams(storage.log, registry, {
      ...{ nowMs: () => clock.nowMs, asyncQueueBytesMax: 1, onAsyncLost: () => {} },
    })
    const engine = new ScriptedEngine()
    usage.onRemoval(registry)
    const jobs = await Jobs.load({
      ...{ catalog: storage.catalog, registry, streams, tables, engine, usage, jobsMax, random: () => 0.5 },
      ...{ nowMs: () => clock.nowMs, report: (error: unknown) => reported.push(error), timer: clock.timer },
      ...(queriesMax !== undefined && { queriesMax }),
      ...{ places: new SavepointPlaces(savepointFolder ?? folder), version: '0.0.0-test' },
      named: tokens && ((name: string) => tokens.get(name)),
      othersMayCreateJobs:
        tokens &&
        ((name: string) =>
          [...tokens.values()].some((other) => other.name !== name && other.grants.allowJobsSomewhere())),
    })
    return { storage, registry, streams, engine, jobs, namespaces: new Namespaces(registry, true) }
  }

  let opened = await open()
  await opened.streams.create({ namespace: DEFAULT_NAMESPACE, stream: parseStreamName('in') }, {})
  opened.jobs.start()
  onTestFinished(() => opened.jobs.close())
  return {
    ...{ clock, tables, usage, reported, data, folder },
    /** Takes effect with the next restart. */
    moveSavepoints(other: string) {
      savepointFolder = other
    },
    get jobs() {
      return opened.jobs
    },
    get engine() {
      return opened.engine
    },
    get streams() {
      return opened.streams
    },
    get storage(): Storage & WeakStorage {
      return opened.storage
    },
    get namespaces() {
      return opened.namespaces
    },
    /** Stops the service and starts it again; `start: false`: before jobs are started. */
    async restart({ start = true, jobsMax: newSlots = jobsMax } = {}) {
      jobsMax = newSlots
      await opened.engine.close()
      await opened.jobs.close()
      await opened.storage.close()
      opened = await open()
      if (start) opened.jobs.start()
      await settled()
    },
    async create(namespace: NamespaceName = DEFAULT_NAMESPACE, statement = STATEMENT, owner?: Client) {
      const view = await opened.jobs.create(namespace, { statement, tableIds: [], name: undefined }, owner)
      await settled()
      return view
    },
    state: (jid: string, namespace: NamespaceName = DEFAULT_NAMESPACE) =>
      opened.jobs.get(namespace, jid).state,
    /** The document of the job, without what every document has. */
    async document(jid: string) {
      const stored = await opened.storage.catalog.get('jobs', `default:${jid}`)
      return stored?.document as Record<string, unknown> | undefined
    },
  }
}
