/** How much one request may bring, where the operator has no say. */
import type { BodyLimit } from './request-body.ts'

/** Properties and namespaces: a schema of thousands of fields fits, and parsing it takes milliseconds. */
export const DOCUMENT_LIMIT: BodyLimit = {
  bytesMax: 1024 * 1024,
  refusal: 'document_too_large',
  what: 'the JSON document',
}
