/** The stream that workloads write to and read from. */
import { readEvents } from '../load/read-events.ts'
import type { ServerProcess } from '../server-process.ts'

export const NDJSON = 'application/x-ndjson'

export function streamUrl(server: ServerProcess): string {
  return `${server.base}/v3/namespaces/default/streams/bench`
}

export function eventsUrl(server: ServerProcess): string {
  return `${streamUrl(server)}/events`
}

export async function createStream(server: ServerProcess): Promise<void> {
  const answer = await fetch(streamUrl(server), { method: 'PUT' })
  if (!answer.ok) throw new Error(`the stream could not be created: ${answer.status} ${await answer.text()}`)
}

/** Reads all of it. */
export async function countStored(server: ServerProcess): Promise<number> {
  const { status, events } = await readEvents(eventsUrl(server), NDJSON)
  if (status !== 200 && status !== 204) throw new Error(`reading the stream back was answered ${status}`)
  return events
}
