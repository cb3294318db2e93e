/** How far long work has come, on standard error: a line every few seconds, none if it is over before. */
import type { CommandSurroundings } from './command.ts'

const EVERY_MS = 5_000

export class Progress {
  readonly #surroundings: CommandSurroundings
  #toldMs: number

  constructor(surroundings: CommandSurroundings) {
    this.#surroundings = surroundings
    this.#toldMs = surroundings.nowMs()
  }

  /** `line` is made only if it is time for one. */
  at(line: () => string): void {
    const nowMs = this.#surroundings.nowMs()
    if (nowMs - this.#toldMs < EVERY_MS) return
    this.#toldMs = nowMs
    this.#surroundings.tell(`${line()}\n`)
  }
}
