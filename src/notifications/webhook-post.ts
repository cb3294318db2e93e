/**
 * One delivery to a webhook: a POST, signed, to a public address, without redirects, within a time limit.
 *
 *   webhook-id:            the notification; the same in every retry
 *   webhook-timestamp:     seconds since 1970, of this try
 *   webhook-signature:     v1,<base64 of HMAC-SHA256 of "<webhook-id>.<webhook-timestamp>.<body>">
 *   X-Millrace-Signature:  t=<seconds since 1970>,v1=<hex of HMAC-SHA256 of "<t>.<body>">
 *
 * The first three are those of Standard Webhooks 1.0 (https://www.standardwebhooks.com). The last one is older than
 * them and is kept for receivers that check it. Without a secret a POST has neither signature.
 */
import { createHmac } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { addressInUrl, isPublicAddress, PrivateAddressError, publicLookup } from './addresses.ts'

/** From the lookup of the name to the status of the response. */
const TIMEOUT_MS = 10_000

const KEY_PREFIX = 'whsec_'
/** Bytes of a key after the prefix, as in Standard Webhooks. */
const KEY_BYTES_MIN = 24
const KEY_BYTES_MAX = 64

class NoAnswerError extends Error {
  override readonly name = 'TimeoutError'
}

export interface WebhookPost {
  readonly url: URL
  readonly secret: string | undefined
  /** The id of the notification, without a full stop. */
  readonly id: string
  readonly body: string
  /** Time of this try. Receivers reject old times, so that a recorded POST cannot be replayed. */
  readonly nowMs: number
  readonly allowPrivate: boolean
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

type Message = Pick<WebhookPost, 'secret' | 'id' | 'body' | 'nowMs'>

export function signatureHeaders({ secret, id, body, nowMs }: Message): Record<string, string> {
  const seconds = `${Math.floor(nowMs / 1000)}`
  const metadata = { 'webhook-id': id, 'webhook-timestamp': seconds }
  if (secret === undefined) return metadata
  const key = standardKey(secret) ?? secret
  const standard = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
  const own = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return {
    ...metadata,
    'webhook-signature': `v1,${standard}`,
    'X-Millrace-Signature': `t=${seconds},v1=${own}`,
  }
}

/** Whether a secret begins like a key of Standard Webhooks but is not a valid one. */
export function isBrokenKey(secret: string): boolean {
  return secret.startsWith(KEY_PREFIX) && standardKey(secret) === undefined
}

/** The key bytes of `whsec_<base64>`. Undefined for any other secret, whose own bytes are the key. */
function standardKey(secret: string): Buffer | undefined {
  if (!secret.startsWith(KEY_PREFIX)) return undefined
  const text = secret.slice(KEY_PREFIX.length)
  const key = Buffer.from(text, 'base64')
  const isWhole = key.toString('base64') === text // Buffer ignores characters that are not base64
  return isWhole && key.length >= KEY_BYTES_MIN && key.length <= KEY_BYTES_MAX ? key : undefined
}

/** Resolves with the status. Rejects if there is none: no connection, no response in time, or an address that is not public. */
export async function postToWebhook(post: WebhookPost): Promise<number> {
  const { url, body, allowPrivate, signal, timeoutMs = TIMEOUT_MS } = post
  const address = addressInUrl(url)
  if (!allowPrivate && address !== undefined && !isPublicAddress(address)) {
    throw new PrivateAddressError(`${address} is not public`)
  }
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: 'POST',
      agent: false, // a new connection each time, so that the name is resolved each time
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
        'User-Agent': 'millrace',
        ...signatureHeaders(post),
      },
      ...(!allowPrivate && { lookup: publicLookup() }),
    })
    // AbortSignal.any would keep a reference to every POST for as long as the webhook exists.
    const cancel = () => outgoing.destroy(new NoAnswerError(`no answer in ${timeoutMs} ms`))
    const timer = setTimeout(cancel, timeoutMs).unref()
    signal.addEventListener('abort', cancel)
    if (signal.aborted) cancel()
    outgoing.once('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', cancel)
      reject(new Error('the connection was closed')) // a receiver that switches protocols causes no other event
    })
    outgoing.once('response', (incoming) => {
      resolve(incoming.statusCode ?? 0)
      incoming.on('error', () => {})
      incoming.destroy() // only the status is used
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
