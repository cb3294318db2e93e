/** Reads of few events from a random time on: `start=…&limit=…`. */
import { runPointReads } from '../processes/requests.ts'
import type { Case } from '../sample.ts'
import type { Store } from '../stores/shelf.ts'
import type { Contestant } from './contestant.ts'
import { measured, withService } from './measured.ts'
import { timesOf } from './posts.ts'

export interface PointReads {
  readonly name: string
  readonly about: string
  readonly store: () => Promise<Store>
  readonly long?: true
}

/** One after the other: this asks how long one takes, not how many there could be. */
const CONNECTIONS = 1

export function pointReads(contestant: Contestant, { name, about, store, long }: PointReads): Case {
  return {
    name,
    about,
    ...(long && { long }),
    async run(round) {
      const { folder, streams, startMs, endMs } = await store()
      return withService(contestant.build, round, folder, (server) =>
        measured(server, (onWarm) =>
          runPointReads(
            { tool: contestant.tool, pin: round.pinLoad, onWarm },
            {
              ...timesOf(round),
              base: server.base,
              connections: CONNECTIONS,
              streams,
              startMs,
              endMs,
              limit: 1,
            },
          ),
        ),
      )
    },
  }
}
