/**
 * HTTP headers -> event headers: those whose name begins with `<stream>.`, without that prefix.
 *
 * Node's `rawHeaders` are read, for everything else lower-cases names. The prefix may come in any case, because proxies
 * change it and the URL says which stream is meant; the rest of the name stays as received. Values are what node makes
 * of the bytes on the wire: latin-1 text.
 *
 * The loops run for every event, so they assert elements: the loop bound keeps the index inside.
 */
import type { IncomingMessage } from 'node:http'
import type { EventHeaders } from '../../../storage/log.ts'
import { ServiceError } from '../../service-error.ts'
import type { StreamName } from '../../streams/names.ts'

const NONE: EventHeaders = []

export interface EventHeaderLimits {
  readonly maxEventHeaders: number
  /** Names without their prefix, and values. */
  readonly maxEventHeaderBytes: number
}

/**
 * Throws ServiceError 'duplicate_header' if a name occurs twice; names that differ in case are different names. Throws
 * 'headers_too_large' beyond the limits.
 */
export function eventHeaders(
  stream: StreamName,
  incoming: IncomingMessage,
  limits: EventHeaderLimits,
): EventHeaders {
  const { rawHeaders } = incoming
  const prefixLength = stream.length + 1
  let headers: [string, string][] | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length < prefixLength || name.charCodeAt(stream.length) !== DOT) continue
    if (!startsWithIgnoringCase(name, stream)) continue
    headers ??= []
    headers.push([name.slice(prefixLength), rawHeaders[i + 1]!])
  }
  if (headers === undefined) return NONE
  assertWithin(headers, limits)
  assertUnique(headers)
  return headers
}

/** Their text is latin-1: as many bytes as characters. */
function assertWithin(
  headers: EventHeaders,
  { maxEventHeaders, maxEventHeaderBytes }: EventHeaderLimits,
): void {
  if (headers.length > maxEventHeaders) {
    throw new ServiceError(
      'headers_too_large',
      `the event has ${headers.length} headers; at most ${maxEventHeaders} are taken`,
    )
  }
  let bytes = 0
  for (let i = 0; i < headers.length; i++) bytes += headers[i]![0].length + headers[i]![1].length
  if (bytes <= maxEventHeaderBytes) return
  throw new ServiceError(
    'headers_too_large',
    `the headers of the event have ${bytes} bytes; at most ${maxEventHeaderBytes} are taken`,
  )
}

/** `added` first, then what the client sent; a name in both is refused. */
export function withAddedHeader(added: readonly [string, string], headers: EventHeaders): EventHeaders {
  const all = [added, ...headers]
  assertUnique(all)
  return all
}

/** `overriding` win over headers of the same name. */
export function withOverridingHeaders(headers: EventHeaders, overriding: EventHeaders): EventHeaders {
  if (overriding.length === 0) return headers
  const names = new Set(overriding.map(([name]) => name))
  return [...headers.filter(([name]) => !names.has(name)), ...overriding]
}

function assertUnique(headers: EventHeaders): void {
  // Comparing each with each is faster for the usual few; a set bounds it where they are many.
  if (headers.length <= FEW) {
    for (let i = 1; i < headers.length; i++) {
      for (let j = 0; j < i; j++) if (headers[i]![0] === headers[j]![0]) throw givenTwice(headers[i]![0])
    }
  } else {
    const seen = new Set<string>()
    for (const [name] of headers) {
      if (seen.has(name)) throw givenTwice(name)
      seen.add(name)
    }
  }
}

function givenTwice(name: string): ServiceError {
  return new ServiceError('duplicate_header', `event header '${name}' is given twice; send it once`)
}

function startsWithIgnoringCase(name: string, stream: string): boolean {
  return name.startsWith(stream) || name.slice(0, stream.length).toLowerCase() === stream.toLowerCase()
}

const DOT = 0x2e
const FEW = 16
