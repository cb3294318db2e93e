/** Events in and out: send, async, batch; reading them is in event-reads.ts. */
import { decoderFor } from '../decoders/index.ts'
import { ServiceError } from '../service-error.ts'
import type { StreamId } from '../streams/names.ts'
import type { StreamBatch, Streams } from '../streams/streams.ts'
import { answerEmpty } from './answers.ts'
import type { HttpContext } from './bindings.ts'
import { eventHeaders, withAddedHeader, withOverridingHeaders } from './event-headers.ts'
import { readRoute } from './event-reads.ts'
import { streamOf } from './path-names.ts'
import type { ReportFailure } from './problems.ts'
import { type BodyLimit, bodyChunks, readBody } from './request-body.ts'

export interface EventRoutesOptions {
  readonly eventBytesMax: number
  readonly nowMs: () => number
  readonly report: ReportFailure
}

export function eventRoutes(streams: Streams, options: EventRoutesOptions) {
  const eventLimit: BodyLimit = {
    bytesMax: options.eventBytesMax,
    refusal: 'event_too_large',
    what: 'the event body',
  }

  return {
    async send(c: HttpContext) {
      const id = streamOf(c)
      streams.get(id)
      const { incoming } = c.env
      const headers = eventHeaders(id.stream, incoming)
      await streams.append(id, { headers, body: await readBody(incoming, eventLimit) })
      return answerEmpty(c)
    },

    async sendAsync(c: HttpContext) {
      const id = streamOf(c)
      streams.get(id)
      const { incoming } = c.env
      const headers = eventHeaders(id.stream, incoming)
      await streams.appendAsync(id, { headers, body: await readBody(incoming, eventLimit) })
      return answerEmpty(c, 202)
    },

    async sendBatch(c: HttpContext) {
      const id = streamOf(c)
      const batch = streams.startBatch(id)
      try {
        await fillBatch(batch, id, c, options.eventBytesMax)
        await batch.commit()
      } finally {
        await batch.discard()
      }
      return answerEmpty(c)
    },

    read: readRoute(streams, options),
  }
}

async function fillBatch(
  batch: StreamBatch,
  id: StreamId,
  c: HttpContext,
  eventBytesMax: number,
): Promise<void> {
  const { incoming } = c.env
  const contentType = incoming.headers['content-type']
  if (contentType === undefined) throw new ServiceError('missing_content_type', 'Unknown content type')
  const decoder = decoderFor(contentType, { eventBytesMax })
  if (decoder === undefined) {
    throw new ServiceError('unsupported_content_type', `Unsupported content type ${contentType}`)
  }
  const sent = withAddedHeader(['content.type', contentType], eventHeaders(id.stream, incoming))
  let headers = sent
  let decoderHeaders = decoder.headers
  let added: Promise<void> | undefined
  const add: Parameters<typeof decoder.decode>[1] = (slices) => {
    if (decoder.headers !== decoderHeaders) {
      decoderHeaders = decoder.headers
      headers = withOverridingHeaders(sent, decoderHeaders)
    }
    const one = batch.add(slices, headers)
    added = added === undefined ? one : Promise.all([added, one]).then(() => {})
    added.catch(() => {}) // told below, unless the decoder fails first: then this one has nobody left to tell
  }
  for await (const chunk of bodyChunks(incoming)) {
    decoder.decode(chunk, add)
    await added // the disk sets the pace
    added = undefined
  }
  decoder.end(add)
  await added
}
