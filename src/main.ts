/**
 * Puts the house together: config -> storage -> services -> app -> listen. `close` undoes it in the reverse order.
 * The only file that knows every room.
 */
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { openStorage, type Storage } from '../storage/level/open.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { Config } from './config.ts'
import { securityHeaders } from './http/answer-class.ts'
import { createApp } from './http/app.ts'
import { directPosts } from './http/direct-posts.ts'
import { Gate } from './http/gate.ts'
import { Load } from './http/load.ts'
import { answerUnreadable, listen, newServer, stopServing, tryAddress } from './http/server.ts'
import { SlowClients } from './http/slow-clients.ts'
import { readIdentity } from './http/tls.ts'
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
  /** Reads again what may change while it runs: certificate and key. Throws if they cannot be used, and keeps the old. */
  reload(): void
  /** Stops accepting, finishes what was accepted within `graceMs`, closes the store. */
  close(graceMs: number): Promise<void>
}

/**
 * Rejects with TlsError if certificate and key cannot be used, with node's error if the port cannot, with StorageError
 * if the data folder cannot be opened.
 */
export async function startService(config: Config, surroundings: Surroundings): Promise<RunningService> {
  const { nowMs, random } = surroundings
  let stopping = false
  // What is still read for clients who have gone when the service stops finds the store closed: no failure of anybody.
  const report = (error: unknown) => {
    if (!(stopping && error instanceof StorageError && error.code === 'closed')) surroundings.report(error)
  }
  const open =
    surroundings.openStorage ?? ((clock) => openStorage(config.dataFolder, { nowMs: clock, sync: true }))
  if (config.tls !== undefined) readIdentity(config.tls)
  await tryAddress(config)
  const storage = await open(nowMs)
  try {
    const registry = await Registry.load(storage.catalog)
    const streams = new Streams(storage.log, registry, {
      nowMs,
      asyncQueueBytesMax: config.asyncQueueBytesMax,
      onAsyncLost: (_, error) => surroundings.report(error),
    })
    const { eventBytesMax, limits } = config
    const load = new Load(limits)
    const slowClients = new SlowClients(limits, securityHeaders(config.tls !== undefined))
    const options = { eventBytesMax, limits, load, slowClients, nowMs, report }
    const app = createApp(
      {
        streams,
        namespaces: new Namespaces(registry, config.unrecoverableReset),
        usage: new UsageRegistry(),
        storeFailure: () => storage.log.failure(),
      },
      options,
    )
    const listener = getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], {
      hostname: config.host, // for requests that name none, as HTTP/1.0 may
      errorHandler: answerUnreadable,
    })
    const gate = new Gate(load, limits)
    const http = newServer(directPosts(streams, options, listener), { ...config, gate })
    await listen(http.server, config)
    const janitor = new Janitor(storage.log, registry, nowMs, report)
    const schedule = scheduleJanitor(janitor, config.janitorIntervalMs, random, report)
    const { address, port } = http.server.address() as AddressInfo
    return {
      host: address,
      port,
      janitor,
      reload: http.reloadTls,
      async close(graceMs) {
        await stopServing(http, graceMs)
        await schedule.stop()
        stopping = true
        await storage.close()
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}
