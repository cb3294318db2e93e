/**
 * The name of LevelDB's write-ahead log, which has to be as durable as what stands in it.
 *
 * LevelDB starts a new one whenever its memory table is full. It syncs what it writes there, but the folder only with its
 * next manifest: for some milliseconds a power cut may take the name of the log, and all that was acknowledged out of it
 * (docs/decisions/0017-failing-disks.md). So before a write is acknowledged, the engine checks whether the log that was in use
 * before has grown by it. If it has not, the write stands in a new one, and the folder is synced first.
 */
import { closeSync, fstatSync, fsync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const syncHandle = promisify(fsync)

/** LevelDB numbers all its files in one row: between two logs stand the tables it has made meanwhile. */
const NUMBERS_TRIED = 256

export class WalName {
  readonly #store: string
  readonly #folder: number
  #closed = false
  /** Of the log that was in use when we last looked; undefined if it cannot be opened. */
  #log: number | undefined
  #number = 0
  #length = 0

  /** `store` is LevelDB's folder: open, and its names synced since. */
  constructor(store: string) {
    this.#store = store
    this.#folder = openSync(store, 'r')
    this.#follow()
  }

  /** Asked after a write that had no other beside it: whether it stands in a log whose name may not be durable. */
  moved(): boolean {
    if (this.#log === undefined) return true
    const { size } = fstatSync(this.#log)
    if (size === this.#length) return true
    this.#length = size
    return false
  }

  /** Makes the names durable. Rejects with node's error. */
  async settle(): Promise<void> {
    await syncHandle(this.#folder)
    this.#follow()
  }

  /** Once more does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#folder)
    this.#leave()
  }

  /** What is not the latest log, or cannot be opened, costs the next write another sync, and no more. */
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
