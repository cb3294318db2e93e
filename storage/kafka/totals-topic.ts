/** The topic of totals: read from its start at opening, then what is new; written as plain batches, because each value replaces the last. */
import { StorageError } from '../storage-error.ts'
import { errorName, KAFKA_ERRORS } from './error-codes.ts'
import type { LeaderCalls } from './leader-calls.ts'
import { OffsetLookup } from './offset-lookup.ts'
import type { ProducedPart, ProduceRequest } from './produce.ts'
import { NO_PRODUCER, RecordBatchBuilder } from './record-batch.ts'
import { readRecords } from './record-batch-reader.ts'
import type { TotalsRecord, TotalsTopic } from './totals.ts'
import { type BatchSource, visibleBatches } from './visible-batches.ts'

export interface TotalsTopicParts {
  readonly calls: LeaderCalls
  readonly produce: (node: number, request: ProduceRequest) => Promise<readonly ProducedPart[]>
  readonly topic: string
}

/** Bytes of one batch. */
const BATCH_BYTES = 512 * 1024
const PRODUCE_MS = 5_000

export function totalsTopic({ calls, produce, topic }: TotalsTopicParts): TotalsTopic {
  const source: BatchSource = { calls, lookup: new OffsetLookup(calls), topic }
  let offset = 0

  async function send(builder: RecordBatchBuilder): Promise<void> {
    const batch = builder.finish()
    batch.seal(NO_PRODUCER)
    const answer = await calls.call(topic, async (node) => {
      const parts = [{ topic, batch: [batch.bytes] }]
      const [part] = await produce(node, { parts, timeoutMs: PRODUCE_MS })
      return part!
    })
    if (answer?.errorCode === KAFKA_ERRORS.none) return
    const problem = answer === undefined ? 'the topic does not exist' : errorName(answer.errorCode)
    throw new StorageError('unavailable', `topic ${topic} does not take totals: ${problem}`)
  }

  return {
    async readNew() {
      const end = await source.lookup.find(topic, 'stable')
      if (end === undefined) return []
      const records: TotalsRecord[] = []
      const range = { from: offset, to: end.offset, minTimestampMs: 0 }
      for await (const { batch } of visibleBatches(source, range)) {
        for (const { key, value } of readRecords(batch, topic))
          if (key !== null) records.push({ key: key.toString(), value: value?.toString() ?? null })
      }
      offset = Math.max(offset, end.offset)
      return records
    },

    async store(records) {
      let builder = new RecordBatchBuilder()
      for (const { key, value } of records) {
        builder.addRecord({ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) })
        if (builder.bytes < BATCH_BYTES) continue
        await send(builder)
        builder = new RecordBatchBuilder()
      }
      if (builder.count > 0) await send(builder)
    },
  }
}
