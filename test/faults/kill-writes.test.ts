/**
 * The promise of one write over several logs and documents, under kill -9: after a restart all of it is there or nothing, and
 * all of it if it was acknowledged. The same data is used in all rounds.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openStorage } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import { documents } from '../contract/catalog.ts'
import { bodies } from '../contract/event-log.ts'
import { effort, SEED, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { temporaryFolder, WatchedProcess } from '../support/service-process.ts'

const ROUNDS = effort({ short: 6, long: 60 })
const WORKER = fileURLToPath(new URL('./writes-worker.mjs', import.meta.url))
/** Events of the batch that every fifth write has. */
const BATCH_EVENTS = 1_500

interface Found {
  /** Numbers of the writes whose document is there. */
  readonly writes: readonly number[]
  readonly problems: readonly string[]
}

async function check({ log, catalog }: Storage): Promise<Found> {
  const found = (await documents(catalog, '', 'writes')).map(([id]) => Number(id)).sort((a, b) => a - b)
  const wanted = new Set(found)
  const problems: string[] = []
  for (const id of [1, 2]) {
    const numbers = (await bodies(log, id)).filter((body) => body !== 'alone').map(Number)
    const seen = new Set(numbers)
    if (seen.size !== numbers.length) problems.push(`log ${id} has a write twice`)
    for (const n of found) if (!seen.has(n)) problems.push(`write ${n} is not in log ${id}`)
    for (const n of numbers)
      if (!wanted.has(n)) problems.push(`write ${n} is in log ${id}, its document is not`)
  }
  const counts = new Map<number, number>()
  for (const body of await bodies(log, 3)) {
    const n = Number(body.slice(0, body.indexOf(' ')))
    counts.set(n, (counts.get(n) ?? 0) + 1)
  }
  for (const n of found) {
    const events = counts.get(n) ?? 0
    if (events !== (n % 5 === 0 ? BATCH_EVENTS : 0))
      problems.push(`write ${n} has ${events} events of its batch`)
  }
  for (const n of counts.keys()) if (!wanted.has(n)) problems.push(`write ${n} has a batch, and no document`)
  return { writes: found, problems }
}

test('a write over logs and documents is there as a whole or not at all after kill -9', {
  timeout: ROUNDS * 60_000,
}, async () => {
  const random = seededRandom(SEED)
  const folder = await temporaryFolder()
  let acknowledged = 0
  let first = 0
  let writes: readonly number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const worker = new WatchedProcess(process.execPath, [WORKER, folder, `${first}`])
    await worker.printed('\n')
    await delay(random.whole(20, 400))
    await worker.kill()
    const told = worker.stdout.slice(0, worker.stdout.lastIndexOf('\n')).split('\n').map(Number)
    const storage = await openStorage(folder, { nowMs: Date.now, sync: true })
    const found = await check(storage)
    await storage.close()
    const there = new Set(found.writes)
    const lost = told.filter((n) => !there.has(n))
    await proven(() =>
      expect({ problems: found.problems, lost, stderr: worker.stderr }).toEqual({
        problems: [],
        lost: [],
        stderr: '',
      }),
    )
    acknowledged += told.length
    writes = found.writes
    first = (writes.at(-1) ?? -1) + 1_000
  }
  tellProof('kill -9 of writes over several logs', {
    rounds: ROUNDS,
    acknowledged,
    'found, whole': writes.length,
    'lost or partial': 0,
  })
})
