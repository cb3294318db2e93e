/**
 * Reads a whole range while the store opens, when nothing else goes on: many entries per call of LevelDB, from one
 * iterator. Reads that clients wait for, or that may take long, go through range-scan.ts.
 */
import type { KeyRange } from './keys.ts'
import type { Level } from './level.ts'
import type { Entry } from './range-scan.ts'

const ROUND_ENTRIES = 1024
const ROUND_BYTES = 256 * 1024

export async function walk(
  db: Level,
  range: KeyRange,
  visit: (key: Buffer, value: Buffer) => void,
): Promise<void> {
  const iterator = db.iterator({ ...range, fillCache: false, highWaterMarkBytes: ROUND_BYTES } as KeyRange)
  try {
    for (;;) {
      const round = (await iterator.nextv(ROUND_ENTRIES)) as Entry[]
      if (round.length === 0) return
      for (const [key, value] of round) visit(key, value)
    }
  } finally {
    await iterator.close()
  }
}
