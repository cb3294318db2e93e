/** Events in and out: send and async (single-event.ts), batch (batch-body.ts), reads (event-reads.ts, event-export.ts). */
import type { Streams } from '../../streams/streams.ts'
import { answerEmpty } from '../messages/answers.ts'
import type { HttpContext } from '../server/bindings.ts'
import { countingFor } from '../server/client-rate.ts'
import { streamOf } from '../server/path-names.ts'
import { type BatchOptions, storeBatch } from './batch-body.ts'
import { exportRoute } from './event-export.ts'
import { type EventReadOptions, readRoute } from './event-reads.ts'
import { type SingleEventOptions, SingleEvents } from './single-event.ts'

export interface EventRoutesOptions extends BatchOptions, EventReadOptions, SingleEventOptions {
  readonly limits: BatchOptions['limits']
}

export function eventRoutes(streams: Streams, options: EventRoutesOptions) {
  const events = new SingleEvents(streams, options)
  const receive = (c: HttpContext, queued: boolean) =>
    events.receive(events.open(c.env.incoming, streamOf(c), c.get('client') ?? undefined, queued))

  return {
    async send(c: HttpContext) {
      await receive(c, false)
      return answerEmpty(c)
    },

    async sendAsync(c: HttpContext) {
      await receive(c, true)
      return answerEmpty(c, 202)
    },

    async sendBatch(c: HttpContext) {
      const counting = countingFor(c, options.nowMs)
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
