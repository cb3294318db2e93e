/** Fetch: record batches of topics, from an offset on. */
import type { KafkaCluster, Purpose } from './cluster.ts'

export interface FetchPart {
  readonly topic: string
  readonly offset: number
  /** The first batch is answered whole even if it is larger. */
  readonly maxBytes: number
}

export interface FetchRequest {
  readonly parts: readonly FetchPart[]
  readonly isolation: 'committed' | 'uncommitted'
  /** The broker answers when it has this many bytes, or after `maxWaitMs`. */
  readonly minBytes: number
  readonly maxWaitMs: number
  /** Of all parts together. */
  readonly maxBytes: number
  readonly purpose: Purpose
  readonly signal?: AbortSignal
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface FetchedPart {
  readonly topic: string
  readonly errorCode: number
  /** -1 with an error, as are the next two. */
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** In ascending order of `firstOffset`; empty for 'uncommitted'. */
  readonly aborted: readonly AbortedTransaction[]
  /** Whole record batches, and perhaps the beginning of another one. The first may begin before the offset asked for. */
  readonly records: Buffer
}

/** One answer for each part, in the order of the parts. */
export async function fetch(
  _cluster: KafkaCluster,
  _node: number,
  _request: FetchRequest,
): Promise<readonly FetchedPart[]> {
  throw new Error('not built yet')
}
