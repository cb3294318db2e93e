/** The bodies of this API, by their form: each request with a body may have either. */
import type { ApiDocuments } from '../messages/api-documents.ts'
import { parseJsonBody } from './json-body.ts'
import { parseYamlBody } from './yaml-body.ts'

export const VERVERICA_DOCUMENTS = {
  api: 'ververica',
  parsers: { json: parseJsonBody, yaml: parseYamlBody },
  slow: new Set(['yaml'] as const),
} as const satisfies ApiDocuments
