/** Bodies of answers as a broker writes them, with any tagged fields in every place where the protocol has them. */
import { APIS } from '../../storage/kafka/request.ts'
import { WireWriter } from '../../storage/kafka/wire-writer.ts'

export interface TaggedField {
  readonly tag: number
  readonly bytes: Uint8Array
}

/** Writes the tagged fields that `nextTags` gives at each place in turn. */
export class AnswerWriter extends WireWriter {
  readonly #nextTags: () => readonly TaggedField[]

  constructor(nextTags: () => readonly TaggedField[] = () => []) {
    super()
    this.#nextTags = nextTags
  }

  override tags(): this {
    const fields = this.#nextTags()
    this.unsignedVarint(fields.length)
    for (const { tag, bytes } of fields) this.unsignedVarint(tag).unsignedVarint(bytes.length).raw(bytes)
    return this
  }

  get body(): Buffer {
    return Buffer.concat(this.finish())
  }
}

export type Tags = () => readonly TaggedField[]

export function versionsAnswer(
  ranges: readonly (readonly [key: number, min: number, max: number])[] = Object.values(APIS).map(
    ({ key, version }) => [key, version, version],
  ),
  tags?: Tags,
): Buffer {
  const writer = new AnswerWriter(tags)
  writer.int16(0)
  writer.array(ranges, ([key, min, max]) => writer.int16(key).int16(min).int16(max).tags())
  return writer.int32(0).tags().body
}

/** The operations that the client may do were not asked for. */
const NO_OPERATIONS = -0x8000_0000

export interface AnsweredTopic {
  readonly topic: string
  readonly errorCode?: number
  readonly leader?: number
  readonly replicas?: readonly number[]
  readonly inSync?: readonly number[]
}

export function metadataAnswer(
  brokers: readonly { readonly node: number; readonly host: string; readonly port: number }[],
  topics: readonly AnsweredTopic[] = [],
  tags?: Tags,
): Buffer {
  const writer = new AnswerWriter(tags)
  writer.int32(0)
  writer.array(brokers, ({ node, host, port }) =>
    writer.int32(node).string(host).int32(port).string(null).tags(),
  )
  writer.string('cluster').int32(brokers[0]?.node ?? -1)
  writer.array(topics, ({ topic, errorCode = 0, leader = 1, replicas = [1], inSync = [1] }) => {
    writer.int16(errorCode).string(topic).raw(Buffer.alloc(16)).boolean(false)
    writer.array(errorCode === 0 ? [0] : [], (partition) => {
      writer.int16(0).int32(partition).int32(leader).int32(7)
      for (const nodes of [replicas, inSync, []]) writer.array(nodes, (node) => writer.int32(node))
      writer.tags()
    })
    writer.int32(NO_OPERATIONS).tags()
  })
  return writer.tags().body
}
