/** One GET of events, counted as it arrives and kept nowhere. */
import { Agent, get, type IncomingMessage } from 'node:http'
import { EventCounter } from './event-counter.ts'

export interface EventsRead {
  readonly status: number
  readonly events: number
  readonly bytes: number
}

const agent = new Agent({ keepAlive: true })

/** Rejects if the answer breaks off. */
export async function readEvents(url: string, accept: string): Promise<EventsRead> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers: { accept }, agent }, resolve).once('error', reject)
  })
  const counter = new EventCounter()
  let bytes = 0
  answer.on('data', (piece: Buffer) => {
    counter.add(piece)
    bytes += piece.length
  })
  await new Promise<void>((resolve, reject) => {
    answer.once('end', resolve)
    answer.once('error', reject)
  })
  return { status: answer.statusCode!, events: counter.count, bytes }
}
