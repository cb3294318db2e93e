/** Events out: a query as text -> one read -> JSON at the client's speed. */
import { ServiceError } from '../../service-error.ts'
import type { StreamId } from '../../streams/names.ts'
import type { Cursor, EventQuery, EventRead, Streams } from '../../streams/streams.ts'
import { assertAcceptable, preference } from '../messages/accept.ts'
import { answerEmpty } from '../messages/answers.ts'
import {
  answerPieces,
  type BegunPieces,
  beginPieces,
  type LongAnswerOptions,
} from '../messages/long-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { streamOf } from '../server/path-names.ts'
import { CursorPrinter, parseCursor, printCursor } from './cursor.ts'
import { type BodyEncoding, eventJson } from './event-json.ts'
import { parseReadRange } from './read-range.ts'

export interface EventReadOptions extends LongAnswerOptions {
  readonly nowMs: () => number
}

/** A read whose first events have been found, and printed unless the request is HEAD. */
interface Found {
  readonly headers: Record<string, string>
  readonly pieces: BegunPieces | undefined
}

/** Returns the handler of `GET …/events`. */
export function readRoute(streams: Streams, options: EventReadOptions) {
  return async (c: HttpContext) => {
    const id = streamOf(c)
    const query = parseEventQuery(c, id, options.nowMs())
    const encoding = parseEncoding(c)
    const withCursors = parseFlag(c, 'cursor')
    if (!streams.has(id)) return answerEmpty(c, 404)
    const layout = layoutFor(c)
    const found = await options.load.whileFinding(async (): Promise<Found | 'no_stream' | undefined> => {
      const read = await readOrUndefined(streams, id, query)
      if (read === undefined || read === 'no_stream') return read
      const headers = {
        'Content-Type': layout === 'ndjson' ? 'application/x-ndjson' : 'application/json; charset=utf-8',
        ...(read.next && { Link: nextLink(c, id, read.next) }),
        ...(read.isBehind && { 'Millrace-Behind': 'pending-batch' }),
      }
      if (c.req.method === 'HEAD') {
        await read.blocks.return() // a HEAD needs no further block
        return { headers, pieces: undefined }
      }
      const cursors = withCursors ? await printerOf(streams, id, read) : undefined
      const text = eventJson(read.blocks, { encoding, layout, ...(cursors && { cursors }) })
      return { headers, pieces: await beginPieces(text) }
    })
    if (found === 'no_stream') return answerEmpty(c, 404)
    if (found === undefined) return answerEmpty(c, 204)
    if (found.pieces === undefined) return c.body(null, 200, found.headers)
    return answerPieces(c, found.pieces, found.headers, options)
  }
}

/** Range and cursor of a read, from the query string. Throws ServiceError. */
export function parseEventQuery(c: HttpContext, id: StreamId, nowMs: number): EventQuery {
  const range = parseReadRange(
    { start: c.req.query('start'), end: c.req.query('end'), limit: c.req.query('limit') },
    nowMs,
  )
  const after = c.req.query('after')
  return { ...range, ...(after !== undefined && { after: parseCursor(id, after) }) }
}

/** Cancels the read if it rejects. */
export async function printerOf(streams: Streams, id: StreamId, read: EventRead): Promise<CursorPrinter> {
  try {
    return new CursorPrinter(id, read.log, await streams.originsOf(id, read.log))
  } catch (error) {
    await read.blocks.return()
    throw error
  }
}

/** A missing stream is answered without a text here, as in CDAP. */
async function readOrUndefined(
  streams: Streams,
  id: StreamId,
  query: EventQuery,
): Promise<EventRead | undefined | 'no_stream'> {
  try {
    return await streams.read(id, query)
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'stream_not_found') return 'no_stream'
    throw error
  }
}

const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'

/** NDJSON needs to be named in Accept, and JSON must not be preferred. Throws ServiceError 'not_acceptable'. */
function layoutFor(c: HttpContext): 'ndjson' | 'array' {
  const { accept } = c.env.incoming.headers
  if (accept === undefined || accept === '*/*') return 'array'
  assertAcceptable(c, JSON_TYPE, NDJSON_TYPE)
  const ndjson = preference(accept, NDJSON_TYPE)
  const json = preference(accept, JSON_TYPE)
  return ndjson.quality > json.quality || (ndjson.named && ndjson.quality === json.quality)
    ? 'ndjson'
    : 'array'
}

function parseEncoding(c: HttpContext): BodyEncoding {
  const encoding = c.req.query('encoding')
  if (encoding === undefined) return 'escaped'
  if (encoding === 'utf8' || encoding === 'base64') return encoding
  throw new ServiceError(
    'invalid_parameter',
    `encoding is '${encoding}'; use utf8 or base64, or leave it out for \\xNN escapes`,
  )
}

function parseFlag(c: HttpContext, name: string): boolean {
  const flag = c.req.query(name)
  if (flag === undefined || flag === 'false') return false
  if (flag === 'true') return true
  throw new ServiceError('invalid_parameter', `${name} is '${flag}'; use true or false`)
}

/** The URL of the same request after this cursor; relative, so that it is valid behind any proxy. */
function nextLink(c: HttpContext, id: StreamId, next: Cursor): string {
  const query = new URLSearchParams(c.req.query())
  query.set('after', printCursor(id, next))
  return `<${c.req.path}?${query}>; rel="next"`
}
