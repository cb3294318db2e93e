/** An Avro object container file of records of about 100 bytes, compressed with snappy, as avsc writes it. */
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import avsc from 'avsc'
import { compressSync } from 'snappy'
import { randomText } from './random-text.ts'

export const AVRO_SCHEMA = {
  type: 'record',
  name: 'Reading',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'time', type: 'long' },
    { name: 'device', type: 'string' },
    { name: 'value', type: 'double' },
    { name: 'note', type: ['null', 'string'] },
  ],
} as const

/** Given, so that the file can be taken apart after its head, whose end is the first of them. */
const SYNC_MARKER = Buffer.from('millrace-bench--', 'latin1')

export interface AvroParts {
  readonly head: Buffer
  /** Whole blocks: they may be repeated. */
  readonly blocks: Buffer
  /** Bytes of all data in the blocks, not compressed. */
  readonly eventBytes: number
}

export async function avroContainer(events: number): Promise<AvroParts> {
  const type = avsc.Type.forSchema(AVRO_SCHEMA as unknown as avsc.Schema)
  const encoder = new avsc.streams.BlockEncoder(
    type as unknown as avsc.Schema,
    {
      codec: 'snappy',
      codecs: { snappy: compressed },
      syncMarker: SYNC_MARKER,
    } as object,
  )
  let eventBytes = 0
  for (let at = 0; at < events; at++) {
    const reading = readingOf(at)
    eventBytes += type.toBuffer(reading).length
    encoder.write(reading)
  }
  encoder.end()
  const file = await buffer(encoder)
  const blocksAt = file.indexOf(SYNC_MARKER) + SYNC_MARKER.length
  return { head: file.subarray(0, blocksAt), blocks: file.subarray(blocksAt), eventBytes }
}

function readingOf(at: number) {
  return {
    id: 1_000_000 + at,
    time: 1_715_941_867_000 + at * 10,
    device: `device-${randomText(8)}`,
    value: Math.random() * 100,
    note: at % 8 === 0 ? null : randomText(72),
  }
}

/** What the specification asks of snappy: the CRC-32 of the data after it, big-endian. */
function compressed(data: Buffer, done: (error: Error | null, block: Buffer) => void): void {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(data))
  done(null, Buffer.concat([compressSync(data), checksum]))
}
