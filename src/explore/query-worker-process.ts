/**
 * The workshop's process. On Linux it has a lower priority, so that queries wait for requests and not requests for queries,
 * and is the first to go when the machine runs out of memory. It ends with the service, however that ends.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { Socket, type SocketConstructorOpts } from 'node:net'
import { setPriority } from 'node:os'
import { MessageReader } from './event-pipe.ts'
import { watchMemory } from './memory-watch.ts'
import { hostWorkshop } from './query-worker-host.ts'
import type { ToWorkshop } from './query-worker-messages.ts'
import { EVENT_PIPE } from './query-worker-port.ts'

const LOWER_PRIORITY = 10
const FIRST_TO_GO = '1000'
/** Read at a time. */
const PIPE_BYTES = 256 * 1024

function lowerPriority(): void {
  // Every thread has a priority of its own; those to come take that of the one which makes them.
  for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), LOWER_PRIORITY)
  writeFileSync('/proc/self/oom_score_adj', FIRST_TO_GO)
}

if (process.platform === 'linux') {
  try {
    lowerPriority()
  } catch {
    // then it runs like any other
  }
}
const end = () => process.kill(process.pid, 'SIGKILL')
process.on('disconnect', end)
if (!process.connected) end() // the service ended while this was loaded
// Who stops the service may tell all its processes: this one waits for the service to end it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

const host = hostWorkshop({
  post: (message) => process.send?.(message),
  listen(onMessage) {
    process.on('message', (message) => onMessage(message as ToWorkshop))
    const reader = new MessageReader(onMessage)
    const callback = (bytes: number, buffer: Uint8Array) => {
      reader.take((buffer as Buffer).subarray(0, bytes))
      return true
    }
    const onread = { buffer: Buffer.alloc(PIPE_BYTES), callback }
    new Socket({ fd: EVENT_PIPE, onread } as SocketConstructorOpts) // @types/node has it for connections only
  },
})
watchMemory(host)
