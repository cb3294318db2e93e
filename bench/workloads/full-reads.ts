/** Reads of a whole stream, from a server just started on a store that was filled before. */
import { streamName, streamPath } from '../events/streams.ts'
import { runLoad } from '../processes/load-process.ts'
import type { WatchedProcess } from '../processes/watched-process.ts'
import type { Case } from '../sample.ts'
import type { Store } from '../stores/store-cache.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { measured, withService } from './measured.ts'

export const JSON_ARRAY = 'application/json'
export const NDJSON = 'application/x-ndjson'

/** With further flags of the service, where the streams are elsewhere. */
export interface ReadableStore extends Pick<Store, 'folder' | 'events'> {
  readonly flags?: readonly string[]
}

export interface FullReads {
  readonly name: string
  readonly about: string
  readonly accept: string
  readonly store: () => Promise<ReadableStore>
  readonly long?: true
  /** One read and nothing else, to measure its memory. */
  readonly once?: true
}

/** Enough that the median is one of several. */
const READS_LEAST = 3

export function fullReads(buildUnderTest: BuildUnderTest, options: FullReads): Case {
  const { name, about, accept, store, long, once } = options
  return {
    name,
    about,
    ...(long && { long }),
    async run(round) {
      const { folder, events, flags = [] } = await store()
      const repetition = once
        ? { warmups: 0, atLeast: 1, seconds: 0 }
        : { warmups: 1, atLeast: READS_LEAST, seconds: round.seconds }
      const read = (server: WatchedProcess) =>
        measured(server, (onWarm) => {
          const url = `${server.base}${streamPath(streamName(0, 1))}/events`
          const job = { ...repetition, url, accept, events }
          return runLoad({ entry: 'reads', job, pin: round.pinLoad, onWarm })
        })
      return withService(buildUnderTest.build, round, folder, read, flags)
    },
  }
}
