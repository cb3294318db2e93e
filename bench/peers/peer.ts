/**
 * A peer: another store that takes events over a network and acknowledges each. All are driven alike: one event of 100
 * random printable bytes per request, 64 connections, each of which waits for its answer before it sends the next.
 */
import { join } from 'node:path'
import { EVENT_BYTES, randomText } from '../events/random-text.ts'
import type { LoadResult } from '../load/jobs.ts'
import type { Case, Round, Sample } from '../sample.ts'
import { freePort } from './free-port.ts'
import { STOP_MS_MAX, startPeer } from './peer-process.ts'

export const CONNECTIONS = 64
/** Made before a load begins, and sent in turn. */
const POOL_EVENTS = 256

export interface Peer extends Case {
  /** Whether an answer means that the event survives a power cut; README.md says how we know. */
  readonly fsync: Fsync
}

export type Fsync = 'before every answer' | 'never before an answer'

/** Port and folder of a peer. */
export interface Place {
  readonly port: number
  /** Empty, for its data. */
  readonly folder: string
}

export interface LoadOrder {
  readonly port: number
  readonly seconds: number
  readonly round: Round
}

export interface PeerDefinition {
  readonly name: string
  readonly about: string
  readonly fsync: Fsync
  unavailable(): Promise<string | undefined>
  /** Writes the configuration of the peer; returns its command. */
  command(place: Place): Promise<readonly string[]> | readonly string[]
  /** Creates the stream for the events, once the peer listens. */
  prepare?(port: number): Promise<void>
  load(order: LoadOrder): Promise<PeerLoad>
}

/** Of one load: an answer is one event. */
export type PeerLoad = Omit<LoadResult, 'events' | 'bytes' | 'acknowledged'>

export function peer({ name, about, fsync, unavailable, ...ways }: PeerDefinition): Peer {
  return { name, about, fsync, unavailable, run: (round) => measure(ways, round) }
}

type Ways = Pick<PeerDefinition, 'command' | 'prepare' | 'load'>

async function measure({ command, prepare, load }: Ways, round: Round): Promise<Sample> {
  const place: Place = { port: await freePort(), folder: join(round.folder, 'peer') }
  const server = await startPeer(place, round.pinServer, command)
  try {
    return await server.whileRunning(sampleOf())
  } finally {
    await server.stop(STOP_MS_MAX)
  }

  async function sampleOf(): Promise<Sample> {
    const order = { port: place.port, round }
    await prepare?.(place.port)
    const warmup =
      round.warmupSeconds > 0 ? await load({ ...order, seconds: round.warmupSeconds }) : undefined
    const before = server.usage()
    const { failures, busy, ...measured } = await load({ ...order, seconds: round.seconds })
    const after = server.usage()
    return {
      ...measured,
      loadBusy: busy,
      events: measured.answers,
      bytes: measured.answers * EVENT_BYTES,
      failures: sumOf(warmup?.failures ?? {}, failures),
      ...(before !== undefined &&
        after !== undefined && {
          cpuSeconds: after.cpuSeconds - before.cpuSeconds,
          rssPeakBytes: after.rssPeakBytes,
        }),
    }
  }
}

type Failures = PeerLoad['failures']

function sumOf(a: Failures, b: Failures): Failures {
  const sum: Record<string, number> = { ...a }
  for (const [reason, count] of Object.entries(b)) sum[reason] = (sum[reason] ?? 0) + count
  return sum
}

/** Random, so that no peer's compression makes them smaller; base64, so that no protocol has to escape them. */
export function eventPool(): string[] {
  return Array.from({ length: POOL_EVENTS }, () => randomText(EVENT_BYTES))
}
