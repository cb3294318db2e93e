/**
 * A server in a process of its own, watched from outside through /proc: the service, or a probe that is measured like it.
 * It says `listening on http://host:port` on stdout once it does, and stops on SIGTERM.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { endWithUs } from '../cleanup.ts'
import { type Usage, usageOf } from './usage.ts'

/** A store of many gigabytes replays its last log before it listens. */
const START_MS_MAX = 60_000
/** The service gives what it accepted 10 s. */
const STOP_MS_MAX = 20_000

export class WatchedProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>
  #base = ''

  private constructor(words: readonly string[]) {
    this.#child = spawn(words[0]!, words.slice(1), {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: environmentOfServer(),
    })
    endWithUs(this.#child)
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve(`the server ended with ${signal ?? `code ${code}`}`))
      this.#child.once('error', (error) => resolve(`the server could not be started: ${error.message}`))
    })
  }

  /** Resolves once it listens. */
  static async start(words: readonly string[]): Promise<WatchedProcess> {
    const server = new WatchedProcess(words)
    server.#base = await server.whileRunning(server.#addressPrinted())
    return server
  }

  /** `http://host:port` */
  get base(): string {
    return this.#base
  }

  /** What `work` resolves with; rejects if the server ends first. */
  whileRunning<T>(work: Promise<T>): Promise<T> {
    const ended = this.#ended.then((how): never => {
      throw new Error(how)
    })
    return Promise.race([work, ended])
  }

  /** Undefined where there is no /proc. */
  usage(): Usage | undefined {
    return usageOf(this.#child.pid)
  }

  /** As an operator stops it: what was accepted is on disk afterwards. */
  async stop(): Promise<void> {
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX)
    this.#child.kill('SIGTERM')
    await this.#ended
    clearTimeout(deadline)
    if (this.#child.exitCode !== 0) throw new Error(`${await this.#ended} when it was told to stop`)
  }

  async #addressPrinted(): Promise<string> {
    const { stdout } = this.#child
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
    await server.stop().catch(() => {}) // the first error is the one to tell
    throw error
  }
}

/** Settings of the person who runs the bench must not change what is measured. */
function environmentOfServer(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_')))
}
