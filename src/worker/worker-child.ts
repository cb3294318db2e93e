/**
 * Starts a worker, a child process from the built files, and connects it: messages in both directions over node's IPC
 * channel, events over a pipe (event-pipe.ts). The code here does not depend on the work of the worker.
 *
 * A service that runs from its sources, as in most tests, starts the worker in its own process, because node 20 cannot
 * load TypeScript in a child process.
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { MessageChannel } from 'node:worker_threads'
import { freeMemory } from '../../storage/free-memory.ts'
import type { EventBlock } from '../../storage/log.ts'
import { type EventMessage, MessageReader, writeMessage } from './event-pipe.ts'
import { type Divided, FrameReader, type Join, writeFrame } from './frame-pipe.ts'

/** The service's side of the connection. */
export interface WorkerChild<ToWorker, FromWorker> {
  post(message: ToWorker): void
  /** Resolves when the memory of the message may be reused. */
  send(message: EventMessage): Promise<void>
  /** `onExit` is called once, with the reason, when the process has exited. */
  listen(onMessage: (message: FromWorker) => void, onExit: (reason: string) => void): void
  /** Processor time of the worker in milliseconds; undefined where the system does not report it. */
  cpuMs(): number | undefined
  /** Memory of the process in bytes, without mapped files; undefined where the system does not report it. */
  memoryBytes(): number | undefined
  /** Ends the worker, whatever it is doing. Resolves when nothing of it runs any more. */
  close(): Promise<void>
}

/** The worker's side of the connection. */
export interface ServicePort<ToWorker, FromWorker> {
  post(message: FromWorker): void
  listen(onMessage: (message: ToWorker | EventMessage) => void): void
}

export interface WorkerCode<ToWorker, FromWorker> {
  /** The file that the child process runs. */
  readonly entry: URL
  /** Runs the worker within this process. `ended` resolves with the reason if it ends by itself. */
  serve(
    port: ServicePort<ToWorker, FromWorker>,
  ): Promise<{ close(): Promise<void>; readonly ended?: Promise<string> }>
  /** Of a worker that sends its messages through the pipe, with `framePort`. */
  readonly join?: Join<FromWorker>
}

/** Limit of JavaScript's heap, in megabytes. The engine's memory is not part of it. */
const HEAP_MB = 256
/** The worker gets only these environment variables of the service. */
const PASSED_VARIABLES = ['TZ', 'LD_LIBRARY_PATH', 'SystemRoot']
/** File descriptor of the pipe in the child process. */
const EVENT_PIPE = 4
/** Bytes per read of the pipe. */
const PIPE_READ_BYTES = 256 * 1024
/** Threads for statements, pages and connections. Three running queries must leave some of them for other work. */
const POOL_THREADS = '8'
/** Unit of `utime` and `stime` in /proc: 100 ticks per second on every Linux that node supports. */
const TICK_MS = 10

export function startWorker<ToWorker, FromWorker>(
  code: WorkerCode<ToWorker, FromWorker>,
): Promise<WorkerChild<ToWorker, FromWorker>> {
  return import.meta.url.endsWith('.ts') ? startHere(code) : Promise.resolve(startProcess(code))
}

function startProcess<ToWorker, FromWorker>({
  entry,
  join,
}: WorkerCode<ToWorker, FromWorker>): WorkerChild<ToWorker, FromWorker> {
  const child = fork(entry, {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${HEAP_MB}`],
    env: environment(),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
  })
  const exited = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`))
  })
  // Without a free file descriptor node returns a child without stdio, and emits 'error' later.
  const pipe = child.stdio?.[EVENT_PIPE] as Duplex | undefined
  pipe?.on('error', () => {}) // 'exit' reports the same failure
  return {
    post(message) {
      if (child.connected) child.send(message as object, () => {})
    },
    send: (message) => (pipe === undefined ? Promise.resolve() : writeMessage(pipe, message)),
    listen(onMessage, onExit) {
      child.on('message', (message) => onMessage(message as FromWorker))
      if (join !== undefined) {
        const frames = new FrameReader((head, raw, release) => onMessage(join(head, raw, release)))
        pipe?.on('data', (chunk: Buffer) => {
          frames.take(chunk)
          freeMemory([chunk])
        })
      }
      void exited.then(onExit)
    },
    cpuMs: () => cpuMsOf(child.pid),
    memoryBytes: () => memoryBytesOf(child.pid),
    async close() {
      child.kill('SIGKILL') // its state is in memory, or in the spill folder, which is removed
      await exited
    },
  }
}

function environment(): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(PASSED_VARIABLES.map((name) => [name, process.env[name]])),
    // With this setting glibc returns freed memory to the system instead of keeping one heap per thread.
    MALLOC_ARENA_MAX: '2',
    MALLOC_MMAP_THRESHOLD_: '131072',
    MALLOC_TRIM_THRESHOLD_: '131072',
    UV_THREADPOOL_SIZE: POOL_THREADS,
  }
}

function cpuMsOf(pid: number | undefined): number | undefined {
  try {
    // The name may contain any character. After it come: state, ten other fields, utime, stime.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return undefined
  }
}

function memoryBytesOf(pid: number | undefined): number | undefined {
  try {
    const kibibytes = /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}

async function startHere<ToWorker, FromWorker>(
  code: WorkerCode<ToWorker, FromWorker>,
): Promise<WorkerChild<ToWorker, FromWorker>> {
  const { port1, port2 } = new MessageChannel()
  const server = await code.serve({
    post: (message) => port2.postMessage(message),
    listen: (onMessage) => port2.on('message', onMessage),
  })
  return {
    post: (message) => port1.postMessage(message),
    async send(message) {
      port1.postMessage(message.kind === 'block' ? { ...message, block: copied(message.block) } : message)
    },
    listen(onMessage, onExit) {
      port1.on('message', onMessage)
      void server.ended?.then(onExit)
    },
    cpuMs: () => undefined,
    memoryBytes: () => undefined,
    async close() {
      await server.close()
      port1.close()
    },
  }
}

/** Copies a block into memory of its own: a port clones whole buffers, and a block may be a small part of one. */
function copied(block: EventBlock): EventBlock {
  const bytes = Uint8Array.prototype.slice.call(block.bytes)
  return { ...block, bytes, starts: block.starts.slice(), ends: block.ends.slice() }
}

/** The worker's side of the connection; called in the child process. */
export function servicePort<ToWorker, FromWorker>(): ServicePort<ToWorker, FromWorker> {
  return {
    // With a callback a failed send is no 'error' event: 'disconnect' reports the end of the service.
    post: (message) => void process.send?.(message, undefined, undefined, () => {}),
    listen(onMessage) {
      process.on('message', (message) => onMessage(message as ToWorker))
      const reader = new MessageReader(onMessage)
      const callback = (bytes: number, buffer: Uint8Array) => {
        reader.take((buffer as Buffer).subarray(0, bytes))
        return true
      }
      const onread = { buffer: Buffer.alloc(PIPE_READ_BYTES), callback }
      new Socket({ fd: EVENT_PIPE, onread } as SocketConstructorOpts) // @types/node declares onread for connections only
    },
  }
}

/** As `servicePort`, for a worker that sends its messages through the pipe. It reads no events. */
export function framePort<ToWorker, FromWorker>(
  divide: (message: FromWorker) => Divided,
): ServicePort<ToWorker, FromWorker> {
  const pipe = new Socket({ fd: EVENT_PIPE, readable: false, writable: true })
  pipe.on('error', () => {}) // 'disconnect' reports the end of the service
  return {
    post: (message) => writeFrame(pipe, divide(message)),
    listen: (onMessage) => void process.on('message', (message) => onMessage(message as ToWorker)),
  }
}
