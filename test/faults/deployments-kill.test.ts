/**
 * The built service is killed with SIGKILL in the transitions of a deployment: after the next start the deployment has the state that was
 * asked for, once: one job or none, one savepoint for each suspension, and every row is written once.
 *
 *   MILLRACE_CRASH_ROUNDS, MILLRACE_CRASH_SEED   as in kill.test.ts
 */
import { expect, test } from 'vitest'
import { alteredBuild } from '../support/altered-build.ts'
import { effort, tellProof } from '../support/effort.ts'
import { DeploymentKills, type Moment, type Transition } from './jobs/deployment-kills.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? effort({ short: 8, long: 64 }))
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const TRANSITIONS: readonly Transition[] = [
  ...(['suspend', 'start', 'STATEFUL', 'cancel', 'start', 'STATELESS', 'suspend', 'STATEFUL'] as const),
  ...(['cancel', 'STATEFUL', 'suspend', 'cancel', 'start', 'cancel', 'suspend', 'start'] as const),
]
/** Three of four kills come at a random time. */
const momentOf = (round: number): Moment => (round % 4 === 3 ? 'at the end' : 'between')

test('a deployment reaches its wanted state once, whatever transition is killed', {
  timeout: 240_000 + ROUNDS * 60_000,
}, async () => {
  console.log(`seed ${SEED}`)
  const kills = await DeploymentKills.begin({ seed: SEED })
  for (let round = 0; round < ROUNDS; round++)
    await kills.round(TRANSITIONS[round % TRANSITIONS.length]!, momentOf(round))
  const rows = await kills.settled()
  tellProof('deployments, kill -9', { kills: ROUNDS, rows, ...Object.fromEntries(kills.counts) })
})

/** Long enough for the kill that follows when the state is seen. */
const PAUSE = 'await new Promise((resolve) => setTimeout(resolve, 5000))'

test('negative control: a deployment that is SUSPENDED before the end of its job is durable', {
  timeout: 900_000,
}, async () => {
  const cli = await alteredBuild([
    {
      file: 'deployments/reconciler/reconciler.js',
      from: 'await this.#settled(found)',
      to: '{}',
    },
    {
      file: 'jobs/job-documents.js',
      from: 'const taken = [...this.#dirty]',
      to: `if ([...this.#dirty.keys()].some(({ stopped }) => stopped)) ${PAUSE}
    const taken = [...this.#dirty]`,
    },
  ])
  let found: unknown
  const kills = await DeploymentKills.begin({ seed: SEED, cli })
  try {
    await kills.round('suspend', 'at the end')
  } catch (error) {
    found = error
  } finally {
    await kills.end()
  }
  expect(String(found)).toMatch(/jobs that run/)
  tellProof('deployments, negative control', { 'seen as': String(found).slice(0, 150) })
})
