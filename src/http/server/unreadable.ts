/**
 * Answers below HTTP, written to the socket: to bytes that are no request, to one that does not come to its end, and to
 * an upload that is given up. No answer object exists for those, so their head is made here.
 *
 * Answers go out in the order of their requests: what is said of one waits until those before it have their answers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HeaderRecord } from './answer-class.ts'
import { ServiceRequest } from './service-request.ts'

/** Connections on which a request was refused here. */
const refused = new WeakSet<Duplex>()
/** Answers that are never given: to requests that came behind one that was refused. */
const ignored = new WeakSet<ServerResponse>()

/** Whether this request, which has just come, is to be ignored, as one before it on its connection was refused here. */
export function comesTooLate({ socket }: IncomingMessage, outgoing: ServerResponse): boolean {
  if (!refused.has(socket)) return false
  ignored.add(outgoing)
  return true
}

/** Answers an upload that is being read, and ends its connection. */
export function refuseUpload(
  { socket }: IncomingMessage,
  status: string,
  sentence: string,
  always: HeaderRecord,
): void {
  refused.add(socket)
  answerOnSocket(socket, status, sentence, always)
}

/** For 'clientError' of node's server: what its parser could not make a request of. */
export function refuseUnreadable(
  limits: { readonly maxHeaderBytes: number; readonly headerSeconds: number },
  always: HeaderRecord,
): (error: NodeJS.ErrnoException, socket: Duplex) => void {
  return (error, socket) => {
    if (refused.has(socket)) return // the parser says it again of every byte that comes
    refused.add(socket)
    const { status, sentence } = refusalOf(error, limits)
    afterAnswers(socket, () => answerOnSocket(socket, status, sentence, always))
  }
}

/** For 'connect' of node's server: this is no proxy, and says nothing to those who ask for a tunnel. */
export function closeTunnel(_: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => {}) // node's own listener is gone
  refused.add(socket)
  afterAnswers(socket, () => socket.destroy())
}

/** Calls `then` once every request has its answer that can be answered without what could not be read. */
function afterAnswers(socket: Duplex, then: () => void): void {
  const { answer } = underWay(socket)
  const comes = answer != null && !ignored.has(answer) && (answer.req.complete || !isBeingRead(answer.req))
  if (comes) {
    answer.once('close', () => afterAnswers(socket, then)) // by then the next one has its turn
  } else {
    then()
  }
}

/** A request whose body nobody reads is answered whatever becomes of that. */
function isBeingRead(incoming: IncomingMessage): boolean {
  if (incoming instanceof ServiceRequest && incoming.awaitsBody) return true
  return incoming.listenerCount('data') > 0 || incoming.listenerCount('readable') > 0
}

/** Answers a sentence and ends the connection; where that request has its answer already, or a part of it, it is cut off. */
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
  // Gone once that is out; a client that does not take it runs into the time limit of connections that do not move.
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

/** The answer whose turn it is has begun; or the request that is arriving was answered before it was complete. */
function answerBegun(socket: Duplex): boolean {
  const { answer, arriving } = underWay(socket)
  if (answer != null) return answer.headersSent
  return arriving != null && !arriving.complete
}

/** Node's server keeps both at the socket: the answer whose turn it is, and the request that its parser is reading. */
function underWay(socket: Duplex): { answer?: ServerResponse | null; arriving?: IncomingMessage | null } {
  const { _httpMessage: answer, parser } = socket as {
    _httpMessage?: ServerResponse | null
    parser?: { readonly incoming?: IncomingMessage | null } | null
  }
  return { ...(answer && { answer }), ...(parser?.incoming && { arriving: parser.incoming }) }
}
