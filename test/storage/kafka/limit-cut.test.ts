/** Where the limit of a read cuts, by the heads of batches. */
import { crc32c } from '@node-rs/crc32'
import { describe, expect, test } from 'vitest'
import { wantedBlocks } from '../../../storage/kafka/batch-events.ts'
import { findLimitCut } from '../../../storage/kafka/limit-cut.ts'
import { ATTRIBUTES, BATCH_FIELDS, NO_PRODUCER, sealBatch } from '../../../storage/kafka/record-batch.ts'
import { readBatches } from '../../../storage/kafka/record-batch-reader.ts'
import type { VisibleBatch } from '../../../storage/kafka/visible-batches.ts'
import { batchOf } from '../../support/kafka-topics.ts'

const T = 'topic'

/** As a broker stores it that sets the times: the time of the producer stays in the head. */
function storedAt(baseOffset: number, appendTimeMs: number, bodies: string[], producerMs: number) {
  const { bytes } = batchOf(
    bodies,
    bodies.map(() => producerMs),
  )
  sealBatch(bytes, NO_PRODUCER)
  const stored = Buffer.from(bytes)
  stored.writeBigInt64BE(BigInt(baseOffset), BATCH_FIELDS.baseOffset)
  stored.writeBigInt64BE(BigInt(appendTimeMs), BATCH_FIELDS.maxTimestamp)
  stored.writeInt16BE(ATTRIBUTES.isAppendTime, BATCH_FIELDS.attributes)
  return sealedAgain(stored)
}

function sealedAgain(stored: Buffer): Buffer {
  stored.writeUInt32BE(crc32c(stored.subarray(BATCH_FIELDS.attributes)), BATCH_FIELDS.crc)
  return stored
}

async function* visible(batches: readonly Buffer[]): AsyncGenerator<VisibleBatch, void, undefined> {
  for (const bytes of batches) {
    for (const batch of readBatches(bytes, T)) yield { batch, minTimestampMs: 0 }
  }
}

describe('a limit over batches of a producer', () => {
  const clocks = [
    { name: 'without times', producerMs: 0 },
    { name: 'whose clock is behind', producerMs: 10 },
    { name: 'whose clock is ahead', producerMs: 1_000_000 },
  ]
  test.each(clocks)('$name counts by the times of the broker', async ({ producerMs }) => {
    const batches = [
      storedAt(0, 100, ['a', 'b'], producerMs),
      storedAt(2, 200, ['c', 'd'], producerMs),
      storedAt(4, 300, ['e', 'f'], producerMs),
    ]
    const wanted = { from: 0, to: 6, endMs: 250 }
    const cut = await findLimitCut(visible(batches), T, wanted, 3)
    expect(cut.last).toEqual({ timestampMs: 200, sequence: 2 })
    const blocks = cut.kept.flatMap((kept) => wantedBlocks(kept, T, { ...wanted, to: 3 }))
    expect(blocks.map(({ firstSequence, starts }) => [firstSequence, starts.length])).toEqual([
      [0, 2],
      [2, 1],
    ])
    const whole = await findLimitCut(visible(batches), T, wanted, 5)
    expect([whole.last, whole.isComplete, whole.kept.length]).toEqual([undefined, true, 2])
  })
})
