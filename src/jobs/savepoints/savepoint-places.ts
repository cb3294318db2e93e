/**
 * The folders in which savepoints may be: `--savepoint-dir` and every `--savepoint-root`. Neither `..` nor a symbolic link leads
 * out of them: a path is compared after its links have been followed.
 */
import { realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { makeFolder } from '../../../storage/make-folder.ts'
import { syncFolder } from '../../../storage/sync-folder.ts'
import { ServiceError } from '../../service-error.ts'
import { METADATA_FILE } from './savepoint-metadata.ts'

/** In the data folder: where savepoints are made unless the operator says otherwise. */
export const SAVEPOINTS_FOLDER = 'savepoints'
/** A name of more characters belongs to no folder, and is not repeated in full. */
const SHOWN_CHARACTERS_MAX = 1_000

export class SavepointPlaces {
  /** Absolute. */
  readonly folder: string
  readonly #roots: readonly string[]

  constructor(folder: string, roots: readonly string[] = []) {
    this.folder = resolve(folder)
    this.#roots = [this.folder, ...roots.map((root) => resolve(root))]
  }

  /**
   * The folder in which a savepoint is made: it exists when this resolves. Rejects with ServiceError 'savepoint_outside', and with
   * the error of the file system if it cannot be made.
   */
  async target(directory: string | undefined): Promise<string> {
    const path = await this.#inside(directory ?? this.folder)
    if (path === undefined) throw outside(directory)
    for (const created of makeFolder(path)) await syncFolder(dirname(created))
    const made = await this.#inside(path) // a link may have been made meanwhile
    if (made === undefined) throw outside(directory)
    return made
  }

  /** The folder of a savepoint that was named by itself or by its `_metadata`. Rejects with ServiceError 'savepoint_outside'. */
  async savepoint(location: string): Promise<string> {
    const path = await this.#inside(location)
    const folder = path !== undefined && basename(path) === METADATA_FILE ? dirname(path) : path
    if (folder !== undefined && !(await this.#isRoot(folder))) return folder
    const shown = location.slice(0, SHOWN_CHARACTERS_MAX)
    throw new ServiceError(
      'savepoint_outside',
      `savepoint '${shown}' is outside of the savepoint directories; start with --savepoint-root ${dirname(shown)}`,
    )
  }

  async #isRoot(path: string): Promise<boolean> {
    const roots = await Promise.all(this.#roots.map(followed))
    return roots.includes(path)
  }

  /** The path without links if it is inside of a root, else undefined. */
  async #inside(text: string): Promise<string | undefined> {
    const path = pathOf(text, this.folder)
    if (path === undefined) return undefined
    const real = await followed(path)
    for (const root of this.#roots) if (contains(await followed(root), real)) return real
    return undefined
  }
}

function outside(directory = ''): ServiceError {
  const shown = directory.slice(0, SHOWN_CHARACTERS_MAX)
  return new ServiceError(
    'savepoint_outside',
    `target-directory '${shown}' is outside of the savepoint directories; start with --savepoint-root ${shown}, or leave it out`,
  )
}

/** As answered to clients: an absolute `file:` URI. */
export function locationOf(folder: string): string {
  return pathToFileURL(folder).href
}

/** Relative paths are those in `folder`. Undefined if it is no path of this machine. */
function pathOf(text: string, folder: string): string | undefined {
  if (text.includes('\0') || text.length > SHOWN_CHARACTERS_MAX * 4) return undefined
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) return text === '' ? undefined : resolve(folder, text)
  try {
    return fileURLToPath(text)
  } catch {
    return undefined // another scheme, another machine, or an encoded slash
  }
}

/** The path with the links of its existing part followed. */
async function followed(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(await followed(parent), basename(path))
  }
}

function contains(root: string, path: string): boolean {
  const rest = relative(root, path)
  return rest === '' || (!isAbsolute(rest) && rest !== '..' && !rest.startsWith(`..${sep}`))
}
