/** An Avro container file for the loops: records of about 100 bytes, as a service logs them, blocks compressed by snappy. */
import { crc32 } from 'node:zlib'
import avro from 'avsc'
import { compressSync } from 'snappy'
import { randomText } from './probe-lines.ts'

/** A union, an enum and fields of changing length: what a reader has to step over in real data. */
const SCHEMA: avro.Schema = {
  type: 'record',
  name: 'Request',
  fields: [
    { name: 'time', type: 'long' },
    { name: 'host', type: 'string' },
    { name: 'level', type: { type: 'enum', name: 'Level', symbols: ['DEBUG', 'INFO', 'WARN', 'ERROR'] } },
    { name: 'user', type: ['null', 'string'] },
    { name: 'milliseconds', type: 'double' },
    { name: 'message', type: 'string' },
  ],
}
/** As much as writers put into a block by default: avsc and Java between 16 and 64 KiB. */
const BLOCK_BYTES = 64 * 1024
const MESSAGE_BYTES = 68

type Done = (error: null, data: Buffer) => void

export async function avroFile(records: number): Promise<Buffer> {
  const encoder = new avro.streams.BlockEncoder(avro.Type.forSchema(SCHEMA), {
    codec: 'snappy',
    codecs: { snappy: compress },
    blockSize: BLOCK_BYTES,
  })
  const pieces: Buffer[] = []
  const ended = new Promise((resolve, reject) => {
    encoder.on('data', (piece: Buffer) => pieces.push(piece))
    encoder.once('end', resolve)
    encoder.once('error', reject)
  })
  for (let i = 0; i < records; i++) encoder.write(recordOf(i))
  encoder.end()
  await ended
  return Buffer.concat(pieces)
}

function recordOf(i: number): object {
  return {
    time: 1_700_000_000_000 + i,
    host: `web-${i % 40}`,
    level: i % 50 === 0 ? 'WARN' : 'INFO',
    user: i % 3 === 0 ? null : `user${i % 5000}`,
    milliseconds: i / 7,
    message: randomText(MESSAGE_BYTES),
  }
}

/** Avro's framing of snappy: a CRC-32 of the plain bytes follows. */
function compress(data: Buffer, done: Done): void {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(data))
  done(null, Buffer.concat([compressSync(data), checksum]))
}
