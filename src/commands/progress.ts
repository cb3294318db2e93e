/** Progress of long work on standard error: a line every few seconds, none if the work ends before. */
import type { CommandEnvironment } from './command.ts'

const EVERY_MS = 5_000

export class Progress {
  readonly #environment: CommandEnvironment
  #toldMs: number

  constructor(environment: CommandEnvironment) {
    this.#environment = environment
    this.#toldMs = environment.nowMs()
  }

  /** Calls `line` only if one is due. */
  at(line: () => string): void {
    const nowMs = this.#environment.nowMs()
    if (nowMs - this.#toldMs < EVERY_MS) return
    this.#toldMs = nowMs
    this.#environment.tell(`${line()}\n`)
  }
}
