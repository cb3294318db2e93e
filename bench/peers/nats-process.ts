/** The process of a load on NATS JetStream: a message per event, each acknowledged. */
import { connect } from 'nats'
import { type ClientJob, sendFor } from './client-load.ts'
import { runJob } from './load-job.ts'
import { SUBJECT } from './nats.ts'

await runJob<ClientJob>(async ({ port, connections, seconds }) => {
  const clients = await Promise.all(
    Array.from({ length: connections }, async () => (await connect({ port })).jetstream()),
  )
  const encoder = new TextEncoder()
  return sendFor(
    seconds,
    clients.map((client) => (event: string) => client.publish(SUBJECT, encoder.encode(event))),
  )
})
