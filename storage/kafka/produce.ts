/** Produce: stores one record batch per topic, acknowledged by all in-sync replicas. */
import { inOrder, PARTITION, readByTopic } from './by-topic.ts'
import type { KafkaCluster, Purpose } from './cluster.ts'
import type { KafkaRequest } from './request.ts'
import type { WireReader } from './wire-reader.ts'

export interface ProducePart {
  readonly topic: string
  /** The bytes of one sealed record batch, in pieces. They must not change until the request has ended. */
  readonly batch: readonly Uint8Array[]
}

export interface ProduceRequest {
  /** Each topic once. */
  readonly parts: readonly ProducePart[]
  readonly transactionalId?: string
  /** How long the leader waits for the replicas. */
  readonly timeoutMs: number
  /** How long the answer is awaited; `GRACE_MS` longer than `timeoutMs` if absent. */
  readonly answerMs?: number
  /** 'produce' if absent. */
  readonly purpose?: Purpose
  /** The caller gives up. */
  readonly signal?: AbortSignal
}

export interface ProducedPart {
  readonly topic: string
  readonly errorCode: number
  /** -1 with an error. */
  readonly baseOffset: number
  /** -1 if the topic has the times of the producer. */
  readonly appendTimeMs: number
  readonly logStartOffset: number
}

/** After its own time limit the broker answers; on a busy machine that takes a moment. */
const GRACE_MS = 2_000
const ALL_IN_SYNC_REPLICAS = -1

/** One answer for each part, in the order of the parts. */
export function produce(
  cluster: KafkaCluster,
  node: number,
  { parts, transactionalId, timeoutMs, answerMs, purpose = 'produce', signal }: ProduceRequest,
): Promise<readonly ProducedPart[]> {
  const request: KafkaRequest<ProducedPart[]> = {
    api: 'Produce',
    write: (writer) =>
      writer
        .string(transactionalId ?? null)
        .int16(ALL_IN_SYNC_REPLICAS)
        .int32(timeoutMs)
        .array(parts, ({ topic, batch }) =>
          writer
            .string(topic)
            .array([batch], () => writer.int32(PARTITION).pieces(batch).tags())
            .tags(),
        )
        .tags(),
    read(reader) {
      const answers = readByTopic(reader, (topic) => producedOf(reader, topic))
      reader.int32() // throttle time
      reader.tags()
      return inOrder(parts, answers)
    },
  }
  return cluster.send(node, purpose, request, {
    timeoutMs: answerMs ?? timeoutMs + GRACE_MS,
    ...(signal !== undefined && { signal }),
  })
}

function producedOf(reader: WireReader, topic: string): ProducedPart {
  const errorCode = reader.int16()
  const baseOffset = reader.int64()
  const appendTimeMs = reader.int64()
  const logStartOffset = reader.int64()
  reader.array(() => {
    reader.int32() // index of a record that is refused
    reader.nullableString()
    reader.tags()
  })
  reader.nullableString() // message of the error
  return { topic, errorCode, baseOffset, appendTimeMs, logStartOffset }
}
