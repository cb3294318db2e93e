/**
 * Brings the content of an older format to this one.
 *
 *   1 -> 2   tails move from 't' to 'l' (keys.ts says why)
 *   2 -> 3   documents get a checksum (document-codec.ts says why)
 *
 * The stamp says the new version before the first key is changed, so that no older Millrace opens a folder it would find
 * empty, or altered. A crash in between is met at the next open: whatever stands under an old key is moved then, in one
 * write, all or nothing; documents that have no checksum yet can be read, and get one when they are written next.
 */
import { readDocument, sealed } from './document-codec.ts'
import { DOCUMENTS, FORMAT_1_TAILS, logOfTailKey, tailKey } from './keys.ts'
import type { Batch, Level } from './level.ts'
import { decodeTail, encodeTail } from './tail-codec.ts'
import { walk } from './walk.ts'

/** Rejects with StorageError 'corrupt', and moves none, if a tail is not what was written. */
export async function moveFormat1Tails(db: Level): Promise<void> {
  const tails = await db.iterator({ ...FORMAT_1_TAILS }).all()
  if (tails.length === 0) return
  const batch = db.batch() as Batch
  for (const [oldKey, value] of tails) {
    const key = tailKey(logOfTailKey(oldKey))
    batch.put(key, encodeTail(key, decodeTail(oldKey, value))) // anew: the checksum covers the key
    batch.del(oldKey)
  }
  await batch.write({ sync: true })
}

/** Each round of documents in one write: those that are not reached can be read as they are. */
export async function sealFormat2Documents(db: Level): Promise<void> {
  for await (const round of walk(db, DOCUMENTS)) {
    const batch = db.batch() as Batch
    for (const [key, value] of round) {
      const { json, state } = readDocument(key.toString('utf8'), value.toString('utf8'))
      if (state === 'unsealed') batch.put(key, sealed(key, json))
    }
    await batch.write({ sync: true })
  }
}
