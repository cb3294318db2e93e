/**
 * A job engine whose jobs copy numbers: the input is 0, 1, 2 …, and a job emits the next one in each round. Position and emission are one
 * step, as in the embedded engine; savepoints have the position. What is on its disk outlives a crash, and running jobs do not.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobEngine, JobListener, JobOutline, JobRun } from '../../src/jobs/job-engine.ts'
import type { JobOrder } from '../../src/jobs/savepoints/savepoint.ts'
import { deleteSavepoint, hasMetadata } from '../../src/jobs/savepoints/savepoint-files.ts'
import {
  encodeMetadata,
  METADATA_FILE,
  SAVEPOINT_FORMAT,
  type SavepointMetadata,
} from '../../src/jobs/savepoints/savepoint-metadata.ts'
import type { JobId } from '../../src/jobs/worker/job-worker-protocol.ts'
import type { Table } from '../../src/tables/table.ts'

/** What outlives a crash. */
export class EngineDisk {
  /** Positions of jobs. */
  readonly states = new Map<JobId, number>()
  /** What has been emitted, in order, with its job. */
  readonly emitted: { readonly jid: JobId; readonly number: number }[] = []
  /** Savepoints that were written, but for those that replaced one. */
  readonly savepoints: string[] = []
  /** Jobs that have begun without a state. */
  readonly begun: JobId[] = []
}

/** What a test makes the engine do; it may be changed while jobs run. */
export interface EngineScript {
  /** Jobs that are submitted do not run yet. */
  holdsStarts: boolean
  /** Orders are not followed yet. */
  holdsOrders: boolean
  holdsCancels: boolean
  /** Jobs fail when they start: an error that may pass, or one that cannot. */
  failsStarts: 'passing' | 'lasting' | undefined
  failsOrders: boolean
  /** The input ends here. */
  endsAt: number
  /** Jobs that run fail in the next round. */
  failsNow: 'passing' | 'lasting' | undefined
}

export function plainScript(): EngineScript {
  return {
    ...{ holdsStarts: false, holdsOrders: false, holdsCancels: false, failsStarts: undefined },
    ...{ failsOrders: false, endsAt: Number.POSITIVE_INFINITY, failsNow: undefined },
  }
}

interface Run {
  readonly run: JobRun
  readonly listener: JobListener
  runs: boolean
  readonly orders: JobOrder[]
}

export class CountingEngine implements JobEngine {
  readonly running = new Map<JobId, Run>()
  readonly #disk: EngineDisk
  readonly #script: EngineScript
  /** Called before and after each effect. Never resolves after a crash. */
  readonly #point: <T>(what: string, work: () => Promise<T>) => Promise<T>
  #dead = false

  constructor(
    disk: EngineDisk,
    script: EngineScript,
    point: <T>(what: string, work: () => Promise<T>) => Promise<T>,
  ) {
    this.#disk = disk
    this.#script = script
    this.#point = point
  }

  async validate(statement: string, tables: readonly Table[]): Promise<JobOutline> {
    const named = tables.filter(({ name }) => statement.includes(name))
    const ids = named.map(({ id }) => id)
    const signature = /UPPER/.test(statement) ? 'other' : 'counting'
    return { reads: ids.slice(0, 1), writes: ids.slice(1, 2), vertices: [], signature, warnings: [] }
  }

  submit(run: JobRun, listener: JobListener): Promise<void> {
    return this.#point('submit', async () => {
      if (this.#dead) return
      const orders = run.order === undefined ? [] : [run.order]
      this.running.set(run.jid, { run, listener, runs: false, orders })
    })
  }

  cancel(jid: JobId): Promise<void> {
    return this.#point('cancel', async () => {
      while (this.#script.holdsCancels && !this.#dead) await new Promise((resolve) => setImmediate(resolve))
      this.running.delete(jid)
    })
  }

  order(jid: JobId, order: JobOrder): Promise<void> {
    return this.#point('order', async () => {
      const run = this.running.get(jid)
      if (!run?.runs) throw new Error('job is not running')
      run.orders.push(order)
    })
  }

  restoreState(jid: JobId, _: string, metadata: SavepointMetadata): Promise<void> {
    return this.#point('restore', async () => {
      this.#disk.states.set(jid, (metadata.counters as { position: number }).position)
    })
  }

  async removeState(jid: JobId): Promise<void> {
    this.#disk.states.delete(jid)
  }

  async typesOf(): Promise<never> {
    throw new Error('this engine has no types')
  }

  /** The process ends: no job runs any more, and no listener is called. */
  crash(): void {
    this.#dead = true
    this.running.clear()
  }

  async close(): Promise<void> {
    this.crash()
  }

  /** One step of every job. */
  async round(): Promise<void> {
    for (const [jid, job] of [...this.running]) {
      if (this.#dead || this.running.get(jid) !== job) continue
      if (job.runs) await this.#step(jid, job)
      else if (!this.#script.holdsStarts) this.#start(jid, job)
    }
  }

  #start(jid: JobId, job: Run): void {
    const { failsStarts } = this.#script
    if (failsStarts !== undefined) {
      this.#fail(jid, job, failsStarts)
      return
    }
    if (!this.#disk.states.has(jid)) {
      this.#disk.states.set(jid, 0)
      this.#disk.begun.push(jid)
    }
    job.runs = true
    job.listener.running(this.#disk.states.get(jid))
  }

  async #step(jid: JobId, job: Run): Promise<void> {
    const order = this.#script.holdsOrders ? undefined : job.orders.shift()
    if (order?.kind === 'savepoint') return this.#savepoint(jid, job, order)
    const { failsNow, endsAt } = this.#script
    if (failsNow !== undefined) return this.#fail(jid, job, failsNow)
    const number = this.#disk.states.get(jid)!
    if (number >= endsAt) {
      this.running.delete(jid)
      job.listener.finished()
      return
    }
    this.#disk.emitted.push({ jid, number })
    this.#disk.states.set(jid, number + 1)
  }

  async #savepoint(jid: JobId, job: Run, order: JobOrder & { readonly kind: 'savepoint' }): Promise<void> {
    if (this.#script.failsOrders)
      return job.listener.ordered(order.id, { kind: 'failed', message: 'the disk is full' })
    await this.#point('savepoint', () => this.#write(jid, order))
    if (this.#dead) return
    job.listener.ordered(order.id, { kind: 'done', epoch: 1 })
    if (!order.ends) return
    this.running.delete(jid)
    job.listener.finished()
  }

  async #write(jid: JobId, order: JobOrder & { readonly kind: 'savepoint' }): Promise<void> {
    if (this.#dead) return
    const { location, format: kind, about, drains: drained, replaces } = order
    if (await hasMetadata(location)) {
      if (!replaces) throw new Error(`${location} exists already`)
      await deleteSavepoint(location)
    } else this.#disk.savepoints.push(location)
    await mkdir(location)
    const metadata: SavepointMetadata = {
      ...{ format: SAVEPOINT_FORMAT, kind, version: about.version, timestampMs: 0, jid, drained, epoch: 1 },
      ...{ namespace: about.namespace, name: about.name, statement: about.statement, schemas: {} },
      ...{ signature: 'counting', stateFormat: 1, counters: { position: this.#disk.states.get(jid) } },
      ...{ positions: [], tables: [], files: [] },
    }
    await writeFile(join(location, METADATA_FILE), encodeMetadata(metadata))
  }

  #fail(jid: JobId, job: Run, kind: 'passing' | 'lasting'): void {
    this.running.delete(jid)
    job.listener.failed({ kind, message: `an error that is ${kind}` })
  }
}
