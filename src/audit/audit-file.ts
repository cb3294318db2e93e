/**
 * A file of audit lines, in the order of the actions. The file is opened for each write: log rotation renames the
 * file, and the next line creates a new one, without a signal.
 */
import { appendFile, open } from 'node:fs/promises'

/** Only for its owner. */
const MODE = 0o600
/** Lines that wait for a slow disk; further ones are not written to the file, only to the log. */
const WAITING_MAX = 10_000

export class AuditFile {
  readonly #path: string
  readonly #report: (error: unknown) => void
  #waiting: string[] = []
  #writing: Promise<void> | undefined

  private constructor(path: string, report: (error: unknown) => void) {
    this.#path = path
    this.#report = report
  }

  /** Makes the file if it is missing. Rejects with a sentence if it cannot be written. */
  static async open(path: string, report: (error: unknown) => void): Promise<AuditFile> {
    try {
      await (await open(path, 'a', MODE)).close()
    } catch (cause) {
      throw new Error(`audit file ${path} cannot be written: ${reasonOf(cause)}`, { cause })
    }
    return new AuditFile(path, report)
  }

  write(line: string): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#report(new Error(`audit file ${this.#path} does not keep up; lines are missing in it`))
      return
    }
    this.#waiting.push(line)
    this.#writing ??= this.#writeAll()
  }

  /** Resolves when all lines are in the file. */
  async close(): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting
      this.#waiting = []
      try {
        await appendFile(this.#path, lines.join(''), { mode: MODE })
      } catch (cause) {
        this.#report(new Error(`audit file ${this.#path} cannot be written: ${reasonOf(cause)}`, { cause }))
      }
    }
    this.#writing = undefined
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
