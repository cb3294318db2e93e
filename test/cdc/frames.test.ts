/** Messages of the capture process as frames of its pipe. */
import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { divided, joined } from '../../src/cdc/capture-frames.ts'
import type { CapturedEvents, FromCapture } from '../../src/cdc/worker/capture-protocol.ts'
import { FrameReader, writeFrame } from '../../src/worker/frame-pipe.ts'
import { eventsOf } from '../support/scripted-capture.ts'

const COMMIT = {
  ...{ lsn: '39249568', txId: undefined, timestampMs: 1, progress: { tables: {} } },
  snapshotting: [{ schema: 'public', table: 'é' }],
}
const MESSAGES: readonly FromCapture[] = [
  { kind: 'report', connectionId: 1, report: { kind: 'state', state: 'running' } },
  write(1, [eventsOf('public.a', 'one', '', 'ü'), eventsOf('public.b')]),
  write(2, [], COMMIT),
  write(3, [eventsOf('public.a', 'x'.repeat(3_000_000))], COMMIT),
  { kind: 'answer', call: 7, value: null },
  write(4, [eventsOf('public.a', 'y'.repeat(70_000), 'z')], COMMIT),
]

function write(requested: number, events: readonly CapturedEvents[], commit?: typeof COMMIT): FromCapture {
  const args = [{ connectionId: 1, write: requested, events, ...(commit && { commit }) }]
  return { kind: 'request', requested, method: 'write', args }
}

function plain(message: FromCapture): unknown {
  if (message.kind !== 'request') return message
  const { events, ...rest } = message.args[0] as { readonly events: readonly CapturedEvents[] }
  return {
    requested: message.requested,
    ...JSON.parse(JSON.stringify(rest)),
    events: events.map(({ table, bytes, bounds }) => [table, Buffer.from(bytes).toString(), [...bounds]]),
  }
}

test.each([1, 3, 8, 4_093, 65_536, 10_000_000])(
  'arrive in their order in pieces of %i bytes',
  async (size) => {
    const written: Buffer[] = []
    const pipe = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(Buffer.from(chunk))
        done()
      },
    })
    const sent: (readonly CapturedEvents[])[] = []
    const messages = size < 8 ? MESSAGES.filter((_, i) => i !== 3) : MESSAGES
    for (const message of messages)
      writeFrame(
        pipe,
        divided(message, (events) => sent.push(events)),
      )
    await new Promise<void>((resolve) => pipe.end(resolve))
    const all = Buffer.concat(written)
    const arrived: unknown[] = []
    const kept: (() => void)[] = []
    const reader = new FrameReader((head, raw, release) => {
      const message = joined(head, raw, release)
      arrived.push(plain(message))
      if (message.kind === 'request') kept.push(message.release!)
      if (kept.length === 2) kept.shift()!()
    })
    for (let at = 0; at < all.length; at += size) reader.take(all.subarray(at, at + size))
    expect(arrived).toEqual(messages.map(plain))
    expect(sent.length).toBe(messages.filter(({ kind }) => kind === 'request').length)
  },
)
