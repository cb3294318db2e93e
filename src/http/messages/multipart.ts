/**
 * Reads a body of `multipart/form-data` (RFC 7578) piece by piece, as it arrives. The parts may be of any size; only their headers and
 * a few bytes that may be the beginning of a boundary are kept.
 */
import { ServiceError } from '../../service-error.ts'

export type MultipartPiece =
  | { readonly kind: 'part'; readonly name: string | undefined; readonly fileName: string | undefined }
  /** Content of the part. Valid until the next piece is requested. */
  | { readonly kind: 'content'; readonly bytes: Uint8Array }
  /** The part is complete. */
  | { readonly kind: 'end' }

/** Of one part. A file name and a type need a few hundred. */
const PART_HEADER_BYTES_MAX = 4 * 1024
/** A form has a few. */
const PARTS_MAX = 100
/** Spaces between a boundary and the end of its line. */
const PADDING_BYTES_MAX = 64

/** The boundary in a Content-Type; undefined if it is of another type, or has none. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType)) return undefined
  const found = /;\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)/i.exec(contentType)
  return found?.[1] ?? found?.[2]
}

type State = 'content' | 'boundary' | 'headers' | 'ended'

/** Throws ServiceError 'malformed_body', also for a body that ends before its last boundary. */
export async function* multipartPieces(
  chunks: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<MultipartPiece, void, undefined> {
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  /** What is not read yet. A boundary at the beginning of the body has no line end before it. */
  let rest: Buffer = Buffer.from('\r\n')
  let state: State = 'content'
  let parts = 0
  for await (const chunk of chunks) {
    if (state === 'ended') continue // what is behind the last boundary has no meaning
    let data = Buffer.concat([rest, chunk])
    for (;;) {
      if (state === 'content') {
        const found = data.indexOf(delimiter)
        const end = found === -1 ? Math.max(0, data.length - delimiter.length + 1) : found
        // What is before the first boundary has no meaning.
        if (parts > 0 && end > 0) yield { kind: 'content', bytes: data.subarray(0, end) }
        data = data.subarray(end)
        if (found === -1) break
        if (parts > 0) yield { kind: 'end' }
        data = data.subarray(delimiter.length)
        state = 'boundary'
      } else if (state === 'boundary') {
        const next = afterBoundary(data)
        if (next === undefined) break
        state = next.isLast ? 'ended' : 'headers'
        if (next.isLast) break
        data = data.subarray(next.length)
      } else {
        const length = headersLength(data)
        if (length === undefined) break
        if (++parts > PARTS_MAX) throw malformed(`it has more than ${PARTS_MAX} parts`)
        yield partOf(data.toString('utf8', 0, length))
        data = data.subarray(length)
        state = 'content'
      }
    }
    rest = Buffer.from(data) // a copy: the chunk is freed
  }
  if (state !== 'ended') throw malformed('it ends before its last boundary')
}

/** What follows a boundary: two hyphens, or the end of the line. Undefined if that has not arrived. */
function afterBoundary(data: Buffer): { readonly isLast: boolean; readonly length: number } | undefined {
  let at = 0
  while (data[at] === 0x20 || data[at] === 0x09) {
    if (++at > PADDING_BYTES_MAX) throw malformed('a boundary is not at the end of its line')
  }
  const two = data.toString('latin1', at, at + 2)
  if (two.length < 2) return undefined
  if (two === '--' && at === 0) return { isLast: true, length: 2 }
  // The line end stays: it may be the first half of the empty line behind the headers.
  if (two === '\r\n') return { isLast: false, length: at }
  throw malformed('a boundary is not at the end of its line')
}

/** Length of the headers with the empty line behind them, in data that begins with a line end. Undefined if it has not arrived. */
function headersLength(data: Buffer): number | undefined {
  const end = data.subarray(0, PART_HEADER_BYTES_MAX).indexOf('\r\n\r\n')
  if (end !== -1) return end + 4
  if (data.length < PART_HEADER_BYTES_MAX) return undefined
  throw malformed(`the headers of a part have more than ${PART_HEADER_BYTES_MAX} bytes`)
}

function partOf(headers: string): MultipartPiece {
  const disposition = /\r\ncontent-disposition[ \t]*:[ \t]*form-data([^\r]*)/i.exec(headers)?.[1] ?? ''
  return {
    kind: 'part',
    name: parameterOf(disposition, 'name'),
    fileName: encodedParameterOf(disposition, 'filename') ?? parameterOf(disposition, 'filename'),
  }
}

/** Browsers write a quote as `%22`, other clients as `\"`. */
function parameterOf(disposition: string, name: string): string | undefined {
  const found = new RegExp(`;[ \\t]*${name}[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]+))`, 'i').exec(
    disposition,
  )
  if (found === null) return undefined
  return found[1]?.replaceAll(/\\(["\\])/g, '$1').replaceAll('%22', '"') ?? found[2]
}

/** `filename*=UTF-8''name` (RFC 5987), as some clients send a name that is not ASCII. */
function encodedParameterOf(disposition: string, name: string): string | undefined {
  const encoded = new RegExp(`;[ \\t]*${name}\\*[ \\t]*=[ \\t]*utf-8'[^']*'([^\\s;]+)`, 'i').exec(disposition)
  if (encoded === null) return undefined
  try {
    return decodeURIComponent(encoded[1]!)
  } catch {
    throw malformed(`${name}* of a part is not percent-encoded UTF-8`)
  }
}

function malformed(problem: string): ServiceError {
  return new ServiceError('malformed_body', `the body is no multipart/form-data: ${problem}`)
}
