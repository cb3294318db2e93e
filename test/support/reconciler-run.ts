/**
 * The reconciler of deployments with the real jobs, on a store in memory and an engine that copies numbers, and with points at which the
 * process ends: before and after each write of the store, and each effect of the engine.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { embeddedTarget } from '../../src/deployments/first-resources.ts'
import { JobRequests } from '../../src/deployments/reconciler/job-requests.ts'
import { Reconciler, statusAfterChange } from '../../src/deployments/reconciler/reconciler.ts'
import { Resources } from '../../src/deployments/resource-store.ts'
import type { Deployment, DeploymentSpec } from '../../src/deployments/resources.ts'
import { SavepointDisposals } from '../../src/deployments/savepoint-disposals.ts'
import { Jobs } from '../../src/jobs/jobs.ts'
import { SavepointPlaces } from '../../src/jobs/savepoints/savepoint-places.ts'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import { UsageRegistry } from '../../src/streams/usage.ts'
import { CountingEngine, EngineDisk, plainScript } from './counting-engine.ts'
import { FixedTables } from './fixed-tables.ts'
import { newWeakData, openWeakStorage } from './weak-engine/weak-storage.ts'

const NS = DEFAULT_NAMESPACE

export interface Crash {
  /** Of this number, counted from 0 since `arm`. */
  readonly point: number
  readonly when: 'before' | 'after'
}

export function specOf(given: Partial<DeploymentSpec> = {}): DeploymentSpec {
  const size = { cpu: 1, memory: '1g' }
  return {
    ...{ state: 'RUNNING', deploymentTargetId: embeddedTarget(NS).metadata.id },
    ...{ upgradeStrategy: { kind: 'STATEFUL' }, maxSavepointCreationAttempts: 4, maxJobCreationAttempts: 4 },
    restoreStrategy: { kind: 'LATEST_STATE', allowNonRestoredState: false },
    template: {
      metadata: { annotations: {} },
      spec: {
        artifact: { kind: 'SQLSCRIPT', sqlScript: 'INSERT INTO OUT SELECT * FROM IN' },
        ...{ parallelism: 1, numberOfTaskManagers: 1, resources: { jobmanager: size, taskmanager: size } },
        ...{ flinkConfiguration: {}, logging: {}, kubernetes: {} },
      },
    },
    ...given,
  }
}

/** As `spec`, with another configuration. */
export function otherTemplate(spec: DeploymentSpec, value = '1'): DeploymentSpec {
  const { template } = spec
  const changed = { ...template.spec, flinkConfiguration: { changed: value } }
  return { ...spec, template: { ...template, spec: changed } }
}

/** Timers run when the test moves the clock. */
class Clock {
  nowMs = 1_000_000
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>()

  readonly timer = (delayMs: number, run: () => void): (() => void) => {
    const timer = { atMs: this.nowMs + delayMs, run }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  pass(ms: number): void {
    this.nowMs += ms
    for (const timer of [...this.#timers].sort((one, other) => one.atMs - other.atMs)) {
      if (timer.atMs > this.nowMs || !this.#timers.delete(timer)) continue
      timer.run()
    }
  }
}

export class DeploymentsRun {
  readonly clock = new Clock()
  readonly disk = new EngineDisk()
  readonly script = plainScript()
  readonly reported: unknown[] = []
  readonly points: string[] = []
  readonly #data = newWeakData()
  readonly #folder = join(tmpdir(), `millrace-deployments-${randomUUID()}`)
  readonly #tables = new FixedTables()
  #crash: Crash | undefined
  #armed = false
  crashed = false
  /** Resolves when the process ends. */
  #end: Promise<void> = Promise.resolve()
  /** The last request is durable. */
  accepted = true
  /** Called often while time passes. */
  watch: () => void = () => {}
  #opened!: Awaited<ReturnType<DeploymentsRun['_open']>>
  id = ''

  constructor() {
    mkdirSync(this.#folder)
    for (const name of ['IN', 'OUT']) this.#tables.add(NS, name)
    onTestFinished(() => this.end())
  }

  static async begin(): Promise<DeploymentsRun> {
    const run = new DeploymentsRun()
    run.#opened = await run._open()
    for (const stream of ['in', 'out'])
      await run.#opened.streams.create({ namespace: NS, stream: parseStreamName(stream) }, {})
    run.#start()
    return run
  }

  get store() {
    return this.#opened.store
  }

  get jobs() {
    return this.#opened.jobs
  }

  get engine() {
    return this.#opened.engine
  }

  get reconciler() {
    return this.#opened.reconciler
  }

  get deployment(): Deployment {
    return this.store.deployment(NS, this.id)!
  }

  get events(): string[] {
    return this.store.events(NS, this.id).map(({ metadata }) => metadata.name)
  }

  /** As a POST or a PATCH of the spec. Never resolves after a crash. */
  async request(spec: DeploymentSpec): Promise<void> {
    this.accepted = false
    const before = this.id === '' ? undefined : this.store.deployment(NS, this.id)
    if (before !== undefined) await this.reconciler.checkUpgrade(before, { ...before, spec })
    const id = this.id === '' ? this.store.newId() : this.id
    await this.store.change(NS, (change) => {
      const present = change.deployment(NS, id)
      const { status, progress, events } = statusAfterChange(present, spec)
      const nowMs = this.clock.nowMs
      const metadata = present?.metadata ?? {
        ...{ id, namespace: NS, name: 'd', createdMs: nowMs, modifiedMs: nowMs, labels: {} },
        ...{ annotations: {}, resourceVersion: 0 },
      }
      const put = change.putDeployment({ metadata, spec, status, progress })
      for (const { name, message } of events) change.addEvent(put, name, message)
    })
    this.id = id
    this.accepted = true
    this.reconciler.changed(NS, id)
  }

  /** Points are counted from now on. */
  arm(crash?: Crash): void {
    this.points.length = 0
    this.#armed = true
    this.#crash = crash
  }

  /** Time passes in small parts until `until` holds, or the process has ended. Throws after `ms`. */
  async pass(until: () => boolean, ms = 60_000): Promise<void> {
    const endMs = this.clock.nowMs + ms
    for (;;) {
      await turns()
      if (this.crashed || until()) return
      if (this.clock.nowMs >= endMs) {
        const { status, progress } = this.deployment
        throw new Error(`after ${ms} ms: ${JSON.stringify({ status, progress, events: this.events })}`)
      }
      if (this.id !== '') this.watch()
      await Promise.race([this.engine.round(), this.#end])
      await turns()
      if (this.crashed || until()) return
      // Files of savepoints take time of the machine, which the clock must not outrun.
      if (this.id !== '' && this.deployment.status.state === 'TRANSITIONING') await delay(4)
      this.clock.pass(100)
    }
  }

  async reaches(state: string, ms?: number): Promise<void> {
    await this.pass(() => this.deployment.status.state === state, ms)
  }

  /** The process starts again on what is durable. */
  async restart(): Promise<void> {
    this.#opened.engine.crash()
    this.#armed = false
    this.crashed = false
    this.#opened = await this._open()
    const [deployment] = this.store.deployments(NS)
    if (!this.accepted && deployment !== undefined) this.id = deployment.metadata.id
    this.#start()
  }

  end(): void {
    this.#opened?.engine.crash()
    void this.#opened?.reconciler.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #start(): void {
    this.#opened.jobs.start()
    this.#opened.reconciler.start()
  }

  async _open() {
    const process = { ended: false, end: () => {} }
    this.#end = new Promise((resolve) => {
      process.end = resolve
    })
    const never = () => new Promise<never>(() => {})
    const point = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
      if (process.ended) return never()
      if (this.#armed && this.id !== '' && this.#opened !== undefined) this.watch()
      const isHere = this.#armed && this.#crash?.point === this.points.length
      if (this.#armed) this.points.push(what)
      if (isHere && this.#crash!.when === 'before') return end()
      const result = await work()
      if (process.ended) return never()
      if (isHere) return end()
      return result
    }
    const end = () => {
      process.ended = true
      this.crashed = true
      process.end()
      engine.crash()
      return never()
    }
    const nowMs = () => this.clock.nowMs
    const timer: Clock['timer'] = (delayMs, run) =>
      this.clock.timer(delayMs, () => {
        if (!process.ended && engine === this.#opened.engine) run()
      })
    const report = (error: unknown) => this.reported.push(error)
    const storage = openWeakStorage(this.#data, nowMs)
    const { catalog } = storage
    const commit = catalog.commit.bind(catalog)
    Object.assign(catalog, {
      commit: (...args: Parameters<typeof commit>) => point('commit', () => commit(...args)),
    })
    const engine = new CountingEngine(this.disk, this.script, point)
    const registry = await Registry.load(catalog)
    const streams = new Streams(storage.log, registry, {
      ...{ nowMs, asyncQueueBytesMax: 1, onAsyncLost: () => {} },
    })
    let seed = this.clock.nowMs % 1_000
    const random = () => (Math.sin(++seed) + 1) / 2
    const jobs = await Jobs.load({
      ...{
        catalog,
        registry,
        streams,
        tables: this.#tables,
        engine,
        usage: new UsageRegistry(),
        jobsMax: 64,
      },
      ...{ random, nowMs, report, timer, named: undefined },
      ...{ places: new SavepointPlaces(this.#folder), version: '0.0.0-test' },
    })
    const store = await Resources.load({ catalog, registry, nowMs, random })
    const jars = { script: () => Promise.reject(new Error('no jars here')) }
    const requests = new JobRequests({ jars, resolveSecrets: (text) => text })
    const disposals = new SavepointDisposals({ catalog, jobs, report })
    const owner = () => undefined
    const reconciler = new Reconciler({ store, jobs, disposals, requests, owner, nowMs, report, timer })
    return { jobs, store, engine, reconciler, streams }
  }
}

/** Long enough for writes of the weak engine and for the files of savepoints. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve))
}
