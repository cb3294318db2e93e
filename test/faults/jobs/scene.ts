/** A service with some of the jobs, and one writer. */
import { join } from 'node:path'
import { expect } from 'vitest'
import type { TestPostgres } from '../../support/postgres.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../../support/service-process.ts'
import { FlinkClient } from './flink-client.ts'
import { EventMaker, INPUT } from './input.ts'
import { createJobs, JOBS, type JobOf, untilSettled } from './job-set.ts'

export const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
/** With the longest delay of a restart, 60 s. */
const SETTLE_MS = 150_000
/** 5 s of event time: windows of 2 s have closed. */
const EVENTS_WITH_WINDOWS = 1_000

export class Scene {
  readonly folder: string
  readonly client: FlinkClient
  readonly ids = new Map<string, string>()
  readonly acknowledged: number[] = []
  readonly maker: EventMaker
  readonly #jobs: readonly JobOf[]
  readonly #postgres: TestPostgres | undefined
  service: ServiceProcess

  private constructor(
    folder: string,
    service: ServiceProcess,
    jobs: readonly JobOf[],
    postgres: TestPostgres | undefined,
  ) {
    this.folder = folder
    this.service = service
    this.client = new FlinkClient(service.port)
    this.maker = new EventMaker(seededRandom(SEED))
    this.#jobs = jobs
    this.#postgres = postgres
  }

  static async begin(names: readonly string[], postgres?: TestPostgres): Promise<Scene> {
    const folder = await temporaryFolder()
    const jobs = JOBS.filter(({ name }) => names.includes(name))
    const scene = new Scene(folder, await startServiceProcess(folder), jobs, postgres)
    for (const [{ name }, id] of await createJobs(scene.client, jobs, postgres)) scene.ids.set(name, id)
    for (const id of scene.ids.values()) await scene.client.until(id, 'RUNNING')
    return scene
  }

  async post(count: number): Promise<void> {
    const lines = this.maker.lines(count)
    expect(await this.client.post(INPUT, lines)).toBe(200)
    for (const line of lines) this.acknowledged.push(JSON.parse(line).id)
  }

  settled(jobs = this.#jobs, meanwhile?: () => Promise<void>): Promise<ReadonlyMap<string, number>> {
    const { client, acknowledged } = this
    const settling = { client, jobs, postgres: this.#postgres, acknowledged, settleMs: SETTLE_MS }
    return untilSettled(settling, meanwhile)
  }

  /** The error of the job, if it fails before all sinks hold what they must. */
  async failedOrSettled(job: string): Promise<string | undefined> {
    let failure: string | undefined
    const meanwhile = async () => {
      const { state, error } = await this.client.seen(this.ids.get(job)!)
      if (state !== 'FAILED') return
      failure = error
      throw new Error(`${job} has failed: ${error}`)
    }
    await this.settled(this.#jobs, meanwhile).catch((error) => {
      if (failure === undefined) throw error
    })
    return failure
  }

  /** Resolves when each sink has rows: their jobs have committed, so they have positions in the stream. */
  async committed(): Promise<void> {
    await this.post(EVENTS_WITH_WINDOWS)
    for (const [sink, rows] of await this.settled()) expect(rows, sink).toBeGreaterThan(0)
  }

  async startAgain(): Promise<void> {
    this.service = await startServiceProcess(this.folder)
    this.client.port = this.service.port
  }

  state(job: string): string {
    return join(this.folder, 'jobs', this.ids.get(job)!)
  }
}
