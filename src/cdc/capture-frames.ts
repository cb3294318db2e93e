/**
 * Messages of the capture process as frames of its pipe. All of them go that way, so that they stay in their order.
 *
 *   raw := bounds of each events (u32) | bytes of each events
 */
import type { Divided } from '../worker/frame-pipe.ts'
import type { TableName } from './captured-table.ts'
import type { CapturedEvents, CaptureWrite, FromCapture } from './worker/capture-protocol.ts'

const BOUND_BYTES = 4

interface EventsHead {
  readonly table: TableName
  readonly bounds: number
  readonly bytes: number
}

interface WriteHead {
  readonly kind: 'write'
  readonly requested: number
  readonly write: Omit<CaptureWrite, 'events'>
  readonly events: readonly EventsHead[]
}

/** `sent` is called when the bytes of the events may be used again. */
export function divided(message: FromCapture, sent: (events: readonly CapturedEvents[]) => void): Divided {
  if (message.kind !== 'request') return { head: message, raw: [], sent: () => {} }
  const { events, ...write } = message.args[0] as CaptureWrite
  const head: WriteHead = {
    kind: 'write',
    requested: message.requested,
    write,
    events: events.map(({ table, bounds, bytes }) => ({
      table,
      bounds: bounds.length,
      bytes: bytes.length,
    })),
  }
  const raw = [...events.map(({ bounds }) => bytesOf(bounds)), ...events.map(({ bytes }) => bytes)]
  return { head, raw, sent: () => sent(events) }
}

/** `raw` is used until `release` is called, which is when the request is answered. */
export function joined(head: unknown, raw: Buffer, release: () => void): FromCapture {
  const { kind } = head as FromCapture | WriteHead
  if (kind !== 'write') {
    release()
    return head as FromCapture
  }
  const { requested, write, events } = head as WriteHead
  let boundsAt = 0
  let bytesAt = events.reduce((sum, { bounds }) => sum + bounds * BOUND_BYTES, 0)
  const joinedEvents = events.map(({ table, bounds, bytes }): CapturedEvents => {
    const one = {
      table,
      bounds: new Uint32Array(raw.buffer, raw.byteOffset + boundsAt, bounds),
      bytes: raw.subarray(bytesAt, bytesAt + bytes),
    }
    boundsAt += bounds * BOUND_BYTES
    bytesAt += bytes
    return one
  })
  return { kind: 'request', requested, method: 'write', args: [{ ...write, events: joinedEvents }], release }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
