/** The JSON documents of every API, in one list for the worker threads that parse them; and how such a thread is started. */
import { AIVEN_DOCUMENTS } from './aiven/documents.ts'
import { CACHED_QUERIES_DOCUMENTS } from './cached-queries/documents.ts'
import { CDAP_DOCUMENTS } from './cdap/documents.ts'
import { FLINK_DOCUMENTS } from './flink/documents.ts'
import type { ApiDocuments } from './messages/api-documents.ts'
import { onAnotherThread, onThisThread, type ParsePort } from './messages/parse-port.ts'
import { VERVERICA_DOCUMENTS } from './ververica/documents.ts'

export const DOCUMENTS: readonly ApiDocuments[] = [
  FLINK_DOCUMENTS,
  AIVEN_DOCUMENTS,
  CACHED_QUERIES_DOCUMENTS,
  VERVERICA_DOCUMENTS,
  CDAP_DOCUMENTS, // one line for each API that reads documents
]

/** Run from sources, node could not load them on another thread: then parsing is done on this one. */
export function openParsePort(heapMb: number): ParsePort {
  if (import.meta.url.endsWith('.ts')) return onThisThread(DOCUMENTS)
  return onAnotherThread(new URL('./parse-worker.js', import.meta.url), heapMb)
}
