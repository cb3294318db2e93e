/**
 * The folder of one node: its id, and the number of its opening. One process at a time has it open.
 *
 *   <folder>/NODE    {"id":"…","life":3}      replaced as a whole, and synced before the node writes anything
 *   <folder>/LOCK    store-lock.ts
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { StoreLock } from '../level/store-lock.ts'
import { makeFolder } from '../make-folder.ts'
import { StorageError } from '../storage-error.ts'
import { syncFolder } from '../sync-folder.ts'
import { uniqueNumber } from '../unique-number.ts'

interface NodeFile {
  readonly id: string
  readonly life: number
}

/** The lock is one of the operating system, which does not tell two openings of one process apart. */
const open = new Set<string>()

export class NodeFolder {
  readonly #folder: string
  readonly #lock: StoreLock
  #file: NodeFile

  private constructor(folder: string, lock: StoreLock, file: NodeFile) {
    this.#folder = folder
    this.#lock = lock
    this.#file = file
  }

  /** Rejects with StorageError 'locked', 'format' or 'unavailable'. */
  static async open(path: string): Promise<NodeFolder> {
    const folder = resolve(path)
    if (open.has(folder)) throw new StorageError('locked', `${folder} is in use; use another folder`)
    makeFolder(folder)
    const lock = await StoreLock.take(folder)
    try {
      const node = new NodeFolder(folder, lock, await readNode(folder))
      open.add(folder)
      return node
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  get id(): string {
    return this.#file.id
  }

  /** The number of this opening: above that of every one before, and above `seen`, the last that the catalog knows. */
  async nextLife(seen: number): Promise<number> {
    const life = Math.max(this.#file.life, seen) + 1
    this.#file = { ...this.#file, life }
    await writeNode(this.#folder, this.#file)
    return life
  }

  async close(): Promise<void> {
    open.delete(this.#folder)
    await this.#lock.release()
  }
}

async function readNode(folder: string): Promise<NodeFile> {
  const path = join(folder, 'NODE')
  if (!existsSync(path)) {
    const numbers = [uniqueNumber('node', folder), uniqueNumber('node of the folder', folder)]
    const id = numbers.map((number) => number.toString(16).padStart(8, '0')).join('')
    const file = { id, life: 0 }
    await writeNode(folder, file)
    return file
  }
  try {
    const { id, life } = JSON.parse(readFileSync(path, 'utf8')) as NodeFile
    if (/^[0-9a-f]{16}$/.test(id) && Number.isSafeInteger(life) && life >= 0) return { id, life }
  } catch {}
  throw new StorageError(
    'format',
    `${path} is damaged; if this node is stopped, remove the file, and the node gets a new id`,
  )
}

async function writeNode(folder: string, file: NodeFile): Promise<void> {
  const path = join(folder, 'NODE')
  try {
    const descriptor = openSync(`${path}.new`, 'w')
    try {
      writeSync(descriptor, `${JSON.stringify(file)}\n`)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(`${path}.new`, path)
    await syncFolder(folder)
  } catch (cause) {
    throw new StorageError('unavailable', `${path} cannot be written: ${String(cause)}`, { cause })
  }
}
