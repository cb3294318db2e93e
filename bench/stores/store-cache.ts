/** Stored data folders that several cases need: each is filled when it is first asked for, once per run and build. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { endWithUs } from '../cleanup.ts'
import { readings } from '../events/sensor-readings.ts'
import { streamName, streamPath } from '../events/streams.ts'
import { benchProgram } from '../paths.ts'
import { type Build, commandOf } from '../processes/build.ts'
import { type WatchedProcess, withProcess } from '../processes/watched-process.ts'
import { copyStore } from './copy.ts'
import { createStreams, fillStream, fillStreams, type StoredRange } from './fill.ts'
import { send } from './http-client.ts'
import { settled } from './settle.ts'

export interface Store extends StoredRange {
  readonly folder: string
  /** Of the stream `bench`, or of `bench-0`, `bench-1`, … together. */
  readonly events: number
  readonly streams: number
}

export const EVENTS_PER_STREAM = 100

export class StoreCache {
  readonly #build: Build
  readonly #parent: string
  readonly #progress: (text: string) => void
  readonly #stores = new Map<string, Promise<Store>>()

  /** `parent` exists; its creator removes it. */
  constructor(build: Build, parent: string, progress: (text: string) => void) {
    this.#build = build
    this.#parent = parent
    this.#progress = progress
  }

  /** One stream with events that came in small batches, and so have many times. */
  oneStream(events: number): Promise<Store> {
    return this.#once(`${events}-events`, `${number(events)} events`, (folder) =>
      this.#filled(folder, { events, streams: 1 }, async (server) => {
        await createStreams(server.base, 1)
        return fillStream(server.base, events)
      }),
    )
  }

  manyStreams(streams: number): Promise<Store> {
    const events = streams * EVENTS_PER_STREAM
    return this.#once(`${streams}-streams`, `${number(streams)} streams`, (folder) =>
      this.#filled(folder, { events, streams }, async (server) => {
        await createStreams(server.base, streams)
        return fillStreams(server.base, streams, EVENTS_PER_STREAM)
      }),
    )
  }

  /** One stream with `events`, and many others. */
  async oneStreamAmongMany(events: number, streams: number): Promise<Store> {
    const one = await this.oneStream(events)
    return this.#once(
      `${events}-events-${streams}-streams`,
      `${number(streams)} streams beside`,
      (folder) => {
        copyStore(one.folder, folder)
        return this.#filled(folder, { events, streams: 1 }, async (server) => {
          await createStreams(server.base, streams)
          await fillStreams(server.base, streams, EVENTS_PER_STREAM)
          return one
        })
      },
    )
  }

  /** Events that came one by one, after the janitor has joined their blocks. */
  mergedPosts(events: number): Promise<Store> {
    return this.#once(
      `${events}-posts`,
      `${number(events)} single events, and merging them`,
      async (folder) => {
        await this.#filled(folder, { events: 0, streams: 1 }, async ({ base }) => {
          await createStreams(base, 1)
          return { startMs: 0, endMs: 0 }
        })
        await appendSingly(this.#build, folder, events)
        const janitor = ['--janitor-seconds', '1']
        return this.#filled(
          folder,
          { events, streams: 1 },
          async (server) => {
            await settled(server)
            return { startMs: 0, endMs: 0 }
          },
          janitor,
        )
      },
    )
  }

  /** One stream of readings of sensors, as one batch. */
  readings(events: number): Promise<Store> {
    return this.#once(`${events}-readings`, `${number(events)} readings`, (folder) =>
      this.#filled(folder, { events, streams: 1 }, async ({ base }) => {
        await createStreams(base, 1)
        const startMs = Date.now()
        await send('POST', `${base}${streamPath(streamName(0, 1))}/batch`, readings(0, events), {
          'content-type': 'text/plain',
        })
        return { startMs, endMs: startMs }
      }),
    )
  }

  async #filled(
    folder: string,
    what: { events: number; streams: number },
    fill: (server: WatchedProcess) => Promise<StoredRange>,
    flags: readonly string[] = [],
  ): Promise<Store> {
    const range = await withProcess(commandOf(this.#build, { dataFolder: folder, flags }), fill)
    return { folder, ...what, ...range }
  }

  #once(name: string, about: string, make: (folder: string) => Promise<Store>): Promise<Store> {
    let store = this.#stores.get(name)
    if (store === undefined) {
      this.#progress(`(storing ${about}) `)
      store = make(join(this.#parent, `${name}${this.#build.suffix}`))
      this.#stores.set(name, store)
    }
    return store
  }
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}

async function appendSingly({ cli }: Build, folder: string, events: number): Promise<void> {
  const words = [benchProgram('stores/single-appends'), cli, folder, String(events)]
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit'] })
  endWithUs(child)
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  if (code !== 0) throw new Error(`storing single events ended with ${code}`)
}
