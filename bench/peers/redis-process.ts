/** The process of a load on Redis Streams: an XADD per event. */
import { Redis } from 'ioredis'
import { type ClientJob, sendFor } from './client-load.ts'
import { runJob } from './load-job.ts'

await runJob<ClientJob>(async ({ port, connections, seconds }) => {
  const clients = Array.from(
    { length: connections },
    () => new Redis({ port, host: '127.0.0.1', lazyConnect: true }),
  )
  await Promise.all(clients.map((client) => client.connect()))
  return sendFor(
    seconds,
    clients.map((client) => (event: string) => client.xadd('events', '*', 'e', event)),
  )
})
