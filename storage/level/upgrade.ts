/**
 * Brings the content of an older format to this one.
 *
 *   1 -> 2   tails move from 't' to 'l' (keys.ts says why)
 *
 * The stamp says 2 before the first key is moved, so that no older Millrace opens a folder it would find empty. A crash
 * in between is met at the next open: whatever stands under an old key is moved then, in one write, all or nothing.
 */
import { FORMAT_1_TAILS, logOfTailKey, tailKey } from './keys.ts'
import type { Batch, Level } from './level.ts'
import { decodeTail, encodeTail } from './tail-codec.ts'

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
