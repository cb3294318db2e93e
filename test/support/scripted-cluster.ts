/**
 * A Kafka cluster in memory for the write path: it keeps what brokers keep about producers and transactions, and follows a
 * script for what becomes of requests.
 */
import { KafkaRequestError } from '../../storage/kafka/error-codes.ts'
import type { ProducedPart, ProduceRequest } from '../../storage/kafka/produce.ts'
import { type RecordBatch, readBatches, readRecords } from '../../storage/kafka/record-batch-reader.ts'
import type { WriteRequests } from '../../storage/kafka/write-requests.ts'

/**
 * What becomes of one Produce request: an error code for its batches; the request or its answer is lost; the request is held by
 * the network until `deliverHeld`, and counts as lost; no broker is reached.
 */
export type Fate = number | 'stored' | 'request lost' | 'answer lost' | 'held' | 'not sent'

interface StoredBatch {
  readonly baseOffset: number
  readonly bodies: readonly string[]
  readonly producerId: number
  readonly transaction: Transaction | undefined
}

interface Transaction {
  readonly producerId: number
  readonly topics: Set<string>
  state: 'open' | 'committed' | 'aborted'
}

interface Producer {
  epoch: number
  nextSequence: number
  /** The last five batches: base sequence and answer. */
  last: { sequence: number; epoch: number; part: ProducedPart }[]
}

interface Topic {
  nextOffset: number
  readonly batches: StoredBatch[]
  readonly producers: Map<number, Producer>
  settings: Readonly<Record<string, string>>
}

interface TransactionalId {
  readonly producerId: number
  epoch: number
  transaction: Transaction | undefined
}

const NONE = { baseOffset: -1, appendTimeMs: -1, logStartOffset: -1 }
const BATCHES_REMEMBERED = 5
const SEQUENCES = 2 ** 31

export class ScriptedCluster implements WriteRequests {
  /** Fates of the next Produce requests; of all that follow: `fateOfAll`. */
  readonly fates: Fate[] = []
  fateOfAll: Fate = 'stored'
  /** Error codes of the next EndTxn, or what is lost. */
  readonly endFates: Fate[] = []
  endFateOfAll: Fate = 'stored'
  createError = 0
  leaderNode: number | undefined = 1
  /** Every batch that was sent to a broker, as text: `topic p<id> e<epoch> s<sequence> x<count>`. */
  readonly sent: string[] = []
  produceCalls = 0
  readonly nodesAsked: number[] = []
  readonly topics = new Map<string, Topic>()
  readonly transactionalIds = new Map<string, TransactionalId>()
  readonly #held: ProduceRequest[] = []
  #producerIds = 1_000
  nowMs = 5_000

  async leader(topic: string) {
    if (!this.topics.has(topic) || this.leaderNode === undefined) return undefined
    return { node: this.leaderNode, epoch: 1 }
  }

  async anyNode() {
    return 1
  }

  async coordinator() {
    return 1
  }

  async createTopics({
    topics,
  }: Parameters<WriteRequests['createTopics']>[0]): ReturnType<WriteRequests['createTopics']> {
    return topics.map(({ topic, settings }) => {
      if (this.createError !== 0) return { topic, errorCode: this.createError, message: 'as the script says' }
      if (this.topics.has(topic)) return { topic, errorCode: 36, message: undefined }
      this.topics.set(topic, { nextOffset: 0, batches: [], producers: new Map(), settings })
      return { topic, errorCode: 0, message: undefined as string | undefined }
    })
  }

  async alterTopics({
    topics,
  }: Parameters<WriteRequests['alterTopics']>[0]): ReturnType<WriteRequests['alterTopics']> {
    return topics.map(({ topic, set, remove = [] }) => {
      const known = this.topics.get(topic)!
      const settings = { ...known.settings, ...set }
      for (const name of remove) delete settings[name]
      known.settings = settings
      return { topic, errorCode: 0, message: undefined as string | undefined }
    })
  }

  async produce(node: number, request: ProduceRequest): Promise<readonly ProducedPart[]> {
    this.produceCalls++
    this.nodesAsked.push(node)
    for (const { topic, batch } of request.parts) this.sent.push(stampOf(topic, batchIn(batch)))
    const fate = this.fates.shift() ?? this.fateOfAll
    await new Promise((resolve) => setImmediate(resolve))
    switch (fate) {
      case 'stored':
        return this.#storeAll(request)
      case 'not sent':
        throw new KafkaRequestError('not-sent', 'connect ECONNREFUSED')
      case 'answer lost':
        this.#storeAll(request)
        throw new KafkaRequestError('lost', 'no answer in time')
      case 'held':
        this.#held.push(copyOf(request))
        throw new KafkaRequestError('lost', 'no answer in time')
      case 'request lost':
        throw new KafkaRequestError('lost', 'no answer in time')
      default:
        return request.parts.map(({ topic }) => ({ ...NONE, topic, errorCode: fate }))
    }
  }

  /** What the network has held arrives now. Returns the answers, which no client gets. */
  deliverHeld(): readonly ProducedPart[] {
    return this.#held.splice(0).flatMap((request) => this.#storeAll(request))
  }

  async initProducerId(_node: number, { transactionalId }: Parameters<WriteRequests['initProducerId']>[1]) {
    if (transactionalId === undefined) return { errorCode: 0, producerId: this.#producerIds++, epoch: 0 }
    let known = this.transactionalIds.get(transactionalId)
    if (known === undefined) {
      known = { producerId: this.#producerIds++, epoch: -1, transaction: undefined }
      this.transactionalIds.set(transactionalId, known)
    }
    if (known.transaction?.state === 'open') known.transaction.state = 'aborted'
    known.transaction = undefined
    known.epoch++
    return { errorCode: 0, producerId: known.producerId, epoch: known.epoch }
  }

  async addPartitionsToTxn(
    _node: number,
    request: Parameters<WriteRequests['addPartitionsToTxn']>[1],
  ): ReturnType<WriteRequests['addPartitionsToTxn']> {
    const known = this.transactionalIds.get(request.transactionalId)
    const errorCode = known === undefined || known.epoch !== request.epoch ? 90 : 0
    if (errorCode === 0) {
      known!.transaction ??= { producerId: request.producerId, topics: new Set(), state: 'open' }
      for (const topic of request.topics) known!.transaction.topics.add(topic)
    }
    return request.topics.map((topic) => ({ topic, errorCode }))
  }

  async endTxn(_node: number, { transactionalId, epoch, commit }: Parameters<WriteRequests['endTxn']>[1]) {
    const fate = this.endFates.shift() ?? this.endFateOfAll
    if (typeof fate === 'number') return { errorCode: fate }
    const known = this.transactionalIds.get(transactionalId)
    if (fate !== 'request lost' && known?.epoch === epoch && known.transaction?.state === 'open')
      known.transaction.state = commit ? 'committed' : 'aborted'
    if (fate !== 'stored') throw new KafkaRequestError('lost', 'no answer in time')
    return { errorCode: known?.epoch === epoch ? 0 : 90 }
  }

  async listOffsets(_node: number, { parts }: Parameters<WriteRequests['listOffsets']>[1]) {
    return parts.map(({ topic }) => {
      const { batches, nextOffset } = this.topics.get(topic)!
      const open = batches.find(({ transaction }) => transaction?.state === 'open')
      return { topic, errorCode: 0, offset: open?.baseOffset ?? nextOffset, timestampMs: -1, leaderEpoch: 1 }
    })
  }

  async fetch(_node: number, { parts }: Parameters<WriteRequests['fetch']>[1]) {
    return parts.map(({ topic, offset }) => {
      const { batches, nextOffset } = this.topics.get(topic)!
      const seen = new Set<Transaction>()
      const aborted = batches.flatMap(({ transaction, baseOffset, producerId }) => {
        if (transaction?.state !== 'aborted' || seen.has(transaction)) return []
        seen.add(transaction)
        return baseOffset < offset ? [] : [{ producerId, firstOffset: baseOffset }]
      })
      const offsets = { highWatermark: nextOffset, lastStableOffset: nextOffset, logStartOffset: 0 }
      return { topic, errorCode: 0, ...offsets, aborted, records: Buffer.alloc(0) }
    })
  }

  /** Bodies that readers of committed events see. */
  bodies(topic: string): string[] {
    const { batches } = this.topics.get(topic) ?? { batches: [] }
    return batches.flatMap(({ bodies, transaction }) =>
      transaction === undefined || transaction.state === 'committed' ? bodies : [],
    )
  }

  /** Number of record batches. */
  batchesOf(topic: string): number {
    return this.topics.get(topic)?.batches.length ?? 0
  }

  #storeAll({ parts, transactionalId }: ProduceRequest): ProducedPart[] {
    return parts.map(({ topic, batch }) => this.#store(topic, batchIn(batch), transactionalId))
  }

  #store(name: string, batch: RecordBatch, transactionalId: string | undefined): ProducedPart {
    const topic = this.topics.get(name)
    if (topic === undefined) return { ...NONE, topic: name, errorCode: 3 }
    const records = readRecords(batch, name)
    const isCreateTime = topic.settings['message.timestamp.type'] === 'CreateTime'
    const after = Number(topic.settings['message.timestamp.after.max.ms'] ?? 3_600_000)
    if (isCreateTime && records.some(({ timestampMs }) => timestampMs > Date.now() + after))
      return { ...NONE, topic: name, errorCode: 32 }
    const { producerId, producerEpoch: epoch, baseSequence, count } = batch
    if (producerId >= 0) {
      const known = topic.producers.get(producerId)
      const twin = known?.last.find((one) => one.epoch === epoch && one.sequence === baseSequence)
      if (twin !== undefined) return twin.part
      const errorCode = stateError(known, epoch, baseSequence)
      if (errorCode !== 0) return { ...NONE, topic: name, errorCode }
    }
    const transaction = transactionalId && this.transactionalIds.get(transactionalId)?.transaction
    if (batch.isTransactional && !(transaction || undefined)?.topics.has(name))
      return { ...NONE, topic: name, errorCode: 48 }
    const part = {
      topic: name,
      errorCode: 0,
      baseOffset: topic.nextOffset,
      appendTimeMs: isCreateTime ? -1 : this.nowMs,
      logStartOffset: 0,
    }
    topic.nextOffset += count
    topic.batches.push({
      baseOffset: part.baseOffset,
      bodies: records.map(({ value }) => value?.toString('latin1') ?? ''),
      producerId,
      transaction: transaction || undefined,
    })
    if (producerId >= 0) {
      const last = [...(topic.producers.get(producerId)?.last ?? []), { sequence: baseSequence, epoch, part }]
      const nextSequence = (baseSequence + count) % SEQUENCES
      topic.producers.set(producerId, { epoch, nextSequence, last: last.slice(-BATCHES_REMEMBERED) })
    }
    return part
  }
}

/** As a broker checks it: 47 for an old epoch, 45 for a sequence that is not the next one. */
function stateError(known: Producer | undefined, epoch: number, sequence: number): number {
  if (known === undefined) return 0
  if (epoch < known.epoch) return 47
  return sequence === (epoch > known.epoch ? 0 : known.nextSequence) ? 0 : 45
}

function batchIn(pieces: readonly Uint8Array[]): RecordBatch {
  return readBatches(Buffer.concat(pieces), 'scripted')[0]!
}

function stampOf(topic: string, { producerId, producerEpoch, baseSequence, count }: RecordBatch): string {
  return `${topic} p${producerId} e${producerEpoch} s${baseSequence} x${count}`
}

function copyOf(request: ProduceRequest): ProduceRequest {
  const parts = request.parts.map(({ topic, batch }) => ({ topic, batch: [Buffer.concat(batch)] }))
  return { ...request, parts }
}
