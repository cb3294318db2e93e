/**
 * The process of the in-memory loops.
 *
 * Decoders get a body in 64-KiB chunks, as sockets hand it out, and their slices are counted. The encoder gets blocks as
 * they are stored, in bytes: reading a block (with its checksum) is part of every pass, because it is part of every read.
 */
import { once } from 'node:events'
import avro from 'avsc'
import { uncompressSync } from 'snappy'
import { decoderFor } from '../../src/decoders/index.ts'
import { batchLayout } from '../../src/http/cdap/batch-type.ts'
import { eventJson } from '../../src/http/cdap/event-json.ts'
import { DEFAULT_PROPERTIES } from '../../src/streams/properties.ts'
import { encodeHeaders } from '../../storage/header-set.ts'
import { BlockBuilder } from '../../storage/level/block-builder.ts'
import { decodeBlock, sealBlock } from '../../storage/level/block-codec.ts'
import { blockKey } from '../../storage/level/keys.ts'
import type { EventBlock } from '../../storage/log.ts'
import { EVENT_BYTES } from '../events/random-text.ts'
import { type BodyKind, POOL_EVENTS, piecesOf, uploadBody } from '../events/upload-body.ts'
import type { LoopJob, LoopName } from './loops.ts'
import { measurePasses, type PassCounts, type Passes } from './pass-process.ts'

/** Of one body; a million would not fit into any cache, and a socket's bytes come from one. */
const ROWS = 5 * POOL_EVENTS
const READ_EVENTS = 1_000_000
const CHUNK_BYTES = 64 * 1024
const LIMITS = { eventBytesMax: 16 * 1024 * 1024 }
const LOG = 1
const TIMESTAMP_MS = 1_700_000_000_000

const LOOPS: Readonly<Record<LoopName, () => Promise<Passes>>> = {
  'loop-text': () => decoding('text'),
  'loop-csv': () => decoding('csv'),
  'loop-csv-quotes': () => decoding('csv-quotes'),
  'loop-avro': () => decodingByAvsc(),
  'loop-avro-ours': () => decoding('avro'),
  'loop-json': () => encoding('array'),
  'loop-ndjson': () => encoding('ndjson'),
}

await measurePasses<LoopJob>(({ loop }) => LOOPS[loop]())

/** The body that the upload of the same name sends. */
async function decoding(kind: BodyKind): Promise<Passes> {
  const { contentType, chunks, bytes } = await body(kind)
  const layout = batchLayout(contentType, DEFAULT_PROPERTIES.format)
  return {
    pass() {
      const decoder = decoderFor(layout, LIMITS)
      let count = 0
      const emit = (slices: { count: number }) => {
        count += slices.count
      }
      for (const chunk of chunks) {
        let more = decoder.decode(chunk, emit)
        while (more) more = decoder.decodeMore(emit)
      }
      decoder.end(emit)
      return expecting(ROWS, count, bytes)
    },
  }
}

async function body(kind: BodyKind) {
  const upload = await uploadBody(kind)
  const whole = Buffer.concat([...piecesOf(upload, ROWS)])
  return { contentType: upload.contentType, chunks: chunksOf(whole), bytes: whole.length }
}

/** Its stream hands out one Buffer per datum. The checksum of snappy is not verified, as in the example of its docs. */
async function decodingByAvsc(): Promise<Passes> {
  const { chunks, bytes } = await body('avro')
  const codecs = {
    snappy: (data: Buffer, done: (error: null, data: Buffer) => void) =>
      done(null, uncompressSync(data.subarray(0, -4)) as Buffer),
  }
  return {
    async pass() {
      const decoder = new avro.streams.BlockDecoder({ noDecode: true, codecs })
      let count = 0
      decoder.on('data', () => count++)
      for (const chunk of chunks) if (!decoder.write(chunk)) await once(decoder, 'drain')
      const ended = once(decoder, 'end')
      decoder.end()
      await ended
      return expecting(ROWS, count, bytes)
    },
  }
}

async function encoding(layout: 'array' | 'ndjson'): Promise<Passes> {
  const blocks = await storedBlocks()
  return {
    async pass() {
      const bytes = await encode(blocks, layout)
      // No body needs an escape, so every event takes at least itself.
      if (bytes < READ_EVENTS * EVENT_BYTES) throw new Error(`${bytes} bytes of JSON are too few`)
      return { events: READ_EVENTS, bytes }
    },
  }
}

/** The one call of the encoder of the service; its pieces are dropped. Answers the bytes of the JSON. */
async function encode(blocks: readonly StoredBlock[], layout: 'array' | 'ndjson'): Promise<number> {
  let bytes = 0
  for await (const piece of eventJson(decoded(blocks), { encoding: 'escaped', layout })) bytes += piece.length
  return bytes
}

interface StoredBlock {
  readonly key: Buffer
  readonly value: Buffer
  readonly firstSequence: number
}

async function* decoded(blocks: readonly StoredBlock[]): AsyncGenerator<EventBlock, void, undefined> {
  for (const { key, value, firstSequence } of blocks)
    yield decodeBlock(key, value, TIMESTAMP_MS, firstSequence)
}

/** As an upload of text leaves them on disk. */
async function storedBlocks(): Promise<StoredBlock[]> {
  const builder = new BlockBuilder()
  const headers = encodeHeaders([])
  const decoder = decoderFor({ kind: 'lines', mayBeUtf16: true }, LIMITS)
  for (const piece of piecesOf(await uploadBody('text'), READ_EVENTS)) {
    decoder.decode(piece, (slices) => builder.addSlices(slices, headers))
  }
  decoder.end((slices) => builder.addSlices(slices, headers))
  let firstSequence = 0
  return builder.take(true).map(({ bytes, count }) => {
    const key = blockKey(LOG, TIMESTAMP_MS, firstSequence)
    const stored = { key, value: sealBlock(key, Buffer.from(bytes)), firstSequence }
    firstSequence += count
    return stored
  })
}

function chunksOf(body: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(body.length / CHUNK_BYTES) }, (_, i) =>
    body.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  )
}

/** A loop that finds another number of events measures something else. */
function expecting(events: number, found: number, bytes: number): PassCounts {
  if (found !== events) throw new Error(`found ${found} events of ${events}`)
  return { events, bytes }
}
