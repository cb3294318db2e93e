/** The process of a load over sockets: every connection has one request under way at any time. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { Counter, runJob } from './load-job.ts'
import { natsProtocol } from './nats-protocol.ts'
import { eventPool } from './peer.ts'
import { redisProtocol } from './redis-protocol.ts'
import type { Protocol, SocketJob } from './socket-load.ts'

const PROTOCOLS: Readonly<Record<SocketJob['protocol'], (connection: number) => Protocol>> = {
  redis: () => redisProtocol,
  nats: natsProtocol,
}

await runJob<SocketJob>(async ({ protocol: name, port, connections, seconds }) => {
  const events = eventPool()
  const clients = await Promise.all(
    Array.from({ length: connections }, async (_, connection) => {
      const protocol = PROTOCOLS[name](connection)
      return { socket: await open(port, protocol), protocol, requests: events.map(protocol.request) }
    }),
  )
  const counter = new Counter()
  for (const client of clients) keepAsking(client, counter)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  return counter.result()
})

async function open(port: number, { greeting }: Protocol): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  if (greeting !== undefined) socket.write(greeting)
  return socket
}

interface Client {
  readonly socket: Socket
  readonly protocol: Protocol
  readonly requests: readonly Buffer[]
}

/** Sends one request after the other, each when the one before has been answered. */
function keepAsking({ socket, protocol, requests }: Client, counter: Counter): void {
  let next = 0
  let sentMs = 0
  let unread: Buffer | undefined
  const ask = () => {
    sentMs = performance.now()
    socket.write(requests[next++ % requests.length]!)
  }
  socket.on('data', (piece) => {
    let bytes = unread === undefined ? piece : Buffer.concat([unread, piece])
    for (let reply = protocol.read(bytes); reply !== undefined; reply = protocol.read(bytes)) {
      const { length, answer, response } = reply
      bytes = bytes.subarray(length)
      if (response !== undefined) socket.write(response)
      if (answer === undefined) continue
      if (answer.failure === undefined) counter.answered(performance.now() - sentMs)
      else counter.failed(answer.failure)
      ask()
    }
    unread = bytes.length > 0 ? bytes : undefined
  })
  socket.on('error', ({ message }) => counter.failed(message))
  socket.on('end', () => counter.failed('connection closed'))
  ask()
}
