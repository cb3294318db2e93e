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
import { eventJson } from '../../src/http/event-json.ts'
import { BlockBuilder } from '../../storage/level/block-builder.ts'
import { decodeBlock, sealBlock } from '../../storage/level/block-codec.ts'
import { encodeHeaders } from '../../storage/level/header-codec.ts'
import { blockKey } from '../../storage/level/keys.ts'
import type { EventBlock } from '../../storage/log.ts'
import type { LoopJob, LoopName } from './loops.ts'
import { avroFile } from './loops-avro-file.ts'
import { csvRows } from './loops-csv-rows.ts'
import { measurePasses, type PassCounts, type Passes } from './pass-process.ts'
import { EVENT_BYTES, LINE_BYTES, linePieces, linePool } from './probe-lines.ts'

/** Of one body; a million would not fit into any cache, and a socket's bytes come from one. */
const ROWS = 100_000
const READ_EVENTS = 1_000_000
const CHUNK_BYTES = 64 * 1024
const LIMITS = { eventBytesMax: 16 * 1024 * 1024 }
const LOG = 1
const TIMESTAMP_MS = 1_700_000_000_000

const LOOPS: Readonly<Record<LoopName, () => Promise<Passes> | Passes>> = {
  'loop-text': () =>
    decoding('text/plain', Buffer.concat([...linePieces(linePool(), ROWS, CHUNK_BYTES)]), ROWS),
  'loop-csv': () => decoding('text/csv', csvRows('plain', ROWS * LINE_BYTES), ROWS),
  'loop-csv-quotes': () => decoding('text/csv', csvRows('quoted', ROWS * LINE_BYTES), ROWS),
  'loop-avro': async () => decodingByAvsc(await avroFile(ROWS), ROWS),
  'loop-avro-ours': async () => decoding('avro/binary', await avroFile(ROWS), ROWS),
  'loop-json': () => encoding('array'),
  'loop-ndjson': () => encoding('ndjson'),
}

await measurePasses<LoopJob>(({ loop }) => LOOPS[loop]())

function decoding(contentType: string, body: Buffer, events: number): Passes {
  const chunks = chunksOf(body)
  return {
    pass() {
      const decoder = decoderFor(contentType, LIMITS)!
      let count = 0
      const emit = (slices: { count: number }) => {
        count += slices.count
      }
      for (const chunk of chunks) decoder.decode(chunk, emit)
      decoder.end(emit)
      return expecting(events, count, body.length)
    },
  }
}

/** Its stream hands out one Buffer per datum. The checksum of snappy is not verified, as in the example of its docs. */
function decodingByAvsc(file: Buffer, events: number): Passes {
  const chunks = chunksOf(file)
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
      return expecting(events, count, file.length)
    },
  }
}

function encoding(layout: 'array' | 'ndjson'): Passes {
  const blocks = storedBlocks()
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
function storedBlocks(): StoredBlock[] {
  const builder = new BlockBuilder()
  const headers = encodeHeaders([])
  const decoder = decoderFor('text/plain', LIMITS)!
  for (const piece of linePieces(linePool(), READ_EVENTS, CHUNK_BYTES)) {
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
