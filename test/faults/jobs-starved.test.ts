/**
 * 64 jobs, as many as a service may have: one has ticks of 20 s, one right after the other, and 63 only filter. All of
 * these have a tick every 30 s, and events are accepted as before.
 *
 * How long a statement takes depends on the machine, so in the build under test a tick of many events holds the engine for
 * that time.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../support/altered-build.ts'
import { effort, tellProof } from '../support/effort.ts'
import { listening, spawnCli, temporaryFolder } from '../support/service-process.ts'
import { FlinkClient } from './jobs/flink-client.ts'

const TIMEOUT_MS = 900_000
/** The service takes so many jobs by default. */
const JOBS = 64
const CALM = JOBS - 1
/** From one tick of a calm job to the next, while there are events for it. */
const PAUSE_MS_MAX = 30_000
const POST_EVERY_MS = 2_000
const POST_MS_MAX = 2_000

/** Of the slow job: events of each tick, how long it holds the engine, and ticks in which the others are measured. */
const SLOW_EVENTS = 1_000
const SLOW_TICK_MS = effort({ short: 8_000, long: 20_000 })
const SLOW_TICKS = effort({ short: 4, long: 6 })
const MEASURED_MS = Math.max(40_000, SLOW_TICKS * SLOW_TICK_MS)

const SLOW_TICK: Alteration = {
  file: 'jobs/worker/tick.js',
  from: 'await engine(() => this.#checkpoint(read, purpose))',
  to: `await engine(async () => {
    if (read.events === ${SLOW_EVENTS}) await new Promise((resolve) => setTimeout(resolve, ${SLOW_TICK_MS}))
    return this.#checkpoint(read, purpose)
  })`,
}

interface Seen {
  /** From one write of a calm job to the next, and to the end. */
  readonly pausesMs: readonly number[]
  /** From the POST to the row, of each row that was written in time. */
  readonly lagsMs: readonly number[]
  readonly postsMs: readonly number[]
  readonly statuses: readonly (number | undefined)[]
  readonly slowTicks: number
}

async function measured(...alterations: readonly Alteration[]): Promise<Seen> {
  const cli = await alteredBuild([SLOW_TICK, ...alterations])
  const args = [
    '--port',
    '0',
    '--data',
    await temporaryFolder(),
    '--max-job-tick-events',
    String(SLOW_EVENTS),
  ]
  const service = await listening(spawnCli({ args, hasChildren: true }, cli), 60_000)
  const client = new FlinkClient(service.port)
  await client.createStream('calm')
  await client.createStream('heavy')
  const integration = await client.builtIn()
  await client.table(integration, { name: 'CALM', kafka_topic: 'calm', schema_sql: 'id INT' })
  await client.table(integration, { name: 'HEAVY', kafka_topic: 'heavy', schema_sql: 'x STRING' })
  await client.table(integration, { name: 'HASHED', kafka_topic: 'hashed', schema_sql: 'x STRING' })
  const calm: string[] = []
  for (let i = 0; i < CALM; i++) {
    await client.table(integration, { name: `OUT_${i}`, kafka_topic: `out_${i}`, schema_sql: 'id INT' })
    calm.push(await client.job(`calm ${i}`, `INSERT INTO OUT_${i} SELECT id FROM CALM WHERE id >= 0`))
  }
  for (const jid of calm) await client.until(jid, 'RUNNING', 120_000)

  const slow = await client.job('slow', 'INSERT INTO HASHED SELECT SHA256(x) FROM HEAVY')
  await client.until(slow, 'RUNNING', 120_000)
  const batch = Array.from({ length: SLOW_EVENTS }, (_, i) => JSON.stringify({ x: `value ${i}` }))
  for (let i = 0; i < SLOW_TICKS + 3; i++) expect(await client.post('heavy', batch)).toBe(200)

  const sentMs: number[] = []
  const postsMs: number[] = []
  const statuses: (number | undefined)[] = []
  const slowBefore = await client.seen(slow)
  const beginMs = Date.now()
  while (Date.now() - beginMs < MEASURED_MS) {
    const id = sentMs.push(Date.now()) - 1
    statuses.push(await client.post('calm', [JSON.stringify({ id })]))
    postsMs.push(Date.now() - sentMs[id]!)
    await delay(POST_EVERY_MS)
  }
  const slowAfter = await client.seen(slow)
  const slowTicks = Math.floor((slowAfter.recordsIn - slowBefore.recordsIn) / SLOW_EVENTS)
  expect(slowAfter.state, slowAfter.error).toBe('RUNNING')

  const endMs = Date.now()

  const pausesMs: number[] = []
  const lagsMs: number[] = []
  for (let i = 0; i < CALM; i++) {
    let lastMs = beginMs
    for (const { body, position } of await client.events(`out_${i}`).catch(() => [])) {
      const writtenMs = Math.min(position.timestampMs, endMs)
      pausesMs.push(writtenMs - lastMs)
      lastMs = writtenMs
      lagsMs.push(position.timestampMs - sentMs[(JSON.parse(body) as { id: number }).id]!)
    }
    pausesMs.push(endMs - lastMs)
  }
  return { pausesMs, lagsMs, postsMs, statuses, slowTicks }
}

function tell(name: string, { pausesMs, lagsMs, postsMs, slowTicks }: Seen): void {
  const sorted = lagsMs.toSorted((a, b) => a - b)
  tellProof(name, {
    jobs: JOBS,
    rows: lagsMs.length,
    'median lag ms': sorted[Math.floor(sorted.length / 2)] ?? 'none',
    'largest lag ms': sorted.at(-1) ?? 'none',
    'longest time without a tick ms': Math.max(...pausesMs),
    'slowest POST ms': Math.max(...postsMs),
    'ticks of the slow job': slowTicks,
    'ms of each': SLOW_TICK_MS,
  })
}

test('beside a job with long ticks 63 others go on', { timeout: TIMEOUT_MS }, async () => {
  const seen = await measured()
  tell('jobs, starvation', seen)
  expect(seen.slowTicks, 'ticks of the slow job').toBeGreaterThan(1)
  expect(new Set(seen.statuses)).toEqual(new Set([200]))
  expect(Math.max(...seen.postsMs)).toBeLessThan(POST_MS_MAX)
  expect(Math.max(...seen.pausesMs)).toBeLessThan(PAUSE_MS_MAX)
})

/** A job that has held the engine for long keeps it from the others for as long as it has events. */
const KEEPS_THE_ENGINE: readonly Alteration[] = [
  {
    file: 'jobs/worker/engine-turns.js',
    from: 'if (this.#isTaken)',
    to: `if (jid === this.keeper) this.keptUntilMs = Infinity
    while (jid !== this.keeper && performance.now() < this.keptUntilMs) await new Promise((resolve) => setTimeout(resolve, 100))
    if (this.#isTaken)`,
  },
  {
    file: 'jobs/worker/engine-turns.js',
    from: 'this.#isTaken = true',
    to: 'const takenMs = performance.now(); this.#isTaken = true',
  },
  {
    file: 'jobs/worker/engine-turns.js',
    from: 'this.#leave()',
    to: `if (performance.now() - takenMs > ${SLOW_TICK_MS / 2}) this.keeper = jid
    if (jid === this.keeper) this.keptUntilMs = performance.now() + 2_000
    this.#leave()`,
  },
]

test('negative control: a job that keeps the engine starves them', { timeout: TIMEOUT_MS }, async () => {
  const seen = await measured(...KEEPS_THE_ENGINE)
  tell('jobs, negative control, starvation', seen)
  expect(Math.max(...seen.pausesMs)).toBeGreaterThan(PAUSE_MS_MAX)
})
