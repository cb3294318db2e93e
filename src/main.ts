/**
 * Puts the house together: config -> storage -> services -> app -> listen. `close` undoes it in the reverse order.
 * The only file that knows every room.
 */
import { statfs } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { openStorage, type Storage } from '../storage/level/open.ts'
import { probeDisk } from '../storage/level/probe.ts'
import { StorageError } from '../storage/storage-error.ts'
import type { Config } from './config.ts'
import { DiskSpace } from './disk-space.ts'
import { createApp } from './http/app.ts'
import { directPosts } from './http/direct-posts.ts'
import { answerUnreadable, listen, newServer, stopServing, tryAddress } from './http/server.ts'
import { Janitor } from './janitor/janitor.ts'
import { scheduleJanitor } from './janitor/schedule.ts'
import { Namespaces } from './streams/namespaces.ts'
import { Registry } from './streams/registry.ts'
import { Streams } from './streams/streams.ts'
import { UsageRegistry } from './streams/usage.ts'
import { type House, Supervisor } from './supervisor.ts'

/** What the outside world gives: handed in, so that a test can be exact. */
export interface Surroundings {
  readonly nowMs: () => number
  readonly random: () => number
  /** Told of failures that are the server's own; one call, one line of the log. */
  readonly report: (error: unknown) => void
  /** Opens the store; the data folder of the config unless a test says otherwise. */
  readonly openStorage?: (nowMs: () => number) => Promise<Storage>
  /** How much room the disk has; that of the data folder unless a test says otherwise. */
  readonly statfs?: () => Promise<{ readonly bavail: number; readonly bsize: number }>
}

export interface RunningService {
  readonly host: string
  readonly port: number
  /** For tests: does the janitor's work now. */
  readonly janitor: Janitor
  /** Stops accepting, finishes what was accepted within `graceMs`, closes the store. */
  close(graceMs: number): Promise<void>
}

/** Rejects with StorageError if the data folder cannot be opened, with node's error if the port cannot. */
export async function startService(config: Config, surroundings: Surroundings): Promise<RunningService> {
  const { report } = surroundings
  await tryAddress(config)
  const space = new DiskSpace({
    minFreeBytes: config.minFreeDiskBytes,
    statfs: surroundings.statfs ?? (() => statfs(config.dataFolder)),
    report,
  })
  const outliving: Outliving = {
    space,
    usage: new UsageRegistry(),
    writeRefusal: () => supervisor.failure() ?? space.failure(),
  }
  const open = () => openHouse(config, surroundings, outliving)
  const supervisor = new Supervisor(await open(), {
    open,
    async ready() {
      if (space.low) throw space.refusal()
      if (surroundings.openStorage === undefined) await probeDisk(config.dataFolder)
    },
    report,
  })
  try {
    await space.watch()
    const server = newServer((incoming, outgoing) => supervisor.house.listener(incoming, outgoing))
    await listen(server, config)
    const { address, port } = server.address() as AddressInfo
    return {
      host: address,
      port,
      get janitor() {
        return supervisor.house.janitor
      },
      async close(graceMs) {
        await stopServing(server, graceMs)
        space.stop()
        await supervisor.stop()
      },
    }
  } catch (error) {
    space.stop()
    await supervisor.stop()
    throw error
  }
}

/** What stays when the store is opened anew. */
interface Outliving {
  readonly space: DiskSpace
  readonly usage: UsageRegistry
  /** Why writes are refused, if they are. */
  readonly writeRefusal: () => Error | undefined
}

interface FurnishedHouse extends House {
  readonly janitor: Janitor
}

/** Everything behind the door: opened when the service starts, and again when its store has failed. */
async function openHouse(
  config: Config,
  surroundings: Surroundings,
  { space, usage, writeRefusal }: Outliving,
): Promise<FurnishedHouse> {
  const { nowMs, random } = surroundings
  let asyncLost = 0
  let closing = false
  // What is still read when the store closes, by clients who may have gone, finds it closed: no failure of anybody.
  const report = (error: unknown) => {
    if (!(closing && error instanceof StorageError && error.code === 'closed')) surroundings.report(error)
  }
  const open =
    surroundings.openStorage ?? ((clock) => openStorage(config.dataFolder, { nowMs: clock, sync: true }))
  const storage = await open(nowMs)
  try {
    const registry = await Registry.load(storage.catalog)
    const streams = new Streams(storage.log, registry, {
      nowMs,
      asyncQueueBytesMax: config.asyncQueueBytesMax,
      onAsyncLost(_, error) {
        asyncLost++
        surroundings.report(error)
      },
      space,
    })
    const { eventBytesMax } = config
    const app = createApp(
      {
        streams,
        namespaces: new Namespaces(registry, config.unrecoverableReset),
        usage,
        storeFailure: writeRefusal,
      },
      { eventBytesMax, nowMs, report },
    )
    const listener = getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], {
      hostname: config.host, // for requests that name none, as HTTP/1.0 may
      errorHandler: answerUnreadable,
    })
    const janitor = new Janitor(storage.log, registry, nowMs, report, space)
    const schedule = scheduleJanitor(janitor, config.janitorIntervalMs, random, report)
    return {
      listener: directPosts(streams, { eventBytesMax, report }, listener),
      janitor,
      failure: () => storage.log.failure(),
      async close() {
        await schedule.stop()
        closing = true
        await storage.close()
        if (asyncLost > 0)
          surroundings.report(`events that were answered 202 and could not be written: ${asyncLost}`)
        asyncLost = 0
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}
