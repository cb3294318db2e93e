/** Fills a running service over HTTP, fast: batches of text lines. */
import { EVENT_BYTES, randomText } from '../events/random-text.ts'
import { streamName, streamPath } from '../events/streams.ts'
import { send } from './http-client.ts'

/** When the events were stored, by the service's clock, which is ours: from which time on there is one to read. */
export interface StoredRange {
  readonly startMs: number
  /** At this time and after there are `BATCH_EVENTS` events still. */
  readonly endMs: number
}

/** Small enough to be blocks of the log itself, and to spread the events over many timestamps. */
export const BATCH_EVENTS = 1000
/** Requests under way at once where there are many streams. */
const WORKERS = 16
const TEXT = { 'content-type': 'text/plain' }

export async function createStreams(base: string, streams: number): Promise<void> {
  await inParallel(streams, (at) => send('PUT', `${base}${streamPath(streamName(at, streams))}`))
}

/** `events`, a multiple of BATCH_EVENTS, in the one stream of the store. */
export async function fillStream(base: string, events: number): Promise<StoredRange> {
  const url = `${base}${streamPath(streamName(0, 1))}/batch`
  const batches = Array.from({ length: Math.min(20, events / BATCH_EVENTS) }, () => lines(BATCH_EVENTS))
  const startMs = Date.now()
  let endMs = startMs
  for (let sent = 0; sent < events; sent += BATCH_EVENTS) {
    endMs = Date.now()
    await send('POST', url, batches[(sent / BATCH_EVENTS) % batches.length]!, TEXT)
  }
  return { startMs, endMs }
}

/** `eventsEach` in every stream, as one batch. */
export async function fillStreams(base: string, streams: number, eventsEach: number): Promise<StoredRange> {
  const batch = lines(eventsEach)
  const startMs = Date.now()
  await inParallel(streams, (at) =>
    send('POST', `${base}${streamPath(streamName(at, streams))}/batch`, batch, TEXT),
  )
  return { startMs, endMs: startMs }
}

function lines(count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => `${randomText(EVENT_BYTES)}\n`).join(''))
}

async function inParallel(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(WORKERS, count) }, worker))
}
