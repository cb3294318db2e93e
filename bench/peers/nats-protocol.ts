/**
 * As much of the NATS protocol as publishing with a reply takes. Lines end with CR LF.
 *
 *   us:   CONNECT {…} · SUB <inbox> 1 · PUB <subject> <inbox> <length> CR LF <event> · PONG
 *   NATS: INFO {…} · MSG <inbox> 1 <length> CR LF <answer of JetStream, JSON> · PING · -ERR <reason>
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Protocol, Reply } from './socket-load.ts'

export const SUBJECT = 'events'
const CRLF = '\r\n'

/** Every connection has an inbox of its own, or it would get the answers of all. */
export function natsProtocol(connection: number): Protocol {
  const inbox = `_INBOX.bench.${connection}`
  return {
    greeting: greetingOf(inbox),
    request: (event) => Buffer.from(publication(SUBJECT, inbox, event)),
    read,
  }
}

function greetingOf(inbox: string): string {
  return `CONNECT {"verbose":false,"pedantic":false}${CRLF}SUB ${inbox} 1${CRLF}`
}

function publication(subject: string, inbox: string, text: string): string {
  return `PUB ${subject} ${inbox} ${Buffer.byteLength(text)}${CRLF}${text}${CRLF}`
}

function read(bytes: Buffer): Reply | undefined {
  const lineEnd = bytes.indexOf(CRLF)
  if (lineEnd === -1) return undefined
  const line = bytes.toString('latin1', 0, lineEnd)
  const afterLine = lineEnd + CRLF.length
  if (line.startsWith('MSG ')) {
    const end = afterLine + Number(line.slice(line.lastIndexOf(' ')))
    if (bytes.length < end + CRLF.length) return undefined
    const text = bytes.toString('utf8', afterLine, end)
    return { length: end + CRLF.length, answer: text.includes('"error"') ? { failure: text } : {} }
  }
  if (line === 'PING') return { length: afterLine, response: `PONG${CRLF}` }
  if (line.startsWith('-ERR')) return { length: afterLine, answer: { failure: line } }
  return { length: afterLine }
}

/** One request to the API of JetStream; rejects if it is refused. */
export async function askJetStream(port: number, subject: string, request: object): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    const inbox = '_INBOX.bench.setup'
    socket.write(greetingOf(inbox) + publication(subject, inbox, JSON.stringify(request)))
    let bytes = Buffer.alloc(0)
    for (;;) {
      const [piece] = (await once(socket, 'data')) as [Buffer]
      bytes = Buffer.concat([bytes, piece])
      for (let reply = read(bytes); reply !== undefined; reply = read(bytes)) {
        bytes = bytes.subarray(reply.length)
        if (reply.answer?.failure !== undefined) throw new Error(`${subject}: ${reply.answer.failure}`)
        if (reply.answer !== undefined) return
      }
    }
  } finally {
    socket.destroy()
  }
}
