/**
 * The short way in: POST of one event, from node's request to the log and back without Hono.
 *
 * It is by far the most frequent request, and Hono with its adapter would cost it about as much as HTTP itself
 * (docs/decisions/0011-direct-posts.md). So a request that has nothing unusual about it is answered here: the plain path
 * of a stream that exists, and a body of known length that is sent as it is. Every other one goes the usual way, where the
 * same routes exist, with all their refusals.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { EventHeaders } from '../../../storage/log.ts'
import type { NamespaceName, StreamId, StreamName } from '../../streams/names.ts'
import type { Streams } from '../../streams/streams.ts'
import { type ProblemCounts, problemOfError, type ReportFailure } from '../messages/problems.ts'
import { NO_CONTENT } from '../server/answer-class.ts'
import type { Upload } from '../server/body-memory.ts'
import type { Guard } from '../server/guard.ts'
import type { Load } from '../server/load.ts'
import type { OpenAnswers } from '../server/open-answers.ts'
import { writeProblem } from '../server/problem.ts'
import { dropBody } from '../server/refusals.ts'
import type { SlowClients } from '../server/slow-clients.ts'
import { type EventHeaderLimits, eventHeaders } from './event-headers.ts'
import { cdapShapeOf } from './problem-shape.ts'

export interface DirectPostsOptions {
  readonly eventBytesMax: number
  readonly limits: EventHeaderLimits
  readonly load: Load
  readonly slowClients: SlowClients
  readonly openAnswers: OpenAnswers
  readonly report: ReportFailure
  readonly problems?: ProblemCounts
  /** Undefined: everybody may send. */
  readonly guard?: Guard | undefined
}

/** What names.ts allows; of its bound on the length no stream that exists has need. */
const PATH = /^\/v3\/namespaces\/([a-zA-Z0-9_]+)\/streams\/([a-zA-Z0-9_-]+)(\/async)?\/?$/

export function directPosts(
  streams: Streams,
  options: DirectPostsOptions,
  honoListener: RequestListener,
): RequestListener {
  const { eventBytesMax, limits, load, guard } = options
  return (incoming, outgoing) => {
    const path = incoming.method === 'POST' ? PATH.exec(incoming.url!) : null
    if (path === null) return honoListener(incoming, outgoing)
    const id: StreamId = { namespace: path[1] as NamespaceName, stream: path[2] as StreamName }
    // Before it is looked whether the stream exists: a refusal takes as long if it does not.
    const writer = guard?.writerTo(id, incoming)
    if (guard !== undefined && writer === undefined) return honoListener(incoming, outgoing)
    const length = plainLength(incoming)
    const headers = eventHeadersIfValid(id.stream, incoming, limits)
    if (
      headers === undefined ||
      !(length > 0 && length <= eventBytesMax) ||
      !load.bodies.mayArrive(length) ||
      !streams.has(id)
    ) {
      return honoListener(incoming, outgoing)
    }
    if (writer !== undefined && !guard!.countEvent(writer, length)) return honoListener(incoming, outgoing)
    const queued = path[3] !== undefined
    const refuse = (error: unknown) => {
      load.end(length)
      sendProblem(outgoing, error, options)
    }
    // The token may be revoked while the body arrives.
    const mayWrite = writer === undefined ? ALWAYS : () => guard!.mayStillWrite(writer, id)
    onWholeBody(incoming, outgoing, length, options, mayWrite, (body) => {
      if (!mayWrite()) {
        incoming.destroy()
        return
      }
      const event = { headers, body }
      load.begin(length)
      if (queued) {
        streams.appendAsync(id, event).then(() => {
          load.end(length)
          outgoing.writeHead(202, NO_CONTENT)
          outgoing.end()
        }, refuse)
      } else {
        streams.append(id, event).then(() => {
          load.end(length)
          outgoing.writeHead(200, NO_CONTENT)
          outgoing.end()
        }, refuse)
      }
    })
  }
}

const ALWAYS = () => true

/** Bytes of a body that comes as it is; NaN if it is encoded, or its length is not known. */
function plainLength({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined || headers['content-encoding'] !== undefined)
    return Number.NaN
  return Number(headers['content-length'])
}

function eventHeadersIfValid(
  stream: StreamName,
  incoming: IncomingMessage,
  limits: EventHeaderLimits,
): EventHeaders | undefined {
  try {
    return eventHeaders(stream, incoming, limits)
  } catch {
    return undefined // refused on the usual way
  }
}

/** A connection that closes before has nobody left to answer. */
function onWholeBody(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  length: number,
  options: DirectPostsOptions,
  mayWrite: () => boolean,
  use: (body: Buffer) => void,
): void {
  let pieces: BodyInPieces | undefined
  incoming.on('data', (chunk: Buffer) => {
    if (chunk.length === length) return use(chunk)
    pieces ??= new BodyInPieces(incoming, outgoing, length, options, mayWrite)
    pieces.add(chunk, use)
  })
}

/** A body that does not come at once: what there is of it counts, and its client is looked after. */
class BodyInPieces {
  readonly #incoming: IncomingMessage
  readonly #outgoing: ServerResponse
  readonly #length: number
  readonly #options: DirectPostsOptions
  readonly #upload: Upload
  #chunks: Buffer[] = []
  #received = 0

  constructor(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    length: number,
    options: DirectPostsOptions,
    mayWrite: () => boolean,
  ) {
    const { load, slowClients, openAnswers } = options
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#length = length
    this.#options = options
    this.#upload = slowClients.beginUpload(incoming, load)
    const unwatch = mayWrite === ALWAYS ? ALWAYS : openAnswers.watchWhile(mayWrite, () => incoming.destroy())
    incoming.once('close', () => {
      unwatch()
      this.#upload.end()
    })
  }

  add(chunk: Buffer, use: (body: Buffer) => void): void {
    if (this.#upload.wasCut) return
    this.#received += chunk.length
    this.#chunks.push(chunk)
    this.#upload.pace.moved = this.#received
    if (this.#received === this.#length) {
      this.#finish(use)
      return
    }
    const capacity = this.#upload.holds(this.#received)
    if (capacity === undefined) return
    this.#incoming.pause()
    capacity.then(
      () => this.#incoming.resume(),
      (error) => this.#refuse(error),
    )
  }

  #finish(use: (body: Buffer) => void): void {
    this.#upload.complete()
    this.#upload.end()
    if (this.#incoming.socket.writableEnded) return // given up as too slow: it is answered already
    use(Buffer.concat(this.#chunks, this.#length))
  }

  #refuse(error: unknown): void {
    this.#upload.end()
    this.#chunks = []
    this.#incoming.removeAllListeners('data')
    if (this.#upload.wasCut || this.#incoming.destroyed) return
    sendProblem(this.#outgoing, error, this.#options)
    dropBody(this.#incoming)
    this.#incoming.resume()
  }
}

function sendProblem(
  outgoing: ServerResponse,
  error: unknown,
  { report, problems }: DirectPostsOptions,
): void {
  writeProblem(outgoing.req, outgoing, problemOfError(error, report, problems), cdapShapeOf)
}
