/** One load against one server, with what the server used meanwhile. */
import type { LoadEntry, LoadJobs, LoadResult } from '../load/jobs.ts'
import { runLoad } from '../load-process.ts'
import { ServerProcess, type ServerUsage } from '../server-process.ts'
import type { Surroundings } from './workload.ts'

/** Starts a server on what is in the data folder, does `work`, and stops it. */
export async function withServer<T>(
  { dataFolder, pinning }: Surroundings,
  nodeFlags: readonly string[],
  work: (server: ServerProcess) => Promise<T>,
): Promise<T> {
  const server = await ServerProcess.start({ dataFolder, pin: pinning.server, nodeFlags })
  const result = await server.whileRunning(work(server))
  await server.stop()
  return result
}

export async function measureLoad<Entry extends LoadEntry>(
  server: ServerProcess,
  { pinning }: Surroundings,
  entry: Entry,
  job: LoadJobs[Entry],
): Promise<{ load: LoadResult; server: ServerUsage | undefined }> {
  let before: ServerUsage | undefined
  const onWarm = () => {
    before = server.usage()
  }
  const load = await runLoad({ entry, job, pin: pinning.load, onWarm })
  const after = server.usage()
  if (before === undefined || after === undefined) return { load, server: undefined }
  return { load, server: { ...after, cpuSeconds: after.cpuSeconds - before.cpuSeconds } }
}
