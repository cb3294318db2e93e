/**
 * Jobs are exactly once across power cuts: the service and its process of jobs lose power while writers write. The store and
 * the states of jobs become what the disk would hold (disk/power-cut.ts), and the service starts on them. At the end each
 * sink holds what was worked out from the log, record by record, and no job has failed.
 *
 * Half of the services fold the engine's log into a state file after every few ticks, so that cuts come there too.
 *
 *   MILLRACE_CRASH_ROUNDS, MILLRACE_CRASH_SEED   as in kill.test.ts
 */
import { expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../support/altered-build.ts'
import { effort, tellProof } from '../support/effort.ts'
import { type Ignores, type Loss, powerCutProblem } from './disk/power-cut.ts'
import { Cutting, type Moment } from './jobs/cutting.ts'
import { JOBS } from './jobs/job-set.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? effort({ short: 6, long: 48 }))
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const ROUND_MS = 120_000
const SETTLE_MS = 240_000
const problem = await powerCutProblem()

/** One of each way, and one with two sinks. */
const SOME = ['arrival', 'TUMBLE', 'running', 'refresh', 'statement set']
const MOMENTS: readonly Moment[] = ['commit', 'new log', 'between', 'any', 'start', 'commit']

/** Every kind of loss in turn, each at every moment. */
const LOSSES: readonly Loss[] = [
  { names: 'strict', tails: 'dropped' },
  { names: 'journal', tails: 'zeros' },
  { names: 'strict', tails: 'holes' },
  { names: 'any', tails: 'part' },
  { names: 'journal', tails: 'noise' },
]

/** The engine folds its log into the state file at 256 KB instead of 8 MB: after each burst. A larger commit needs no log. */
const FOLDS_OFTEN: Alteration = {
  file: 'jobs/worker/job-database.js',
  from: "checkpoint_threshold = '8MB'",
  to: "checkpoint_threshold = '256KB'",
}

test('every row of every job is written once, whenever power is cut', {
  timeout: SETTLE_MS * 2 + ROUNDS * ROUND_MS,
}, async ({ skip }) => {
  if (problem !== undefined) skip(problem)
  console.log(`seed ${SEED}`)
  const builds = [undefined, await alteredBuild([FOLDS_OFTEN])]
  const jobs = JOBS.filter(({ name }) => SOME.includes(name))
  const cutting = await Cutting.begin({ seed: SEED, jobs, builds, settleMs: SETTLE_MS })
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 2 === 1) void cutting.burst() // the engine folds its log, or needs none
    await cutting.cut(MOMENTS[round % MOMENTS.length]!, LOSSES[round % LOSSES.length]!)
    await cutting.start()
  }
  await cutting.allRun()
  await cutting.endWriters()
  await cutting.burst()
  const rows = await cutting.settled()
  const { cuts, lostBytes, lostNames, openPages } = cutting.disk
  expect(cuts).toBeGreaterThanOrEqual(ROUNDS)
  tellProof('jobs, power loss', {
    cuts,
    ...Object.fromEntries(rows),
    'lost or doubled': 0,
    'bytes not synced at a cut': lostBytes,
    'changes of names not synced': lostNames,
    'pages in place not synced': openPages,
  })
  if (effort({ short: true, long: false })) return // a few cuts may miss the writes
  expect(lostBytes, 'bytes not synced at a cut').toBeGreaterThan(0)
  expect(lostNames, 'changes of names not synced').toBeGreaterThan(0)
  expect(openPages, 'pages in place not synced').toBeGreaterThan(0)
})

const controls: readonly {
  readonly name: string
  readonly ignores?: Ignores
  readonly alterations: readonly Alteration[]
}[] = [
  { name: 'syncs of the states do nothing', ignores: '/jobs/', alterations: [] },
  {
    name: 'the name of a new log is not synced',
    alterations: [
      FOLDS_OFTEN,
      { file: 'jobs/worker/state-log.js', from: 'if (now === this.#synced) return', to: 'return' },
    ],
  },
]

/** At most: the first cut that has the fault ends the control. */
const CONTROL_ROUNDS = 15

test.for(controls)('negative control: $name', { timeout: 900_000 }, async (control, { skip }) => {
  if (problem !== undefined) skip(problem)
  const { name, ignores, alterations } = control
  const cutting = await Cutting.begin({
    seed: SEED,
    jobs: JOBS.filter(({ name: job }) => job === 'arrival' || job === 'running'),
    builds: [alterations.length === 0 ? undefined : await alteredBuild(alterations)],
    settleMs: SETTLE_MS,
    ignores,
  })
  let found: unknown
  try {
    for (let round = 0; round < CONTROL_ROUNDS; round++) {
      void cutting.burst() // enough for the engine to fold its log
      await cutting.cut('new log', LOSSES[0]!)
      await cutting.start()
      await cutting.allRun()
    }
  } catch (error) {
    found = error
  } finally {
    await cutting.endWriters()
  }
  expect(String(found)).toMatch(/sink is at epoch \d+, state at \d+: they are not from the same moment/)
  tellProof(`jobs, negative control, ${name}`, {
    cuts: cutting.disk.cuts,
    'seen as': String(found).slice(0, 300),
  })
})
