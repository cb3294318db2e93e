/**
 * Answers below HTTP, written to the socket: to bytes that are no request, to one that does not come to its end, and to
 * an upload that is given up. No answer object exists for those, so their head is made here.
 */
import type { Duplex } from 'node:stream'
import type { HeaderRecord } from './answer-class.ts'

/** Answers a sentence and ends the connection; where another answer has begun already, that is cut off instead. */
export function answerOnSocket(socket: Duplex, status: string, sentence: string, always: HeaderRecord): void {
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

/** For 'clientError' of node's server: what its parser could not make a request of. */
export function refuseUnreadable(
  limits: { readonly maxHeaderBytes: number; readonly headerSeconds: number },
  always: HeaderRecord,
): (error: NodeJS.ErrnoException, socket: Duplex) => void {
  return (error, socket) => {
    const { status, sentence } = refusalOf(error, limits)
    answerOnSocket(socket, status, sentence, always)
  }
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

/** Node's server keeps the answer under way at its socket: one that has begun must not get another one inside. */
function answerBegun(socket: Duplex): boolean {
  const { _httpMessage: answer } = socket as { _httpMessage?: { readonly headersSent: boolean } | null }
  return answer?.headersSent === true
}
