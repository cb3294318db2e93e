/**
 * Streams and namespaces that are created, changed, truncated and deleted all the time, by one client each, while others
 * write to them: after SIGKILL a change holds or has never been, and so does what it did to the events.
 *
 *   MILLRACE_CRASH_ROUNDS   rounds on the same data
 *   MILLRACE_CRASH_SEED     as in kill.test.ts
 */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { Churn } from './writers/churn.ts'
import { linesOf } from './writers/crew.ts'
import type { WriterKind } from './writers/writers.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? effort({ short: 5, long: 60 }))
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const ROUND_MS = 60_000

/** Often, so that it is killed at its work, too. */
const BUSY_JANITOR = { args: ['--janitor-seconds', '1'] }

test('truncates, deletes and creates hold or never were after SIGKILL', {
  timeout: ROUNDS * ROUND_MS,
}, async () => {
  console.log(`seed ${SEED}`)
  const random = seededRandom(SEED + 1)
  const folder = await temporaryFolder()
  const churns = Array.from({ length: 10 }, (_, i) => {
    const writers: readonly WriterKind[] = i < 2 ? ['single', 'large batch'] : ['single', 'single', 'batch']
    return new Churn(`churn_${i}`, writers, seededRandom(SEED + 2 + i))
  })
  const sums = { changes: 0, cutOff: 0, cutOffDone: 0, certain: 0, wiped: 0, open: 0, found: 0 }
  let service = await startServiceProcess(folder, BUSY_JANITOR)
  for (let round = 1; round <= ROUNDS; round++) {
    const churning = churns.map((churn) => churn.run(service.port))
    await delay(random.whole(300, 1200))
    await service.kill()
    const surprises = [...(await Promise.all(churning)).flat(), ...linesOf(service.stderr)]

    service = await startServiceProcess(folder, BUSY_JANITOR)
    for (const churn of churns) {
      const { problems, counts } = await churn.check(service.port)
      surprises.push(...problems)
      for (const [name, count] of Object.entries(counts)) sums[name as keyof typeof sums] += count
    }
    surprises.push(...linesOf(service.stderr))
    await proven(() => expect(surprises, `seed ${SEED}, round ${round}`).toEqual([]))
  }
  tellProof('kill -9 amid changes', {
    rounds: ROUNDS,
    'changes acknowledged': sums.changes,
    'cut off': sums.cutOff,
    'of which done': sums.cutOffDone,
    'requests that had to be there': sums.certain,
    'had to be gone': sums.wiped,
    'either way': sums.open,
  })
})
