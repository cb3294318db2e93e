/** The bodies of this API, by name. They are forms or JSON; the parser gets which of the two. */
import type { ApiDocuments } from '../messages/api-documents.ts'
import { parseCheck, parseCreateConnection, parseCreateQuery, parseDeleteConnection } from './call-bodies.ts'

export const CACHED_QUERIES_DOCUMENTS = {
  api: 'cached-queries',
  parsers: {
    createConnection: parseCreateConnection,
    createQuery: parseCreateQuery,
    deleteConnection: parseDeleteConnection,
    check: parseCheck,
  },
  slow: new Set<never>(),
} as const satisfies ApiDocuments
