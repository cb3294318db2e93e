/**
 * Probe: the least that any durable service could do. Bare node:http takes the body of a POST; all bodies that wait become
 * one value under one key, in one LevelDB write with fsync, one write at a time; then they are answered 200.
 *
 * node durable.js FOLDER
 */
import { Level } from 'level'
import { serveBodies } from './serve-bodies.ts'

/** As storage/level/open.ts opens it. */
const OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  writeBufferSize: 2 * 1024 * 1024,
  cacheSize: 8 * 1024 * 1024,
  maxOpenFiles: 74,
} as const

interface Waiting {
  readonly body: Buffer
  readonly answer: () => void
}

const db = new Level<Buffer, Buffer>(process.argv[2]!, OPTIONS)
await db.open()

let waiting: Waiting[] = []
let writing = false
let groups = 0

serveBodies((body, answer) => {
  waiting.push({ body, answer })
  if (writing) return
  writing = true
  setImmediate(writeGroups) // requests that arrive until then share the write
})

async function writeGroups(): Promise<void> {
  while (waiting.length > 0) {
    const group = waiting
    waiting = []
    const key = Buffer.allocUnsafe(8)
    key.writeBigUInt64BE(BigInt(groups++))
    await db
      .batch()
      .put(key, Buffer.concat(group.map(({ body }) => body)))
      .write({ sync: true })
    for (const { answer } of group) answer()
  }
  writing = false
}
