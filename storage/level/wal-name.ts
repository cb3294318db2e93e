/**
 * Makes the name of LevelDB's write-ahead log as durable as its content.
 *
 * LevelDB starts a new log whenever its memory table is full. It syncs the content of that log, but syncs the folder
 * only together with its next manifest. For some milliseconds a power cut may remove the name of the log, and with it
 * all acknowledged writes in it (docs/decisions/0017-failing-disks.md). So before a write is acknowledged, the engine
 * checks whether the log that was in use before has grown. If it has not, the write is in a new log, and the folder is
 * synced first.
 */
import { closeSync, fstatSync, fsync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const syncHandle = promisify(fsync)

/**
 * File numbers to try for the next log. LevelDB numbers all its files in one sequence, so the numbers between two logs
 * are those of the tables created meanwhile.
 */
const NUMBERS_TRIED = 256

export class WalName {
  readonly #store: string
  readonly #folder: number
  #closed = false
  /** File handle of the log that was in use at the last check; undefined if it cannot be opened. */
  #log: number | undefined
  #number = 0
  #length = 0

  /** `store` is LevelDB's folder. LevelDB has opened it, and its file names have been synced after that. */
  constructor(store: string) {
    this.#store = store
    this.#folder = openSync(store, 'r')
    this.#follow()
  }

  /**
   * Called after a write, if no other write ran at the same time. True if the write is in a log whose name may not be
   * durable.
   */
  moved(): boolean {
    if (this.#log === undefined) return true
    const { size } = fstatSync(this.#log)
    if (size === this.#length) return true
    this.#length = size
    return false
  }

  /** Makes the names of the files durable. Rejects with node's error. */
  async settle(): Promise<void> {
    await syncHandle(this.#folder)
    this.#follow()
  }

  /** A second call has no effect. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#folder)
    this.#leave()
  }

  /**
   * Finds the log in use. If it finds an older log, or cannot open the log, the next write needs another sync; there is
   * no other effect.
   */
  #follow(): void {
    const next = this.#findNext()
    if (next === undefined) return
    this.#leave()
    this.#log = next.log
    this.#number = next.number
    this.#length = fstatSync(next.log).size
  }

  #findNext(): { readonly number: number; readonly log: number } | undefined {
    for (let number = this.#number + 1; number <= this.#number + NUMBERS_TRIED; number++) {
      const log = this.#open(number)
      if (log !== undefined) return { number, log }
    }
    let last = this.#number
    for (const name of readdirSync(this.#store)) {
      if (/^[0-9]+\.log$/.test(name)) last = Math.max(last, Number.parseInt(name, 10))
    }
    const log = last === this.#number ? undefined : this.#open(last)
    return log === undefined ? undefined : { number: last, log }
  }

  #open(number: number): number | undefined {
    try {
      return openSync(join(this.#store, `${String(number).padStart(6, '0')}.log`), 'r')
    } catch {
      return undefined
    }
  }

  #leave(): void {
    if (this.#log !== undefined) closeSync(this.#log)
    this.#log = undefined
  }
}
