/**
 * Answers written directly to the socket: to bytes that are no request, to a request that does not end, and to an upload
 * that is cut. Node has no answer object for these, so their head is formatted here.
 *
 * Answers are sent in the order of their requests: a refusal waits until the requests before it have their answers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HeaderRecord } from './answer-class.ts'
import { ServiceRequest } from './service-request.ts'

/** Connections on which a request was refused here. */
const refused = new WeakSet<Duplex>()
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
  { socket }: IncomingMessage,
  status: string,
  sentence: string,
  always: HeaderRecord,
): void {
  refused.add(socket)
  answerOnSocket(socket, status, sentence, always)
}

/** For 'clientError' of node's server: its parser found no request in these bytes. */
export function refuseUnreadable(
  limits: { readonly maxHeaderBytes: number; readonly headerSeconds: number },
  always: HeaderRecord,
): (error: NodeJS.ErrnoException, socket: Duplex) => void {
  return (error, socket) => {
    if (refused.has(socket)) return // the parser emits the error again for every further byte
    refused.add(socket)
    const { status, sentence } = refusalOf(error, limits)
    afterAnswers(socket, () => answerOnSocket(socket, status, sentence, always))
  }
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
function answerOnSocket(socket: Duplex, status: string, sentence: string, always: HeaderRecord): void {
  if (!socket.writable || answerBegun(socket)) return void socket.destroy()
  const headers = Object.entries({
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(sentence)),
    Connection: 'close',
    ...always,
  })
  const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n${sentence}`)
  // Closes when the answer is sent. If the client does not take it, connections.ts closes the quiet connection.
  if ('destroySoon' in socket && typeof socket.destroySoon === 'function') socket.destroySoon()
}

function refusalOf(
  error: NodeJS.ErrnoException,
  { maxHeaderBytes, headerSeconds }: { readonly maxHeaderBytes: number; readonly headerSeconds: number },
): { status: string; sentence: string } {
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
