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
import { expect, onTestFinished, test } from 'vitest'
import { type Alteration, alteredBuild } from '../support/altered-build.ts'
import { effort, tellProof } from '../support/effort.ts'
import { MarkedPause } from '../support/marked-pause.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { JOBS } from './jobs/job-set.ts'
import { Killing, type Round, SETTLE_MS } from './jobs/killing.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? effort({ short: 12, long: 72 }))
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const ROUND_MS = 60_000

const ROUNDS_IN_TURN: readonly Round[] = [
  'service between',
  'worker between',
  'service between',
  'service',
  'service between',
  'worker',
  'service between',
  'orphan',
]
const ROUNDS_WITH_DATABASE: readonly Round[] = [
  'database',
  'worker between',
  'database',
  'service',
  'database',
  'worker',
  'service between',
  'orphan',
]

/** Services that run at the same time, with a third of the rounds each: with few jobs a start is short. */
const GROUPS: readonly (readonly string[])[] = [
  ['arrival', 'running', 'refresh'],
  ['TUMBLE', 'HOP', 'statement set'],
  ['statement set with a database', 'lookup join', 'running into a database'],
]

test('every row of every job is written once, whatever is killed', {
  timeout: SETTLE_MS * 2 + ROUNDS * ROUND_MS,
}, async () => {
  console.log(`seed ${SEED}`)
  const postgres = NO_POSTGRES === undefined ? await TestPostgres.start() : undefined
  onTestFinished(() => postgres?.remove())
  if (NO_POSTGRES !== undefined) console.log(NO_POSTGRES)
  const counts = new Map<string, number>()
  const rows = new Map<string, number>()
  const add = (to: Map<string, number>, more: ReadonlyMap<string, number>) => {
    for (const [what, count] of more) to.set(what, (to.get(what) ?? 0) + count)
  }
  const running = GROUPS.map(async (names, group) => {
    const jobs = JOBS.filter(({ name }) => names.includes(name))
    const withDatabase = jobs.some(({ needsDatabase }) => needsDatabase)
    if (withDatabase && postgres === undefined) return
    const killing = await Killing.begin({
      seed: SEED + group,
      jobs,
      postgres: withDatabase ? postgres : undefined,
    })
    const rounds = withDatabase ? ROUNDS_WITH_DATABASE : ROUNDS_IN_TURN
    for (let round = 0; round < ROUNDS / GROUPS.length; round++) {
      if (round % 6 === 0) void killing.writers.burst()
      await killing.round(rounds[round % rounds.length]!)
      await killing.expectLive()
    }
    for (let more = 0; isLong && more < ROUNDS && !hasKilledBetween(killing.counts); more++)
      await killing.round(withDatabase ? 'database' : 'service between')
    await killing.writers.end()
    await killing.writers.burst()
    add(rows, await killing.settled())
    add(counts, killing.counts)
  })
  await Promise.all(running)
  tellProof('jobs, kill -9', { rounds: ROUNDS, ...Object.fromEntries(counts), 'lost or doubled': 0 })
  tellProof('jobs, rows per sink', Object.fromEntries(rows))
  if (isLong) expect(hasKilledBetween(counts), 'some kills came between commit and emission').toBe(true)
})

/** A few rounds may miss that moment. */
const isLong = effort({ short: false, long: true })

function hasKilledBetween(counts: ReadonlyMap<string, number>): boolean {
  return [...counts.keys()].some((what) => what.startsWith('between'))
}

const COMMIT = "if ((await write.commit([epochChange(jid, sink, epoch)], [condition])) === 'done') return"

const controls: readonly {
  readonly name: string
  /** With the pause in which the service is killed, beside rows: without them nothing is lost or doubled. */
  readonly alterations: (pause: string) => readonly Alteration[]
  readonly fault: RegExp
}[] = [
  {
    name: 'the epoch in a write of its own',
    alterations: (pause) => [
      {
        file: 'jobs/embedded/sink-writes.js',
        from: COMMIT,
        to: `await write.commit([], []); ${pause}
          if ((await this.#parts.catalog.commit([epochChange(jid, sink, epoch)], [condition])) === 'done') return`,
      },
    ],
    fault: /rows in order|is doubled/,
  },
  {
    name: 'an outbox that is not emitted again',
    alterations: (pause) => [
      {
        file: 'jobs/worker/tick.js',
        from: 'await this.#emit()\n',
        to: `if (this.#outboxRows.some((rows) => rows > 0)) { ${pause} } await this.#emit()\n`,
      },
      { file: 'jobs/worker/running-job.js', from: "recorded) === 'emit'", to: 'recorded) === undefined' },
    ],
    fault: /rows in order|not from the same moment/,
  },
  {
    name: 'rows that are emitted before the commit',
    alterations: (pause) => [
      {
        file: 'jobs/worker/tick.js',
        from: "await connection.run('COMMIT')",
        to: `this.#outboxRows = results.map(({ rows }) => rows); state.epoch++; await this.#emit(); state.epoch--; if (results.some(({ rows }) => rows > 0)) { ${pause} }
          await connection.run('COMMIT')`,
      },
      { file: 'jobs/worker/tick.js', from: 'await this.#emit()\n', to: '\n' },
    ],
    fault: /not from the same moment/,
  },
]

/** Long enough for the kill. */
const PAUSE_MS = 2_000
/** A kill may still miss the pause: the rounds are repeated on other data until the fault has been noticed. */
const CONTROL_ROUNDS = 3
const CONTROL_TIMES = 6
const CONTROL_SETTLE_MS = 10_000

test.for(controls)(
  'negative control: $name',
  { timeout: 1_800_000 },
  async ({ name, alterations, fault }) => {
    const pause = await MarkedPause.of(PAUSE_MS)
    const cli = await alteredBuild(alterations(pause.code))
    const jobs = JOBS.filter(({ name: job }) => job === 'arrival')
    let found: unknown
    let rounds = 0
    for (let time = 0; time < CONTROL_TIMES; time++) {
      if (fault.test(String(found))) break // rows that are only late are no fault
      const settleMs = CONTROL_SETTLE_MS
      const killing = await Killing.begin({ seed: SEED + time, jobs, cli, settleMs, pause })
      try {
        for (let round = 0; round < CONTROL_ROUNDS; round++, rounds++) {
          await killing.round('service in a pause')
          await killing.expectLive()
        }
        await killing.writers.end()
        await killing.settled()
      } catch (error) {
        found = error
      } finally {
        await killing.end()
      }
    }
    expect(String(found)).toMatch(fault)
    tellProof(`jobs, negative control, ${name}`, { rounds, 'seen as': String(found).slice(0, 150) })
  },
)
