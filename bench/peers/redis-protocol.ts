/**
 * As much of RESP as an XADD takes.
 *
 *   request: *5 $4 XADD $6 events $1 * $1 e $100 <event>      each word with its length, ended by CR LF
 *   answer:  $<length> CR LF <id> CR LF, or -<error> CR LF
 */
import type { Protocol } from './socket-load.ts'

const ERROR = 0x2d // '-'
const CRLF = '\r\n'

export const redisProtocol: Protocol = {
  request(event) {
    const words = ['XADD', 'events', '*', 'e', event]
    return Buffer.from(
      `*${words.length}${CRLF}${words.map((word) => `$${word.length}${CRLF}${word}${CRLF}`).join('')}`,
    )
  },
  read(bytes) {
    const lineEnd = bytes.indexOf(CRLF)
    if (lineEnd === -1) return undefined
    const afterLine = lineEnd + CRLF.length
    if (bytes[0] === ERROR)
      return { length: afterLine, answer: { failure: bytes.toString('latin1', 1, lineEnd) } }
    const length = afterLine + Number(bytes.toString('latin1', 1, lineEnd)) + CRLF.length
    return bytes.length < length ? undefined : { length, answer: {} }
  },
}
