/** The way to the workshop: a process of its own, from the files that were built. */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { MessageChannel } from 'node:worker_threads'
import type { EventBlock } from '../../storage/log.ts'
import { writeMessage } from './event-pipe.ts'
import type { FromWorkshop, SourceMessage, ToWorkshop } from './query-worker-messages.ts'

export interface WorkshopPort {
  post(message: ToWorkshop): void
  /** Resolves once the memory of what is in the message may be used for something else. */
  send(message: SourceMessage): Promise<void>
  /** `onEnded` is told once, with why, when its process has ended. */
  listen(onMessage: (message: FromWorkshop) => void, onEnded: (why: string) => void): void
  /** Processor time it has used, in milliseconds; undefined where that is not known. */
  cpuMs(): number | undefined
  /** Ends it, whatever it is doing; once it has resolved nothing of it runs any more. */
  close(): Promise<void>
}

/** Of JavaScript, in megabytes: what the engine holds is not among it. */
const HEAP_MB = 256
/** All that the process is told of where it runs. */
const PASSED_ON = ['TZ', 'LD_LIBRARY_PATH', 'SystemRoot']
/** The file descriptor of the pipe, in the process of queries. */
export const EVENT_PIPE = 4

/** Threads for statements, pages and connections: three that run must leave some for the others. */
const POOL_THREADS = '8'
/** Of `utime` and `stime` in /proc: 100 a second on every Linux that node runs on. */
const TICK_MS = 10

export async function openWorkshopPort(): Promise<WorkshopPort> {
  return import.meta.url.endsWith('.ts') ? withinThisProcess() : ofAnotherProcess()
}

function ofAnotherProcess(): WorkshopPort {
  const child = fork(fileURLToPath(new URL('./query-worker-process.js', import.meta.url)), {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${HEAP_MB}`],
    env: {
      ...Object.fromEntries(PASSED_ON.flatMap((name) => [[name, process.env[name]]])),
      // glibc gives back to the system what the engine frees, instead of keeping it in a heap for every thread.
      MALLOC_ARENA_MAX: '2',
      UV_THREADPOOL_SIZE: POOL_THREADS,
      MALLOC_MMAP_THRESHOLD_: '131072',
      MALLOC_TRIM_THRESHOLD_: '131072',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
  })
  const pipe = child.stdio[EVENT_PIPE] as Writable
  pipe.on('error', () => {}) // that it ended is told elsewhere
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`))
  })
  return {
    post(message) {
      if (child.connected) child.send(message, () => {})
    },
    send: (message) => writeMessage(pipe, message),
    listen(onMessage, onEnded) {
      child.on('message', onMessage)
      void exited.then(onEnded)
    },
    cpuMs: () => cpuMsOf(child.pid),
    async close() {
      child.kill('SIGKILL') // all it has is in memory, or goes with the spill folder
      await exited
    },
  }
}

function cpuMsOf(pid: number | undefined): number | undefined {
  try {
    // Behind the name, which may hold anything: state, ten other fields, utime, stime.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return undefined
  }
}

/** Where the service runs from its sources, as in most tests, node could not load them in another process. */
async function withinThisProcess(): Promise<WorkshopPort> {
  const { hostWorkshop } = await import('./query-worker-host.ts')
  const { port1, port2 } = new MessageChannel()
  const host = hostWorkshop({
    post: (message) => port2.postMessage(message),
    listen: (onMessage) => port2.on('message', onMessage),
  })
  return {
    post: (message) => port1.postMessage(message),
    async send(message) {
      port1.postMessage(message.kind === 'block' ? { ...message, block: copied(message.block) } : message)
    },
    listen: (onMessage) => void port1.on('message', onMessage),
    cpuMs: () => undefined,
    async close() {
      await host.close()
      port1.close()
    },
  }
}

/** With memory of its own: a port takes whole buffers, of which a block may be a small part. */
function copied(block: EventBlock): EventBlock {
  const bytes = Uint8Array.prototype.slice.call(block.bytes)
  return { ...block, bytes, starts: block.starts.slice(), ends: block.ends.slice() }
}
