/** Events in and out: send, async, batch; batches are read in batch-body.ts, reading events is in event-reads.ts. */
import type { EventData } from '../../../storage/log.ts'
import type { StreamId } from '../../streams/names.ts'
import type { Streams } from '../../streams/streams.ts'
import { answerEmpty } from '../messages/answers.ts'
import { type BodyLimit, readBody } from '../messages/request-body.ts'
import type { HttpContext } from '../server/bindings.ts'
import { countingFor } from '../server/client-rate.ts'
import { streamOf } from '../server/path-names.ts'
import { type BatchOptions, storeBatch } from './batch-body.ts'
import { exportRoute } from './event-export.ts'
import { eventHeaders } from './event-headers.ts'
import { type EventReadOptions, readRoute } from './event-reads.ts'

export interface EventRoutesOptions extends BatchOptions, EventReadOptions {}

export function eventRoutes(streams: Streams, options: EventRoutesOptions) {
  const { load, nowMs } = options
  const eventLimit: BodyLimit = {
    bytesMax: options.eventBytesMax,
    refusal: 'event_too_large',
    what: 'the event body',
  }

  async function eventOf(c: HttpContext): Promise<{ id: StreamId; event: EventData }> {
    const id = streamOf(c)
    streams.get(id)
    const { incoming } = c.env
    const headers = eventHeaders(id.stream, incoming, options.limits)
    const body = await options.openAnswers.whileArriving(c, () => readBody(incoming, eventLimit, options))
    return { id, event: { headers, body } }
  }

  return {
    async send(c: HttpContext) {
      const { id, event } = await eventOf(c)
      countingFor(c, nowMs)?.(1, event.body.length)
      await load.whileDoing(event.body.length, () => streams.append(id, event))
      return answerEmpty(c)
    },

    async sendAsync(c: HttpContext) {
      const { id, event } = await eventOf(c)
      countingFor(c, nowMs)?.(1, event.body.length)
      await load.whileDoing(event.body.length, () => streams.appendAsync(id, event))
      return answerEmpty(c, 202)
    },

    async sendBatch(c: HttpContext) {
      const counting = countingFor(c, nowMs)
      const { incoming } = c.env
      await options.openAnswers.whileArriving(c, () =>
        storeBatch(streams, streamOf(c), incoming, options, counting),
      )
      return answerEmpty(c)
    },

    read: readRoute(streams, options),
    export: exportRoute(streams, options),
  }
}
