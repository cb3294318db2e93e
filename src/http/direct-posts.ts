/**
 * The short way in: POST of one event, from node's request to the log and back without Hono.
 *
 * It is by far the most frequent request, and Hono with its adapter would cost it about as much as HTTP itself
 * (docs/decisions/0011-direct-posts.md). So a request that has nothing unusual about it is answered here: the plain path
 * of a stream that exists, and a body of known length that is sent as it is. Every other one goes the usual way, where the
 * same routes exist, with all their refusals.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { EventHeaders } from '../../storage/log.ts'
import type { NamespaceName, StreamId, StreamName } from '../streams/names.ts'
import type { Streams } from '../streams/streams.ts'
import { eventHeaders } from './event-headers.ts'
import type { Guard } from './guard.ts'
import { problemOf, type ReportFailure } from './problems.ts'

export interface DirectPostsOptions {
  readonly eventBytesMax: number
  readonly report: ReportFailure
  /** Undefined: everybody may send. */
  readonly guard?: Guard | undefined
}

/** What names.ts allows; of its bound on the length no stream that exists has need. */
const PATH = /^\/v3\/namespaces\/([a-zA-Z0-9_]+)\/streams\/([a-zA-Z0-9_-]+)(\/async)?$/

export function directPosts(
  streams: Streams,
  { eventBytesMax, report, guard }: DirectPostsOptions,
  usualWay: RequestListener,
): RequestListener {
  return (incoming, outgoing) => {
    const path = incoming.method === 'POST' ? PATH.exec(incoming.url!) : null
    if (path === null) return usualWay(incoming, outgoing)
    const id: StreamId = { namespace: path[1] as NamespaceName, stream: path[2] as StreamName }
    // Before it is looked whether the stream exists: a refusal takes as long if it does not.
    const writer = guard?.writerTo(id, incoming)
    if (guard !== undefined && writer === undefined) return usualWay(incoming, outgoing)
    const length = plainLength(incoming)
    const headers = eventHeadersIfValid(id.stream, incoming)
    if (headers === undefined || !(length > 0 && length <= eventBytesMax) || !streams.has(id)) {
      return usualWay(incoming, outgoing)
    }
    if (writer !== undefined && !guard!.countEvent(writer, length)) return usualWay(incoming, outgoing)
    const queued = path[3] !== undefined
    const refuse = (error: unknown) => sendProblem(outgoing, error, report)
    onWholeBody(incoming, length, (body) => {
      const event = { headers, body }
      if (queued) streams.appendAsync(id, event).then(() => sendEmpty(outgoing, 202), refuse)
      else streams.append(id, event).then(() => sendEmpty(outgoing, 200), refuse)
    })
  }
}

/** Bytes of a body that comes as it is; NaN if it is encoded, or its length is not known. */
function plainLength({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined || headers['content-encoding'] !== undefined)
    return Number.NaN
  return Number(headers['content-length'])
}

function eventHeadersIfValid(stream: StreamName, incoming: IncomingMessage): EventHeaders | undefined {
  try {
    return eventHeaders(stream, incoming)
  } catch {
    return undefined // refused on the usual way
  }
}

/** A connection that closes before has nobody left to answer. */
function onWholeBody(incoming: IncomingMessage, length: number, use: (body: Buffer) => void): void {
  const chunks: Buffer[] = []
  let received = 0
  incoming.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (chunk.length === length) use(chunk)
    else chunks.push(chunk)
    if (chunks.length > 0 && received === length) use(Buffer.concat(chunks, length))
  })
}

function sendEmpty(outgoing: ServerResponse, status: number): void {
  outgoing.writeHead(status, NO_CONTENT)
  outgoing.end()
}

function sendProblem(outgoing: ServerResponse, error: unknown, report: ReportFailure): void {
  const { status, text, headers } = problemOf(error, report)
  outgoing.writeHead(status, headers)
  outgoing.end(text)
}

const NO_CONTENT = { 'Content-Length': '0' }
