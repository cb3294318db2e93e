/** Fetch: record batches of topics, from an offset on. */
import { inOrder, PARTITION, readByTopic } from './by-topic.ts'
import type { KafkaCluster, Purpose } from './cluster.ts'
import type { KafkaRequest } from './request.ts'
import type { WireReader } from './wire-reader.ts'

export interface FetchPart {
  readonly topic: string
  readonly offset: number
  /** The first batch is answered whole even if it is larger. */
  readonly maxBytes: number
}

export interface FetchRequest {
  /** Each topic once. */
  readonly parts: readonly FetchPart[]
  readonly isolation: 'committed' | 'uncommitted'
  /** The broker answers when it has this many bytes, or after `maxWaitMs`. */
  readonly minBytes: number
  readonly maxWaitMs: number
  /** Of all parts together. */
  readonly maxBytes: number
  readonly purpose: Purpose
  readonly signal?: AbortSignal
  /** For the answer, beyond `maxWaitMs`; `requestMs` of the cluster if absent. */
  readonly timeoutMs?: number
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

/**
 * One batch may be larger than the bytes asked for, by as much as topics allow: those of the engine 17 MiB. What the answer
 * has beside the records is far smaller than the remainder.
 */
const ONE_BATCH_BYTES = 32 * 1024 * 1024
const NO_RECORDS = Buffer.alloc(0)

/** One answer for each part, in the order of the parts. */
export async function fetch(
  cluster: KafkaCluster,
  node: number,
  { parts, isolation, minBytes, maxWaitMs, maxBytes, purpose, signal, timeoutMs }: FetchRequest,
): Promise<readonly FetchedPart[]> {
  const request: KafkaRequest<FetchAnswer> = {
    api: 'Fetch',
    answerBytesMax: maxBytes + ONE_BATCH_BYTES,
    write: (writer) =>
      writer
        .int32(-1) // replica id
        .int32(maxWaitMs)
        .int32(minBytes)
        .int32(maxBytes)
        .int8(isolation === 'committed' ? 1 : 0)
        .int32(0) // no fetch session
        .int32(-1)
        .array(parts, (part) =>
          writer
            .string(part.topic)
            .array([part], () =>
              writer
                .int32(PARTITION)
                .int32(-1) // leader epoch
                .int64(part.offset)
                .int32(-1) // epoch of the last record fetched
                .int64(-1) // start of the follower's log
                .int32(part.maxBytes)
                .tags(),
            )
            .tags(),
        )
        .array([], () => undefined) // topics to forget
        .string('') // rack
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const errorCode = reader.int16()
      reader.int32() // session
      const answers = readByTopic(reader, (topic) => fetchedOf(reader, topic))
      reader.tags()
      return { errorCode, parts: errorCode === 0 ? inOrder(parts, answers) : [] }
    },
  }
  const answer = await cluster.send(node, purpose, request, {
    timeoutMs: maxWaitMs + (timeoutMs ?? cluster.requestMs),
    ...(signal !== undefined && { signal }),
  })
  if (answer.errorCode === 0) return answer.parts
  return parts.map(({ topic }) => ({ ...failed(topic), errorCode: answer.errorCode }))
}

interface FetchAnswer {
  readonly errorCode: number
  readonly parts: readonly FetchedPart[]
}

function fetchedOf(reader: WireReader, topic: string): FetchedPart {
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  const logStartOffset = reader.int64()
  const aborted = reader.array(() => {
    const transaction = { producerId: reader.int64(), firstOffset: reader.int64() }
    reader.tags()
    return transaction
  })
  aborted.sort((a, b) => a.firstOffset - b.firstOffset)
  reader.int32() // preferred read replica
  const records = reader.nullableBytes() ?? NO_RECORDS
  return { topic, errorCode, highWatermark, lastStableOffset, logStartOffset, aborted, records }
}

function failed(topic: string): Omit<FetchedPart, 'errorCode'> {
  return {
    topic,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    aborted: [],
    records: NO_RECORDS,
  }
}
