/**
 * The service, or a probe that is measured like it, as a child process. It prints `listening on http://host:port` to stdout
 * when it listens, and stops on SIGTERM.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { ChildServer } from './child-server.ts'
import type { TreeUsage, Usage } from './usage.ts'

/** A store of many gigabytes replays its last log before it listens. */
const START_MS_MAX = 60_000
/** The service finishes accepted requests for up to 10 s. */
const STOP_MS_MAX = 20_000

export class WatchedProcess {
  /** `http://host:port` */
  readonly base: string
  readonly #server: ChildServer

  private constructor(base: string, server: ChildServer) {
    this.base = base
    this.#server = server
  }

  /** Resolves once it listens. */
  static async start(words: readonly string[]): Promise<WatchedProcess> {
    const child = spawn(words[0]!, words.slice(1), {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: environmentOfServer(),
    })
    const server = new ChildServer(child, 'server')
    return new WatchedProcess(await server.whileRunning(addressPrinted(child)), server)
  }

  /** Resolves with the result of `work`; rejects if the server ends first. */
  whileRunning<T>(work: Promise<T>): Promise<T> {
    return this.#server.whileRunning(work)
  }

  /** Undefined where there is no /proc. */
  usage(): Usage | undefined {
    return this.#server.usage()
  }

  /** Of the server and its child processes; undefined where there is no /proc. */
  treeUsage(): TreeUsage | undefined {
    return this.#server.treeUsage()
  }

  /** As an operator stops it: all accepted events are on disk afterwards. */
  async stop(): Promise<void> {
    await this.#server.stop(STOP_MS_MAX)
    await this.#server.assertCleanEnd()
  }
}

async function addressPrinted({ stdout }: ChildProcess): Promise<string> {
  const signal = AbortSignal.timeout(START_MS_MAX)
  let printed = ''
  for (;;) {
    const address = /listening on (http:\/\/\S+)\s/.exec(printed)?.[1]
    if (address !== undefined) {
      stdout!.resume()
      return address
    }
    const [chunk] = (await once(stdout!, 'data', { signal })) as [Buffer]
    printed += chunk.toString()
  }
}

/** Starts a server, does `work`, and stops it, also where `work` fails. */
export async function withProcess<T>(
  words: readonly string[],
  work: (server: WatchedProcess) => Promise<T>,
): Promise<T> {
  const server = await WatchedProcess.start(words)
  try {
    const result = await server.whileRunning(work(server))
    await server.stop()
    return result
  } catch (error) {
    await server.stop().catch(() => {}) // the first error is the one to report
    throw error
  }
}

/** Variables of the shell that runs the bench must not change what is measured. */
function environmentOfServer(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_')))
}
