/** Reads of a whole stream that was stored by batches, from a server restarted on it. */
import type { Repetition } from '../load/jobs.ts'
import { runLoad } from '../load-process.ts'
import { createStream, eventsUrl, NDJSON, streamUrl } from './bench-stream.ts'
import { measureLoad, withServer } from './measured-load.ts'
import type { Measurement, Surroundings, Workload } from './workload.ts'

const MILLION = 1_000_000
/** Enough that the median is one of several. */
const READS_LEAST = 3

interface FullRead extends Omit<Repetition, 'seconds'> {
  readonly accept: string
  /** Stored in batches of a million. */
  readonly millions: number
}

export const jsonReads: Workload = {
  name: 'read-json',
  about: 'GET of 1 million events as one JSON array; latencies are those of a whole read',
  connections: 1,
  run: (surroundings) =>
    measureReads(
      surroundings,
      { accept: 'application/json', millions: 1, warmups: 1, atLeast: READS_LEAST },
      surroundings.seconds,
    ),
}

export const ndjsonReads: Workload = {
  name: 'read-ndjson',
  about: 'the same as NDJSON',
  connections: 1,
  run: (surroundings) =>
    measureReads(
      surroundings,
      { accept: NDJSON, millions: 1, warmups: 1, atLeast: READS_LEAST },
      surroundings.seconds,
    ),
}

export const tenMillionRead: Workload = {
  name: 'read-10m',
  about: 'one GET of 10 million events as one JSON array from a server just started',
  connections: 1,
  long: true,
  run: (surroundings) =>
    measureReads(surroundings, { accept: 'application/json', millions: 10, warmups: 0, atLeast: 1 }, 0),
}

async function measureReads(
  surroundings: Surroundings,
  { millions, ...read }: FullRead,
  seconds: number,
): Promise<Measurement> {
  const acknowledged = await store(surroundings, millions)
  const measured = await withServer(surroundings, surroundings.nodeFlags, (server) =>
    measureLoad(server, surroundings, 'reads', {
      ...read,
      url: eventsUrl(server),
      eventsLeast: acknowledged,
      seconds,
    }),
  )
  const { events, answers } = measured.load
  return { ...measured, acknowledged, stored: answers === 0 ? 0 : Math.floor(events / answers) }
}

/** Answers how many events were acknowledged. */
function store(surroundings: Surroundings, millions: number): Promise<number> {
  return withServer(surroundings, [], async (server) => {
    await createStream(server)
    const job = {
      url: `${streamUrl(server)}/batch`,
      lines: MILLION,
      warmups: 0,
      atLeast: millions,
      seconds: 0,
    }
    const { acknowledged, failures } = await runLoad({
      entry: 'uploads',
      job,
      pin: surroundings.pinning.load,
    })
    if (Object.keys(failures).length > 0)
      throw new Error(`storing the events to read failed: ${Object.keys(failures).join(', ')}`)
    return acknowledged
  })
}
