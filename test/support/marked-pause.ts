/**
 * A pause in an altered build that shows when it begins: for negative controls, which kill a process in it. Without the mark a kill at a
 * random moment misses most pauses.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { temporaryFolder } from './service-process.ts'

const LOOK_MS = 5

export class MarkedPause {
  readonly #file: string
  readonly #pauseMs: number

  private constructor(file: string, pauseMs: number) {
    this.#file = file
    this.#pauseMs = pauseMs
  }

  static async of(pauseMs: number): Promise<MarkedPause> {
    return new MarkedPause(join(await temporaryFolder(), 'in-the-pause'), pauseMs)
  }

  /** A statement for an async function of the build: marks its place and waits there. */
  get code(): string {
    return `await (await import('node:fs/promises')).writeFile(${JSON.stringify(this.#file)}, '');
      await new Promise((resolve) => setTimeout(resolve, ${this.#pauseMs}));`
  }

  /** A statement that marks its place and waits there while the switch file exists; without the file it does nothing. */
  codeWhile(switchFile: string): string {
    const exists = `(await import('node:fs')).existsSync(${JSON.stringify(switchFile)})`
    return `if (${exists}) {
      await (await import('node:fs/promises')).writeFile(${JSON.stringify(this.#file)}, '');
      while (${exists}) await new Promise((resolve) => setTimeout(resolve, ${LOOK_MS}));
    }`
  }

  /** Resolves when a pause begins, or after this time without one. */
  async begun(withinMs: number): Promise<void> {
    rmSync(this.#file, { force: true })
    for (const endMs = performance.now() + withinMs; performance.now() < endMs; await delay(LOOK_MS))
      if (existsSync(this.#file)) return
  }
}
