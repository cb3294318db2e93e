/** Runs the janitor every so often, a little off the beat, so that many servers do not work in step. */
import type { Janitor } from './janitor.ts'

/** Share of the interval by which a tick may come early or late. */
const JITTER = 0.2
/** Pause between two ticks while there is more to do: leaves the disk to others most of the time. */
const BUSY_PAUSE_MS = 100

export interface Schedule {
  /** No tick begins after this; resolves when the one under way has ended. */
  stop(): Promise<void>
}

/** `atOnce`: the first tick does not wait, because disk space may be short. */
export function scheduleJanitor(
  janitor: Janitor,
  intervalMs: number,
  random: () => number,
  onError: (error: unknown) => void,
  atOnce = false,
): Schedule {
  let timer: NodeJS.Timeout | undefined
  let ticking: Promise<void> = Promise.resolve()
  let stopped = false

  function wait(pauseMs: number): void {
    if (stopped) return
    timer = setTimeout(() => {
      ticking = run()
    }, pauseMs)
    timer.unref()
  }

  async function run(): Promise<void> {
    try {
      const { more } = await janitor.tick()
      wait(more ? BUSY_PAUSE_MS : jittered())
    } catch (error) {
      onError(error)
      wait(jittered())
    }
  }

  function jittered(): number {
    return intervalMs * (1 - JITTER + 2 * JITTER * random())
  }

  wait(atOnce ? 0 : jittered())
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await ticking
    },
  }
}
