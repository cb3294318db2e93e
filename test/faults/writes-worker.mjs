/**
 * A process that makes writes over two logs and a document, with appends beside them, until it is killed. It prints the number
 * of each write that is acknowledged.
 */
import { openStorage } from '../../dist/storage/level/open.js'

const [folder, first] = process.argv.slice(2)
const WRITERS = 8
const storage = await openStorage(folder, { nowMs: Date.now, sync: true })
let next = Number(first)

const event = (text) => ({ headers: [], body: Buffer.from(text) })

async function write() {
  for (;;) {
    const n = next++
    const batch = n % 5 === 0 ? storage.log.stage(3) : undefined
    if (batch !== undefined) await batch.add(lines(n), [])
    const appends = [1, 2].map((log) => ({ log, events: [event(`${n}`)] }))
    const changes = [{ collection: 'writes', id: `${n}`, document: n }]
    const conditions = [{ collection: 'writes', id: `${n}`, version: undefined }]
    const { outcome } = await storage.write({ appends, changes, conditions, batches: batch ? [batch] : [] })
    if (outcome !== 'done') throw new Error(`write ${n} is a ${outcome}`)
    process.stdout.write(`${n}\n`)
    await storage.log.append(1, [event('alone')])
  }
}

/** Above 1 MiB, so that it is staged on disk. */
function lines(n) {
  const count = 1_500
  const bytes = Buffer.from(`${n} `.padEnd(1_000, '.').repeat(count))
  const starts = Uint32Array.from({ length: count }, (_, i) => i * 1_000)
  return { bytes, starts, ends: starts.map((start) => start + 999), count }
}

for (let i = 0; i < WRITERS; i++) void write()
