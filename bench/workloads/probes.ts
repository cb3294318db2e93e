/** The ceilings of single POSTs: processes written for the bench, started, loaded and watched like the service. */
import { join } from 'node:path'
import { EVENT_BYTES } from '../events/random-text.ts'
import { benchProgram } from '../paths.ts'
import { type LoadTool, runPosts } from '../processes/requests.ts'
import { withProcess } from '../processes/watched-process.ts'
import type { Case, Round } from '../sample.ts'
import { measured } from './measured.ts'
import { timesOf } from './posts.ts'

export interface ProbePosts {
  readonly name: string
  readonly connections: number
  readonly bodyBytes?: number
  readonly long?: true
}

export function httpProbe(tool: LoadTool, posts: ProbePosts): Case {
  return probe(tool, 'bare node:http that takes the body and answers 200', posts, () => [
    benchProgram('probes/http'),
  ])
}

export function durableProbe(tool: LoadTool, posts: ProbePosts): Case {
  return probe(
    tool,
    'bare node:http and one fsynced LevelDB write for all that waits',
    posts,
    ({ folder }) => [benchProgram('probes/durable'), join(folder, 'store')],
  )
}

function probe(
  tool: LoadTool,
  about: string,
  { name, connections, bodyBytes = EVENT_BYTES, long }: ProbePosts,
  program: (round: Round) => readonly string[],
): Case {
  return {
    name,
    ...(long && { long }),
    about: `${about}; ${connections === 1 ? '1 connection' : `${connections} connections`}`,
    run: (round) =>
      withProcess([...round.pinServer, process.execPath, ...round.nodeFlags, ...program(round)], (server) =>
        measured(server, (onWarm) =>
          runPosts(
            { tool, pin: round.pinLoad, onWarm },
            {
              ...timesOf(round),
              base: server.base,
              connections,
              bodyBytes,
              streams: 1,
              async: false,
              headers: 0,
            },
          ),
        ),
      ),
  }
}
