/**
 * A request has to state its host, token and content type without ambiguity. Of several header lines of one name node takes the
 * first and silently drops the others; a proxy in front may have used another one.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ShapeOf, writeProblem } from './problem.ts'
import { bodyIsLarge, dropBody } from './refusals.ts'

/** A name or an address, with or without a port; RFC 3986 allows these characters and an empty name. */
const HOST = /^(?:[a-zA-Z0-9._~%!$&'()*+,;=-]*|\[[a-zA-Z0-9:.%_~-]+\])(?::[0-9]*)?$/

/** Answers 400 and returns true if the head of a request can be read in more than one way. */
export function refusesUnclearHead(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  tokensRequired: boolean,
  shapeOf: ShapeOf,
): boolean {
  const text = headProblem(incoming, tokensRequired)
  if (text === undefined) return false
  outgoing.shouldKeepAlive = false
  writeProblem(incoming, outgoing, { status: 400, code: 'unreadable_request', text }, shapeOf)
  if (bodyIsLarge(incoming)) dropBody(incoming)
  return true
}

const UNREADABLE = 'the request cannot be read: '
let lastHost = 'localhost'

/**
 * Returns what is wrong as a sentence for the client, or undefined. Without tokens, `Authorization` is ignored. Runs for
 * every request, so names of headers are compared by their length first.
 */
export function headProblem(
  { rawHeaders, httpVersionMinor }: IncomingMessage,
  tokensRequired: boolean,
): string | undefined {
  let host: string | undefined
  let authorization: string | undefined
  let contentType: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    const value = rawHeaders[i + 1]!
    if (name.length === 4 && is(name, 'host')) {
      if (host !== undefined) return `${UNREADABLE}it has two Host headers; send one`
      host = value
    } else if (tokensRequired && name.length === 13 && is(name, 'authorization')) {
      if (authorization !== undefined && authorization !== value) return differing('Authorization')
      authorization = value
    } else if (name.length === 12 && is(name, 'content-type')) {
      if (contentType !== undefined && contentType !== value) return differing('Content-Type')
      contentType = value
    }
  }
  if (host === undefined) {
    return httpVersionMinor === 0 ? undefined : `${UNREADABLE}it has no Host header, which HTTP/1.1 needs`
  }
  if (host === lastHost) return undefined
  if (!HOST.test(host))
    return `${UNREADABLE}its Host header is no name or address of a host; send one, with a port if need be`
  lastHost = host
  return undefined
}

function is(name: string, lowerCase: string): boolean {
  return name === lowerCase || name.toLowerCase() === lowerCase
}

function differing(name: string): string {
  return `${UNREADABLE}it has two ${name} headers that differ; send one`
}
