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
  /** Further flags of the service: where its streams are. */
  readonly flags?: readonly string[]
  load(server: WatchedProcess, onWarm: () => void): Promise<LoadResult>
}

export async function measureWrites(
  { build }: BuildUnderTest,
  round: Round,
  { streams, store, flags = [], load }: Writing,
): Promise<Sample> {
  const dataFolder = dataFolderOf(round)
  if (store !== undefined) copyStore((await store).folder, dataFolder)
  const sinceMs = Date.now()
  let acknowledged = 0
  const measure = async (server: WatchedProcess) => {
    if (store === undefined) await createStreams(server.base, streams)
    return measured(server, async (onWarm) => {
      const result = await load(server, onWarm)
      acknowledged = result.acknowledged
      return result
    })
  }
  const sample = await withService(build, round, dataFolder, measure, flags)
  if (round.verify !== true) return sample
  const stored = await countStored(build, { dataFolder, flags }, { streams, sinceMs })
  return { ...sample, acknowledged, stored }
}
