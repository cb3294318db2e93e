/**
 * The promise of a 200: what was acknowledged is there after the process was killed, once, whole and in order.
 *
 * The real service runs as a process of its own and is killed with SIGKILL while 32 writers write, at times once more
 * while it opens again, then started on the same data and read from end to end. Streams are truncated in turn, and one
 * expires, so that the janitor is killed at its work, too. This says nothing of power cuts: what a killed process has
 * written is in the hands of the operating system (power-loss.test.ts).
 *
 *   MILLRACE_CRASH_ROUNDS   rounds on the same data
 *   MILLRACE_CRASH_SEED     for the same sizes and delays as in a run that failed; the moment of the kill still varies
 */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Connection } from '../support/connection.ts'
import { effort, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import {
  type ServiceProcess,
  spawnCli,
  startServiceProcess,
  temporaryFolder,
} from '../support/service-process.ts'
import { createStreams, linesOf, readStreams, truncateStream, writeAll, writersOf } from './writers/crew.ts'
import { type Counts, Ledger, Reading, settle, sumOf } from './writers/ledger.ts'
import { type ReadEvent, readBack } from './writers/read-back.ts'
import { acknowledgeOne, pathOf, type WriterKind } from './writers/writers.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? effort({ short: 20, long: 300 }))
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
/** On a machine that is busy with other things. */
const ROUND_MS = 60_000

const STREAMS = ['north', 'East', 'south-1', 'w_est']
/** The eight writers of each stream. */
const KINDS: readonly WriterKind[] = [
  'single',
  'single',
  'single',
  'async',
  'async',
  'batch',
  'batch',
  'large batch',
]
/** One more stream, with writers of its own, whose events expire. */
const BRIEF = 'brief'
const BRIEF_SECONDS = 5
const BRIEF_KINDS: readonly WriterKind[] = ['single', 'batch', 'large batch']

/** Often, so that it is killed at its work, too. */
const BUSY_JANITOR = ['--janitor-seconds', '1']
/** How often a service is killed once more before it is up. */
const KILLED_WHILE_OPENING = 0.4

test('what was acknowledged survives SIGKILL once, whole and in order', {
  timeout: ROUNDS * ROUND_MS,
}, async () => {
  console.log(`seed ${SEED}`)
  const random = seededRandom(SEED)
  const folder = await temporaryFolder()
  const ledger = new Ledger()
  const briefLedger = new Ledger()
  const rounds: Counts[] = []
  let killedWhileOpening = 0
  let service = await start(folder)
  await createStreams(service.port, STREAMS)
  await createBrief(service)
  for (let round = 1; round <= ROUNDS; round++) {
    const writing = Promise.all([
      writeAll(writersOf(round, STREAMS, KINDS), service.port, ledger, random),
      writeAll(writersOf(round, [BRIEF], BRIEF_KINDS), service.port, briefLedger, random),
    ])
    await delay(random.whole(50, 700))
    await service.kill()
    const surprises = [...(await writing).flat(), ...linesOf(service.stderr)]
    for (; random.next() < KILLED_WHILE_OPENING; killedWhileOpening++) {
      const opening = spawnCli({ args: ['--port', '0', '--data', folder, ...BUSY_JANITOR] })
      await delay(random.whole(50, 500))
      await opening.kill()
      surprises.push(...linesOf(opening.stderr))
    }

    service = await start(folder)
    const { problems, found } = await readStreams(service.port, STREAMS, ledger)
    const settled = settle(ledger, found)
    surprises.push(...problems, ...settled.problems, ...(await checkBrief(service, briefLedger)))
    surprises.push(...linesOf(service.stderr))
    await proven(() => expect(surprises, `seed ${SEED}, round ${round}`).toEqual([]))
    expect(settled.counts.unanswered, 'every writer is cut off once per round').toBe(
      STREAMS.length * KINDS.length,
    )
    rounds.push(settled.counts)
    await truncateStream(service.port, STREAMS[round % STREAMS.length]!, ledger)
    for (const stream of STREAMS) await acknowledgeOne(service.port, stream, `after${round}`, ledger)
  }
  const total = sumOf(rounds)
  tellProof('kill -9', {
    rounds: ROUNDS,
    'killed while opening': killedWhileOpening,
    'requests acknowledged': total.acknowledged,
    'events acknowledged': total.acknowledgedEvents,
    'lost or doubled': 0,
    'in flight at a kill': total.unanswered,
    'of which found': total.unansweredFound,
    'answered 202': total.accepted,
    'of which not found': total.accepted - total.acceptedFound,
  })
})

function start(folder: string): Promise<ServiceProcess> {
  return startServiceProcess(folder, { args: BUSY_JANITOR })
}

async function createBrief({ port }: ServiceProcess): Promise<void> {
  const connection = new Connection(port)
  const properties = JSON.stringify({ ttl: BRIEF_SECONDS })
  expect(await connection.send('PUT', pathOf(BRIEF), {}, properties)).toEqual({ status: 200, text: '' })
  connection.close()
}

/** What is younger than the ttl is there, what is older is not; whole and in order, like everything. */
async function checkBrief(service: ServiceProcess, ledger: Ledger): Promise<string[]> {
  const reading = new Reading(ledger)
  const problems: string[] = []
  const beforeMs = Date.now()
  const check = (event: ReadEvent) => {
    reading.add(event)
    const { sequence, timestampMs } = event.position
    if (timestampMs < beforeMs - BRIEF_SECONDS * 1000) problems.push(`${BRIEF}: ${sequence} has expired`)
  }
  problems.push(...(await readBack(service.port, 'default', BRIEF, check, 'expired')))
  const oldestMs = Date.now() - BRIEF_SECONDS * 1000
  const settled = settle(ledger, reading.end(), ({ sentMs }) => sentMs <= oldestMs)
  return [...problems.slice(0, 10), ...reading.problems, ...settled.problems]
}
