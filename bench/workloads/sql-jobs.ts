/** A SQL job over a stream that is already full: processor time of the service and its processes, until all is in the sink. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { withoutPostgres, withPostgres } from '../processes/postgres.ts'
import type { WatchedProcess } from '../processes/watched-process.ts'
import type { Case, Sample } from '../sample.ts'
import { copyStore } from '../stores/copy.ts'
import { JobApi } from '../stores/job-api.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { createJobTables, LOOKUP, OUTPUT, rowsOf, THRESHOLDS_SQL } from './job-tables.ts'
import { dataFolderOf, withService } from './measured.ts'

/** What the start left over is done by then. */
const SETTLED_MS = 1000

export interface SqlJob {
  readonly name: string
  readonly about: string
  readonly statement: string
  readonly events: number
  /** Events of a tick; undefined: the default of the service. */
  readonly tickEvents?: number
  readonly long?: true
}

export function sqlJob(buildUnderTest: BuildUnderTest, job: SqlJob): Case {
  const { name, about, statement, long } = job
  const isLookup = statement === LOOKUP
  return {
    name,
    about,
    ...(long && { long }),
    ...(isLookup && { unavailable: withoutPostgres }),
    async run(round) {
      const store = await buildUnderTest.storeCache.readings(job.events)
      const folder = dataFolderOf(round)
      copyStore(store.folder, folder)
      const flags = job.tickEvents === undefined ? [] : ['--max-job-tick-events', String(job.tickEvents)]
      const measure = (postgres?: string) =>
        withService(buildUnderTest.build, round, folder, (server) => runOver(server, job, postgres), flags)
      return isLookup ? withPostgres(THRESHOLDS_SQL, measure) : measure()
    },
  }
}

async function runOver(server: WatchedProcess, job: SqlJob, postgres: string | undefined): Promise<Sample> {
  const { statement, events } = job
  const api = new JobApi(server.base)
  await createJobTables(api, statement, { postgres })
  await sleep(SETTLED_MS)
  const before = server.treeUsage()
  const startMs = performance.now()
  const id = await api.createJob('measured', statement)
  const { millrace } = await api.until(id, ({ millrace }) => millrace.recordsIn >= events)
  const seconds = (performance.now() - startMs) / 1000
  const after = server.treeUsage()
  if (millrace.recordsBad > 0) throw new Error(`${millrace.recordsBad} events could not be read`)
  const rows = rowsOf(statement, events) ?? millrace.recordsOut
  const ticks = millrace.lastCheckpoint?.id ?? 0
  if (ticks < events / (job.tickEvents ?? events)) throw new Error(`the events came in ${ticks} ticks`)
  const stored = (await api.bodies(OUTPUT, rows + 1)).length
  return {
    seconds,
    answers: ticks,
    events,
    bytes: 0,
    ...(before &&
      after && { cpuSeconds: after.cpuSeconds - before.cpuSeconds, rssOwnBytes: after.rssOwnBytes }),
    failures: stored > rows ? { 'rows that should not be there': stored - rows } : {},
    acknowledged: rows,
    stored,
  }
}
