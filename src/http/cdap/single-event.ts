/**
 * The rules of a POST of one event. The listener of plain posts (direct-posts.ts) and the routes of Hono (event-routes.ts)
 * both call them. A request is refused in this order:
 *
 *   its token, grant and rate (server/guard.ts); its names (streams/names.ts)
 *   `open`:  the stream exists; the event headers are unique and within the limits
 *   `count`: refuses nothing, but the next request of the token sees its rate used up
 *   its body: encoding, length, memory for it, and the pace of the client (messages/request-body.ts)
 *   `store`: the token still allows it; the disk has space and the log takes it (streams/streams.ts)
 */
import type { IncomingMessage } from 'node:http'
import type { EventHeaders } from '../../../storage/log.ts'
import type { Client } from '../../auth/tokens.ts'
import type { StreamId } from '../../streams/names.ts'
import type { Stream } from '../../streams/registry.ts'
import type { Streams } from '../../streams/streams.ts'
import { endedEarly } from '../messages/body-chunks.ts'
import { type BodyLimit, type Intake, plainLength, readBody } from '../messages/request-body.ts'
import type { Guard } from '../server/guard.ts'
import type { OpenAnswers } from '../server/open-answers.ts'
import { type EventHeaderLimits, eventHeaders } from './event-headers.ts'

export interface SingleEventOptions extends Intake {
  readonly eventBytesMax: number
  readonly limits: EventHeaderLimits
  readonly openAnswers: OpenAnswers
  readonly nowMs: () => number
  /** Undefined: tokens are not required. */
  readonly guard?: Guard | undefined
}

/** A request that nothing is known against before its body. */
export interface OpenEvent {
  readonly incoming: IncomingMessage
  readonly stream: Stream
  readonly headers: EventHeaders
  /** The client that the guard let in; undefined where tokens are not required. */
  readonly writer: Client | undefined
  /** The event is answered when it is queued, not when it is on disk. */
  readonly queued: boolean
  /** Bytes that were counted against the rate of the token; undefined before the event was counted. */
  countedBytes: number | undefined
}

export class SingleEvents {
  readonly #streams: Streams
  readonly #options: SingleEventOptions
  readonly #limit: BodyLimit

  constructor(streams: Streams, options: SingleEventOptions) {
    this.#streams = streams
    this.#options = options
    this.#limit = { bytesMax: options.eventBytesMax, refusal: 'event_too_large', what: 'the event body' }
  }

  /** Throws ServiceError 'stream_not_found', 'stream_written', 'duplicate_header' or 'headers_too_large'. */
  open(incoming: IncomingMessage, id: StreamId, writer: Client | undefined, queued: boolean): OpenEvent {
    const stream = this.#streams.getWritable(id)
    const headers = eventHeaders(id.stream, incoming, this.#options.limits)
    return { incoming, stream, headers, writer, queued, countedBytes: undefined }
  }

  /** Bytes of a body that `store` may take as it arrives; undefined if it has to be read by `receive`. */
  plainLength(incoming: IncomingMessage): number | undefined {
    const length = plainLength(incoming, this.#limit)
    return length !== undefined && this.#options.load.bodies.mayArrive(length) ? length : undefined
  }

  /**
   * Counts the event against the rate of its token, or corrects its bytes. Call it before the body arrives: otherwise all
   * requests whose bodies arrive together would pass the rate.
   */
  count(event: OpenEvent, bytes: number): void {
    const rate = event.writer?.rate
    if (rate === undefined) return
    const { countedBytes } = event
    rate.take(this.#options.nowMs(), countedBytes === undefined ? 1 : 0, bytes - (countedBytes ?? 0))
    event.countedBytes = bytes
  }

  /** Reads the body, and stores the event. Rejects with what readBody rejects with, or `store` fails with. */
  async receive(event: OpenEvent): Promise<void> {
    const { incoming } = event
    if (event.countedBytes === undefined) this.count(event, 0)
    const mayGoOn = () => this.#mayStillWrite(event)
    const read = () => readBody(incoming, this.#limit, this.#options)
    const body = await this.#options.openAnswers.whilePermitted(incoming, mayGoOn, read)
    await new Promise<void>((resolve, reject) => this.store(event, body, resolve, reject))
  }

  /**
   * Calls `stored` when the event is on disk, or queued; `failed` with ServiceError or StorageError. If the token does not
   * allow it any more, closes the connection and calls `failed`. Two functions, because one more promise for each event can be
   * measured.
   */
  store(event: OpenEvent, body: Buffer, stored: () => void, failed: (error: unknown) => void): void {
    if (!this.#mayStillWrite(event)) {
      event.incoming.socket.destroy()
      failed(endedEarly())
      return
    }
    const { stream, headers, queued } = event
    const { load } = this.#options
    const { length } = body
    this.count(event, length)
    load.begin(length)
    const data = { headers, body }
    const appended = queued ? this.#streams.appendAsync(stream, data) : this.#streams.append(stream, data)
    appended.then(
      () => {
        load.end(length)
        stored()
      },
      (error) => {
        load.end(length)
        failed(error)
      },
    )
  }

  /** The token may be revoked while the body arrives. */
  #mayStillWrite({ writer, stream }: OpenEvent): boolean {
    return writer === undefined || this.#options.guard!.mayStillWrite(writer, stream.id)
  }
}
