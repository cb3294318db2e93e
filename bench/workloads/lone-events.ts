/** One event at a time to a stream with a job: how long until its row can be read, and what the tick costs. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { reading, usageOf } from '../events/sensor-readings.ts'
import type { WatchedProcess } from '../processes/watched-process.ts'
import type { Case, Sample } from '../sample.ts'
import { JobApi } from '../stores/job-api.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { ALERT_ABOVE, createJobTables, FILTER, INPUT, OUTPUT } from './job-tables.ts'
import { dataFolderOf, withService } from './measured.ts'

/** Between two events: the pause of the job after a tick is over. */
const SPACE_MS = 600
/** Events before those that are measured: they compile what is compiled at first use. */
const WARMUPS = 5
const POLL_MS = 5
/** CPU time is counted in steps of 10 ms, so that of fewer events says nothing. */
const COUNT_FOR_CPU = 20
const ARRIVED_MS_MAX = 20_000

interface LoneEvents {
  readonly name: string
  readonly about: string
  readonly count: number
}

export function loneEvents(buildUnderTest: BuildUnderTest, { name, about, count }: LoneEvents): Case {
  return {
    name,
    about,
    run: (round) =>
      withService(buildUnderTest.build, round, dataFolderOf(round), (server) => measure(server, count)),
  }
}

/** Times are of events whose rows were waited for; the CPU is of as many others, because waiting costs CPU as well. */
async function measure(server: WatchedProcess, count: number): Promise<Sample> {
  const api = new JobApi(server.base)
  await api.createStream(INPUT)
  await createJobTables(api, FILTER)
  const id = await api.createJob('measured', FILTER)
  await api.until(id, ({ state }) => state === 'RUNNING')
  const passing = passingReadings()
  const next = () => passing.next().value as string
  let sent = 0
  for (; sent < WARMUPS; sent++) await arrival(api, next(), sent)
  const times: number[] = []
  const waits = Date.now()
  for (let at = 0; at < count; at++, sent++) {
    times.push(await arrival(api, next(), sent))
    await sleep(SPACE_MS)
  }
  const idle = await cpuDuring(server, () => sleep(count * SPACE_MS))
  const busy = await cpuDuring(server, async () => {
    for (let at = 0; at < count; at++, sent++) {
      await api.post(INPUT, next())
      await sleep(SPACE_MS)
    }
  })
  const stored = (await api.bodies(OUTPUT, sent + 1)).length
  times.sort((a, b) => a - b)
  return {
    seconds: (Date.now() - waits) / 1000,
    answers: count,
    events: count,
    bytes: 0,
    p50Ms: times[Math.floor(count * 0.5)]!,
    p99Ms: times[Math.min(count - 1, Math.floor(count * 0.99))]!,
    ...(idle !== undefined && busy !== undefined && count >= COUNT_FOR_CPU && { cpuSeconds: busy - idle }),
    failures: {},
    acknowledged: sent,
    stored,
  }
}

function* passingReadings(): Generator<string> {
  for (let n = 0; ; n++) if (usageOf(n) > ALERT_ABOVE) yield reading(n)
}

async function arrival(api: JobApi, body: string, before: number): Promise<number> {
  const startMs = performance.now()
  await api.post(INPUT, body)
  for (;;) {
    if ((await api.bodies(OUTPUT, before + 1)).length > before) return performance.now() - startMs
    if (performance.now() - startMs > ARRIVED_MS_MAX) throw new Error('the row of an event did not arrive')
    await sleep(POLL_MS)
  }
}

async function cpuDuring(server: WatchedProcess, work: () => Promise<void>): Promise<number | undefined> {
  const before = server.treeUsage()
  await work()
  const after = server.treeUsage()
  return before && after && after.cpuSeconds - before.cpuSeconds
}
