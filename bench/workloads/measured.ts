/** One load against one server -> a sample. */
import { join } from 'node:path'
import type { LoadResult } from '../load/jobs.ts'
import { type Build, commandOf } from '../processes/build.ts'
import type { Usage } from '../processes/usage.ts'
import { type WatchedProcess, withProcess } from '../processes/watched-process.ts'
import type { Round, Sample } from '../sample.ts'

/** Where a service of this round keeps its own data. */
export function dataFolderOf({ folder }: Round): string {
  return join(folder, 'data')
}

/** The service as it is measured: pinned, profiled if that was asked for. Stopped afterwards. */
export function withService<T>(
  build: Build,
  round: Round,
  dataFolder: string,
  work: (server: WatchedProcess) => Promise<T>,
  flags: readonly string[] = [],
): Promise<T> {
  const { pinServer, nodeFlags } = round
  return withProcess(commandOf(build, { dataFolder, pin: pinServer, nodeFlags, flags }), work)
}

/** `load` must call `onWarm` when its warm-up is over. */
export async function measured(
  server: WatchedProcess,
  load: (onWarm: () => void) => Promise<LoadResult>,
): Promise<Sample> {
  let before: Usage | undefined
  const result = await load(() => {
    before = server.usage()
  })
  const after = server.usage()
  const { busy, acknowledged: _, ...numbers } = result
  const sample = { ...numbers, loadBusy: busy }
  if (before === undefined || after === undefined) return sample
  return { ...sample, ...after, cpuSeconds: after.cpuSeconds - before.cpuSeconds }
}
