/** Every JSON document that a request of this API may contain, by name. */
import type { ApiDocuments } from '../messages/api-documents.ts'
import { parseIntegration, parseIntegrationChange } from './integration-body.ts'
import { parseJob, parseJobToValidate } from './job-body.ts'
import { parseTable, parseTableToValidate } from './table-body.ts'

export const AIVEN_DOCUMENTS = {
  api: 'aiven',
  parsers: {
    table: parseTable,
    tableToValidate: parseTableToValidate,
    job: parseJob,
    jobToValidate: parseJobToValidate,
    integration: parseIntegration,
    integrationChange: parseIntegrationChange,
  },
  slow: new Set<never>(),
} as const satisfies ApiDocuments
