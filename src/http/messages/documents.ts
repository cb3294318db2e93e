/**
 * JSON documents of the control plane: read as a whole, within the limits on their size and depth. Those that may take more
 * than a few milliseconds are parsed on a worker thread.
 */

import { clientKey } from '../server/client-key.ts'
import type { OpenAnswers } from '../server/open-answers.ts'
import type { HttpContext } from './bindings.ts'
import {
  DOCUMENT_PARSERS,
  type Parsed,
  type ParserArguments,
  type ParserName,
  WITH_FORMAT,
} from './document-parsers.ts'
import type { Workers } from './parse-workers.ts'
import { type BodyLimit, type Intake, readBody } from './request-body.ts'

export interface DocumentOptions extends Intake {
  readonly limits: { readonly maxDocumentBytes: number; readonly maxDocumentDepth: number }
  readonly workers: Workers
  readonly openAnswers: OpenAnswers
}

/** A document up to this long, without a format, is parsed on the event loop: that takes 2 ms at most. */
const SHORT_BYTES = 16 * 1024

/**
 * Reads the body and parses it. Rejects with 'document_too_large', and with what readBody, the parser and Workers.run reject
 * with.
 */
export function documentReader({ limits, workers, openAnswers, ...intake }: DocumentOptions) {
  const limit: BodyLimit = {
    bytesMax: limits.maxDocumentBytes,
    refusal: 'document_too_large',
    what: 'the JSON document',
  }
  return async <Name extends ParserName>(
    c: HttpContext,
    parser: Name,
    ...more: ParserArguments<Name>
  ): Promise<Parsed<Name>> => {
    const { incoming, outgoing } = c.env
    const body = await openAnswers.whileArriving(c, () => readBody(incoming, limit, intake))
    const depthMax = limits.maxDocumentDepth
    const isShort = body.length === 0 || (body.length <= SHORT_BYTES && !WITH_FORMAT.has(parser))
    if (isShort) {
      const parse = DOCUMENT_PARSERS[parser] as (...given: unknown[]) => unknown
      return parse(body, depthMax, ...more) as Parsed<Name>
    }
    return (await workers.run(
      clientKey(incoming, c.get('client')),
      { kind: 'document', parser, body, depthMax, more },
      () => outgoing.destroyed,
    )) as Parsed<Name>
  }
}
