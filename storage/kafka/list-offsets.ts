/** ListOffsets: the bounds of topics, and the first offset whose record is not older than a time. */
import { inOrder, PARTITION, readByTopic, roundsOf } from './by-topic.ts'
import type { KafkaCluster, Purpose } from './cluster.ts'
import type { KafkaRequest } from './request.ts'
import type { WireReader } from './wire-reader.ts'

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
  /** 'control' if absent. */
  readonly purpose?: Purpose
  readonly signal?: AbortSignal
  /** Instead of `requestMs`. */
  readonly timeoutMs?: number
}

const BOUNDS = { earliest: -2, latest: -1 } as const

/**
 * One answer for each part, in the order of the parts. A topic that stands in n parts takes n requests, which are under way
 * together.
 */
export async function listOffsets(
  cluster: KafkaCluster,
  node: number,
  { parts, isolation, purpose = 'control', ...options }: ListOffsetsRequest,
): Promise<readonly FoundOffset[]> {
  const rounds = roundsOf(parts)
  const answers = await Promise.all(
    rounds.map((round) => cluster.send(node, purpose, requestOf(round, isolation), options)),
  )
  if (rounds.length === 1) return answers[0]!
  const found = new Map<OffsetQuery, FoundOffset>()
  for (const [r, round] of rounds.entries()) {
    for (const [i, part] of round.entries()) found.set(part, answers[r]![i]!)
  }
  return parts.map((part) => found.get(part)!)
}

function requestOf(
  parts: readonly OffsetQuery[],
  isolation: 'committed' | 'uncommitted',
): KafkaRequest<FoundOffset[]> {
  return {
    api: 'ListOffsets',
    write: (writer) =>
      writer
        .int32(-1) // replica id
        .int8(isolation === 'committed' ? 1 : 0)
        .array(parts, ({ topic, at }) =>
          writer
            .string(topic)
            .array([at], () =>
              writer
                .int32(PARTITION)
                .int32(-1) // leader epoch
                .int64(typeof at === 'number' ? at : BOUNDS[at])
                .tags(),
            )
            .tags(),
        )
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const answers = readByTopic(reader, (topic) => foundOf(reader, topic))
      reader.tags()
      return inOrder(parts, answers)
    },
  }
}

function foundOf(reader: WireReader, topic: string): FoundOffset {
  const errorCode = reader.int16()
  const timestampMs = reader.int64()
  const offset = reader.int64()
  const leaderEpoch = reader.int32()
  return { topic, errorCode, offset, timestampMs, leaderEpoch }
}
