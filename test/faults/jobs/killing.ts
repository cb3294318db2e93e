/** A service with jobs on a folder of its own, killed in every way and started again on the same folder. */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { MarkedPause } from '../../support/marked-pause.ts'
import type { TestPostgres } from '../../support/postgres.ts'
import { proven } from '../../support/proven.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { listening, type ServiceProcess, spawnCli, temporaryFolder } from '../../support/service-process.ts'
import { FlinkClient } from './flink-client.ts'
import { InputWriters } from './input.ts'
import { createJobs, type JobOf, untilSettled } from './job-set.ts'
import { nextCommit, readState, recordedEpochs, signalTo, workerOf } from './processes.ts'

export const SETTLE_MS = 240_000
const KILLED_WHILE_STARTING = 0.2
/** Jobs that run and have events commit in this time. */
const COMMIT_MS = 3_000
/** Jobs that run and have events reach the pause of an altered build in this time. */
const PAUSE_BEGINS_MS = 20_000
/** Jobs that have read events commit in this time, while the service or the database takes nothing. */
const TICK_MS = 100

export type Round =
  | 'service'
  | 'service in a pause'
  | 'worker'
  | 'service between'
  | 'worker between'
  | 'database'
  | 'orphan'

export interface KillingOptions {
  readonly seed: number
  readonly jobs: readonly JobOf[]
  readonly postgres?: TestPostgres | undefined
  /** The file that starts the service; by default that of the build. */
  readonly cli?: string
  /** Until the sinks hold what they must. */
  readonly settleMs?: number
  /** Where a kill in a pause comes. */
  readonly pause?: MarkedPause
}

/** The service on its folder, killed and started again. */
export class Killing {
  readonly counts = new Map<string, number>()
  readonly client: FlinkClient
  readonly writers: InputWriters
  readonly #folder: string
  readonly #scratch: string
  readonly #random: SeededRandom
  readonly #options: KillingOptions
  #service: ServiceProcess
  #runs = true
  #ids: ReadonlyMap<JobOf, string> = new Map()

  private constructor(service: ServiceProcess, folder: string, scratch: string, options: KillingOptions) {
    this.#service = service
    this.#folder = folder
    this.#scratch = scratch
    this.#random = seededRandom(options.seed)
    this.#options = options
    this.client = new FlinkClient(service.port)
    this.writers = new InputWriters(this.client, options.seed)
  }

  /** Resolves when all jobs run and writers write. */
  static async begin(options: KillingOptions): Promise<Killing> {
    const folder = await temporaryFolder()
    const service = await listening(start(folder, options))
    const killing = new Killing(service, folder, await temporaryFolder(), options)
    killing.#ids = await createJobs(killing.client, options.jobs, options.postgres)
    for (const id of killing.#ids.values()) await killing.client.until(id, 'RUNNING')
    return killing
  }

  async round(kind: Round): Promise<void> {
    this.#count(kind)
    await this.#underWay(kind)
    if (kind === 'worker') await this.#killWorker()
    else if (kind === 'service' || kind === 'service in a pause') await this.#kill()
    else if (kind === 'orphan') await this.#killedBeforeItsWorker()
    else if (kind === 'database') await this.#killedWhileDatabaseStands()
    else await this.#killedWhileServiceStands(kind)
    if (!this.#runs) await this.#startAgain()
  }

  /** No job has failed, and those that run have said nothing but what a kill explains. */
  async expectLive(): Promise<void> {
    for (const [{ name }, id] of this.#ids) {
      const { state, error } = await this.client.seen(id)
      await proven(() => expect(state, `${name}: ${error}`).not.toBe('FAILED'))
    }
  }

  /** Resolves when all sinks hold what they must. */
  settled(): Promise<ReadonlyMap<string, number>> {
    const { postgres, settleMs = SETTLE_MS } = this.#options
    const jobs = [...this.#ids.keys()]
    return untilSettled(
      { client: this.client, jobs, postgres, acknowledged: this.writers.acknowledged, settleMs },
      () => this.expectLive(),
    )
  }

  async end(): Promise<void> {
    await this.writers.end()
    await this.#kill()
  }

  get #jobsFolder(): string {
    return join(this.#folder, 'jobs')
  }

  /** Until a random moment, one in a pause of an altered build, or that at which a job commits. */
  async #underWay(kind: Round): Promise<void> {
    if (kind === 'service' || kind === 'worker' || kind === 'orphan')
      return delay(this.#random.whole(50, 1_200))
    for (const id of this.#ids.values()) await this.client.until(id, 'RUNNING')
    if (kind === 'service in a pause') return this.#options.pause!.begun(PAUSE_BEGINS_MS)
    await delay(this.#random.whole(0, 300))
    await nextCommit(this.#jobsFolder, [...this.#ids.values()], COMMIT_MS)
  }

  async #killWorker(): Promise<void> {
    signalTo(workerOf(this.#service.pid), 'SIGKILL')
    if (this.#random.next() < KILLED_WHILE_STARTING) {
      await delay(this.#random.whole(900, 1_600)) // jobs start again after a second
      if (signalTo(workerOf(this.#service.pid), 'SIGKILL')) this.#count('worker while jobs start')
    }
  }

  /** The worker of a service that was killed is held, so that it still has the state files when the next one starts. */
  async #killedBeforeItsWorker(): Promise<void> {
    const worker = workerOf(this.#service.pid)
    signalTo(worker, 'SIGSTOP')
    await this.#kill()
    await this.#startAgain()
    await delay(this.#random.whole(0, 800))
    signalTo(worker, this.#random.pick(['SIGCONT', 'SIGKILL']))
  }

  async #killedWhileServiceStands(kind: Round): Promise<void> {
    this.#service.signal('SIGSTOP')
    const worker = workerOf(this.#service.pid)
    await delay(this.#random.whole(0, TICK_MS))
    signalTo(worker, 'SIGKILL')
    if (kind === 'worker between') {
      this.#service.signal('SIGCONT') // requests of the worker that are on their way are still answered
      return
    }
    await this.#kill()
    await this.#countPending(await recordedEpochs(this.#folder, this.#scratch))
  }

  async #killedWhileDatabaseStands(): Promise<void> {
    const postgres = this.#options.postgres!
    postgres.pause()
    try {
      const worker = workerOf(this.#service.pid)
      await delay(this.#random.whole(0, TICK_MS))
      signalTo(worker, 'SIGKILL')
      await this.#kill()
    } finally {
      postgres.continue()
    }
    await delay(100) // transactions whose end was on its way end
    const rows = await postgres.sql("SELECT job || ':' || sink AS key, epoch FROM millrace_positions")
    await this.#countPending(new Map(rows.map(({ key, epoch }) => [String(key), Number(epoch)])))
  }

  /** Sinks whose record is that of the outbox before the last, which has rows. */
  async #countPending(recorded: ReadonlyMap<string, number>): Promise<void> {
    for (const [{ name, sinks }, id] of this.#ids) {
      const state = await readState(this.#jobsFolder, id, this.#scratch)
      for (const [i, sink] of sinks.entries()) {
        const emission = state?.sinks[i]
        const last = recorded.get(`${id}:${i}`)
        if (emission === undefined || last === undefined || emission.rows === 0) continue
        if (emission.last === state!.epoch && last === emission.previous)
          this.#count(`between commit and emission, ${name} → ${sink.kind}`)
      }
    }
  }

  /** A worker that is held keeps the output of the service open, so the end of the output is not waited for. */
  async #kill(): Promise<void> {
    this.#runs = false
    while (signalTo(this.#service.pid, 'SIGKILL')) await delay(2)
  }

  async #startAgain(): Promise<void> {
    for (; this.#random.next() < KILLED_WHILE_STARTING; this.#count('service while it starts')) {
      const starting = start(this.#folder, this.#options)
      await delay(this.#random.whole(100, 900))
      await starting.kill()
    }
    this.#service = await listening(start(this.#folder, this.#options))
    this.client.port = this.#service.port
    this.#runs = true
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

function start(folder: string, { cli }: KillingOptions) {
  return spawnCli({ args: ['--port', '0', '--data', folder] }, cli)
}
