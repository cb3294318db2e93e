/**
 * A catalog's topic in memory. A test decides what becomes of each batch: stored and acknowledged, stored and the answer lost, refused,
 * or delivered late, behind other batches.
 */
import type {
  CatalogTopic,
  PollResult,
  StoreOutcome,
  TopicEnd,
  TopicEntry,
} from '../../storage/kafka/catalog-topic.ts'
import { NO_PRODUCER, RecordBatchBuilder, type UnsealedBatch } from '../../storage/kafka/record-batch.ts'
import { readBatches, readRecords } from '../../storage/kafka/record-batch-reader.ts'

export type Fate = 'stored' | 'answer lost' | 'request lost' | 'refused' | 'late'

const LEADER = { node: 1, epoch: 1 }

export class MemoryCatalogTopic implements CatalogTopic {
  readonly entries: TopicEntry[] = []
  /** What becomes of the next batches, one each; then all are stored. */
  fates: Fate[] = []
  /** Decides by the records of a batch instead; undefined leaves it to `fates`. */
  fateOf: (records: string) => Fate | undefined = () => undefined
  #late: Buffer[] = []
  #trimmed = 0

  async store({ bytes }: UnsealedBatch): Promise<StoreOutcome> {
    await new Promise((resolve) => setImmediate(resolve))
    const fate = this.fateOf(Buffer.from(bytes).toString('latin1')) ?? this.fates.shift() ?? 'stored'
    if (fate === 'refused') return { kind: 'refused', problem: 'not now', isLasting: false }
    if (fate === 'late') this.#late.push(Buffer.from(bytes))
    if (fate === 'late' || fate === 'request lost')
      return { kind: 'lost', problem: 'the connection was cut', isLasting: false }
    const offset = this.entries.length
    this.#add(Buffer.from(bytes))
    if (fate === 'answer lost') return { kind: 'lost', problem: 'the connection was cut', isLasting: false }
    return { kind: 'stored', offset, leader: LEADER }
  }

  /** Batches that were held up arrive now. */
  deliverLate(): void {
    for (const bytes of this.#late.splice(0)) this.#add(bytes)
  }

  async poll(from: number, waitMs: number, signal: AbortSignal): Promise<PollResult> {
    if (from < this.#trimmed) return { kind: 'trimmed' }
    const endMs = performance.now() + waitMs
    while (from >= this.entries.length && performance.now() < endMs && !signal.aborted)
      await new Promise((resolve) => setTimeout(resolve, 1))
    const next = this.entries.length
    return { kind: 'entries', entries: this.entries.slice(from), next, isAtEnd: true }
  }

  async end(): Promise<TopicEnd> {
    return { offset: this.entries.length, leader: LEADER }
  }

  async begin(): Promise<number> {
    return this.#trimmed
  }

  async trim(before: number): Promise<void> {
    this.#trimmed = before
  }

  #add(bytes: Buffer): void {
    for (const batch of readBatches(bytes, 'catalog')) {
      for (const { value } of readRecords(batch, 'catalog'))
        this.entries.push({ kind: 'record', offset: this.entries.length, value: value && Buffer.from(value) })
    }
  }
}

export function sealedBatch(values: readonly Buffer[]): UnsealedBatch {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.addRecord({ value })
  const batch = builder.finish()
  batch.seal(NO_PRODUCER)
  return batch
}
