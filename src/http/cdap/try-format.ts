/**
 * `POST …/try-format`: reads the first events of a stream by a format, before the stream gets that format. Changes nothing.
 *
 *   {"format":{…},"events":[{"timestamp":…,"sequence":0,"record":{…}},
 *                           {"timestamp":…,"sequence":1,"error":"…","body":"…"},
 *                           {"timestamp":…,"sequence":2,"cut":"…","body":"…"}],"stopped"?:"…"}
 *
 * `cut` replaces a record that is too long, `stopped` is the reason why the events end before the limit. Bytes and time are
 * bounded, and a worker thread reads by the format (parse-workers.ts).
 */
import type { EventBlock } from '../../../storage/log.ts'
import type { EventRead, Streams } from '../../streams/streams.ts'
import { answerJsonText } from '../messages/answers.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import { type PreviewEvent, type PreviewTask, TRIED_BYTES_MAX, unreadEvent } from '../messages/parse-task.ts'
import { TooSlowError, type Workers } from '../messages/parse-workers.ts'
import type { HttpContext } from '../server/bindings.ts'
import { clientKey } from '../server/client-key.ts'
import { streamOf } from '../server/path-names.ts'
import { cdapDocumentReader } from './document-reader.ts'
import { parseEventQuery } from './event-reads.ts'
import { printFormat } from './format-json.ts'

export interface TryFormatOptions extends DocumentOptions {
  readonly nowMs: () => number
}

const EVENTS_MAX = 20
/** Bodies that one request reads; it stops after the event that reaches this number. */
const READ_BYTES_MAX = 1024 * 1024
/** Of a body that is too long. */
const BODY_BYTES_SHOWN = 1_000

interface Taken {
  readonly events: readonly PreviewEvent[]
  readonly stopped: string | undefined
}

/** Returns the handler. An empty body selects the format of the stream. */
export function tryFormatRoute(streams: Streams, options: TryFormatOptions) {
  const readDocument = cdapDocumentReader(options)
  return async (c: HttpContext) => {
    const id = streamOf(c)
    const query = parseEventQuery(c, id, options.nowMs())
    const { properties } = streams.get(id)
    const format = (await readDocument(c, 'formatIfAny')) ?? properties.format
    const { events, stopped } = await options.load.whileFinding(async () =>
      take(await streams.read(id, { ...query, limit: Math.min(query.limit, EVENTS_MAX) })),
    )
    const task: PreviewTask = { kind: 'preview', format, events }
    const read =
      events.length === 0 ? { texts: [], stopped } : await preview(c, options.workers, task, stopped)
    const ending = read.stopped === undefined ? '' : `,"stopped":${JSON.stringify(read.stopped)}`
    return answerJsonText(c, `{"format":${printFormat(format)},"events":[${read.texts.join(',')}]${ending}}`)
  }
}

/** Events as JSON, up to the first one that needs too much time. */
async function preview(
  c: HttpContext,
  workers: Workers,
  task: PreviewTask,
  stopped: string | undefined,
): Promise<{ readonly texts: readonly string[]; readonly stopped: string | undefined }> {
  const { incoming, outgoing } = c.env
  const texts: string[] = []
  try {
    const client = clientKey(incoming, c.get('client'))
    await workers.run(
      client,
      task,
      () => outgoing.destroyed,
      (part) => texts.push(part),
    )
    return { texts, stopped }
  } catch (error) {
    if (!(error instanceof TooSlowError)) throw error
    const slow = task.events[texts.length]
    if (slow === undefined) return { texts, stopped }
    texts.push(unreadEvent(slow, `the format ${error.message} the events up to this one`))
    return {
      texts,
      stopped: `the answer ends after ${texts.length} events: the format ${error.message} them`,
    }
  }
}

async function take(read: EventRead | undefined): Promise<Taken> {
  const events: PreviewEvent[] = []
  if (read === undefined) return { events, stopped: undefined }
  let bytes = 0
  for await (const block of read.blocks) {
    for (const event of eventsOf(block)) {
      events.push(event)
      bytes += event.length
      if (bytes >= READ_BYTES_MAX) {
        const stopped =
          `the answer ends after ${events.length} events: at most ${READ_BYTES_MAX} bytes of events are read; ` +
          'ask for those behind them with start'
        return { events, stopped }
      }
    }
  }
  return { events, stopped: undefined }
}

function* eventsOf({ bytes, starts, ends, runs, firstSequence }: EventBlock): Generator<PreviewEvent> {
  for (const { begin, end, timestampMs, headers } of runs) {
    for (let i = begin; i < end; i++) {
      const [start, end] = [starts[i]!, ends[i]!] // a run lies within its block
      const length = end - start
      const copy = (most: number) =>
        Uint8Array.prototype.slice.call(bytes, start, Math.min(end, start + most))
      yield {
        position: `"timestamp":${timestampMs},"sequence":${firstSequence + i}`,
        headers,
        length,
        body: length <= TRIED_BYTES_MAX ? copy(length) : undefined,
        shown: copy(BODY_BYTES_SHOWN),
      }
    }
  }
}
