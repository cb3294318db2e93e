/** Joins record batches into one: the offsets inside of a batch are counted from its first record, so records are encoded anew. */
import { NO_PRODUCER, RecordBatchBuilder, type UnsealedBatch } from './record-batch.ts'
import { readBatches, readRecords } from './record-batch-reader.ts'

/** Bytes that a record may need more in a batch of millions of records. */
export const JOINT_BYTES_MORE = 4

/** Needs at least one batch. The records get the time of the topic. */
export async function joinBatches(batches: AsyncIterable<UnsealedBatch>): Promise<UnsealedBatch> {
  const builder = new RecordBatchBuilder()
  for await (const batch of batches) {
    batch.seal(NO_PRODUCER) // the reader checks the checksum
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength)
    for (const part of readBatches(bytes, 'spool')) {
      for (const { key, value, headers } of readRecords(part, 'spool'))
        builder.addRecord({ key, value, headers })
    }
  }
  return builder.finish()
}
