/** All acknowledged events must be stored: opens the store again and counts its events. */
import { streamName, streamPath } from '../events/streams.ts'
import { readEvents } from '../load/read-events.ts'
import { type Build, commandOf, type Start } from '../processes/build.ts'
import { withProcess } from '../processes/watched-process.ts'

const NDJSON = 'application/x-ndjson'

/** Events from `sinceMs` on, of all streams. */
export function countStored(
  build: Build,
  start: Start,
  { streams, sinceMs }: { readonly streams: number; readonly sinceMs: number },
): Promise<number> {
  return withProcess(commandOf(build, start), async ({ base }) => {
    let stored = 0
    for (let at = 0; at < streams; at++) {
      const url = `${base}${streamPath(streamName(at, streams))}/events?start=${sinceMs}`
      const { status, events } = await readEvents(url, NDJSON)
      if (status !== 200 && status !== 204) throw new Error(`reading back was answered ${status}`)
      stored += events
    }
    return stored
  })
}
