/** A service with jobs on a disk that loses power: cut at random moments, and started again on what the disk has left. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { listening, type ServiceProcess, spawnCli, temporaryFolder } from '../../support/service-process.ts'
import { type Ignores, type Loss, PowerCutDisk } from '../disk/power-cut.ts'
import { FlinkClient } from './flink-client.ts'
import { InputWriters } from './input.ts'
import { createJobs, type JobOf, untilSettled } from './job-set.ts'
import { newLogInUse, nextCommit } from './processes.ts'

const CUT_WHILE_STARTING = 0.25
const COMMIT_MS = 3_000
/** Of each sync: long enough that many cuts come between a write and the end of its sync. */
const SYNC_MS = 20
const START_MS = 120_000

/**
 * While jobs start; while one writes a commit; while the service is stopped, so that commits are not emitted; when the engine
 * has begun another log for a job and rows of a commit in it have been emitted; or at any moment after some commits.
 */
export type Moment = 'start' | 'commit' | 'between' | 'new log' | 'any'

export interface CuttingOptions {
  readonly seed: number
  readonly jobs: readonly JobOf[]
  /** Files that start the service, in turn. undefined: that of the build. */
  readonly builds: readonly (string | undefined)[]
  readonly settleMs: number
  /** Syncs that do nothing. */
  readonly ignores?: Ignores | undefined
}

export class Cutting {
  readonly disk: PowerCutDisk
  readonly client = new FlinkClient(0)
  readonly #options: CuttingOptions
  readonly #random: SeededRandom
  #service: ServiceProcess | undefined
  #writers: InputWriters | undefined
  #starts = 0
  #lastLoss: Loss | undefined
  #ids: ReadonlyMap<JobOf, string> = new Map()
  /** What the services have written to standard error. */
  readonly stderr: string[] = []

  private constructor(disk: PowerCutDisk, options: CuttingOptions) {
    this.disk = disk
    this.#options = options
    this.#random = seededRandom(options.seed)
  }

  /** Resolves when all jobs have been created and writers write. */
  static async begin(options: CuttingOptions): Promise<Cutting> {
    const cutting = new Cutting(await PowerCutDisk.make(await temporaryFolder()), options)
    await cutting.start()
    cutting.#ids = await createJobs(cutting.client, options.jobs, undefined)
    cutting.#writers = new InputWriters(cutting.client, options.seed, 1)
    return cutting
  }

  get acknowledged(): readonly number[] {
    return this.#writers?.acknowledged ?? []
  }

  burst(): Promise<void> {
    return this.#writers!.burst()
  }

  async start(): Promise<void> {
    this.#service = await listening(this.#spawn(), START_MS)
    this.client.port = this.#service.port
  }

  /** Ends all processes at this moment, at times again while the service starts. */
  async cut(moment: Moment, loss: Loss): Promise<void> {
    await this.#underWay(moment)
    await this.#cutNow(this.#service!, loss)
    while (this.#random.next() < CUT_WHILE_STARTING) {
      const starting = this.#spawn()
      await delay(this.#random.whole(300, 2_500)) // jobs start in this time too
      await this.#cutNow(starting, loss)
    }
  }

  /** Rejects if a job has failed. */
  async allRun(): Promise<void> {
    for (const [{ name }, id] of this.#ids) {
      await this.client.until(id, 'RUNNING').catch((error: unknown) => {
        const cut = JSON.stringify(this.#lastLoss)
        throw new Error(`${name}, after cut ${this.disk.cuts} (${cut}): ${String(error)}`)
      })
    }
  }

  /** Resolves when all sinks hold what a service without cuts would have written. */
  async settled(): Promise<ReadonlyMap<string, number>> {
    const { jobs, settleMs } = this.#options
    const { acknowledged } = this
    return untilSettled({ client: this.client, jobs, acknowledged, settleMs }, () => this.allRun())
  }

  async endWriters(): Promise<void> {
    await this.#writers!.end()
  }

  get #jobsFolder(): string {
    return join(this.disk.root, 'data', 'jobs')
  }

  async #underWay(moment: Moment): Promise<void> {
    if (moment === 'start') return delay(this.#random.whole(0, 2_000))
    await this.allRun()
    const ids = [...this.#ids.values()]
    if (moment === 'new log') return newLogInUse(this.#jobsFolder, ids[0]!)
    for (let commits = this.#random.whole(2, 12); commits > 0; commits--)
      await nextCommit(this.#jobsFolder, ids, COMMIT_MS)
    if (moment === 'between') this.#service!.signal('SIGSTOP')
    await delay(this.#random.whole(0, moment === 'commit' ? 4 * SYNC_MS : 300))
  }

  async #cutNow(service: { kill(): Promise<unknown>; readonly stderr: string }, loss: Loss): Promise<void> {
    await service.kill()
    this.stderr.push(service.stderr)
    this.disk.cut(loss, this.#random)
    this.#lastLoss = loss
  }

  #spawn() {
    const { builds, ignores } = this.#options
    return spawnCli(
      {
        args: ['--port', '0', '--data', join(this.disk.root, 'data'), '--janitor-seconds', '1'],
        environment: this.disk.environment(ignores, SYNC_MS),
        hasChildren: true,
      },
      builds[this.#starts++ % builds.length],
    )
  }
}
