/**
 * Five times the load that the service can bear, and at the same time clients that are slow, idle, or gone in the middle:
 * it takes what it can, keeps what it took, sends the rest away quickly, grows no further, and is well again afterwards.
 *
 * The load has a process of its own; so do the bad clients (this one). Times are taken in windows of a second. Where other
 * proofs run beside this one, neither the load nor the service is on a core when it should be, so a window in which either
 * waited for one says nothing, and of the others the best is held to the promise: what the
 * service cannot do in any window, it cannot do. Where no window is left the times are printed, and not judged.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type OpenLoopResult, OUTCOME } from '../../bench/load/open-loop.ts'
import { BadClients } from '../support/bad-clients.ts'
import { effort, tellProof } from '../support/effort.ts'
import { handles, handlesMax, openLoop, procProblem, rssMb } from '../support/open-loop.ts'
import { proven } from '../support/proven.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { STREAMS } from '../support/test-app.ts'
import { readBack } from './writers/read-back.ts'

/** Of what 64 clients get out of it that send one event after the other. */
const SUSTAINABLE_SHARE = 0.7
const TIMES = 5
/** As many clients as make a queue of so long, if each waits for its answer: more cannot be answered in 100 ms at all. */
const QUEUE_SECONDS = 0.05
const CONNECTIONS = { least: 400, most: 1_300 }
const IDLE = effort({ short: 200, long: 2_000 })
const SLOW = effort({ short: 30, long: 200 })
const READERS = effort({ short: 20, long: 100 })
const ABORTED = effort({ short: 50, long: 1_000 })
const NORMAL_SECONDS = effort({ short: 2, long: 10 })
const OVERLOAD_SECONDS = effort({ short: 4, long: 60 })
const LARGE_BYTES = effort({ short: 16_000_000, long: 100_000_000 })
const RECOVERY_MS = effort({ short: 1_000, long: 5_000 })

/** In a few seconds, and beside other tests, fewer clients have to be an overload. */
const ARGS = effort({ short: ['--max-requests', '256'], long: [] })

const RSS_MB_MAX = 400
/** What is wanted, and told; and beyond which it is no noise any more: the load takes its time from the same two cores. */
const REFUSED_MS = { wanted: 100, most: 300 }
const ACCEPTED_TIMES = { wanted: 3, most: 15 }
/** A window in which load or service waited for a core for a larger part of the time says nothing. */
const STARVED_MAX = 0.15
/** Sockets that are left may take so long to go. */
const SETTLE_MS = 90_000

test('five times what it can bear, beside slow, idle and vanishing clients', {
  timeout: 300_000,
}, async ({ skip }) => {
  const problem = procProblem()
  if (problem !== undefined) skip(problem)
  const folder = await temporaryFolder()
  const service = await startServiceProcess(join(folder, 'data'), { args: ARGS })
  const { pid, port } = service
  const needed = CONNECTIONS.most + IDLE + SLOW + READERS + 500
  if (handlesMax(pid) < needed) skip(`a process may open ${handlesMax(pid)} files here; ${needed} are needed`)
  for (const stream of ['s', 'large']) {
    await fetch(`${service.base}${STREAMS}/${stream}`, { method: 'PUT' })
  }
  await upload(`${service.base}${STREAMS}/large/batch`)

  const phases: { prefix: string; result: OpenLoopResult; outcomes: Buffer }[] = []
  async function load(prefix: string, connections: number, seconds: number, ratePerSecond?: number) {
    const outcomeFile = join(folder, `outcomes-${prefix}`)
    const result = await openLoop({
      ...{ port, path: `${STREAMS}/s`, connections, seconds, prefix, outcomeFile, servicePid: pid },
      ...{ windowSeconds: 1, bodyBytes: 100, ...(ratePerSecond && { ratePerSecond }) },
    })
    phases.push({ prefix, result, outcomes: readFileSync(outcomeFile) })
    return result
  }

  const closed = await load('closed-', 64, NORMAL_SECONDS)
  const rate = (SUSTAINABLE_SHARE * closed.accepted) / NORMAL_SECONDS
  const connections = Math.min(
    CONNECTIONS.most,
    Math.max(CONNECTIONS.least, Math.round((QUEUE_SECONDS * closed.accepted) / NORMAL_SECONDS)),
  )
  const normal = await load('normal-', connections, NORMAL_SECONDS, rate)
  const before = await settled(pid)

  let rssPeakMb = 0
  const sampling = setInterval(() => {
    rssPeakMb = Math.max(rssPeakMb, rssMb(pid))
  }, 100)
  onTestFinished(() => clearInterval(sampling))
  const bad = new BadClients({ port, stream: `${STREAMS}/s`, largeStream: `${STREAMS}/large` })
  onTestFinished(() => bad.stop())
  await bad.idle(IDLE)
  bad.slow(SLOW)
  bad.readers(READERS)
  const aborting = bad.aborted(ABORTED, OVERLOAD_SECONDS)
  const overload = await load('overload-', connections, OVERLOAD_SECONDS, TIMES * rate)
  await aborting
  bad.stop()

  await sleep(RECOVERY_MS)
  const after = await load('after-', connections, NORMAL_SECONDS, rate)
  clearInterval(sampling)
  const left = await settled(pid)

  const stored = await storedBy(port, phases)
  const judged = [normal, overload, after].map(({ windows }) => windows.filter(isJudged).length)
  const normalP99Ms = best(normal, ({ acceptedP99Ms }) => acceptedP99Ms)
  const acceptedP99Ms = best(overload, ({ acceptedP99Ms }) => acceptedP99Ms)
  const refusedP99Ms = best(overload, ({ refusedP99Ms }) => refusedP99Ms)
  const afterP99Ms = best(after, ({ acceptedP99Ms }) => acceptedP99Ms)
  tellProof('overload', {
    connections,
    'sustainable events/s': Math.round(rate),
    'due/s under overload': Math.round(overload.due / OVERLOAD_SECONDS),
    'sent/s': Math.round(overload.sent / OVERLOAD_SECONDS),
    'accepted/s': Math.round(overload.accepted / OVERLOAD_SECONDS),
    'refused/s': Math.round(overload.refused / OVERLOAD_SECONDS),
    'accepted p99 ms before': `${normalP99Ms} (median window ${median(normal, ({ acceptedP99Ms: ms }) => ms)})`,
    'under overload': `${acceptedP99Ms} (median window ${median(overload, ({ acceptedP99Ms: ms }) => ms)})`,
    after: `${afterP99Ms} (median window ${median(after, ({ acceptedP99Ms: ms }) => ms)})`,
    'refused p99 ms': `${refusedP99Ms} (median window ${median(overload, ({ refusedP99Ms: ms }) => ms)})`,
    'wanted, accepted under overload': `at most ${ACCEPTED_TIMES.wanted} times that before`,
    'wanted, refused p99 ms': `at most ${REFUSED_MS.wanted}`,
    'windows judged before, under overload, after': judged.join('/'),
    'accepted in all': stored.accepted,
    lost: stored.lost,
    doubled: stored.doubled,
    'refused and stored': stored.refusedAndStored,
    'RSS peak MB': Math.round(rssPeakMb),
    'sockets before and after': `${before.sockets}/${left.sockets}`,
    'other handles before and after': `${before.others}/${left.others}`,
    'told to idle, slow, reading, aborting': JSON.stringify(bad.told),
  })

  const nothing = { problems: [], lost: 0, doubled: 0, refusedAndStored: 0 }
  await proven(() => expect(stored).toMatchObject(nothing))
  for (const { result } of phases) expect(result.others).toEqual({})
  expect(overload.accepted).toBeGreaterThan(0)
  expect(overload.refused).toBeGreaterThan(0)
  expect(after.accepted).toBeGreaterThan(0)
  expect(rssPeakMb).toBeLessThan(RSS_MB_MAX)
  expect(left.sockets).toBeLessThanOrEqual(before.sockets)
  expect(left.others).toBeLessThan(before.others + LEVELDB_FILES)
  expect(service.stderr).toBe('')
  if (effort({ short: false, long: true }) && judged.every((windows) => windows > 0)) {
    const acceptedMsMax = ACCEPTED_TIMES.most * median(normal, ({ acceptedP99Ms: ms }) => ms)
    expect(refusedP99Ms).toBeLessThan(REFUSED_MS.most)
    expect(acceptedP99Ms).toBeLessThan(acceptedMsMax)
    expect(afterP99Ms).toBeLessThan(acceptedMsMax)
  }
  expect(await service.stop()).toEqual({ code: 0, signal: null })
})

/** What is open once no more sockets are being closed. */
async function settled(pid: number): Promise<ReturnType<typeof handles>> {
  let open = handles(pid)
  for (const deadline = Date.now() + SETTLE_MS; Date.now() < deadline; ) {
    await sleep(1_000)
    const now = handles(pid)
    if (now.sockets === open.sockets) return now
    open = now
  }
  return open
}

/** LevelDB keeps up to 64 tables open (storage/level/open.ts), and opens them as it reads. */
const LEVELDB_FILES = 80

type LoadWindow = OpenLoopResult['windows'][number]

function isJudged({ starved }: LoadWindow): boolean {
  return starved <= STARVED_MAX
}

type WindowFigure = (window: LoadWindow) => number

/** Of the windows that are judged, or of all if there are none; those without an answer say nothing. */
function figures({ windows }: OpenLoopResult, of: WindowFigure): number[] {
  const fair = windows.filter(isJudged)
  return (fair.length > 0 ? fair : windows)
    .map(of)
    .filter((figure) => figure > 0)
    .sort((a, b) => a - b)
}

function best(result: OpenLoopResult, of: WindowFigure): number {
  return figures(result, of)[0] ?? 0
}

function median(result: OpenLoopResult, of: WindowFigure): number {
  const sorted = figures(result, of)
  return sorted[sorted.length >> 1] ?? 0
}

async function upload(url: string): Promise<void> {
  const line = `${'a line of a large stream, '.repeat(4)}\n`
  const body = line.repeat(Math.ceil(LARGE_BYTES / line.length))
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body })
  expect(response.status).toBe(200)
}

/** Reads everything back and compares it with the answers that the load got. */
async function storedBy(
  port: number,
  phases: readonly { readonly prefix: string; readonly outcomes: Buffer }[],
): Promise<{
  problems: string[]
  accepted: number
  lost: number
  doubled: number
  refusedAndStored: number
}> {
  const seen = new Map(phases.map(({ prefix, outcomes }) => [prefix, new Uint8Array(outcomes.length)]))
  const strange: string[] = []
  const problems = await readBack(port, 'default', 's', ({ body }) => {
    const prefix = /^[a-z]+-/.exec(body)?.[0] ?? ''
    const number = Number(body.slice(prefix.length))
    const counts = seen.get(prefix)
    if (counts === undefined || !(number < counts.length)) strange.push(body.slice(0, 50))
    else counts[number]!++
  })
  const result = {
    problems: [...problems, ...strange.slice(0, 5)],
    accepted: 0,
    lost: 0,
    doubled: 0,
    refusedAndStored: 0,
  }
  for (const { prefix, outcomes } of phases) {
    const counts = seen.get(prefix)!
    for (let i = 0; i < outcomes.length; i++) {
      if (outcomes[i] === OUTCOME.accepted) {
        result.accepted++
        if (counts[i] === 0) result.lost++
      }
      if (outcomes[i] === OUTCOME.refused && counts[i]! > 0) result.refusedAndStored++
      if (counts[i]! > 1) result.doubled++
    }
  }
  return result
}
