/** Any load that writes: on an empty store or a copy of one, and in the last round a count of the stored events. */
import type { LoadResult } from '../load/jobs.ts'
import type { WatchedProcess } from '../processes/watched-process.ts'
import type { Round, Sample } from '../sample.ts'
import { copyStore } from '../stores/copy.ts'
import { createStreams } from '../stores/fill.ts'
import type { Store } from '../stores/store-cache.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { dataFolderOf, measured, withService } from './measured.ts'
import { countStored } from './verify.ts'

export interface Writing {
  readonly streams: number
  /** The store before the load; an empty one if undefined. */
  readonly store?: Promise<Store>
  load(server: WatchedProcess, onWarm: () => void): Promise<LoadResult>
}

export async function measureWrites(
  { build }: BuildUnderTest,
  round: Round,
  { streams, store, load }: Writing,
): Promise<Sample> {
  const dataFolder = dataFolderOf(round)
  if (store !== undefined) copyStore((await store).folder, dataFolder)
  const sinceMs = Date.now()
  let acknowledged = 0
  const sample = await withService(build, round, dataFolder, async (server) => {
    if (store === undefined) await createStreams(server.base, streams)
    return measured(server, async (onWarm) => {
      const result = await load(server, onWarm)
      acknowledged = result.acknowledged
      return result
    })
  })
  if (round.verify !== true) return sample
  return { ...sample, acknowledged, stored: await countStored(build, dataFolder, streams, sinceMs) }
}
