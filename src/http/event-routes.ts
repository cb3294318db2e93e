/** Events in and out: send, async, batch; batches are read in batch-body.ts, reading events is in event-reads.ts. */
import type { Streams } from '../streams/streams.ts'
import { answerEmpty } from './answers.ts'
import { storeBatch } from './batch-body.ts'
import type { HttpContext } from './bindings.ts'
import { exportRoute } from './event-export.ts'
import { eventHeaders } from './event-headers.ts'
import { readRoute } from './event-reads.ts'
import { streamOf } from './path-names.ts'
import type { ReportFailure } from './problems.ts'
import { type BodyLimit, readBody } from './request-body.ts'

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
      await storeBatch(streams, streamOf(c), c.env.incoming, options.eventBytesMax)
      return answerEmpty(c)
    },

    read: readRoute(streams, options),
    export: exportRoute(streams, options),
  }
}
