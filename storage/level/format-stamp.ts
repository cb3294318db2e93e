/**
 * The stamp of a data folder: which format its content has, read before anything touches it.
 *
 *   <data>/FORMAT   "millrace-data 3\n": name and version of the storage format
 */
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { makeFolder } from '../make-folder.ts'
import { StorageError } from '../storage-error.ts'
import { innermost } from './level-error.ts'

/** Raised when old code could no longer read what new code writes. Old versions stay readable: upgrade.ts. */
export const FORMAT_VERSION = 3
const FORMAT_NAME = 'millrace-data'

/**
 * Version of the format a folder is in; makes the folder and stamps it if there is none. Throws StorageError 'format'
 * if it is not ours or too new, before LevelDB writes a byte into it, and 'unavailable'.
 */
export function formatOf(folder: string): number {
  try {
    makeDurableFolder(folder)
    return checkOrWriteStamp(folder)
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

/** With the folders above it that are missing; each is a name in its parent, which is synced. */
function makeDurableFolder(folder: string): void {
  for (const made of makeFolder(folder).toReversed()) syncFolder(dirname(made))
}

export function unusable(folder: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause
  const reason = innermost(cause).message
  return new StorageError('unavailable', `data folder ${folder} cannot be used: ${reason}`, { cause })
}

function checkOrWriteStamp(folder: string): number {
  const version = existingFormatOf(folder)
  if (version !== undefined) return version
  const others = readdirSync(folder).filter((name) => name !== 'FORMAT.new')
  if (others.length > 0) {
    throw new StorageError(
      'format',
      `${folder} is not empty and not a Millrace data folder; name an empty or new one`,
    )
  }
  writeStamp(folder)
  return FORMAT_VERSION
}

/** The version in the stamp of a folder, which is left as it is; undefined if it has none. Throws like `formatOf`. */
export function existingFormatOf(folder: string): number | undefined {
  const path = stampPath(folder)
  const stamp = readStamp(path)
  const version = stamp === undefined ? undefined : versionIn(stamp)
  if (stamp !== undefined && version === undefined) {
    throw new StorageError(
      'format',
      `${path} holds ${JSON.stringify(stamp.slice(0, 80))}, not a Millrace format stamp`,
    )
  }
  if (version !== undefined && version > FORMAT_VERSION) {
    throw new StorageError(
      'format',
      `data folder ${folder} has format ${version}; this Millrace reads formats up to ${FORMAT_VERSION}, use a newer one`,
    )
  }
  return version
}

/** Whether the folder says nothing about its format: the stamp is gone, or is none. */
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

/** The folder has the format of this version from now on: durable once this returns. */
export function writeStamp(folder: string, version: number = FORMAT_VERSION): void {
  writeDurably(stampPath(folder), `${FORMAT_NAME} ${version}\n`)
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

/** Whole or not at all, also after a power cut: file, rename, then the folder. */
export function writeDurably(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { flush: true })
  renameSync(`${path}.new`, path)
  syncFolder(dirname(path))
}

/** Not on Windows, where folders cannot be opened. */
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
