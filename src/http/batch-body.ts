/** The body of a batch, decoded while it arrives and stored at the pace of the disk. */
import type { IncomingMessage } from 'node:http'
import { freeMemory } from '../../storage/free-memory.ts'
import { decoderFor } from '../decoders/index.ts'
import { ServiceError } from '../service-error.ts'
import type { StreamId } from '../streams/names.ts'
import type { StreamBatch, Streams } from '../streams/streams.ts'
import { bodyChunks } from './body-chunks.ts'
import { eventHeaders, withAddedHeader, withOverridingHeaders } from './event-headers.ts'
import { Expansion } from './expansion.ts'
import { Turnstile } from './turnstile.ts'

/**
 * One upload at a time has a block of Avro decompressed and not handed on yet: that may be 64 MiB out of 2 KiB, and uploads are
 * many. Blocks of the usual size are handed on at once, so that nobody waits for them.
 */
const expanding = new Turnstile()

/** Resolves once every event of the body is on disk; otherwise none will be. */
export async function storeBatch(
  streams: Streams,
  id: StreamId,
  incoming: IncomingMessage,
  eventBytesMax: number,
): Promise<void> {
  const batch = streams.startBatch(id)
  try {
    await fillBatch(batch, id, incoming, eventBytesMax)
    await batch.commit()
  } finally {
    await batch.discard()
  }
}

async function fillBatch(
  batch: StreamBatch,
  id: StreamId,
  incoming: IncomingMessage,
  eventBytesMax: number,
): Promise<void> {
  const contentType = incoming.headers['content-type']
  if (contentType === undefined) throw new ServiceError('missing_content_type', 'Unknown content type')
  const decoder = decoderFor(contentType, { eventBytesMax, free: (buffer) => freeMemory([buffer]) })
  if (decoder === undefined) {
    throw new ServiceError('unsupported_content_type', `Unsupported content type ${contentType}`)
  }
  const sent = withAddedHeader(['content.type', contentType], eventHeaders(id.stream, incoming))
  let headers = sent
  let decoderHeaders = decoder.headers
  let added: Promise<void> | undefined
  const expansion = new Expansion()
  let eventBytes = 0
  const add: Parameters<typeof decoder.decode>[1] = (slices) => {
    eventBytes += slices.ends[slices.count - 1] - slices.starts[0]
    expansion.assert(eventBytes) // decoders decompress, too
    if (decoder.headers !== decoderHeaders) {
      decoderHeaders = decoder.headers
      headers = withOverridingHeaders(sent, decoderHeaders)
    }
    const one = batch.add(slices, headers)
    added = added === undefined ? one : Promise.all([added, one]).then(() => {})
    added.catch(() => {}) // told below, unless the decoder fails first: then this one has nobody left to tell
  }
  for await (const chunk of bodyChunks(incoming, expansion)) {
    const leave = decoder.expands ? await expanding.enter() : undefined
    try {
      let more = decoder.decode(chunk, add)
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
  }
  decoder.end(add)
  await added
}
