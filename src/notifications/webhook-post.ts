/** One POST to a webhook: signed, to a public address, without following redirects, and within a time. */
import { createHmac } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { addressInUrl, isPublicAddress, PrivateAddressError, publicLookup } from './addresses.ts'

/** From the look-up to the status of the answer. */
const TIMEOUT_MS = 10_000

class NoAnswerError extends Error {
  override readonly name = 'TimeoutError'
}

export interface WebhookPost {
  readonly url: URL
  readonly secret: string
  readonly body: string
  /** For the signature, that an old one cannot be sent again later. */
  readonly nowMs: number
  readonly allowPrivate: boolean
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

/**
 * `t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hexadecimal digits>`. Whoever gets it computes the same, and
 * refuses what is old.
 */
export function signatureOf(secret: string, body: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000)
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}

/** Resolves with the status. Rejects if there is none: nobody there, too slow, not public. */
export async function postToWebhook({
  url,
  secret,
  body,
  nowMs,
  allowPrivate,
  signal,
  timeoutMs = TIMEOUT_MS,
}: WebhookPost): Promise<number> {
  const address = addressInUrl(url)
  if (!allowPrivate && address !== undefined && !isPublicAddress(address)) {
    throw new PrivateAddressError(`${address} is not public`)
  }
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: 'POST',
      agent: false, // a connection of its own, whose name is looked up anew
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
        'User-Agent': 'millrace',
        'X-Millrace-Signature': signatureOf(secret, body, nowMs),
      },
      ...(!allowPrivate && { lookup: publicLookup() }),
    })
    // Not AbortSignal.any: a signal that lives as long as its webhook would remember every POST.
    const breakOff = () => outgoing.destroy(new NoAnswerError(`no answer in ${timeoutMs} ms`))
    const timer = setTimeout(breakOff, timeoutMs).unref()
    signal.addEventListener('abort', breakOff)
    if (signal.aborted) breakOff()
    outgoing.once('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', breakOff)
      reject(new Error('the connection was closed')) // by who switches protocols, without any other word of it
    })
    outgoing.once('response', (incoming) => {
      resolve(incoming.statusCode ?? 0)
      incoming.on('error', () => {})
      incoming.destroy() // nobody reads what it has to say
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
