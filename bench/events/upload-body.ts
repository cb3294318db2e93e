/**
 * Bodies of uploads, each a head and a pool of events that is sent as often as it takes. The pool is longer than anything
 * that LevelDB compresses at once, so that repeating it is no help.
 */
import { avroContainer } from './avro-events.ts'
import { csvRecord, quotedCsvRecord } from './csv-events.ts'
import { logLine } from './log-lines.ts'
import { EVENT_BYTES, randomText } from './random-text.ts'

export type BodyKind = keyof typeof KINDS

export interface UploadBody {
  readonly contentType: string
  readonly head: Buffer
  readonly pool: Buffer
  /** Bytes of the events in the pool, without line ends or compression. */
  readonly poolEventBytes: number
}

/** Events in a pool: an upload has a multiple of it. */
export const POOL_EVENTS = 20_000
/** As a client that reads a file sends it. */
const PIECE_BYTES = 256 * 1024

const KINDS = {
  text: () => lines('text/plain', () => randomText(EVENT_BYTES)),
  csv: () => lines('text/csv', csvRecord),
  'csv-quotes': () => lines('text/csv', quotedCsvRecord),
  'log-lines': () => lines('text/plain', logLine),
  avro: avroFile,
} satisfies Record<string, () => UploadBody | Promise<UploadBody>>

export async function uploadBody(kind: BodyKind): Promise<UploadBody> {
  return KINDS[kind]()
}

export function lengthOf({ head, pool }: UploadBody, events: number): number {
  return head.length + pool.length * poolsOf(events)
}

/** Bytes of the events themselves. */
export function eventBytesOf({ poolEventBytes }: UploadBody, events: number): number {
  return poolEventBytes * poolsOf(events)
}

/** All of it, in pieces that share the memory of the pool. */
export function* piecesOf({ head, pool }: UploadBody, events: number): Generator<Buffer, void, undefined> {
  if (head.length > 0) yield head
  for (let i = 0; i < poolsOf(events); i++)
    for (let at = 0; at < pool.length; at += PIECE_BYTES) yield pool.subarray(at, at + PIECE_BYTES)
}

function poolsOf(events: number): number {
  if (events % POOL_EVENTS !== 0) throw new RangeError(`${events} events; use a multiple of ${POOL_EVENTS}`)
  return events / POOL_EVENTS
}

async function avroFile(): Promise<UploadBody> {
  const { head, blocks, eventBytes } = await avroContainer(POOL_EVENTS)
  return { contentType: 'avro/binary', head, pool: blocks, poolEventBytes: eventBytes }
}

function lines(contentType: string, event: (at: number) => string): UploadBody {
  const pool = Buffer.from(Array.from({ length: POOL_EVENTS }, (_, at) => `${event(at)}\n`).join(''))
  return { contentType, head: Buffer.alloc(0), pool, poolEventBytes: pool.length - POOL_EVENTS }
}
