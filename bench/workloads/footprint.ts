/** The footprint of a service: time to start, memory when idle, disk. */
import { get } from 'node:http'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WatchedProcess } from '../processes/watched-process.ts'
import type { Case } from '../sample.ts'
import { folderBytes } from '../stores/copy.ts'
import type { Store } from '../stores/store-cache.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { withService } from './measured.ts'

/** After this, what the start left over has been collected or is there to stay. */
const IDLE_MS = 1500

interface Footprint {
  readonly name: string
  readonly about: string
  readonly long?: true
}

/** From the start of the process until `/ping` is answered. */
export function startUp({ build }: BuildUnderTest, about: Footprint, store: () => Promise<Store>): Case {
  return {
    ...about,
    async run(round) {
      const { folder } = await store()
      const startMs = performance.now()
      return withService(build, round, folder, async (server) => {
        await ping(server)
        const tookMs = performance.now() - startMs
        return {
          seconds: tookMs / 1000,
          answers: 1,
          events: 0,
          bytes: 0,
          p50Ms: tookMs,
          ...rssOf(server),
          failures: {},
        }
      })
    },
  }
}

/** Memory of a service that has started and does nothing. */
export function idle({ build }: BuildUnderTest, about: Footprint, store: () => Promise<Store>): Case {
  return {
    ...about,
    async run(round) {
      const { folder } = await store()
      return withService(build, round, folder, async (server) => {
        await ping(server)
        await sleep(IDLE_MS)
        return { seconds: 0, answers: 0, events: 0, bytes: 0, ...rssOf(server), failures: {} }
      })
    },
  }
}

/** What a store takes on disk when no process has it open. */
export function disk(about: Footprint, store: () => Promise<Store>, bytesEach: number): Case {
  return {
    ...about,
    async run() {
      const { folder, events } = await store()
      const bytes = events * bytesEach
      return { seconds: 0, answers: 0, events, bytes, diskBytes: folderBytes(folder), failures: {} }
    },
  }
}

function rssOf(server: WatchedProcess) {
  const usage = server.usage()
  if (usage === undefined) return {}
  const { rssPeakBytes, rssBytes, rssOwnBytes } = usage
  return { rssPeakBytes, rssBytes, rssOwnBytes }
}

export function ping({ base }: WatchedProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    get(`${base}/ping`, (answer) => {
      answer.resume()
      if (answer.statusCode === 200) resolve()
      else reject(new Error(`/ping was answered ${answer.statusCode}`))
    }).once('error', reject)
  })
}
