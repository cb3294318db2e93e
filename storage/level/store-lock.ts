/**
 * Takes LevelDB's lock on a store without opening the store, because opening writes. It opens an empty LevelDB in
 * another folder, whose lock file is a symbolic link to the lock file of the store. So it takes the same lock of the
 * operating system.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { StorageError } from '../storage-error.ts'
import { innermost } from './level-error.ts'

export class StoreLock {
  readonly #folder: string
  readonly #db: ClassicLevel | undefined

  private constructor(folder: string, db: ClassicLevel | undefined) {
    this.#folder = folder
    this.#db = db
  }

  /**
   * `store` is LevelDB's folder. Its empty file LOCK is created if it is missing. A read-only file system needs no
   * lock. Rejects with StorageError 'locked' or 'unavailable'.
   */
  static async take(store: string): Promise<StoreLock> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
    try {
      symlinkSync(resolve(store, 'LOCK'), join(folder, 'LOCK'))
      const db = new ClassicLevel(folder)
      await db.open()
      return new StoreLock(folder, db)
    } catch (error) {
      const { code, message } = innermost(error)
      if (/read-only file system/i.test(message)) return new StoreLock(folder, undefined)
      rmSync(folder, { recursive: true, force: true })
      if (code === 'LEVEL_LOCKED') {
        throw new StorageError('locked', `${store} is in use by another process; stop it first`)
      }
      throw new StorageError('unavailable', `${store} cannot be locked: ${message}`, { cause: error })
    }
  }

  async release(): Promise<void> {
    await this.#db?.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
