/** Any workload that writes: a load on an empty server, then a restart and a count of what is there. */
import type { LoadEntry, LoadJobs } from '../load/jobs.ts'
import { countStored, createStream, streamUrl } from './bench-stream.ts'
import { measureLoad, withServer } from './measured-load.ts'
import type { Measurement, Surroundings } from './workload.ts'

export async function measureWrites<Entry extends LoadEntry>(
  surroundings: Surroundings,
  entry: Entry,
  jobFor: (streamUrl: string) => LoadJobs[Entry],
): Promise<Measurement> {
  const measured = await withServer(surroundings, surroundings.nodeFlags, async (server) => {
    await createStream(server)
    return measureLoad(server, surroundings, entry, jobFor(streamUrl(server)))
  })
  const stored = await withServer(surroundings, [], countStored)
  return { ...measured, acknowledged: measured.load.acknowledged, stored }
}
