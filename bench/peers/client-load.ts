/** Load for peers with a protocol of their own, by the client that npm has for it: one process, one client per connection. */
import { EVENT_BYTES } from '../events/random-text.ts'
import { Meter } from '../load/meter.ts'
import { runLoadProcess } from './load-process.ts'
import { CONNECTIONS, eventPool, type LoadOrder, type PeerLoad } from './peer.ts'

export interface ClientJob {
  readonly port: number
  readonly connections: number
  readonly seconds: number
}

/** `entry` is the compiled file beside this one. */
export function clientLoad(
  entry: 'nats-process' | 'redis-process',
  { port, seconds, round }: LoadOrder,
): Promise<PeerLoad> {
  const job: ClientJob = { port, connections: CONNECTIONS, seconds }
  return runLoadProcess(entry, job, round.pinLoad)
}

/** Resolves when the event is acknowledged. */
export type Send = (event: string) => Promise<unknown>

/** Each connection sends its next event when the last one was answered. */
export async function sendFor(seconds: number, connections: readonly Send[]): Promise<PeerLoad> {
  const events = eventPool()
  const meter = new Meter()
  for (const send of connections) void keepSending(send, events, meter)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  return meter.result()
}

/** Until the process ends. */
async function keepSending(send: Send, events: readonly string[], meter: Meter): Promise<never> {
  for (;;) {
    for (const event of events) {
      const sentMs = performance.now()
      try {
        await send(event)
        meter.answered(performance.now() - sentMs, 1, EVENT_BYTES)
      } catch (error) {
        meter.failed(error instanceof Error ? error.message : String(error))
        await new Promise((resolve) => setImmediate(resolve)) // a client that fails at once must not block the process
      }
    }
  }
}
