/**
 * What jobs need fails behind their backs: their source is truncated, deleted or expires, their database stops, their state
 * is damaged or of another moment. A job fails with a sentence or goes on with the right rows; other jobs go on.
 */

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { FlinkClient, streamPath } from './jobs/flink-client.ts'
import { EventMaker, INPUT } from './jobs/input.ts'
import { createJobs, JOBS, type JobOf, untilSettled } from './jobs/job-set.ts'
import { signalTo, workerOf } from './jobs/processes.ts'

const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const TIMEOUT_MS = 300_000
/** With the longest delay of a restart, 60 s. */
const SETTLE_MS = 150_000
/** 5 s of event time: windows of 2 s have closed. */
const EVENTS_WITH_WINDOWS = 1_000
/** Jobs restart within this time after their database has gone, on a slow machine. */
const NOTICED_MS = 60_000
/** Shorter than the time limits of statements. */
const PAUSED_MS = 2_000
const FLIPS = effort({ short: 6, long: 40 })

/** A service with some of the jobs, and one writer. */
class Scene {
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

async function called(client: FlinkClient, method: string, path: string, body?: unknown): Promise<void> {
  await client.call(method, `${streamPath(INPUT)}${path}`, body)
}

const gaps: readonly {
  readonly name: string
  readonly change: (scene: Scene) => Promise<void>
  readonly sentence: RegExp
}[] = [
  {
    name: 'truncated',
    change: async ({ client }) => called(client, 'POST', '/truncate'),
    sentence: /^the events after \d+ of stream events are gone .* the stream was truncated or created again;/,
  },
  {
    name: 'truncated, and others written',
    change: async (scene) => {
      await called(scene.client, 'POST', '/truncate')
      await scene.post(500)
    },
    sentence: /^the events after \d+ of stream events are gone .* the stream was truncated or created again;/,
  },
  {
    name: 'deleted',
    change: ({ client }) => called(client, 'DELETE', ''),
    sentence: /^stream events of table EV does not exist$/,
  },
  {
    name: 'deleted and created again',
    change: async (scene) => {
      await called(scene.client, 'DELETE', '')
      await scene.client.createStream(INPUT)
      await scene.post(500)
    },
    sentence: /^the events after \d+ of stream events are gone .* the stream was truncated or created again;/,
  },
  {
    name: 'expired',
    change: async (scene) => {
      await scene.post(100)
      await called(scene.client, 'PUT', '/properties', { ttl: 1 })
      await delay(2_500)
      await scene.post(10)
    },
    sentence: /^(events \d+ to|the events after) \d+ of stream events are gone .* they have expired;/,
  },
]

test.for(gaps)(
  'the source of jobs that are down is $name',
  { timeout: TIMEOUT_MS },
  async ({ change, sentence }) => {
    const scene = await Scene.begin(['arrival', 'TUMBLE', 'running'])
    await scene.committed()
    const worker = workerOf(scene.service.pid)
    signalTo(worker, 'SIGSTOP')
    await scene.post(20)
    await change(scene)
    signalTo(worker, 'SIGKILL')
    const rows = (await scene.client.events('filtered')).length
    for (const [job, id] of scene.ids) {
      const { state, error } = await untilEnded(scene.client, id)
      expect(`${job} ${state}`).toBe(`${job} FAILED`)
      expect(error).toMatch(sentence)
    }
    const after = (await scene.client.events('filtered')).length
    await proven(() => expect(after, 'no row is written past the gap').toBe(rows))
  },
)

async function untilEnded(client: FlinkClient, id: string, timeoutMs = 120_000) {
  for (const endMs = Date.now() + timeoutMs; ; await delay(50)) {
    const seen = await client.seen(id)
    if (seen.state === 'FAILED' || Date.now() > endMs) return seen
  }
}

test('PostgreSQL under jobs stops, crashes and stands still', {
  timeout: effort({ short: TIMEOUT_MS, long: 900_000 }), // delays of restarts double each time
}, async ({ skip }) => {
  if (NO_POSTGRES !== undefined) skip(NO_POSTGRES)
  const postgres = await TestPostgres.start()
  onTestFinished(() => postgres.remove())
  const scene = await Scene.begin(
    ['arrival', 'statement set with a database', 'lookup join', 'running into a database'],
    postgres,
  )
  const times = effort({ short: 1, long: 4 })
  let restarting = 0
  for (let time = 0; time < times; time++) {
    for (const how of ['stop', 'crash', 'pause'] as const) {
      await scene.post(50)
      await delay(40)
      if (how === 'stop') await postgres.stop()
      else if (how === 'crash') await postgres.crash()
      else postgres.pause()
      await scene.post(50)
      const endMs = Date.now() + (how === 'pause' ? PAUSED_MS : NOTICED_MS)
      const noticed = new Set<string>()
      do {
        await delay(100)
        for (const [job, id] of scene.ids) {
          const { state, error } = await scene.client.seen(id)
          if (state === 'RESTARTING' || state === 'CREATED') noticed.add(job)
          await proven(() => expect(`${job} ${state} ${error}`).not.toMatch(/FAIL/))
          if (job === 'arrival') expect(state).toBe('RUNNING')
        }
      } while (Date.now() < endMs && (how === 'pause' || noticed.size < scene.ids.size - 1))
      // A paused database answers late, which need not be seen.
      if (how !== 'pause') expect(noticed.size, `jobs that restart after ${how}`).toBe(scene.ids.size - 1)
      restarting += noticed.size
      if (how === 'pause') postgres.continue()
      else await postgres.resume()
      await scene.post(50)
      await scene.settled()
    }
  }
  const rows = await scene.settled()
  tellProof('jobs, database gone', {
    times: times * 3,
    'jobs seen restarting': restarting,
    ...Object.fromEntries(rows),
    'lost or doubled': 0,
  })
})

test('a state file of an older moment than the store fails the job', { timeout: TIMEOUT_MS }, async () => {
  const scene = await Scene.begin(['arrival', 'running', 'statement set'])
  await scene.post(200)
  await scene.settled()
  await scene.service.kill()
  const older = await temporaryFolder()
  cpSync(scene.state('running'), older, { recursive: true })
  await scene.startAgain()
  for (let i = 0; i < 3; i++) {
    await scene.post(200)
    await scene.settled()
  }
  await scene.service.kill()
  rmSync(scene.state('running'), { recursive: true })
  cpSync(older, scene.state('running'), { recursive: true })
  await scene.startAgain()
  const { state, error } = await untilEnded(scene.client, scene.ids.get('running')!)
  expect(state).toBe('FAILED')
  expect(error).toMatch(
    /^sink is at epoch \d+, state at \d+: they are not from the same moment; restore both, or start with another state$/,
  )
  await scene.post(100)
  await scene.settled(JOBS.filter(({ name }) => ['arrival', 'statement set'].includes(name)))
})

test('a flipped byte in a state file: a clear failure or right rows, and other jobs go on', {
  timeout: TIMEOUT_MS + FLIPS * 60_000,
}, async () => {
  console.log(`seed ${SEED}`)
  const random = seededRandom(SEED)
  const scene = await Scene.begin(['arrival', 'TUMBLE', 'statement set'])
  for (let i = 0; i < 4; i++) {
    await scene.post(400)
    await scene.settled()
  }
  await scene.service.kill()
  const original = join(await temporaryFolder(), 'data')
  cpSync(scene.folder, original, { recursive: true })
  const acknowledged = scene.acknowledged.length
  const outcomes = { failed: 0, 'went on with right rows': 0 }
  const others = JOBS.filter(({ name }) => ['arrival', 'statement set'].includes(name))
  for (let flip = 0; flip < FLIPS; flip++) {
    rmSync(scene.folder, { recursive: true })
    cpSync(original, scene.folder, { recursive: true })
    scene.acknowledged.length = acknowledged
    const file = join(scene.state('TUMBLE'), random.pick(['state.duckdb', 'state.duckdb.wal']))
    const bytes = readFileSync(file)
    const at = random.whole(0, bytes.length - 1)
    bytes[at]! ^= 1 << random.whole(0, 7)
    writeFileSync(file, bytes)
    await scene.startAgain()
    const why = `seed ${SEED}, flip ${flip} of ${file} at ${at} of ${bytes.length}`
    await scene.post(800)
    await scene.settled(others).catch((error) => {
      throw new Error(`${why}: other jobs do not go on: ${error.message}`)
    })
    const failure = await scene.failedOrSettled('TUMBLE').catch((wrong) => {
      throw new Error(`${why}: ${wrong.message}`)
    })
    outcomes[failure === undefined ? 'went on with right rows' : 'failed']++
    if (failure !== undefined)
      expect(failure, why).toMatch(/^the state file .* is damaged: |are not from the same moment/)
    await scene.service.kill()
  }
  tellProof('jobs, flipped bytes', { flips: FLIPS, ...outcomes, 'wrong rows': 0 })
})
