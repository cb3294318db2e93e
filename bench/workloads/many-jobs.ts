/** Many jobs that have nothing to do: memory, CPU, and the time that the service takes to start with them. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandOf } from '../processes/build.ts'
import { withProcess } from '../processes/watched-process.ts'
import type { Case } from '../sample.ts'
import { JobApi } from '../stores/job-api.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { ping } from './footprint.ts'
import { createJobTables, FILTER, INPUT } from './job-tables.ts'
import { dataFolderOf, withService } from './measured.ts'

/** After this the planner's process has ended, and what the start left over is collected or there to stay. */
const SETTLED_MS = 12_000
const IDLE_MS = 10_000

interface ManyJobs {
  readonly name: string
  readonly about: string
  readonly jobs: number
  readonly long?: true
}

const slots = (jobs: number) => ['--max-jobs', String(Math.max(64, jobs))]

export function idleJobs({ build }: BuildUnderTest, { name, about, jobs, long }: ManyJobs): Case {
  return {
    name,
    about,
    ...(long && { long }),
    run: (round) => {
      const settledMs = round.seconds < 2 ? 1000 : SETTLED_MS
      const idleMs = round.seconds < 2 ? 1000 : IDLE_MS
      return withService(
        build,
        round,
        dataFolderOf(round),
        async (server) => {
          await createJobs(new JobApi(server.base), jobs)
          await sleep(settledMs)
          const before = server.treeUsage()
          await sleep(idleMs)
          const after = server.treeUsage()
          return {
            seconds: idleMs / 1000,
            answers: 0,
            events: 0,
            bytes: 0,
            ...(before &&
              after && { cpuSeconds: after.cpuSeconds - before.cpuSeconds, rssOwnBytes: after.rssOwnBytes }),
            failures: {},
          }
        },
        slots(jobs),
      )
    },
  }
}

/** From the start of the process until `/ping` is answered, with jobs that go on then. */
export function startWithJobs({ build }: BuildUnderTest, { name, about, jobs }: ManyJobs): Case {
  return {
    name,
    about,
    async run(round) {
      const dataFolder = dataFolderOf(round)
      const flags = slots(jobs)
      await withProcess(commandOf(build, { dataFolder, flags }), ({ base }) =>
        createJobs(new JobApi(base), jobs),
      )
      const startMs = performance.now()
      return withService(
        build,
        round,
        dataFolder,
        async (server) => {
          await ping(server)
          const tookMs = performance.now() - startMs
          return { seconds: tookMs / 1000, answers: 1, events: 0, bytes: 0, p50Ms: tookMs, failures: {} }
        },
        flags,
      )
    },
  }
}

async function createJobs(api: JobApi, jobs: number): Promise<void> {
  await api.createStream(INPUT)
  await createJobTables(api, FILTER)
  const ids: string[] = []
  for (let at = 0; at < jobs; at++) ids.push(await api.createJob(`job-${at}`, FILTER))
  for (const id of ids) await api.until(id, ({ state }) => state === 'RUNNING')
}
