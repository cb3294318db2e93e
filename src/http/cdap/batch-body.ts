/** The body of a batch, decoded while it arrives and stored at the pace of the disk. */
import type { IncomingMessage } from 'node:http'
import { freeMemory } from '../../../storage/free-memory.ts'
import type { EventSlices } from '../../../storage/log.ts'
import { decoderFor } from '../../decoders/index.ts'
import type { FormatSpecification } from '../../formats/format-specification.ts'
import { Semaphore } from '../../semaphore.ts'
import { ServiceError } from '../../service-error.ts'
import type { StreamId } from '../../streams/names.ts'
import type { StreamBatch, Streams } from '../../streams/streams.ts'
import { bodyChunks, endedEarly } from '../messages/body-chunks.ts'
import { Expansion } from '../messages/expansion.ts'
import type { Intake } from '../messages/request-body.ts'
import type { Upload } from '../server/body-memory.ts'
import type { CountEvents } from '../server/client-rate.ts'
import { decoderBytes } from '../server/decoder-memory.ts'
import { batchLayout } from './batch-type.ts'
import {
  type EventHeaderLimits,
  eventHeaders,
  withAddedHeader,
  withOverridingHeaders,
} from './event-headers.ts'

/**
 * One upload at a time has a block of Avro decompressed and not handed on yet: that may be 64 MiB out of 2 KiB, and uploads are
 * many. Blocks of the usual size are handed on at once, so that nobody waits for them.
 */
const expanding = new Semaphore(1)

export interface BatchOptions extends Intake {
  readonly eventBytesMax: number
  readonly limits: EventHeaderLimits & { readonly maxBatchBytes: number }
}

/** Of the events that are cut, about so many bytes are in memory at most: one write, and the one being filled. */
const STAGED_BYTES_MAX = 2 * 1024 * 1024

/**
 * Resolves once every event of the body is on disk; otherwise none will be. Events are counted as they come, so that many
 * batches at once cannot each pretend to be the first.
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
    await fillBatch(batch, id, format, incoming, options, upload, count)
    await batch.commit()
  } catch (error) {
    batch.failed(error)
    throw error
  } finally {
    upload.end()
    await batch.discard()
  }
}

async function fillBatch(
  batch: StreamBatch,
  id: StreamId,
  format: FormatSpecification,
  incoming: IncomingMessage,
  { eventBytesMax, limits }: BatchOptions,
  upload: Upload,
  count: CountEvents | undefined,
): Promise<void> {
  const contentType = incoming.headers['content-type']
  const layout = batchLayout(contentType, format)
  const decoder = decoderFor(layout, { eventBytesMax, free: (buffer) => freeMemory([buffer]) })
  const sent = withAddedHeader(['content.type', contentType!], eventHeaders(id.stream, incoming, limits))
  let headers = sent
  let decoderHeaders = decoder.headers
  let added: Promise<void> | undefined
  let received = 0
  /** What the decoder keeps of an event that is not complete. */
  let uncut = 0
  const expansion = new Expansion()
  let eventBytes = 0
  const add: Parameters<typeof decoder.decode>[1] = (slices) => {
    uncut = 0
    eventBytes += slices.ends[slices.count - 1] - slices.starts[0]
    expansion.assert(eventBytes) // decoders decompress, too
    if (eventBytes > limits.maxBatchBytes) throw tooLarge(limits.maxBatchBytes)
    if (decoder.headers !== decoderHeaders) {
      decoderHeaders = decoder.headers
      headers = withOverridingHeaders(sent, decoderHeaders)
    }
    count?.(slices.count, bytesOf(slices))
    const one = batch.add(slices, headers)
    added = added === undefined ? one : Promise.all([added, one]).then(() => {})
    added.catch(() => {}) // told below, unless the decoder fails first: then this one has nobody left to tell
  }
  for await (const chunk of bodyChunks(incoming, expansion)) {
    upload.pace.stopAwaiting()
    upload.pace.moved = expansion.sentBytes
    received += chunk.length
    uncut += chunk.length
    if (received > limits.maxBatchBytes) throw tooLarge(limits.maxBatchBytes)
    let capacity: Promise<void> | undefined
    const leave = decoder.expands ? await expanding.enter() : undefined
    try {
      let more = decoder.decode(chunk, add)
      const staged = Math.min(received - uncut, STAGED_BYTES_MAX)
      capacity = upload.holds(uncut + staged + decoderBytes(incoming, expansion.grownBytes))
      while (more) {
        await added
        added = undefined
        more = decoder.decodeMore(add)
      }
    } finally {
      leave?.()
    }
    await added // the disk sets the pace
    added = undefined
    await capacity
    upload.pace.awaitClient()
  }
  // What its client has been told of an upload that was cut is that nothing of it is stored.
  if (!upload.complete()) throw endedEarly()
  decoder.end(add)
  await added
}

function tooLarge(bytesMax: number): ServiceError {
  return new ServiceError(
    'batch_too_large',
    `the batch has more than ${bytesMax} bytes; at most ${bytesMax} bytes are taken, so send it in parts`,
  )
}

function bytesOf({ starts, ends, count }: EventSlices): number {
  let bytes = 0
  for (let i = 0; i < count; i++) bytes += ends[i] - starts[i]
  return bytes
}
