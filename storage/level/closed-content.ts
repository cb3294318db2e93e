/** Lists the documents and logs of a closed store by its keys. */
import type { StoreFiles } from '../level-files/store-files.ts'
import type { LogId } from '../log.ts'
import { readDocument } from './document-codec.ts'
import { afterLog, BLOCKS, DOCUMENTS, documentOfKey, kindOfKey, logOfBlockKey } from './keys.ts'

export interface StoredDocument {
  readonly collection: string
  readonly id: string
  /** The JSON text; it may be damaged if `sound` is false. */
  readonly text: string
  /** Whether the document matches its own checksum. */
  readonly sound: boolean
}

/** In the order of collections and ids. */
export function* documentsIn(files: StoreFiles): Generator<StoredDocument, void> {
  for (const { key, value } of files.entries(DOCUMENTS.gte, DOCUMENTS.lt)) {
    yield storedDocument(key, value)
  }
}

export function storedDocument(key: Buffer, value: Buffer): StoredDocument {
  const { json, sound } = readDocument(key.toString('utf8'), value.toString('utf8'))
  return { ...documentOfKey(key), text: json, sound }
}

/** Every log that has a block or a reference, ascending. */
export function* logsIn(files: StoreFiles): Generator<LogId, void> {
  let from = BLOCKS.gte
  for (;;) {
    const log = firstLogFrom(files, from)
    if (log === undefined) return
    yield log
    from = afterLog(log)
  }
}

function firstLogFrom(files: StoreFiles, from: Buffer): LogId | undefined {
  for (const { key } of files.entries(from, BLOCKS.lt)) {
    if (kindOfKey(key) === 'block') return logOfBlockKey(key)
  }
  return undefined
}
