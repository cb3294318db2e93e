/**
 * Reads the JSON document of a request, within the limits on size and depth. A document that may take more than a few
 * milliseconds is parsed on a worker thread.
 */

import type { HttpContext } from '../server/bindings.ts'
import { clientKey } from '../server/client-key.ts'
import type { OpenAnswers } from '../server/open-answers.ts'
import type { ApiDocuments, DocumentParsers, ParserArguments } from './api-documents.ts'
import type { Workers } from './parse-workers.ts'
import { type BodyLimit, type Intake, readBody } from './request-body.ts'

export interface DocumentOptions extends Intake {
  readonly limits: { readonly maxDocumentBytes: number; readonly maxDocumentDepth: number }
  readonly workers: Workers
  readonly openAnswers: OpenAnswers
}

/** A document up to this long that is not slow is parsed on the event loop: that takes 2 ms at most. */
const SHORT_BYTES = 16 * 1024

/**
 * Reads the body and parses it; `what` names it in refusals. Rejects with 'document_too_large', and with what readBody, the parser and Workers.run reject
 * with.
 */
export function documentReader<Parsers extends DocumentParsers>(
  { api, parsers, slow }: ApiDocuments<Parsers>,
  { limits, workers, openAnswers, ...intake }: DocumentOptions,
  what = 'the JSON document',
) {
  const limit: BodyLimit = {
    bytesMax: limits.maxDocumentBytes,
    refusal: 'document_too_large',
    what,
  }
  return async <Name extends keyof Parsers & string>(
    c: HttpContext,
    name: Name,
    ...more: ParserArguments<Parsers[Name]>
  ): Promise<ReturnType<Parsers[Name]>> => {
    const { incoming, outgoing } = c.env
    const body = await openAnswers.whileArriving(c, () => readBody(incoming, limit, intake))
    const depthMax = limits.maxDocumentDepth
    const isShort = body.length === 0 || (body.length <= SHORT_BYTES && !slow.has(name))
    const parsed = isShort
      ? parsers[name]!(body, depthMax, ...more)
      : await workers.run(
          clientKey(incoming, c.get('client')),
          { kind: 'document', api, parser: name, body, depthMax, more },
          () => outgoing.destroyed,
        )
    return parsed as ReturnType<Parsers[Name]>
  }
}
