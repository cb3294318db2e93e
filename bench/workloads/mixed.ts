/** Writers and readers together. Each side is a case of its own, for which both sides run and one is measured. */
import { EVENT_BYTES } from '../events/random-text.ts'
import type { LoadResult } from '../load/jobs.ts'
import { runPointReads, runPosts } from '../processes/requests.ts'
import type { Case, Round } from '../sample.ts'
import { BATCH_EVENTS } from '../stores/fill.ts'
import type { Store } from '../stores/store-cache.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { measured, withService } from './measured.ts'
import { timesOf } from './posts.ts'
import { measureWrites } from './writes.ts'

const WRITERS = 64
const READERS = 4
/** Events of one read: as a consumer fetches them. */
const READ_EVENTS = BATCH_EVENTS

export type Side = 'writers' | 'readers'

export function mixed(
  buildUnderTest: BuildUnderTest,
  name: string,
  side: Side,
  store: () => Promise<Store>,
): Case {
  const both = `${WRITERS} connections write single events, ${READERS} read ${READ_EVENTS} each`
  return {
    name,
    about: `${both}: the ${side}`,
    async run(round) {
      const { cpuSeconds: _, ...sample } = await measureWrites(buildUnderTest, round, {
        streams: 1,
        store: store(),
        load: async ({ base }, onWarm) => runBoth(buildUnderTest, round, side, base, await store(), onWarm),
      })
      return sample // the CPU time of reads and writes cannot be separated
    },
  }
}

export function readersAlone(
  buildUnderTest: BuildUnderTest,
  name: string,
  store: () => Promise<Store>,
): Case {
  return {
    name,
    about: `${READERS} connections read ${READ_EVENTS} events each`,
    async run(round) {
      const { folder, startMs, endMs } = await store()
      return withService(buildUnderTest.build, round, folder, (server) =>
        measured(server, (onWarm) =>
          runPointReads(
            { tool: buildUnderTest.tool, pin: round.pinLoad, onWarm },
            {
              ...timesOf(round),
              base: server.base,
              connections: READERS,
              streams: 1,
              startMs,
              endMs,
              limit: READ_EVENTS,
            },
          ),
        ),
      )
    },
  }
}

async function runBoth(
  { tool }: BuildUnderTest,
  round: Round,
  side: Side,
  base: string,
  { startMs, endMs }: Store,
  onWarm: () => void,
): Promise<LoadResult> {
  const times = { ...timesOf(round), base }
  const run = { tool, pin: round.pinLoad, onWarm }
  const writers = {
    ...times,
    connections: WRITERS,
    streams: 1,
    async: false,
    bodyBytes: EVENT_BYTES,
    headers: 0,
  }
  const readers = { ...times, connections: READERS, streams: 1, startMs, endMs, limit: READ_EVENTS }
  const [written, read] = await Promise.all([runPosts(run, writers), runPointReads(run, readers)])
  const measuredSide = side === 'writers' ? written : read
  const failures = { ...prefixed('writers', written.failures), ...prefixed('readers', read.failures) }
  return { ...measuredSide, failures, busy: written.busy + read.busy, acknowledged: written.acknowledged }
}

function prefixed(side: Side, failures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(failures).map(([reason, count]) => [`${side}: ${reason}`, count]))
}
