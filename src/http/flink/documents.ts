/** Every JSON document that a request of this API may contain, by name. */
import type { ApiDocuments } from '../messages/api-documents.ts'
import { parseJarRun } from './jar-run-body.ts'
import { parseCheckpoint, parseDisposal, parseSavepoint, parseStop } from './trigger-body.ts'

export const FLINK_DOCUMENTS = {
  api: 'flink',
  parsers: {
    savepoint: parseSavepoint,
    stop: parseStop,
    checkpoint: parseCheckpoint,
    savepointDisposal: parseDisposal,
    jarRun: parseJarRun,
  },
  slow: new Set<never>(),
} as const satisfies ApiDocuments
