/** ListOffsets: the bounds of topics, and the first offset whose record is not older than a time. */
import type { KafkaCluster } from './cluster.ts'

export interface OffsetQuery {
  readonly topic: string
  /** A time in milliseconds since 1970, or a bound. 'latest' with 'committed' is the last stable offset. */
  readonly at: number | 'earliest' | 'latest'
}

export interface FoundOffset {
  readonly topic: string
  readonly errorCode: number
  /** -1 with an error, and if no record is as young as the time asked for. */
  readonly offset: number
  /** -1 for a bound. */
  readonly timestampMs: number
  readonly leaderEpoch: number
}

export interface ListOffsetsRequest {
  /** A topic may stand in several parts. */
  readonly parts: readonly OffsetQuery[]
  readonly isolation: 'committed' | 'uncommitted'
  readonly signal?: AbortSignal
  /** Instead of `requestMs`. */
  readonly timeoutMs?: number
}

/** One answer for each part, in the order of the parts. */
export async function listOffsets(
  _cluster: KafkaCluster,
  _node: number,
  _request: ListOffsetsRequest,
): Promise<readonly FoundOffset[]> {
  throw new Error('not built yet')
}
