/** Load for peers with a protocol of their own: as little of it as it takes to send one event and know the answer. */
import { runLoadProcess } from './load-process.ts'
import type { LoadResult } from './load-result.ts'
import { CONNECTIONS, type LoadOrder } from './peer.ts'

export interface SocketJob {
  readonly protocol: 'redis' | 'nats'
  readonly port: number
  readonly connections: number
  readonly seconds: number
}

/** What a protocol tells about the bytes that came so far. */
export interface Reply {
  /** How many of them it takes. */
  readonly length: number
  /** Undefined if this does not answer a request. */
  readonly answer?: { readonly failure?: string }
  /** To be sent back at once. */
  readonly response?: string
}

export interface Protocol {
  /** Sent once a connection is there. */
  readonly greeting?: string
  /** The bytes that add this event. */
  request(event: string): Buffer
  /** The first reply, or undefined if it is not whole yet. */
  read(bytes: Buffer): Reply | undefined
}

export function socketLoad(protocol: SocketJob['protocol'], order: LoadOrder): Promise<LoadResult> {
  const { port, seconds, round } = order
  const job: SocketJob = { protocol, port, connections: CONNECTIONS, seconds }
  return runLoadProcess('socket-process', job, round.pinLoad)
}
