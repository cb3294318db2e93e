/** A server as a child process: watches its end and its CPU and memory, and stops it. */
import type { ChildProcess } from 'node:child_process'
import { endWithUs } from '../cleanup.ts'
import { type TreeUsage, treeUsageOf, type Usage, usageOf } from './usage.ts'

export class ChildServer {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>

  /** `printed` returns what the server printed last, for the error if it ends. */
  constructor(child: ChildProcess, name: string, printed: () => string = () => '') {
    this.#child = child
    endWithUs(child)
    this.#ended = new Promise((resolve) => {
      child.once('error', ({ message }) => resolve(`the ${name} could not be started: ${message}`))
      child.once('exit', (code, signal) => {
        const words = printed()
        const last = words === '' ? '' : `; it printed: ${words}`
        resolve(`the ${name} ended with ${signal ?? `code ${code}`}${last}`)
      })
    })
  }

  /** Resolves with the result of `work`; rejects if the server ends first. */
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

  /** As `usage`, with its child processes. */
  treeUsage(): TreeUsage | undefined {
    return treeUsageOf(this.#child.pid)
  }

  /** SIGTERM, and SIGKILL if it still runs after `msMax`. Resolves when it has ended. */
  async stop(msMax: number): Promise<void> {
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), msMax)
    this.#child.kill('SIGTERM')
    await this.#ended
    clearTimeout(deadline)
  }

  /** Rejects if the exit code is not 0, after `stop`. */
  async assertCleanEnd(): Promise<void> {
    if (this.#child.exitCode !== 0) throw new Error(`${await this.#ended} after SIGTERM`)
  }
}
