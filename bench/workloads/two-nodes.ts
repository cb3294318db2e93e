/** Single events to one stream through two services at the same time, which share a store in Kafka. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { EVENT_BYTES } from '../events/random-text.ts'
import type { LoadResult } from '../load/jobs.ts'
import { onCore } from '../pinning.ts'
import { commandOf } from '../processes/build.ts'
import { runPosts } from '../processes/requests.ts'
import type { WatchedProcess } from '../processes/watched-process.ts'
import { withProcess } from '../processes/watched-process.ts'
import type { Case, Round, Sample } from '../sample.ts'
import { createStreams } from '../stores/fill.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { timesOf } from './posts.ts'
import { countStored } from './verify.ts'

/** Two services, what loads them, and the broker. */
const CORES_LEAST = 4
/** Cores of the second service and of its load; those of the first are as in all cases. */
const SECOND_CORE = 2
const SECOND_LOAD_CORE = 3

export interface TwoNodes {
  readonly name: string
  readonly about: string
  /** Of each node. */
  readonly connections: number
  readonly flags: () => Promise<readonly string[]>
}

export function twoNodes(buildUnderTest: BuildUnderTest, options: TwoNodes): Case {
  const { name, about } = options
  return { name, about, unavailable: withoutCores, run: (round) => measure(buildUnderTest, options, round) }
}

async function withoutCores(): Promise<string | undefined> {
  const cores = availableParallelism()
  return cores < CORES_LEAST
    ? `needs ${CORES_LEAST} cores, for two nodes, their load and the broker; here are ${cores}`
    : undefined
}

async function measure(
  { build, tool }: BuildUnderTest,
  { connections, flags: flagsOf }: TwoNodes,
  round: Round,
): Promise<Sample> {
  const flags = await flagsOf()
  const { pinServer, pinLoad, nodeFlags, folder } = round
  const started = (node: number) => ({
    dataFolder: join(folder, `node-${node}`),
    pin: node === 1 ? pinServer : onCore(pinServer, SECOND_CORE),
    nodeFlags,
    flags,
  })
  const sinceMs = Date.now()
  const both = await withProcess(commandOf(build, started(1)), async (first) => {
    await createStreams(first.base, 1)
    return withProcess(commandOf(build, started(2)), (second) => loaded(first, second))
  })
  const { acknowledged, ...sample } = both
  if (round.verify !== true) return sample
  const stored = await countStored(
    build,
    { dataFolder: started(1).dataFolder, flags },
    { streams: 1, sinceMs },
  )
  return { ...sample, acknowledged, stored }

  async function loaded(first: WatchedProcess, second: WatchedProcess) {
    const nodes = [first, second]
    const cpu = () => nodes.reduce((sum, node) => sum + (node.usage()?.cpuSeconds ?? Number.NaN), 0)
    let warmed = 0
    let before = Number.NaN
    /** The CPU is that from the moment at which both loads are warm. */
    const onWarm = () => {
      if (++warmed === nodes.length) before = cpu()
    }
    const results = await Promise.all(
      nodes.map(({ base }, at) =>
        runPosts(
          { tool, pin: at === 0 ? pinLoad : onCore(pinLoad, SECOND_LOAD_CORE), onWarm },
          {
            ...timesOf(round),
            base,
            connections,
            streams: 1,
            async: false,
            bodyBytes: EVENT_BYTES,
            headers: 0,
          },
        ),
      ),
    )
    return joinedSample(results, cpu() - before, second)
  }
}

/** Rates add up; latencies are those of the slower node. */
function joinedSample(results: readonly LoadResult[], cpuSeconds: number, node: WatchedProcess) {
  const sum = (of: (result: LoadResult) => number) => results.reduce((total, one) => total + of(one), 0)
  const most = (of: (result: LoadResult) => number) => Math.max(...results.map(of))
  const failures: Record<string, number> = {}
  for (const result of results)
    for (const [reason, count] of Object.entries(result.failures))
      failures[reason] = (failures[reason] ?? 0) + count
  return {
    seconds: most(({ seconds }) => seconds),
    answers: sum(({ answers }) => answers),
    events: sum(({ events }) => events),
    bytes: sum(({ bytes }) => bytes),
    p50Ms: most(({ p50Ms }) => p50Ms),
    p99Ms: most(({ p99Ms }) => p99Ms),
    p999Ms: most(({ p999Ms }) => p999Ms),
    loadBusy: most(({ busy }) => busy),
    failures,
    acknowledged: sum(({ acknowledged }) => acknowledged),
    ...(Number.isFinite(cpuSeconds) && { cpuSeconds }),
    rssPeakBytes: node.usage()?.rssPeakBytes ?? 0,
  }
}
