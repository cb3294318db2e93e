/**
 * Opens a data folder: checks the format it was written in before anything touches it, then LevelDB, then the log.
 *
 *   <data>/FORMAT   "millrace-data 1\n": name and version of the storage format
 *   <data>/store/   LevelDB
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Level as ClassicLevel } from 'level'
import type { Catalog } from '../catalog.ts'
import type { EventLog } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import type { Level } from './level.ts'
import { LevelCatalog } from './level-catalog.ts'
import { innermost, storageErrorOf } from './level-error.ts'
import { LevelLog, type LevelLogOptions } from './level-log.ts'

/** Raised when old code could no longer read what new code writes. Old versions stay readable. */
export const FORMAT_VERSION = 1
const FORMAT_NAME = 'millrace-data'

/**
 * LevelDB maps its files into memory, and every page that a long read touches counts as the process's until the file is
 * unmapped. It keeps this many files less ten mapped (74 is the least it takes), each about as large as its memory table
 * when it was flushed. So both are small: a read of any length stays under 300 MB (docs/decisions/0008-memory.md).
 */
const OPEN_FILES = 74
const WRITE_BUFFER_BYTES = 2 * 1024 * 1024
const BLOCK_CACHE_BYTES = 8 * 1024 * 1024

/** What LevelDB is opened with; the bench opens its bare LevelDB with the same. */
export const LEVEL_OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  writeBufferSize: WRITE_BUFFER_BYTES,
  cacheSize: BLOCK_CACHE_BYTES,
  maxOpenFiles: OPEN_FILES,
} as const

export interface Storage {
  readonly log: EventLog
  readonly catalog: Catalog
  /** Writes what was accepted, then closes. */
  close(): Promise<void>
}

/** Opens, and creates if need be. Rejects with StorageError 'format', 'locked', 'corrupt' or 'unavailable'. */
export async function openStorage(folder: string, options: LevelLogOptions): Promise<Storage> {
  stampFormat(folder)
  const db = new ClassicLevel<Buffer, Buffer>(join(folder, 'store'), LEVEL_OPTIONS)
  try {
    await db.open()
  } catch (error) {
    if (innermost(error).code === 'LEVEL_LOCKED') {
      throw new StorageError(
        'locked',
        `data folder ${folder} is in use by another process; stop it, or use another folder`,
      )
    }
    const { code, message } = storageErrorOf(error)
    throw new StorageError(code, `data folder ${folder} cannot be opened: ${message}`, { cause: error })
  }
  // The names of what was just made are content of these folders: without this a power cut may take them.
  for (const made of [folder, join(folder, 'store')]) syncFolder(made)
  return openStorageOn(db as unknown as Level, options)
}

/** The same on a LevelDB that is open, or opens itself, such as one in memory. */
export async function openStorageOn(db: Level, options: LevelLogOptions): Promise<Storage> {
  const log = await LevelLog.open(db, options).catch(async (error) => {
    await db.close() // or the folder stays locked
    throw storageErrorOf(error)
  })
  return {
    log,
    catalog: new LevelCatalog(db, log.commit),
    async close() {
      await log.commit.close()
      await db.close()
    },
  }
}

/** Refuses a folder that is not ours before LevelDB writes a byte into it; stamps a new one. */
function stampFormat(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
    checkOrWriteStamp(folder)
  } catch (cause) {
    if (cause instanceof StorageError) throw cause
    const reason = innermost(cause).message
    throw new StorageError('unavailable', `data folder ${folder} cannot be used: ${reason}`, { cause })
  }
}

function checkOrWriteStamp(folder: string): void {
  const path = join(folder, 'FORMAT')
  const stamp = readStamp(path)
  if (stamp === undefined) {
    const others = readdirSync(folder).filter((name) => name !== 'FORMAT.new')
    if (others.length > 0) {
      throw new StorageError(
        'format',
        `${folder} is not empty and not a Millrace data folder; name an empty or new one`,
      )
    }
    writeDurably(folder, path, `${FORMAT_NAME} ${FORMAT_VERSION}\n`)
    return
  }
  const version = new RegExp(`^${FORMAT_NAME} ([0-9]+)\\n$`).exec(stamp)?.[1]
  if (version === undefined) {
    throw new StorageError(
      'format',
      `${path} holds ${JSON.stringify(stamp.slice(0, 80))}, not a Millrace format stamp`,
    )
  }
  if (Number(version) > FORMAT_VERSION) {
    throw new StorageError(
      'format',
      `data folder ${folder} has format ${version}; this Millrace reads formats up to ${FORMAT_VERSION}, use a newer one`,
    )
  }
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
function writeDurably(folder: string, path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { flush: true })
  renameSync(`${path}.new`, path)
  syncFolder(folder)
  syncFolder(dirname(resolve(folder)))
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return // where folders cannot be opened
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
