/** The body of a batch, decoded while it arrives and stored at the pace of the disk. */
import type { IncomingMessage } from 'node:http'
import { freeMemory } from '../../../storage/free-memory.ts'
import type { EventHeaders, EventSlices } from '../../../storage/log.ts'
import { Mutex } from '../../../storage/mutex.ts'
import { bodyBytes } from '../../../storage/slices.ts'
import type { BatchDecoder } from '../../decoders/decoder.ts'
import { decoderFor } from '../../decoders/index.ts'
import type { FormatSpecification } from '../../formats/format-specification.ts'
import type { StreamId } from '../../streams/names.ts'
import type { StreamBatch, Streams } from '../../streams/streams.ts'
import { bodyChunks, endedEarly } from '../messages/body-chunks.ts'
import type { Intake } from '../messages/request-body.ts'
import type { Upload } from '../server/body-memory.ts'
import type { CountEvents } from '../server/client-rate.ts'
import { decoderBytes } from '../server/decoder-memory.ts'
import { BatchTally } from './batch-tally.ts'
import { batchLayout } from './batch-type.ts'
import {
  type EventHeaderLimits,
  eventHeaders,
  withAddedHeader,
  withOverridingHeaders,
} from './event-headers.ts'

/**
 * Only one upload at a time has a decompressed Avro block that is not stored yet: such a block may be 64 MiB out of 2 KiB, and
 * uploads are many. Blocks of the usual size are stored at once, so the wait is short.
 */
const expanding = new Mutex()

export interface BatchOptions extends Intake {
  readonly eventBytesMax: number
  readonly limits: EventHeaderLimits & { readonly maxBatchBytes: number }
}

/**
 * Resolves once every event of the body is on disk; if it rejects, none will be. `count` is called as events are cut, so that
 * the rate limit sees the events of all batches in progress.
 */
export async function storeBatch(
  streams: Streams,
  id: StreamId,
  incoming: IncomingMessage,
  options: BatchOptions,
  count?: CountEvents,
): Promise<void> {
  const batch = streams.startBatch(id)
  const upload = options.slowClients.beginUpload(incoming, options.load)
  try {
    const { format } = streams.get(id).properties
    await new BatchBody(id, format, incoming, options, { batch, upload, count }).store()
    await batch.commit()
  } catch (error) {
    batch.failed(error)
    throw error
  } finally {
    upload.end()
    await batch.discard()
  }
}

/** Where a body goes, and what counts it on the way. */
interface BatchTarget {
  readonly batch: StreamBatch
  readonly upload: Upload
  readonly count: CountEvents | undefined
}

/** One body on its way through the decoder into a staged batch. */
class BatchBody {
  readonly #incoming: IncomingMessage
  readonly #target: BatchTarget
  readonly #tally: BatchTally
  readonly #decoder: BatchDecoder
  /** Headers of the request, for every event. */
  readonly #sent: EventHeaders
  /** The same, with those that the decoder adds: one array as long as they do not change. */
  #headers: EventHeaders
  #decoderHeaders: EventHeaders
  /** Resolves when the batch takes more events; undefined if it takes them now. */
  #adding: Promise<void> | undefined
  /** Resolves when there is memory for what the body holds; undefined if there is. */
  #capacity: Promise<void> | undefined

  constructor(
    id: StreamId,
    format: FormatSpecification,
    incoming: IncomingMessage,
    { eventBytesMax, limits }: BatchOptions,
    target: BatchTarget,
  ) {
    const contentType = incoming.headers['content-type']
    const layout = batchLayout(contentType, format)
    this.#incoming = incoming
    this.#target = target
    this.#tally = new BatchTally(limits.maxBatchBytes)
    this.#decoder = decoderFor(layout, { eventBytesMax, free: (buffer) => freeMemory([buffer]) })
    this.#sent = withAddedHeader(['content.type', contentType!], eventHeaders(id.stream, incoming, limits))
    this.#headers = this.#sent
    this.#decoderHeaders = this.#decoder.headers
  }

  /** Resolves when all events are staged. Rejects with ServiceError or StorageError. */
  async store(): Promise<void> {
    const { upload } = this.#target
    const { expansion } = this.#tally
    for await (const chunk of bodyChunks(this.#incoming, expansion)) {
      upload.pace.stopAwaiting()
      upload.pace.moved = expansion.sentBytes
      this.#tally.receive(chunk.length)
      if (this.#decoder.expands) await expanding.run(() => this.#decode(chunk))
      else await this.#decode(chunk)
      await this.#added() // the disk sets the pace
      await this.#capacity
      upload.pace.awaitClient()
    }
    // The client of a cancelled upload got the answer that nothing of it is stored.
    if (!upload.complete()) throw endedEarly()
    this.#decoder.end(this.#add)
    await this.#added()
  }

  async #decode(chunk: Uint8Array): Promise<void> {
    let more = this.#decoder.decode(chunk, this.#add)
    const decoders = decoderBytes(this.#incoming, this.#tally.expansion.grownBytes)
    this.#capacity = this.#target.upload.holds(this.#tally.held + decoders)
    while (more) {
      await this.#added()
      more = this.#decoder.decodeMore(this.#add)
    }
  }

  readonly #add = (slices: EventSlices): void => {
    const { batch, count } = this.#target
    this.#tally.cut(slices.ends[slices.count - 1]! - slices.starts[0]!)
    if (this.#decoder.headers !== this.#decoderHeaders) {
      this.#decoderHeaders = this.#decoder.headers
      this.#headers = withOverridingHeaders(this.#sent, this.#decoderHeaders)
    }
    count?.(slices.count, bodyBytes(slices))
    const one = batch.add(slices, this.#headers)
    this.#adding = this.#adding === undefined ? one : Promise.all([this.#adding, one]).then(() => {})
    this.#adding.catch(() => {}) // `#added` rejects with it, unless the decoder fails first
  }

  async #added(): Promise<void> {
    const adding = this.#adding
    this.#adding = undefined
    await adding
  }
}
