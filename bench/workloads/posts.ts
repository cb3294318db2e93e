/** One event per request. */
import { EVENT_BYTES } from '../events/random-text.ts'
import { runPosts } from '../processes/requests.ts'
import type { Case } from '../sample.ts'
import type { Store } from '../stores/store-cache.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { measureWrites } from './writes.ts'

export interface Posts {
  readonly name: string
  readonly about: string
  readonly connections: number
  readonly bodyBytes?: number
  readonly headers?: number
  readonly streams?: number
  readonly async?: true
  readonly long?: true
  /** The store before the load; an empty one if undefined. */
  readonly store?: () => Promise<Store>
  /** Further flags of the service, of one round. */
  readonly flags?: () => Promise<readonly string[]>
}

export function posts(buildUnderTest: BuildUnderTest, options: Posts): Case {
  const { name, about, connections, long, store, flags } = options
  const { bodyBytes = EVENT_BYTES, headers = 0, streams = 1, async = false } = options
  return {
    name,
    about,
    ...(long && { long }),
    run: async (round) =>
      measureWrites(buildUnderTest, round, {
        streams,
        ...(store && { store: store() }),
        ...(flags && { flags: await flags() }),
        load: ({ base }, onWarm) =>
          runPosts(
            { tool: buildUnderTest.tool, pin: round.pinLoad, onWarm },
            { ...timesOf(round), base, connections, streams, async, bodyBytes, headers },
          ),
      }),
  }
}

export function timesOf({ warmupSeconds, seconds }: { warmupSeconds: number; seconds: number }) {
  return { warmupSeconds, seconds }
}
