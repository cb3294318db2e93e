/**
 * The promise of a 200 against power cuts: what was acknowledged is there after the machine has lost all that was not
 * synced, once, whole and in order, and the service starts on what is left.
 *
 * Power is cut while writers write, and at times while the store opens; disk/power-cut.ts says what a cut leaves. The
 * same with syncs that do nothing has to lose events, or the test would prove nothing.
 *
 *   MILLRACE_CRASH_ROUNDS, MILLRACE_CRASH_SEED   as in kill.test.ts
 */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { proven } from '../support/proven.ts'
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts'
import {
  type ServiceProcess,
  spawnCli,
  startServiceProcess,
  temporaryFolder,
} from '../support/service-process.ts'
import { type Ignores, type Loss, PowerCutDisk, powerCutProblem } from './disk/power-cut.ts'
import { Churn } from './writers/churn.ts'
import { createStreams, linesOf, readStreams, truncateStream, writeAll, writersOf } from './writers/crew.ts'
import { type Counts, Ledger, settle, sumOf } from './writers/ledger.ts'
import { acknowledgeOne, type WriterKind } from './writers/writers.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? effort({ short: 6, long: 60 }))
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const ROUND_MS = 60_000
const problem = await powerCutProblem()

const STREAMS = ['north', 'East', 'south-1']
const KINDS: readonly WriterKind[] = ['single', 'single', 'async', 'batch', 'large batch']
const CUT_WHILE_OPENING = 0.4
/** Acknowledged before the cut of a negative control. */
const CONTROL_REQUESTS = 10

/** Every kind of loss in turn. */
const LOSSES: readonly Loss[] = [
  { names: 'strict', tails: 'dropped' },
  { names: 'journal', tails: 'zeros' },
  { names: 'strict', tails: 'part' },
  { names: 'any', tails: 'dropped' },
  { names: 'journal', tails: 'noise' },
]

const TORN_WRITE =
  / the last write in store\/[0-9]+\.log, .* is not whole .* After a power cut this is normal/

test('what was acknowledged survives power cuts once, whole and in order', {
  timeout: ROUNDS * ROUND_MS,
}, async ({ skip }) => {
  if (problem !== undefined) skip(problem)
  console.log(`seed ${SEED}`)
  const random = seededRandom(SEED)
  const disk = await PowerCutDisk.make(await temporaryFolder())
  const ledger = new Ledger()
  const churns = ['churn_0', 'churn_1'].map(
    (name, i) => new Churn(name, ['single', 'batch'], seededRandom(SEED + 1 + i)),
  )
  const rounds: Counts[] = []
  let changes = 0
  let service = await start(disk)
  await createStreams(service.port, STREAMS)
  for (let round = 1; round <= ROUNDS; round++) {
    const loss = LOSSES[round % LOSSES.length]!
    const working = Promise.all([
      writeAll(writersOf(round, STREAMS, KINDS), service.port, ledger, random),
      ...churns.map((churn) => churn.run(service.port)),
    ])
    await delay(random.whole(100, 1000))
    await service.kill()
    const surprises = [...(await working).flat(), ...surprisesOf(service)]
    disk.cut(loss, random)
    while (random.next() < CUT_WHILE_OPENING) await cutWhileOpening(disk, loss, random)

    service = await start(disk)
    const { problems, found } = await readStreams(service.port, STREAMS, ledger)
    const settled = settle(ledger, found)
    surprises.push(...problems, ...settled.problems)
    for (const churn of churns) {
      const checked = await churn.check(service.port)
      surprises.push(...checked.problems)
      changes += checked.counts.changes
    }
    surprises.push(...surprisesOf(service))
    await proven(() => expect(surprises, `seed ${SEED}, round ${round}, ${JSON.stringify(loss)}`).toEqual([]))
    rounds.push(settled.counts)
    await truncateStream(service.port, STREAMS[round % STREAMS.length]!, ledger)
    for (const stream of STREAMS) await acknowledgeOne(service.port, stream, `after${round}`, ledger)
  }
  const total = sumOf(rounds)
  tellProof('power loss', {
    cuts: disk.cuts,
    'requests acknowledged': total.acknowledged,
    'events acknowledged': total.acknowledgedEvents,
    'changes acknowledged': changes,
    'lost or doubled': 0,
    'bytes not synced at a cut': disk.lostBytes,
    'changes of names not synced': disk.lostNames,
  })
})

const controls: { readonly name: string; readonly ignores: Ignores }[] = [
  { name: 'of files and folders', ignores: 'all' },
  { name: 'of folders', ignores: 'folders' },
]
test.for(controls)(
  'on a disk where a sync $name does nothing they would be lost',
  async (control, { skip }) => {
    if (problem !== undefined) skip(problem)
    const { name, ignores } = control
    const random = seededRandom(SEED)
    const disk = await PowerCutDisk.make(await temporaryFolder())
    const ledger = new Ledger()
    const honest = await start(disk)
    await createStreams(honest.port, STREAMS)
    await honest.kill()
    disk.cut(LOSSES[0]!, random)

    const service = await start(disk, ignores)
    const writing = writeAll(writersOf(1, STREAMS, KINDS), service.port, ledger, random)
    const acknowledged = () => [...ledger.all()].filter(({ fate }) => fate === 'acknowledged').length
    await vi.waitUntil(() => acknowledged() > CONTROL_REQUESTS, { timeout: 300_000, interval: 20 })
    await service.kill()
    await writing
    disk.cut(LOSSES[0]!, random)

    const { port } = await start(disk)
    const { found } = await readStreams(port, STREAMS, ledger)
    const { problems, counts } = settle(ledger, found)
    expect(counts.acknowledged).toBeGreaterThan(0)
    expect(problems).toContainEqual(expect.stringMatching(/ was acknowledged and is not there$/))
    tellProof(`negative control, no sync ${name}`, {
      acknowledged: counts.acknowledged,
      found: found.size,
    })
  },
)

function start(disk: PowerCutDisk, ignores?: Ignores): Promise<ServiceProcess> {
  return startServiceProcess(`${disk.root}/data`, {
    args: ['--janitor-seconds', '1'],
    environment: disk.environment(ignores),
  })
}

async function cutWhileOpening(disk: PowerCutDisk, loss: Loss, random: SeededRandom): Promise<void> {
  const opening = spawnCli({
    args: ['--port', '0', '--data', `${disk.root}/data`],
    environment: disk.environment(),
  })
  await delay(random.whole(100, 500))
  await opening.kill()
  disk.cut(loss, random)
}

/** The service reports a write that the cut has torn; that report is expected. */
function surprisesOf({ stderr }: ServiceProcess): string[] {
  return linesOf(stderr).filter((line) => !TORN_WRITE.test(line))
}
