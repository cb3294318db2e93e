/**
 * Answers written directly to the socket: to bytes that are no request, to a request that does not end, and to an upload
 * that is cut. Node has no answer object for these, so their head is formatted here.
 *
 * Answers are sent in the order of their requests: a refusal waits until the requests before it have their answers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HeaderRecord } from './answer-class.ts'
import type { ProblemShape, ShapeOf } from './problem.ts'
import { ServiceRequest } from './service-request.ts'

/** What is answered here. */
const STATUS_LINES = {
  '400 Bad Request': { status: 400, code: 'unreadable_request' },
  '408 Request Timeout': { status: 408, code: 'request_timeout' },
  '413 Payload Too Large': { status: 413, code: 'unreadable_request' },
  '431 Request Header Fields Too Large': { status: 431, code: 'unreadable_request' },
  '503 Service Unavailable': { status: 503, code: 'overloaded' },
} as const
export type StatusLine = keyof typeof STATUS_LINES

/** Node adds the bytes that its parser could not read. */
interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer
}

const REQUEST_LINE = /^[A-Z]+ (\/\S*) HTTP\//
const REQUEST_LINE_BYTES_MAX = 2_048

/** Connections on which a request was refused here. */
const refused = new WeakSet<Duplex>()
/** Sends the refusal of bytes that could not be read, on connections where it waits for answers before it. */
const refusals = new WeakMap<Duplex, () => void>()
/** Answers that are never sent: to requests behind one that was refused. */
const ignored = new WeakSet<ServerResponse>()

/** Whether this new request is ignored, because one before it on its connection was refused here. */
export function comesTooLate({ socket }: IncomingMessage, outgoing: ServerResponse): boolean {
  if (!refused.has(socket)) return false
  ignored.add(outgoing)
  return true
}

/** Answers an upload while it is read, and ends its connection. */
export function refuseUpload(
  { socket, url, headers }: IncomingMessage,
  status: StatusLine,
  sentence: string,
  always: HeaderRecord,
  shapeOf: ShapeOf,
): void {
  refused.add(socket)
  answerOnSocket(socket, status, sentence, always, shapeOf(url, headers.accept))
}

/** For 'clientError' of node's server: its parser found no request in these bytes. */
export function refuseUnreadable(
  limits: { readonly maxHeaderBytes: number; readonly headerSeconds: number },
  always: HeaderRecord,
  shapeOf: ShapeOf,
): (error: ParserError, socket: Duplex) => void {
  return (error, socket) => {
    if (refused.has(socket)) return // the parser emits the error again for every further byte
    refused.add(socket)
    const { status, sentence } = refusalOf(error, limits)
    const shape = shapeOf(...headOf(error, socket))
    const refuse = () => {
      if (refusals.delete(socket)) answerOnSocket(socket, status, sentence, always, shape)
    }
    refusals.set(socket, refuse)
    afterAnswers(socket, refuse)
  }
}

/**
 * To be called when a handler begins to read a body. If the parser failed on this body while the handler waited for something else,
 * the rest of the body never arrives, so the request is refused now.
 */
export function refuseBroken(incoming: IncomingMessage): void {
  const { socket, complete } = incoming
  const refuse = refusals.get(socket)
  if (refuse !== undefined && !complete && underWay(socket).answer?.req === incoming) refuse()
}

/** Target and Accept of the request that could not be read to its end, as far as they are known. */
function headOf(
  error: ParserError,
  socket: Duplex,
): [target: string | undefined, accept: string | undefined] {
  const { arriving } = underWay(socket)
  if (arriving != null && !arriving.complete) return [arriving.url, arriving.headers.accept]
  return [
    REQUEST_LINE.exec(error.rawPacket?.toString('latin1', 0, REQUEST_LINE_BYTES_MAX) ?? '')?.[1],
    undefined,
  ]
}

/** For 'connect' of node's server: this is no proxy, and a request for a tunnel gets no answer. */
export function closeTunnel(_: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => {}) // node's own listener is gone
  refused.add(socket)
  afterAnswers(socket, () => socket.destroy())
}

/** Calls `then` once every request has its answer that does not depend on the unreadable bytes. */
function afterAnswers(socket: Duplex, then: () => void): void {
  const { answer } = underWay(socket)
  const comes = answer != null && !ignored.has(answer) && (answer.req.complete || !isBeingRead(answer.req))
  if (comes) {
    answer.once('close', () => afterAnswers(socket, then)) // then the next answer is under way
  } else {
    then()
  }
}

/** A request whose body is not read is answered in any case. */
function isBeingRead(incoming: IncomingMessage): boolean {
  if (incoming instanceof ServiceRequest && incoming.awaitsBody) return true
  return incoming.listenerCount('data') > 0 || incoming.listenerCount('readable') > 0
}

/** Answers with a sentence and ends the connection; if the answer of that request has begun, cuts the connection. */
function answerOnSocket(
  socket: Duplex,
  statusLine: StatusLine,
  sentence: string,
  always: HeaderRecord,
  shape: ProblemShape,
): void {
  if (!socket.writable || answerBegun(socket)) return void socket.destroy()
  const { contentType, text } = shape({ ...STATUS_LINES[statusLine], text: sentence })
  const headers = Object.entries({
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(text)),
    Connection: 'close',
    ...always,
  })
  const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${statusLine}\r\n${head}\r\n${text}`)
  // Closes when the answer is sent. If the client does not take it, connections.ts closes the quiet connection.
  if ('destroySoon' in socket && typeof socket.destroySoon === 'function') socket.destroySoon()
}

function refusalOf(
  error: ParserError,
  { maxHeaderBytes, headerSeconds }: { readonly maxHeaderBytes: number; readonly headerSeconds: number },
): { status: StatusLine; sentence: string } {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: '431 Request Header Fields Too Large',
        sentence: `request line and headers have more than ${maxHeaderBytes} bytes; send fewer`,
      }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return {
        status: '413 Payload Too Large',
        sentence: 'the extensions of a chunk are too long; leave them out',
      }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: '408 Request Timeout',
        sentence: `the headers did not arrive within ${headerSeconds} s; send them faster`,
      }
    default:
      return { status: '400 Bad Request', sentence: `the request is not HTTP: ${error.message}` }
  }
}

/** The current answer has begun; or the arriving request was answered before it was complete. */
function answerBegun(socket: Duplex): boolean {
  const { answer, arriving } = underWay(socket)
  if (answer != null) return answer.headersSent
  return arriving != null && !arriving.complete
}

/** Node's server keeps both at the socket: the current answer, and the request that its parser is reading. */
function underWay(socket: Duplex): { answer?: ServerResponse | null; arriving?: IncomingMessage | null } {
  const { _httpMessage: answer, parser } = socket as {
    _httpMessage?: ServerResponse | null
    parser?: { readonly incoming?: IncomingMessage | null } | null
  }
  return { ...(answer && { answer }), ...(parser?.incoming && { arriving: parser.incoming }) }
}
