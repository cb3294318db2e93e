/** The ceilings of single POSTs: processes written for the bench, started, loaded and watched like the service. */
import { join } from 'node:path'
import { EVENT_BYTES } from '../events/random-text.ts'
import type { LoadResult } from '../load/jobs.ts'
import { benchProgram } from '../paths.ts'
import { type LoadTool, runPosts } from '../processes/requests.ts'
import { withProcess } from '../processes/watched-process.ts'
import type { Case, Round } from '../sample.ts'
import { measured } from './measured.ts'
import { readPoints } from './point-reads.ts'
import { timesOf } from './posts.ts'

export interface ProbePosts {
  readonly name: string
  readonly connections: number
  readonly bodyBytes?: number
  readonly long?: true
}

/** Requests to a probe. */
type Load = (base: string, round: Round, onWarm: () => void) => Promise<LoadResult>

export function httpProbe(tool: LoadTool, options: ProbePosts): Case {
  return probe(
    { ...options, about: `bare node:http that takes the body and answers 200; ${countOf(options)}` },
    () => [benchProgram('probes/http')],
    postsTo(tool, options),
  )
}

export function durableProbe(tool: LoadTool, options: ProbePosts): Case {
  return probe(
    {
      ...options,
      about: `bare node:http and one fsynced LevelDB write for all that waits; ${countOf(options)}`,
    },
    ({ folder }) => [benchProgram('probes/durable'), join(folder, 'store')],
    postsTo(tool, options),
  )
}

/** The same requests as point reads, of a server that answers with nothing. */
export function readProbe(name: string): Case {
  return probe(
    { name, about: 'bare node:http that answers a GET with 200 and no body' },
    () => [benchProgram('probes/http')],
    (base, round, onWarm) => readPoints({ base, streams: 1, startMs: 0, endMs: 1e9 }, round, onWarm),
  )
}

function countOf({ connections }: ProbePosts): string {
  return connections === 1 ? '1 connection' : `${connections} connections`
}

function postsTo(tool: LoadTool, { connections, bodyBytes = EVENT_BYTES }: ProbePosts): Load {
  return (base, round, onWarm) =>
    runPosts(
      { tool, pin: round.pinLoad, onWarm },
      { ...timesOf(round), base, connections, bodyBytes, streams: 1, async: false, headers: 0 },
    )
}

function probe(
  { name, about, long }: { readonly name: string; readonly about: string; readonly long?: true },
  program: (round: Round) => readonly string[],
  load: Load,
): Case {
  return {
    name,
    ...(long && { long }),
    about,
    run: (round) =>
      withProcess([...round.pinServer, process.execPath, ...round.nodeFlags, ...program(round)], (server) =>
        measured(server, (onWarm) => load(server.base, round, onWarm)),
      ),
  }
}
