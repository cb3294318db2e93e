/**
 * The stamp of a data folder: the format of its content. It is read before anything in the folder is changed.
 *
 *   <data>/FORMAT   "millrace-data 3\n": name and version of the storage format
 */
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { makeFolder } from '../make-folder.ts'
import { StorageError } from '../storage-error.ts'
import { innermost } from './level-error.ts'

/** Increased when older code cannot read what newer code writes. */
export const FORMAT_VERSION = 3
/** Formats below this were used only before the first release; this code does not read them. */
const OLDEST_READABLE = 3
const FORMAT_NAME = 'millrace-data'

/**
 * Checks the format of a folder. Creates the folder if it does not exist, and stamps a new or empty one. Throws
 * StorageError 'format' if it is not a Millrace data folder, or too old or too new, before LevelDB writes a byte into
 * it; and 'unavailable'.
 */
export function ensureFormat(folder: string): void {
  try {
    makeDurableFolder(folder)
    checkOrWriteStamp(folder)
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

/** Also creates missing parent folders. Each new folder is a name in its parent, so the parent is synced. */
function makeDurableFolder(folder: string): void {
  for (const made of makeFolder(folder).toReversed()) syncFolder(dirname(made))
}

export function unusable(folder: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause
  const reason = innermost(cause).message
  return new StorageError('unavailable', `data folder ${folder} cannot be used: ${reason}`, { cause })
}

function checkOrWriteStamp(folder: string): void {
  if (hasReadableStamp(folder)) return
  const others = readdirSync(folder).filter((name) => name !== 'FORMAT.new')
  if (others.length > 0) {
    throw new StorageError(
      'format',
      `${folder} is not empty and not a Millrace data folder; name an empty or new one`,
    )
  }
  writeStamp(folder)
}

/** False if the folder has no stamp. Changes nothing in the folder. Throws like `ensureFormat`. */
export function hasReadableStamp(folder: string): boolean {
  const path = stampPath(folder)
  const stamp = readStamp(path)
  if (stamp === undefined) return false
  const version = versionIn(stamp)
  if (version === undefined) {
    throw new StorageError(
      'format',
      `${path} holds ${JSON.stringify(stamp.slice(0, 80))}, not a Millrace format stamp`,
    )
  }
  if (version > FORMAT_VERSION) {
    throw new StorageError(
      'format',
      `data folder ${folder} has format ${version}; this Millrace reads formats up to ${FORMAT_VERSION}, use a newer one`,
    )
  }
  if (version < OLDEST_READABLE) throw tooOld(folder, version)
  return true
}

function tooOld(folder: string, version: number): StorageError {
  return new StorageError(
    'format',
    `data folder ${folder} has format ${version}, which was used only before the first release; this Millrace reads format ` +
      `${FORMAT_VERSION}. Export its streams with the version that wrote it, and import them into a new folder with this one`,
  )
}

/** Whether the format of the folder is unknown: the stamp is missing, or its content is not a stamp. */
export function isUnstamped(folder: string): boolean {
  const stamp = readStamp(stampPath(folder))
  return stamp === undefined || versionIn(stamp) === undefined
}

function versionIn(stamp: string): number | undefined {
  const digits = new RegExp(`^${FORMAT_NAME} ([1-9][0-9]*)\\n$`).exec(stamp)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

function stampPath(folder: string): string {
  return join(folder, 'FORMAT')
}

/** Stamps the folder with the format of this version. Durable once this returns. */
export function writeStamp(folder: string): void {
  writeDurably(stampPath(folder), `${FORMAT_NAME} ${FORMAT_VERSION}\n`)
  syncFolder(dirname(resolve(folder)))
}

function readStamp(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new StorageError('unavailable', `${path} cannot be read: ${innermost(cause).message}`, { cause })
  }
}

/**
 * Writes the file as a whole or not at all, also at a power cut: writes a new file, renames it, then syncs the folder.
 */
export function writeDurably(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { flush: true })
  renameSync(`${path}.new`, path)
  syncFolder(dirname(path))
}

/** False on Windows, where folders cannot be opened. */
export function canSyncFolders(): boolean {
  return process.platform !== 'win32'
}

export function syncFolder(folder: string): void {
  if (!canSyncFolders()) return
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
