/** Errors of Kafka: codes of brokers and failed connections, and which of them may pass. */
import { setTimeout } from 'node:timers/promises'
import { ConnectorError } from './connector.ts'

export const OFFSET_OUT_OF_RANGE = 1
export const UNKNOWN_TOPIC = 3
export const NO_LEADER = 5
export const AUTHENTICATION_FAILED = 58
const UNKNOWN_TOPIC_ID = 100
/** The cluster is moving leaders, is starting, or is short of replicas; or the broker's own time limit. */
const RETRIABLE = new Set([3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 56, 72, 73, 74, 75, 89, 100, 103])
const LASTING: Readonly<Record<number, string>> = {
  10: 'a record is larger than the topic allows',
  17: 'the name of the topic is not valid',
  18: 'a group of records is larger than the broker allows',
  29: 'this user has no right to the topic',
  30: 'this user has no right to the group',
  31: 'this user has no right to the cluster',
  33: 'the mechanism of authentication is not enabled on the broker',
  44: 'the policy of the cluster does not allow it',
  58: 'authentication failed',
  87: 'the broker rejects a record',
}

/** The broker answered with this error code. */
export class BrokerError {
  readonly code: number

  constructor(code: number) {
    this.code = code
  }
}

/** No broker answered, or an answer could not be read. */
export class Unavailable extends Error {}

export function isRetriable(error: unknown): boolean {
  return error instanceof BrokerError ? RETRIABLE.has(error.code) : error instanceof Unavailable
}

/** `secret` is not part of the message. Errors of the connection itself name the integration. */
export function kafkaProblem(
  error: unknown,
  secret: string | undefined,
  integrationId?: string,
): ConnectorError {
  if (error instanceof ConnectorError) return error
  const unreachable = { unreachable: integrationId }
  if (error instanceof BrokerError) {
    const { code } = error
    if (code === UNKNOWN_TOPIC || code === UNKNOWN_TOPIC_ID) return new ConnectorError(NO_TOPIC, false)
    const lasting = LASTING[code]
    if (lasting !== undefined) {
      const options = code === AUTHENTICATION_FAILED ? unreachable : {}
      return new ConnectorError(`Kafka: ${lasting} (error ${code})`, false, options)
    }
    return new ConnectorError(`Kafka: the broker answered with error ${code}`, true)
  }
  const text = messageOf(error)
  return new ConnectorError(`Kafka: ${secret ? text.replaceAll(secret, '***') : text}`, true, unreachable)
}

/** The message of the error of a topic that does not exist. */
export const NO_TOPIC = 'the topic does not exist'

/** The first error code in an answer; undefined if the error is not an answer of a broker. */
export function responseCode(error: unknown): number | undefined {
  const seen = new Set<unknown>()
  const pending: unknown[] = [error]
  for (let at = pending.shift(); at !== undefined; at = pending.shift()) {
    if (typeof at !== 'object' || at === null || seen.has(at)) continue
    seen.add(at)
    const { apiCode, errors, cause } = at as { apiCode?: unknown; errors?: unknown[]; cause?: unknown }
    if (typeof apiCode === 'number') return apiCode
    if (Array.isArray(errors)) pending.push(...errors)
    pending.push(cause)
  }
  return undefined
}

export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  if (error instanceof Error && error.cause instanceof Error)
    return `${error.message}: ${messageOf(error.cause)}`
  return error instanceof Error ? error.message : String(error)
}

export async function withinMs<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const stop = new AbortController()
  const limit = setTimeout(limitMs, undefined, { signal: stop.signal }).then(() => {
    throw new Unavailable(`no answer within ${limitMs / 1000} s`)
  })
  limit.catch(() => undefined)
  try {
    return await Promise.race([work, limit])
  } finally {
    stop.abort()
    work.catch(() => undefined)
  }
}
