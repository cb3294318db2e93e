/** Messages arrive through a pipe as they were sent, however the system divides them into chunks. */
import { spawn } from 'node:child_process'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type EventMessage, MessageReader, writeMessage } from '../../src/worker/event-pipe.ts'

const block = fc
  .record({
    request: fc.nat(9),
    firstSequence: fc.nat(),
    bodies: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
    headers: fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 2 }),
  })
  .map(({ request, firstSequence, bodies, headers }): EventMessage => {
    const ends = Uint32Array.from(bodies, (_, i) =>
      bodies.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0),
    )
    const starts = Uint32Array.from(ends, (end, i) => end - bodies[i]!.length)
    const runs = [{ begin: 0, end: bodies.length, timestampMs: 1_700_000_000_000, headers }]
    const bytes = new Uint8Array(Buffer.concat(bodies))
    return { kind: 'block', request, block: { firstSequence, bytes, starts, ends, runs } }
  })
const others = fc.constantFrom<EventMessage>(
  { kind: 'logs', request: 1, logs: [7, null] },
  { kind: 'read-started', request: 2, log: 3, startMs: Number.MAX_SAFE_INTEGER },
  { kind: 'read-ended', request: 2, failure: undefined },
  { kind: 'read-ended', request: 2, failure: { sqlState: '22000', message: 'é' } },
)

test('every message is read as it was written, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(block, others), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 9 }),
      async (messages, cuts) => {
        const pipe = new PassThrough({ highWaterMark: 1 << 20 })
        const chunks: Buffer[] = []
        pipe.on('data', (chunk: Buffer) => chunks.push(chunk))
        for (const message of messages) await writeMessage(pipe, message)
        const all = Buffer.concat(chunks)
        const pieces: Buffer[] = []
        for (let at = 0, i = 0; at < all.length; i++) {
          pieces.push(all.subarray(at, at + cuts[i % cuts.length]!))
          at += pieces.at(-1)!.length
        }
        const read: EventMessage[] = []
        const reader = new MessageReader((message) => read.push(message))
        for (const piece of pieces) reader.take(piece)
        expect(read.map(plain)).toEqual(messages.map(plain))
      },
    ),
    { numRuns: 200 },
  )
})

test('a message resolves when its reader ends before it has read it', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.stdin.on('error', () => {})
  const bytes = new Uint8Array(10_000_000)
  const [starts, ends] = [Uint32Array.of(0), Uint32Array.of(bytes.length)]
  const large = {
    kind: 'block',
    request: 1,
    block: { firstSequence: 0, bytes, starts, ends, runs: [] },
  } as const
  let isSent = false
  const sent = writeMessage(child.stdin, large).then(() => {
    isSent = true
  })
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(isSent).toBe(false)
  child.kill('SIGKILL')
  await sent
  await writeMessage(child.stdin, large)
})

function plain(message: EventMessage): unknown {
  if (message.kind !== 'block') return JSON.parse(JSON.stringify(message))
  const { bytes, starts, ends, ...block } = message.block
  return { ...message, block: { ...block, bytes: [...bytes], starts: [...starts], ends: [...ends] } }
}
