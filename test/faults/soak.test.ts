/**
 * Many hours in a few minutes: a steady load at 80 % of what the service can bear, while what was written half a minute
 * ago expires. Memory, handles, delay and disk level off: the last third of the time takes no more than the second, and
 * in the end the disk holds what is alive and little else.
 *
 * What LevelDB needs at least beside live data: its write-ahead log of up to 2 MiB (twice, while one is being flushed), a
 * few tables that wait for compaction, and its manifest: OVERHEAD_MB in all.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Connection } from '../support/connection.ts'
import { effort, tellProof } from '../support/effort.ts'
import { handles, openLoop, procProblem, rssMb } from '../support/open-loop.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { STREAMS } from '../support/test-app.ts'

/** Of what 64 clients get out of it that send one event after the other. */
const SUSTAINABLE_SHARE = 0.7
const LOAD_SHARE = 0.8
const MEASURE_SECONDS = effort({ short: 1, long: 10 })
const SECONDS = effort({ short: 7, long: 600 })
const TTL_SECONDS = effort({ short: 1, long: 30 })
const JANITOR_SECONDS = effort({ short: 1, long: 2 })
/** Events that stay, and are what is alive in the end. */
const LIVE_BYTES = effort({ short: 8_000_000, long: 64_000_000 })
const CONNECTIONS = 64
const BODY_BYTES = 100

const OVERHEAD_MB = 16
const LIVE_TIMES_MAX = 1.3
/** A third of a run may differ so much from the one before, and by so many units. */
const LEVEL = { share: 1.15, rssMb: 20, handles: 10, delayMs: 20, diskMb: 24 }
const SETTLE_MS = 120_000

interface Sample {
  readonly second: number
  readonly rssMb: number
  readonly handles: number
  /** How long the event loop let a request wait that has nothing to do. */
  readonly delayMs: number
  readonly diskMb: number
}

test('a steady load with expiry', { timeout: 840_000 }, async ({ skip }) => {
  const problem = procProblem()
  if (problem !== undefined) skip(problem)
  const folder = await temporaryFolder()
  const data = join(folder, 'data')
  const service = await startServiceProcess(data, { args: ['--janitor-seconds', String(JANITOR_SECONDS)] })
  const { pid, port } = service
  const connection = new Connection(port)
  onTestFinished(() => connection.close())
  const put = (stream: string, body: string) => connection.send('PUT', `${STREAMS}/${stream}`, {}, body)
  await put('kept', '')
  await put('passing', `{"ttl":${TTL_SECONDS}}`)
  const live = randomLines(LIVE_BYTES)
  expect(
    await connection.send('POST', `${STREAMS}/kept/batch`, { 'Content-Type': 'text/plain' }, live),
  ).toMatchObject({ status: 200 })

  const job = {
    port,
    servicePid: pid,
    path: `${STREAMS}/passing`,
    connections: CONNECTIONS,
    bodyBytes: BODY_BYTES,
    prefix: '',
  }
  const outcomeFile = join(folder, 'outcomes')
  const closed = await openLoop({ ...job, seconds: MEASURE_SECONDS, windowSeconds: 1, outcomeFile })
  const rate = (LOAD_SHARE * SUSTAINABLE_SHARE * closed.accepted) / MEASURE_SECONDS

  const samples: Sample[] = []
  const startMs = performance.now()
  let over = false
  const sampling = (async () => {
    while (!over) {
      const since = performance.now()
      expect(await connection.send('GET', '/ping')).toMatchObject({ status: 200 })
      const delayMs = performance.now() - since
      const { sockets, others } = handles(pid)
      const second = (since - startMs) / 1000
      samples.push({ second, rssMb: rssMb(pid), handles: sockets + others, delayMs, diskMb: megabytes(data) })
      await sleep(250)
    }
  })()
  const load = await openLoop({
    ...job,
    ratePerSecond: rate,
    seconds: SECONDS,
    windowSeconds: 10,
    outcomeFile,
  })
  over = true
  await sampling

  await expect
    .poll(() => connection.send('GET', `${STREAMS}/passing/events?limit=1`), { timeout: SETTLE_MS })
    .toMatchObject({ status: 204 })
  const diskMaxMb = LIVE_TIMES_MAX * (live.length / 1e6) + OVERHEAD_MB
  let diskMb = megabytes(data)
  for (const deadline = Date.now() + SETTLE_MS; diskMb > diskMaxMb && Date.now() < deadline; ) {
    await sleep(500)
    diskMb = megabytes(data)
  }

  const second = thirdOf(samples, 1)
  const last = thirdOf(samples, 2)
  tellProof('soak', {
    seconds: SECONDS,
    'events/s': Math.round(rate),
    accepted: load.accepted,
    refused: load.refused,
    'RSS MB, second and last third': `${second.rssMb}/${last.rssMb}`,
    handles: `${second.handles}/${last.handles}`,
    'median delay ms': `${second.delayMs}/${last.delayMs}`,
    'disk MB': `${second.diskMb}/${last.diskMb}`,
    'live MB in the end': Math.round(live.length / 1e6),
    'disk MB in the end': Math.round(diskMb),
  })

  expect({ others: load.others, unanswered: load.unanswered }).toEqual({ others: {}, unanswered: 0 })
  expect(load.accepted).toBeGreaterThan(0)
  expect(diskMb).toBeLessThan(diskMaxMb)
  if (effort({ short: false, long: true })) {
    for (const what of ['rssMb', 'handles', 'delayMs', 'diskMb'] as const) {
      expect(last[what], what).toBeLessThan(LEVEL.share * second[what] + LEVEL[what])
    }
  }
  expect(service.stderr).toBe('')
  expect(await service.stop()).toEqual({ code: 0, signal: null })
})

type Figures = Omit<Sample, 'second'>

/** The median of each figure over a third of the time. */
function thirdOf(samples: readonly Sample[], third: 0 | 1 | 2): Figures {
  const some = samples.filter(({ second }) => Math.floor((3 * second) / SECONDS) === third)
  const median = (of: (sample: Sample) => number) => {
    const sorted = some.map(of).sort((a, b) => a - b)
    return Math.round((sorted[sorted.length >> 1] ?? 0) * 10) / 10
  }
  return {
    rssMb: median((sample) => sample.rssMb),
    handles: median((sample) => sample.handles),
    delayMs: median((sample) => sample.delayMs),
    diskMb: median((sample) => sample.diskMb),
  }
}

/** Of all files below the folder; some may go while we look. */
function megabytes(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    try {
      bytes += statSync(join(entry.parentPath, entry.name)).size
    } catch {
      // gone
    }
  }
  return bytes / 1e6
}

/** Text that does not compress to nothing: lines of 100 bytes. */
function randomLines(bytes: number): string {
  const lines: string[] = []
  let state = 1
  for (let length = 0; length < bytes; length += 100) {
    let line = ''
    while (line.length < 99) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      line += state.toString(36)
    }
    lines.push(line.slice(0, 99))
  }
  return `${lines.join('\n')}\n`
}
