/** Reads a whole stream as NDJSON with cursors, an event at a time, and checks what holds for every stream. */
import { get, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { parseCursor } from '../../../src/http/cdap/cursor.ts'
import { parseNamespaceName, parseStreamName } from '../../../src/streams/names.ts'
import type { Cursor } from '../../../src/streams/streams.ts'
import type { Position } from '../../../storage/log.ts'

/** As many problems as anybody reads. */
export const PROBLEMS_MAX = 10

export interface ReadEvent {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly position: Position
}

interface WireEvent {
  readonly timestamp: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly cursor: string
}

/**
 * Hands every event to `take`, in order. Answers what is wrong: the stream cannot be read to its end, sequences do not
 * count up from 0 (from any, if the beginning may have expired), timestamps go back, cursors are of different logs.
 */
export async function readBack(
  port: number,
  namespace: string,
  stream: string,
  take: (event: ReadEvent) => void,
  beginning: 'whole' | 'expired' = 'whole',
  encoding: 'escaped' | 'utf8' = 'escaped',
): Promise<string[]> {
  const id = { namespace: parseNamespaceName(namespace), stream: parseStreamName(stream) }
  const problems: string[] = []
  let last: Cursor | undefined
  const first = beginning === 'whole' ? 0 : undefined
  try {
    for await (const line of lines(
      port,
      `/v3/namespaces/${namespace}/streams/${stream}/events?cursor=true${encoding === 'utf8' ? '&encoding=utf8' : ''}`,
    )) {
      const { timestamp, headers, body, cursor } = JSON.parse(line) as WireEvent
      const place = parseCursor(id, cursor)
      const problem = orderProblem(first, last, place, timestamp)
      if (problem !== undefined && problems.length < PROBLEMS_MAX) problems.push(`${stream}: ${problem}`)
      last = place
      take({ headers, body, position: place.position })
    }
  } catch (error) {
    problems.unshift(`${stream} cannot be read: ${error}`)
  }
  return problems
}

function orderProblem(
  first: number | undefined,
  last: Cursor | undefined,
  { log, position }: Cursor,
  timestamp: number,
) {
  const { sequence, timestampMs } = position
  const wanted = last === undefined ? (first ?? sequence) : last.position.sequence + 1
  if (sequence !== wanted) return `sequence ${sequence} where ${wanted} belongs`
  if (timestampMs !== timestamp) return `the cursor of an event of ${timestamp} says ${timestampMs}`
  if (last === undefined) return undefined
  if (timestampMs < last.position.timestampMs) return `time goes back at sequence ${sequence}`
  return log === last.log ? undefined : 'cursors of two logs in one reading'
}

/** Throws unless the answer is whole: 200, or nothing for 204. */
async function* lines(port: number, path: string): AsyncGenerator<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers: { Accept: 'application/x-ndjson' } }, resolve).once(
      'error',
      reject,
    )
  })
  if (response.statusCode === 204) return void response.resume()
  if (response.statusCode !== 200) throw new Error(`GET ${path} answered ${response.statusCode}`)
  yield* createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })
  if (!response.complete) throw new Error(`GET ${path} was cut off`)
}
