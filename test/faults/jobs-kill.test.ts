/**
 * Jobs are exactly once: the built service and its process of jobs are killed with SIGKILL while writers write and jobs of
 * every way write to sinks of every kind. At the end each sink holds what was worked out from the log, record by record:
 * nothing lost, nothing doubled, in order.
 *
 * Kills come at random moments, at times once more while the service starts, and between commit and emission: a service
 * that is stopped takes no rows, so what its process of jobs commits then is not emitted; likewise with a database.
 *
 *   MILLRACE_CRASH_ROUNDS, MILLRACE_CRASH_SEED   as in kill.test.ts
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts'
import {
  type ServiceProcess,
  spawnCli,
  startServiceProcess,
  temporaryFolder,
} from '../support/service-process.ts'
import { FlinkClient } from './jobs/flink-client.ts'
import { InputWriters } from './jobs/input.ts'
import { createJobs, JOBS, type JobOf, readAll, type SinkKind } from './jobs/job-set.ts'
import { nextCommits, readState, signalTo, workerOf } from './jobs/processes.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? effort({ short: 12, long: 300 }))
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const ROUND_MS = 30_000
const SETTLE_MS = 90_000

const KILLED_WHILE_STARTING = 0.3
/** Ticks of jobs that have read their events commit in this time. */
const COMMIT_MS = 200
/** After a start jobs wait until there are events, and after a long tick for a multiple of its duration. */
const COMMIT_AFTER_START_MS = 3_000

type Round = 'service' | 'worker' | 'service between' | 'worker between' | 'database' | 'orphan'
const ROUNDS_IN_TURN: readonly Round[] = [
  'service between',
  'worker between',
  'database',
  'service',
  'service between',
  'worker',
  'database',
  'service between',
  'orphan',
  'service',
]

/** The service on its folder, killed and started again. */
class Killing {
  readonly counts = new Map<string, number>()
  readonly client: FlinkClient
  readonly #folder: string
  readonly #scratch: string
  readonly #random: SeededRandom
  readonly #postgres: TestPostgres | undefined
  #service: ServiceProcess
  #runs = true
  #writers: InputWriters | undefined
  #ids: ReadonlyMap<JobOf, string> = new Map()

  private constructor(
    service: ServiceProcess,
    folder: string,
    scratch: string,
    postgres: TestPostgres | undefined,
  ) {
    this.#service = service
    this.#folder = folder
    this.#scratch = scratch
    this.#random = seededRandom(SEED)
    this.#postgres = postgres
    this.client = new FlinkClient(service.port)
  }

  static async begin(postgres: TestPostgres | undefined): Promise<Killing> {
    const folder = await temporaryFolder()
    return new Killing(await startServiceProcess(folder), folder, await temporaryFolder(), postgres)
  }

  async create(jobs: readonly JobOf[]): Promise<InputWriters> {
    this.#ids = await createJobs(this.client, jobs, this.#postgres)
    for (const id of this.#ids.values()) await this.client.until(id, 'RUNNING')
    this.#writers = new InputWriters(this.client, SEED)
    return this.#writers
  }

  async round(kind: Round): Promise<void> {
    this.#count(kind)
    await this.#underWay(kind)
    if (kind === 'worker') await this.#killWorker()
    else if (kind === 'service') await this.#kill()
    else if (kind === 'orphan') await this.#killedBeforeItsWorker()
    else if (kind === 'database') await this.#killedWhileDatabaseStands()
    else await this.#killedWhileServiceStands(kind)
    if (!this.#runs) await this.#startAgain()
  }

  /** No job has failed, and those that run have said nothing but what a kill explains. */
  async expectLive(): Promise<void> {
    for (const [{ name }, id] of this.#ids) {
      const { state, error } = await this.client.seen(id)
      expect(state, `${name}: ${error}`).not.toBe('FAILED')
    }
  }

  /** Resolves when all sinks hold what they must. */
  async settled(acknowledged: readonly number[]): Promise<ReadonlyMap<string, number>> {
    for (const endMs = Date.now() + SETTLE_MS; ; await delay(1_000)) {
      await this.expectLive()
      const { events, written } = await readAll(this.client, [...this.#ids.keys()], this.#postgres)
      try {
        const ids = new Set(events.map(({ id }) => id))
        expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
        expect(ids.size, 'every event is in the log once').toBe(events.length)
        for (const { sinks } of this.#ids.keys()) for (const { check } of sinks) check(written, events)
      } catch (error) {
        if (Date.now() < endMs) continue
        throw error
      }
      const sinks = [...this.#ids.keys()].flatMap((job) => job.sinks)
      const rows = sinks.map(
        ({ name, kind }) =>
          [
            `${kind} ${name}`,
            written.rows(kind.startsWith('PostgreSQL') ? `database ${name}` : name).length,
          ] as const,
      )
      return new Map([['events', events.length], ...rows])
    }
  }

  get #jobsFolder(): string {
    return join(this.#folder, 'jobs')
  }

  /** Until a random moment, or one at which the jobs have read events and some of them have committed. */
  async #underWay(kind: Round): Promise<void> {
    if (kind === 'service' || kind === 'worker' || kind === 'orphan')
      return delay(this.#random.whole(50, 900))
    await nextCommits(this.#jobsFolder, [...this.#ids.values()], {
      withinMs: COMMIT_AFTER_START_MS,
      moreMs: this.#random.whole(0, this.#random.pick([100, 300, 1_000])),
    })
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
    const worker = workerOf(this.#service.pid)
    this.#service.signal('SIGSTOP')
    const committed = await this.#commits()
    signalTo(worker, 'SIGKILL')
    if (kind === 'worker between') {
      this.#service.signal('SIGCONT') // requests of the worker that are on their way are still answered
      return
    }
    await this.#kill()
    await this.#countPending(committed, ({ kind: of }) => !of.startsWith('PostgreSQL'))
  }

  async #killedWhileDatabaseStands(): Promise<void> {
    const worker = workerOf(this.#service.pid)
    this.#postgres!.pause()
    try {
      const committed = await this.#commits()
      signalTo(worker, 'SIGKILL')
      await this.#kill()
      await this.#countPending(committed, ({ kind }) => kind.startsWith('PostgreSQL'))
    } finally {
      this.#postgres!.continue()
    }
  }

  #commits(): Promise<ReadonlySet<string>> {
    const times = { withinMs: COMMIT_MS, moreMs: this.#random.whole(0, 30) }
    return nextCommits(this.#jobsFolder, [...this.#ids.values()], times)
  }

  /** The jobs whose last outbox has rows that were committed while their sinks took none. */
  async #countPending(
    committed: ReadonlySet<string>,
    isOf: (sink: { readonly kind: SinkKind }) => boolean,
  ): Promise<void> {
    for (const [{ name, sinks }, id] of this.#ids) {
      if (!committed.has(id)) continue
      const state = await readState(this.#jobsFolder, id, this.#scratch)
      for (const [i, sink] of sinks.entries()) {
        const emission = state?.sinks[i]
        if (emission === undefined || !isOf(sink)) continue
        if (emission.last === state!.epoch && emission.rows > 0)
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
      const starting = spawnCli({ args: ['--port', '0', '--data', this.#folder] })
      await delay(this.#random.whole(100, 900))
      await starting.kill()
    }
    this.#service = await startServiceProcess(this.#folder)
    this.client.port = this.#service.port
    this.#runs = true
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

test('every row of every job is written once, whatever is killed', {
  timeout: SETTLE_MS * 2 + ROUNDS * ROUND_MS,
}, async () => {
  console.log(`seed ${SEED}`)
  let postgres: TestPostgres | undefined
  if (NO_POSTGRES === undefined) {
    postgres = await TestPostgres.start()
    onTestFinished(() => postgres?.remove())
  } else console.log(NO_POSTGRES)
  const killing = await Killing.begin(postgres)
  const writers = await killing.create(
    JOBS.filter(({ needsDatabase }) => postgres !== undefined || !needsDatabase),
  )
  const rounds = ROUNDS_IN_TURN.filter((round) => postgres !== undefined || round !== 'database')
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 6 === 0) void writers.burst()
    await killing.round(rounds[round % rounds.length]!)
    await killing.expectLive()
  }
  await writers.end()
  await writers.burst()
  const rows = await killing.settled(writers.acknowledged)
  tellProof('jobs, kill -9', { rounds: ROUNDS, ...Object.fromEntries(killing.counts), 'lost or doubled': 0 })
  tellProof('jobs, rows per sink', Object.fromEntries(rows))
  const between = [...killing.counts].filter(([what]) => what.startsWith('between'))
  expect(between.length, 'some kills came between commit and emission').toBeGreaterThan(0)
})
