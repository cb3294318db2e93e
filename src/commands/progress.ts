/** How far long work has come, on standard error: a line every few seconds, none if it is over before. */
import type { CommandEnvironment } from './command.ts'

const EVERY_MS = 5_000

export class Progress {
  readonly #environment: CommandEnvironment
  #toldMs: number

  constructor(environment: CommandEnvironment) {
    this.#environment = environment
    this.#toldMs = environment.nowMs()
  }

  /** `line` is made only if it is time for one. */
  at(line: () => string): void {
    const nowMs = this.#environment.nowMs()
    if (nowMs - this.#toldMs < EVERY_MS) return
    this.#toldMs = nowMs
    this.#environment.tell(`${line()}\n`)
  }
}
