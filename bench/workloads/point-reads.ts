/** Reads of few events from a random time on: `start=…&limit=…`. */
import type { LoadResult, PointReadJob } from '../load/jobs.ts'
import { runPointReads } from '../processes/requests.ts'
import type { Case, Round } from '../sample.ts'
import type { Store } from '../stores/store-cache.ts'
import type { BuildUnderTest } from './build-under-test.ts'
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
/** wrk would count a slow answer several times, as if others had waited for it. */
const TOOL = 'autocannon'

export function pointReads(buildUnderTest: BuildUnderTest, { name, about, store, long }: PointReads): Case {
  return {
    name,
    about,
    ...(long && { long }),
    async run(round) {
      const { folder, streams, startMs, endMs } = await store()
      return withService(buildUnderTest.build, round, folder, (server) =>
        measured(server, (onWarm) =>
          readPoints({ base: server.base, streams, startMs, endMs }, round, onWarm),
        ),
      )
    },
  }
}

export function readPoints(
  target: Pick<PointReadJob, 'base' | 'streams' | 'startMs' | 'endMs'>,
  round: Round,
  onWarm: () => void,
): Promise<LoadResult> {
  return runPointReads(
    { tool: TOOL, pin: round.pinLoad, onWarm },
    { ...target, ...timesOf(round), connections: CONNECTIONS, limit: 1 },
  )
}
