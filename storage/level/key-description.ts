/** Describes keys as text, for messages about keys that cannot be read. */
import { isReferenceKey, kindOfKey, logOfBlockKey, segmentOfPieceKey, sequenceOfKey } from './keys.ts'

/** The place of a key: `log 3, sequence 17`; for documents the catalog and the name. */
export function describeKey(key: Buffer): string {
  switch (kindOfKey(key)) {
    case 'document':
      return `catalog, ${JSON.stringify(key.toString('utf8', 1).replace('\0', '/'))}`
    case 'block':
      return `log ${logOfBlockKey(key)}, sequence ${sequenceOfKey(key)}${isReferenceKey(key) ? ' (an upload)' : ''}`
    case 'tail':
      return `tail of log ${key.readUInt32BE(1)}`
    case 'mark':
      return `mark of log ${key.readUInt32BE(1)}`
    case 'orphan':
    case 'piece':
      return `upload ${segmentOfPieceKey(key)}`
    default:
      return `key ${key.toString('hex')}`
  }
}
