/** Reads the JSON documents of the CDAP API. */
import { type DocumentOptions, documentReader } from '../messages/documents.ts'
import { CDAP_DOCUMENTS } from './documents.ts'

export const cdapDocumentReader = (options: DocumentOptions) => documentReader(CDAP_DOCUMENTS, options)
