/**
 * The answer to every request: read with any tagged fields in any place, refused when it is cut off, and never more than
 * refused when bytes are altered.
 */
import { fetchV12, Reader } from '@platformatic/kafka'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KafkaCluster } from '../../../../storage/kafka/cluster.ts'
import { fetch } from '../../../../storage/kafka/fetch.ts'
import { coordinatorOf } from '../../../../storage/kafka/find-coordinator.ts'
import { listOffsets } from '../../../../storage/kafka/list-offsets.ts'
import { metadataOf } from '../../../../storage/kafka/metadata.ts'
import { produce } from '../../../../storage/kafka/produce.ts'
import type { KafkaRequest } from '../../../../storage/kafka/request.ts'
import {
  createTopics,
  deleteRecords,
  deleteTopics,
  describeConfigs,
  incrementalAlterConfigs,
} from '../../../../storage/kafka/topic-requests.ts'
import { addPartitionsToTxn, endTxn, initProducerId } from '../../../../storage/kafka/transaction-requests.ts'
import { MalformedAnswer, WireReader } from '../../../../storage/kafka/wire-reader.ts'
import { AnswerWriter, metadataAnswer, type TaggedField, type Tags } from '../../../support/kafka-answers.ts'

interface AnswerCase {
  readonly name: string
  readonly call: (cluster: KafkaCluster) => Promise<unknown>
  readonly answer: (tags?: Tags) => Buffer
  readonly expected: unknown
}

/** A cluster that reads these bytes as the answer to the next request. */
function answering(bytes: Buffer): KafkaCluster {
  const send = async <R>(_node: number, _purpose: string, request: KafkaRequest<R>): Promise<R> => {
    const reader = new WireReader(bytes)
    const answer = request.read(reader)
    if (reader.left > 0) throw new MalformedAnswer('bytes are left over')
    return answer
  }
  return { send, requestMs: 1_000, controller: async () => 1 } as unknown as KafkaCluster
}

const ID = Buffer.alloc(16, 9)
const RECORDS = Buffer.from('bytes of records')
const TXN = { transactionalId: 'x', producerId: 4, epoch: 2 }

/** Two topics, in another order than they were asked for; `part` writes what is in the only partition. */
function byTopic(writer: AnswerWriter, part: (topic: string) => unknown): AnswerWriter {
  writer.array(['b', 'a'], (topic) => {
    writer.string(topic)
    writer.array([topic], () => {
      part(topic)
      writer.tags()
    })
    writer.tags()
  })
  return writer
}

const codeOf = (topic: string) => (topic === 'a' ? 0 : 6)

const cases: readonly AnswerCase[] = [
  {
    name: 'Produce',
    call: (cluster) =>
      produce(cluster, 1, {
        parts: [
          { topic: 'a', batch: [] },
          { topic: 'b', batch: [] },
        ],
        timeoutMs: 1,
      }),
    answer(tags) {
      const writer = new AnswerWriter(tags)
      byTopic(writer, (topic) => {
        writer
          .int32(0)
          .int16(codeOf(topic))
          .int64(2 ** 40)
          .int64(-1)
          .int64(3)
        writer.array([1], () => writer.int32(0).string('a record').tags()).string('not the leader')
      })
      return writer.int32(0).tags().body
    },
    expected: ['a', 'b'].map((topic) => ({
      topic,
      errorCode: codeOf(topic),
      baseOffset: 2 ** 40,
      appendTimeMs: -1,
      logStartOffset: 3,
    })),
  },
  {
    name: 'Fetch',
    call: (cluster) =>
      fetch(cluster, 1, {
        parts: ['a', 'b'].map((topic) => ({ topic, offset: 0, maxBytes: 9 })),
        isolation: 'committed',
        minBytes: 1,
        maxWaitMs: 1,
        maxBytes: 9,
        purpose: 'fetch',
      }),
    answer: (tags) => fetchAnswer(tags),
    expected: ['a', 'b'].map((topic) => ({
      topic,
      errorCode: codeOf(topic),
      highWatermark: 9,
      lastStableOffset: 8,
      logStartOffset: 7,
      aborted: [
        { producerId: 6, firstOffset: 1 },
        { producerId: 5, firstOffset: 2 },
      ],
      records: RECORDS,
    })),
  },
  {
    name: 'ListOffsets',
    call: (cluster) =>
      listOffsets(cluster, 1, {
        parts: [
          { topic: 'a', at: 'earliest' },
          { topic: 'b', at: 5 },
        ],
        isolation: 'committed',
      }),
    answer(tags) {
      const writer = new AnswerWriter(tags).int32(0)
      byTopic(writer, (topic) => writer.int32(0).int16(codeOf(topic)).int64(-1).int64(77).int32(3))
      return writer.tags().body
    },
    expected: ['a', 'b'].map((topic) => ({
      topic,
      errorCode: codeOf(topic),
      timestampMs: -1,
      offset: 77,
      leaderEpoch: 3,
    })),
  },
  {
    name: 'Metadata',
    call: (cluster) => cluster.send(1, 'control', metadataOf(['a', 'b'])),
    answer: (tags) =>
      metadataAnswer(
        [{ node: 1, host: 'h', port: 9092 }],
        [
          { topic: 'a', leader: 1, replicas: [1, 2, 3], inSync: [1, 3] },
          { topic: 'b', errorCode: 3 },
        ],
        tags,
      ),
    expected: {
      brokers: [{ node: 1, host: 'h', port: 9092 }],
      controller: 1,
      topics: [
        { topic: 'a', errorCode: 0, leader: 1, leaderEpoch: 7, replicas: 3, inSync: 2, partitions: 1 },
        { topic: 'b', errorCode: 3, leader: -1, leaderEpoch: -1, replicas: 0, inSync: 0, partitions: 0 },
      ],
    },
  },
  {
    name: 'FindCoordinator',
    call: (cluster) => cluster.send(1, 'control', coordinatorOf('x')),
    answer(tags) {
      const writer = new AnswerWriter(tags).int32(0)
      writer.array(['x'], (key) =>
        writer.string(key).int32(2).string('h').int32(9092).int16(0).string(null).tags(),
      )
      return writer.tags().body
    },
    expected: { node: 2, host: 'h', port: 9092, errorCode: 0 },
  },
  {
    name: 'CreateTopics',
    call: (cluster) =>
      createTopics(cluster, {
        topics: ['a', 'b'].map((topic) => ({ topic, replicas: 3, settings: { 'retention.ms': '-1' } })),
        timeoutMs: 1,
      }),
    answer(tags) {
      const writer = new AnswerWriter(tags).int32(0)
      writer.array(['b', 'a'], (topic) => {
        writer
          .string(topic)
          .raw(ID)
          .int16(codeOf(topic))
          .string(topic === 'a' ? null : 'exists')
          .int32(1)
          .int16(3)
        writer
          .array([1], () => writer.string('n').string(null).boolean(false).int8(1).boolean(false).tags())
          .tags()
      })
      return writer.tags().body
    },
    expected: [
      { topic: 'a', errorCode: 0, message: undefined },
      { topic: 'b', errorCode: 6, message: 'exists' },
    ],
  },
  {
    name: 'DeleteTopics',
    call: (cluster) => deleteTopics(cluster, { topics: ['a', 'b'], timeoutMs: 1 }),
    answer(tags) {
      const writer = new AnswerWriter(tags).int32(0)
      writer.array(['b', 'a'], (topic) => writer.string(topic).raw(ID).int16(codeOf(topic)).string('').tags())
      return writer.tags().body
    },
    expected: ['a', 'b'].map((topic) => ({ topic, errorCode: codeOf(topic), message: undefined })),
  },
  {
    name: 'DeleteRecords',
    call: (cluster) =>
      deleteRecords(cluster, 1, { parts: ['a', 'b'].map((topic) => ({ topic, before: 5 })), timeoutMs: 1 }),
    answer(tags) {
      const writer = new AnswerWriter(tags).int32(0)
      byTopic(writer, (topic) => writer.int32(0).int64(5).int16(codeOf(topic)))
      return writer.tags().body
    },
    expected: ['a', 'b'].map((topic) => ({ topic, errorCode: codeOf(topic), logStartOffset: 5 })),
  },
  {
    name: 'InitProducerId',
    call: (cluster) => initProducerId(cluster, 1, { transactionalId: 'x' }),
    answer: (tags) =>
      new AnswerWriter(tags)
        .int32(0)
        .int16(51)
        .int64(2 ** 33)
        .int16(9)
        .tags().body,
    expected: { errorCode: 51, producerId: 2 ** 33, epoch: 9 },
  },
  {
    name: 'AddPartitionsToTxn',
    call: (cluster) => addPartitionsToTxn(cluster, 1, { ...TXN, topics: ['a', 'b'] }),
    answer(tags) {
      const writer = new AnswerWriter(tags).int32(0)
      byTopic(writer, (topic) => writer.int32(0).int16(codeOf(topic)))
      return writer.tags().body
    },
    expected: ['a', 'b'].map((topic) => ({ topic, errorCode: codeOf(topic) })),
  },
  {
    name: 'EndTxn',
    call: (cluster) => endTxn(cluster, 1, { ...TXN, commit: true }),
    answer: (tags) => new AnswerWriter(tags).int32(0).int16(47).tags().body,
    expected: { errorCode: 47 },
  },
  {
    name: 'DescribeConfigs',
    call: (cluster) =>
      describeConfigs(cluster, 1, {
        resources: [
          { type: 'topic', name: 'a' },
          { type: 'broker', name: '1' },
        ],
      }),
    answer(tags) {
      const writer = new AnswerWriter(tags).int32(0)
      writer.array(
        [
          { type: 4, name: '1' },
          { type: 2, name: 'a' },
        ],
        ({ type, name }) => {
          writer.int16(0).string(null).int8(type).string(name)
          writer.array(['n', 'secret'], (setting) => {
            writer
              .string(setting)
              .string(setting === 'n' ? 'v' : null)
              .boolean(false)
              .int8(type === 2 ? 1 : 5)
            writer.boolean(false)
            writer.array([1], () => writer.string('s').string('v').int8(5).tags())
            writer.int8(2).string('words').tags()
          })
          writer.tags()
        },
      )
      return writer.tags().body
    },
    expected: [
      { type: 'topic', name: 'a', isOwn: true },
      { type: 'broker', name: '1', isOwn: false },
    ].map(({ type, name, isOwn }) => ({
      type,
      name,
      errorCode: 0,
      message: undefined,
      settings: new Map([
        ['n', { value: 'v', isOwn }],
        ['secret', { value: null, isOwn }],
      ]),
    })),
  },
  {
    name: 'IncrementalAlterConfigs',
    call: (cluster) =>
      incrementalAlterConfigs(cluster, { topics: ['a', 'b'].map((topic) => ({ topic, set: {} })) }),
    answer(tags) {
      const writer = new AnswerWriter(tags).int32(0)
      writer.array(['b', 'a'], (topic) =>
        writer.int16(codeOf(topic)).string('words').int8(2).string(topic).tags(),
      )
      return writer.tags().body
    },
    expected: ['a', 'b'].map((topic) => ({ topic, errorCode: codeOf(topic), message: 'words' })),
  },
]

function fetchAnswer(tags?: Tags, code = codeOf, records = RECORDS): Buffer {
  const writer = new AnswerWriter(tags).int32(0).int16(0).int32(0)
  byTopic(writer, (topic) => {
    writer.int32(0).int16(code(topic)).int64(9).int64(8).int64(7)
    writer.array([5, 6], (producer) =>
      writer
        .int64(producer)
        .int64(7 - producer)
        .tags(),
    )
    writer.int32(-1).bytes(records)
  })
  return writer.tags().body
}

/** Tagged fields as brokers send them: few, of any number and length. */
const tagsOf = fc.infiniteStream(
  fc.array(
    fc.record({ tag: fc.oneof(fc.nat(3), fc.nat(2 ** 31 - 1)), bytes: fc.uint8Array({ maxLength: 200 }) }),
    { maxLength: 3 },
  ),
)
const taking =
  (stream: Iterator<readonly TaggedField[]>): Tags =>
  () =>
    stream.next().value

describe.each(cases)('$name', ({ call, answer, expected }) => {
  test('is read', async () => {
    expect(await call(answering(answer()))).toEqual(expected)
  })

  test('with any tagged fields is read as without', async () => {
    const property = fc.asyncProperty(tagsOf, async (stream) => {
      expect(await call(answering(answer(taking(stream))))).toEqual(expected)
    })
    await fc.assert(property, { numRuns: 40 })
  })

  test('cut off anywhere is malformed', async () => {
    const [stream] = fc.sample(tagsOf, { numRuns: 1, seed: 5 })
    for (const bytes of [answer(), answer(taking(stream!))]) {
      for (let length = 0; length < bytes.length; length++) {
        const cut = call(answering(bytes.subarray(0, length)))
        await expect(cut, `${length} of ${bytes.length} bytes`).rejects.toThrow(MalformedAnswer)
      }
    }
  })

  test('with altered bytes is read, or malformed', async () => {
    const bytes = answer()
    const change = fc.tuple(
      fc.nat(bytes.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(0xff, 0x7f, 0x80, 0)),
    )
    const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      const altered = Buffer.from(bytes)
      for (const [at, byte] of changes) altered[at] = byte
      await call(answering(altered)).catch((error) => expect(error).toBeInstanceOf(MalformedAnswer))
    })
    await fc.assert(property, { numRuns: 150 })
  })
})

test('the library that is used for jobs misreads tagged fields, which is why the engine reads answers itself', () => {
  const markOf = (tags?: Tags) => {
    const frame = fetchAnswer(tags, () => 0, Buffer.alloc(0))
    return fetchV12.parseResponse(1, 1, 12, Reader.from(frame)).responses[1]?.partitions[0]?.highWatermark
  }
  const leader = [{ tag: 1, bytes: Buffer.from('0000000200000005', 'hex') }]
  expect(markOf()).toBe(9n)
  expect(() => expect(markOf(() => leader)).toBe(9n)).toThrow()
})

describe('an answer that has something else', () => {
  const find = (name: string) => cases.find((one) => one.name === name)!

  test('another topic than was asked for is malformed', async () => {
    const writer = new AnswerWriter().int32(0)
    writer.array(['a', 'c'], (topic) => writer.string(topic).raw(ID).int16(0).string('').tags())
    await expect(find('DeleteTopics').call(answering(writer.tags().body))).rejects.toThrow(
      /topic b is missing/,
    )
  })

  test('a topic that stands in several parts is asked for in several requests', async () => {
    let sent = 0
    const cluster = {
      async send<R>(_node: number, _purpose: string, request: KafkaRequest<R>): Promise<R> {
        const round = sent++
        const writer = new AnswerWriter().int32(0)
        writer.array(round === 0 ? ['a', 'b'] : ['a'], (topic) => {
          writer.string(topic)
          writer.array([0], () => writer.int32(0).int16(0).int64(-1).int64(round).int32(0).tags()).tags()
        })
        return request.read(new WireReader(writer.tags().body))
      },
    } as unknown as KafkaCluster
    const parts = [
      { topic: 'a', at: 'earliest' },
      { topic: 'a', at: 5 },
      { topic: 'b', at: 5 },
    ] as const
    const found = await listOffsets(cluster, 1, { parts, isolation: 'committed' })
    expect(found.map(({ topic, offset }) => [topic, offset])).toEqual([
      ['a', 0],
      ['a', 1],
      ['b', 0],
    ])
    expect(sent).toBe(2)
  })
})
