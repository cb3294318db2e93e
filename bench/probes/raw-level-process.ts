/** The process of the raw LevelDB probes: 100 MB per pass, one write or one `nextv` at a time. */
import { Level } from 'level'
import { isCompactable } from '../../storage/level/level.ts'
import { LEVEL_OPTIONS } from '../../storage/level/open.ts'
import { EVENT_BYTES } from '../events/random-text.ts'
import { uploadBody } from '../events/upload-body.ts'
import { measurePasses, type PassCounts, type Passes } from './pass-process.ts'
import type { LevelChoice, RawLevelJob } from './raw-level.ts'

/** An event and the LF after it. */
const LINE_BYTES = EVENT_BYTES + 1
const LINES_PER_BLOCK = Math.floor((64 * 1024) / LINE_BYTES)
const BLOCK_BYTES = LINES_PER_BLOCK * LINE_BYTES
/** About 1 MiB. */
const BLOCKS_PER_BATCH = 16
const BATCHES_PER_PASS = Math.round(100e6 / (BLOCKS_PER_BATCH * BLOCK_BYTES))
const BLOCKS_PER_PASS = BATCHES_PER_PASS * BLOCKS_PER_BATCH
const PASS: PassCounts = {
  events: BLOCKS_PER_PASS * LINES_PER_BLOCK,
  bytes: BLOCKS_PER_PASS * BLOCK_BYTES,
}
/** One round of a scan. */
const SCAN_BYTES = 1024 * 1024

const MIB = 1024 * 1024
const OPTIONS = {
  service: LEVEL_OPTIONS,
  '16mib': { ...LEVEL_OPTIONS, writeBufferSize: 16 * MIB, maxOpenFiles: 1000 },
} as const satisfies Record<LevelChoice, object>

await measurePasses<RawLevelJob>(async ({ work, options, store }) => {
  const db = await openStore(store, options)
  const write = blockWriter(db, (await uploadBody('text')).pool)
  if (work === 'write') return { pass: write, close: () => db.close() }
  await write()
  // So that all passes scan the same files, and none of the memory table.
  if (isCompactable(db)) await db.compactRange(keyOf(0), keyOf(BLOCKS_PER_PASS))
  await db.close()
  return scanner(await openStore(store, options))
})

type Store = Level<Buffer, Buffer>

async function openStore(store: string, options: LevelChoice): Promise<Store> {
  const db = new Level<Buffer, Buffer>(store, OPTIONS[options])
  await db.open()
  return db
}

/** Keys go up from pass to pass, as those of a log do. */
function blockWriter(db: Store, pool: Buffer): () => Promise<PassCounts> {
  const poolBlocks = Math.floor(pool.length / BLOCK_BYTES)
  const blocks = Array.from({ length: poolBlocks }, (_, i) =>
    pool.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES),
  )
  let written = 0
  return async () => {
    for (let i = 0; i < BATCHES_PER_PASS; i++) {
      const batch = db.batch()
      for (let j = 0; j < BLOCKS_PER_BATCH; j++) {
        batch.put(keyOf(written), blocks[written % poolBlocks]!)
        written++
      }
      await batch.write({ sync: true })
    }
    return PASS
  }
}

function scanner(db: Store): Passes {
  return {
    async pass() {
      const iterator = db.iterator({ fillCache: false, highWaterMarkBytes: SCAN_BYTES })
      let bytes = 0
      for (;;) {
        const entries = await iterator.nextv(BLOCKS_PER_PASS)
        if (entries.length === 0) break
        for (const [, value] of entries) bytes += value.length
      }
      await iterator.close()
      if (bytes !== PASS.bytes) throw new Error(`a scan gave ${bytes} bytes of ${PASS.bytes}`)
      return PASS
    },
    close: () => db.close(),
  }
}

/** As long as a block key of the service. */
function keyOf(block: number): Buffer {
  const key = Buffer.alloc(21)
  key.writeUInt32BE(block, 17)
  return key
}
