/** Single events from many connections, beside jobs that have more to do than they can. */
import { EVENT_BYTES } from '../events/random-text.ts'
import { readings } from '../events/sensor-readings.ts'
import { runPosts } from '../processes/requests.ts'
import type { WatchedProcess } from '../processes/watched-process.ts'
import type { Case, Round, Sample } from '../sample.ts'
import { copyStore } from '../stores/copy.ts'
import { JobApi } from '../stores/job-api.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { createJobTables, FILTER } from './job-tables.ts'
import { dataFolderOf, measured, withService } from './measured.ts'
import { timesOf } from './posts.ts'

const CONNECTIONS = 64
/** `bench` gets the posts, which are no JSON. */
const READ = 'readings'
const UPLOAD_EVENTS = 10_000
const UPLOADS = 40
/** Of a core: the process of jobs has a low priority, and gets what the service leaves. */
const BUSY_SHARE_MIN = 0.03

interface BusyJobs {
  readonly name: string
  readonly about: string
  readonly jobs: number
  readonly long?: true
}

export function busyJobs(buildUnderTest: BuildUnderTest, { name, about, jobs, long }: BusyJobs): Case {
  return {
    name,
    about,
    ...(long && { long }),
    async run(round) {
      const store = await buildUnderTest.storeCache.manyStreams(1)
      const folder = dataFolderOf(round)
      copyStore(store.folder, folder)
      return withService(buildUnderTest.build, round, folder, (server) =>
        measure(buildUnderTest, round, server, jobs),
      )
    },
  }
}

async function measure(
  { tool }: BuildUnderTest,
  round: Round,
  server: WatchedProcess,
  jobs: number,
): Promise<Sample> {
  const api = new JobApi(server.base)
  await api.createStream(READ)
  if (jobs > 0) await createJobTables(api, FILTER, { input: READ })
  for (let at = 0; at < UPLOADS; at++) await api.upload(READ, readings(at * UPLOAD_EVENTS, UPLOAD_EVENTS))
  const ids: string[] = []
  for (let at = 0; at < jobs; at++) ids.push(await api.createJob(`busy-${at}`, FILTER))
  for (const id of ids) await api.until(id, ({ state }) => state === 'RUNNING')
  let before = 0
  const sample = await measured(server, (onWarm) =>
    runPosts(
      {
        tool,
        pin: round.pinLoad,
        onWarm: () => {
          before = childSeconds(server)
          onWarm()
        },
      },
      {
        ...timesOf(round),
        base: server.base,
        connections: CONNECTIONS,
        streams: 1,
        async: false,
        bodyBytes: EVENT_BYTES,
        headers: 0,
      },
    ),
  )
  const share = (childSeconds(server) - before) / sample.seconds
  const details = await Promise.all(ids.map((id) => api.job(id)))
  // Jobs that were done before the load ended did not disturb it.
  const done = details.filter(({ millrace }) => millrace.recordsIn >= UPLOADS * UPLOAD_EVENTS).length
  return {
    ...sample,
    failures: {
      ...sample.failures,
      ...(jobs > 0 && share < BUSY_SHARE_MIN && { 'the jobs did next to nothing': 1 }),
      ...(jobs > 0 && done > jobs / 2 && { 'jobs that had nothing left to do': done }),
    },
  }
}

/** CPU time of the processes of the service beside its own. */
function childSeconds(server: WatchedProcess): number {
  return (server.treeUsage()?.cpuSeconds ?? 0) - (server.usage()?.cpuSeconds ?? 0)
}
