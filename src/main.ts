/**
 * Puts the house together: config -> storage -> services -> app -> listen. `close` undoes it in the reverse order.
 * The only file that knows every room.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, Server as NetServer } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { openStorage, type Storage } from '../storage/level/open.ts'
import type { Config } from './config.ts'
import { createApp } from './http/app.ts'
import { Janitor } from './janitor/janitor.ts'
import { scheduleJanitor } from './janitor/schedule.ts'
import { Namespaces } from './streams/namespaces.ts'
import { Registry } from './streams/registry.ts'
import { Streams } from './streams/streams.ts'
import { UsageRegistry } from './streams/usage.ts'

/** What the outside world gives: handed in, so that a test can be exact. */
export interface Surroundings {
  readonly nowMs: () => number
  readonly random: () => number
  /** Told of failures that are the server's own; one call, one line of the log. */
  readonly report: (error: unknown) => void
  /** Opens the store; the data folder of the config unless a test says otherwise. */
  readonly openStorage?: (nowMs: () => number) => Promise<Storage>
}

export interface RunningService {
  readonly host: string
  readonly port: number
  /** For tests: does the janitor's work now. */
  readonly janitor: Janitor
  /** Stops accepting, finishes what was accepted within `graceMs`, closes the store. */
  close(graceMs: number): Promise<void>
}

/** Clients keep connections in pools for about a minute: we must not be the one who closes first. */
const KEEP_ALIVE_MS = 75_000
/** A connection that moves no byte for so long is given up; an upload may otherwise take as long as it takes. */
const IDLE_MS = 300_000
/** While stopping: how often connections without a request are closed. A busy client sends its next one before that. */
const IDLE_LOOK_MS = 200

/** Rejects with StorageError if the data folder cannot be opened, with node's error if the port cannot. */
export async function startService(config: Config, surroundings: Surroundings): Promise<RunningService> {
  const { nowMs, random, report } = surroundings
  const open =
    surroundings.openStorage ?? ((clock) => openStorage(config.dataFolder, { nowMs: clock, sync: true }))
  await tryAddress(config)
  const storage = await open(nowMs)
  try {
    const registry = await Registry.load(storage.catalog)
    const streams = new Streams(storage.log, registry, {
      nowMs,
      asyncQueueBytesMax: config.asyncQueueBytesMax,
      onAsyncLost: (_, error) => report(error),
    })
    const app = createApp(
      {
        streams,
        namespaces: new Namespaces(registry, config.unrecoverableReset),
        usage: new UsageRegistry(),
        storeFailure: () => storage.log.failure(),
      },
      { eventBytesMax: config.eventBytesMax, nowMs, report },
    )
    const listener = getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], {
      hostname: config.host, // for requests that name none, as HTTP/1.0 may
      errorHandler: answerUnreadable,
    })
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, inTurn(listener))
    server.timeout = IDLE_MS
    await listen(server, config)
    const janitor = new Janitor(storage.log, registry, nowMs)
    const schedule = scheduleJanitor(janitor, config.janitorIntervalMs, random, report)
    const { address, port } = server.address() as AddressInfo
    return {
      host: address,
      port,
      janitor,
      async close(graceMs) {
        await stopServing(server, graceMs)
        await schedule.stop()
        await storage.close()
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/**
 * Requests that a client pipelines on one connection are handled one after the other: its events stay in order, and a
 * read behind a write sees it. Node hands them out at once; the answer of one whose turn has not come has no socket yet.
 */
function inTurn(listener: RequestListener): RequestListener {
  return (incoming, outgoing) => {
    if (outgoing.socket !== null) listener(incoming, outgoing)
    else outgoing.once('socket', () => listener(incoming, outgoing))
  }
}

/** Everything that reaches a route is answered by the app; this is for what has no path to route by. */
function answerUnreadable(error: unknown): Response {
  const reason = error instanceof Error ? error.message : String(error)
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' }
  return new Response(`the request cannot be read: ${reason}`, { status: 400, headers })
}

/** An address that cannot be had is told before anything is done to the data folder. */
async function tryAddress(config: Config): Promise<void> {
  const server = new NetServer()
  await listen(server, config)
  await new Promise((resolve) => server.close(resolve))
}

function listen(server: NetServer, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/**
 * Connections close after their next answer, or when they have none to wait for, all of them when the grace has passed.
 * The `close` of node's HTTP server would cut those between two requests, the second of which may be on its way.
 */
async function stopServing(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()))
  server.prependListener('request', (_, response) => {
    response.shouldKeepAlive = false
  })
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS)
  const deadline = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearInterval(idle)
  clearTimeout(deadline)
}
