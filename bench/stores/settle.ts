/** Waits until a service has nothing more to do: its janitor has merged, and LevelDB has compacted. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { WatchedProcess } from '../processes/watched-process.ts'

/** Several rounds of a janitor that comes by every second. */
const QUIET_SECONDS = 4
/** A janitor that finds nothing takes a hundredth of this. */
const QUIET_SHARE = 0.03
const WAIT_SECONDS_MAX = 300
/** Where /proc is missing. */
const BLIND_WAIT_SECONDS = 120

/** Rejects if it is still busy after five minutes. */
export async function settled(server: WatchedProcess): Promise<void> {
  if (server.usage() === undefined) return sleep(BLIND_WAIT_SECONDS * 1000)
  let quietSeconds = 0
  for (let waited = 0; waited < WAIT_SECONDS_MAX; waited++) {
    const before = server.usage()!.cpuSeconds
    await sleep(1000)
    quietSeconds = server.usage()!.cpuSeconds - before <= QUIET_SHARE ? quietSeconds + 1 : 0
    if (quietSeconds >= QUIET_SECONDS) return
  }
  throw new Error(`the janitor was still at work after ${WAIT_SECONDS_MAX} s`)
}
