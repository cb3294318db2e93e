/**
 * The promise of a 200: what was acknowledged is there after the process was killed, once, whole and in order.
 *
 * The real service runs as a process of its own and is killed with SIGKILL while 32 writers are at it, then started
 * again on the same data and read from end to end. This says nothing of power cuts: what a killed process has written
 * is in the hands of the operating system.
 *
 *   MILLRACE_CRASH_ROUNDS   rounds on the same data, 4 unless set
 *   MILLRACE_CRASH_SEED     for the same sizes and delays as in a run that failed; the moment of the kill still varies
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Connection } from '../support/connection.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { Churn } from './churn.ts'
import { bodyOf, Ledger, Reading, type Sent, settle } from './ledger.ts'
import { type ReadEvent, readBack } from './read-back.ts'
import { type Writer, type WriterKind, write } from './writers.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? 4)
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
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

/** Often, so that it is killed at its work, too. */
const BUSY_JANITOR = { args: ['--janitor-seconds', '1'] }

test('what was acknowledged survives SIGKILL once, whole and in order', {
  timeout: ROUNDS * ROUND_MS,
}, async () => {
  const random = seededRandom(SEED)
  const folder = await temporaryFolder()
  const ledger = new Ledger()
  let service = await startServiceProcess(folder, BUSY_JANITOR)
  await createStreams(service)
  for (let round = 1; round <= ROUNDS; round++) {
    const killAfterMs = random.whole(300, 1500)
    const writing = writersOf(round).map((writer) =>
      write(writer, service.port, ledger, seededRandom(random.whole(0, 2 ** 32 - 1))),
    )
    await delay(killAfterMs)
    await service.kill()
    const surprises = [...(await Promise.all(writing)).flat(), ...linesOf(service.stderr)]

    service = await startServiceProcess(folder, BUSY_JANITOR)
    const { problems, found, events } = await readAll(service, ledger)
    const settled = settle(ledger, found)
    const { counts } = settled
    console.log(
      `round ${round}, killed after ${killAfterMs} ms: so far ${counts.acknowledged} requests with ` +
        `${counts.acknowledgedEvents} events acknowledged, ${events} events found; in flight at this kill ` +
        `${counts.unanswered}, of which found ${counts.unansweredFound}; answered 202 in this round ` +
        `${counts.accepted}, of which found ${counts.acceptedFound}`,
    )
    surprises.push(...linesOf(service.stderr))
    expect([...surprises, ...problems, ...settled.problems], `seed ${SEED}, round ${round}`).toEqual([])
    expect(counts.unanswered, 'every writer is cut off once per round').toBe(STREAMS.length * KINDS.length)
    await expectAccepting(service, ledger, round)
  }
})

test('truncates, deletes and creates hold or never were after SIGKILL', {
  timeout: ROUNDS * ROUND_MS,
}, async () => {
  const random = seededRandom(SEED + 1)
  const folder = await temporaryFolder()
  const churns = Array.from({ length: 10 }, (_, i) => {
    const writers: readonly WriterKind[] = i < 2 ? ['single', 'large batch'] : ['single', 'single', 'batch']
    return new Churn(`churn_${i}`, writers, seededRandom(SEED + 2 + i))
  })
  let service = await startServiceProcess(folder, BUSY_JANITOR)
  for (let round = 1; round <= ROUNDS; round++) {
    const killAfterMs = random.whole(300, 1500)
    const churning = churns.map((churn) => churn.run(service.port))
    await delay(killAfterMs)
    await service.kill()
    const surprises = [...(await Promise.all(churning)).flat(), ...linesOf(service.stderr)]

    service = await startServiceProcess(folder, BUSY_JANITOR)
    const problems: string[] = []
    const totals = { changes: 0, cutOff: 0, cutOffDone: 0, certain: 0, wiped: 0, open: 0, found: 0 }
    for (const churn of churns) {
      const checked = await churn.check(service.port)
      problems.push(...checked.problems)
      for (const [name, count] of Object.entries(checked.counts)) totals[name as keyof typeof totals] += count
    }
    console.log(
      `round ${round}, killed after ${killAfterMs} ms: ${totals.changes} changes acknowledged, ` +
        `${totals.cutOff} cut off, of which done ${totals.cutOffDone}; requests that had to be there ` +
        `${totals.certain}, that had to be gone ${totals.wiped}, of either kind ${totals.open}; found ${totals.found}`,
    )
    surprises.push(...linesOf(service.stderr))
    expect([...surprises, ...problems], `seed ${SEED}, round ${round}`).toEqual([])
  }
})

async function createStreams(service: ServiceProcess): Promise<void> {
  const connection = new Connection(service.port)
  for (const stream of STREAMS) {
    expect(await connection.send('PUT', pathOf(stream))).toEqual({ status: 200, text: '' })
  }
  connection.close()
}

/** What the service has to say of itself, which should be nothing. */
function linesOf(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line !== '')
}

function writersOf(round: number): Writer[] {
  return STREAMS.flatMap((stream) =>
    KINDS.map((kind, i) => ({
      name: `round${round}-${stream}-${kind.replace(' ', '')}${i}`,
      kind,
      stream,
      path: pathOf(stream),
    })),
  )
}

function pathOf(stream: string): string {
  return `/v3/namespaces/default/streams/${stream}`
}

async function readAll(service: ServiceProcess, ledger: Ledger) {
  const problems: string[] = []
  const found = new Set<Sent>()
  let events = 0
  for (const stream of STREAMS) {
    const reading = new Reading(ledger)
    const check = (event: ReadEvent) => {
      reading.add(event)
      const { writer } = event.headers
      if (!writer?.includes(`-${stream}`) || !event.body.startsWith(`${writer}#`)) {
        problems.push(`${stream}: header '${writer}' on '${event.body.slice(0, 60)}'`)
      }
    }
    problems.push(...(await readBack(service.port, 'default', stream, check)))
    for (const sent of reading.end()) found.add(sent)
    problems.push(...reading.problems)
    events += reading.events
  }
  return { problems: problems.slice(0, 20), found, events }
}

/** One more acknowledged event per stream, which later rounds have to find. */
async function expectAccepting(service: ServiceProcess, ledger: Ledger, round: number): Promise<void> {
  const connection = new Connection(service.port)
  for (const stream of STREAMS) {
    const sent = ledger.open(`after${round}-${stream}`, 1, 10)
    const headers = { [`${stream}.writer`]: sent.writer }
    const answer = await connection.send('POST', pathOf(stream), headers, bodyOf(sent, 0))
    expect(answer).toEqual({ status: 200, text: '' })
    sent.fate = 'acknowledged'
    sent.answered = true
  }
  connection.close()
}
