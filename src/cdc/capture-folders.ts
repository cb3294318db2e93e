/** The folders with the last rows of captured tables: `<data>/captures/<id of the connection>/`. */
import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../storage/make-folder.ts'
import { syncFolder } from '../../storage/sync-folder.ts'

/** In the data folder. */
const CAPTURES_FOLDER = 'captures'
/** Only folders with such a name are removed. */
const ID = /^[1-9][0-9]*$/

export class CaptureFolders {
  readonly #folder: string

  constructor(dataFolder: string) {
    this.#folder = join(dataFolder, CAPTURES_FOLDER)
  }

  /** Creates the folder of the connection, if it is missing, and makes its name durable. */
  async make(id: number): Promise<string> {
    const folder = join(this.#folder, String(id))
    for (const created of makeFolder(folder, 0o700)) await syncFolder(dirname(created))
    return folder
  }

  async remove(id: number): Promise<void> {
    await rm(join(this.#folder, String(id)), { recursive: true, force: true })
  }

  /** Removes the folders of connections that do not exist. */
  async removeOthers(ids: ReadonlySet<number>): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []) // nothing was captured yet
    for (const name of names) if (ID.test(name) && !ids.has(Number(name))) await this.remove(Number(name))
  }
}
