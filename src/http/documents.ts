/** JSON documents of the control plane: read as a whole, within the limits on their size and depth. */
import type { IncomingMessage } from 'node:http'
import { type BodyLimit, type Intake, readBody } from './request-body.ts'

export interface DocumentOptions extends Intake {
  readonly limits: { readonly maxDocumentBytes: number; readonly maxDocumentDepth: number }
}

/** Reads the body and parses it. Rejects with 'document_too_large', and with what readBody and `parse` reject with. */
export function documentReader({ limits, ...intake }: DocumentOptions) {
  const limit: BodyLimit = {
    bytesMax: limits.maxDocumentBytes,
    refusal: 'document_too_large',
    what: 'the JSON document',
  }
  return async <T>(incoming: IncomingMessage, parse: (body: Uint8Array, depthMax: number) => T): Promise<T> =>
    parse(await readBody(incoming, limit, intake), limits.maxDocumentDepth)
}
