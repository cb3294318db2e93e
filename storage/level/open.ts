/**
 * Opens a data folder: checks its format before anything in it is changed, then opens LevelDB, then the log.
 *
 *   <data>/FORMAT     format-stamp.ts
 *   <data>/IDENTITY   store-identity.ts
 *   <data>/STOPPED    stop-record.ts; only while the store is closed
 *   <data>/store/     LevelDB
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { StorageError } from '../storage-error.ts'
import { uniqueNumber } from '../unique-number.ts'
import { canSyncFolders, ensureFormat, syncFolder, unusable } from './format-stamp.ts'
import type { Level } from './level.ts'
import { innermost, storageErrorOf } from './level-error.ts'
import { LevelLog, type LevelLogOptions } from './level-log.ts'
import { type FolderState, LevelStorage } from './level-storage.ts'
import { freeBytesNow, freeDiskSpace } from './probe.ts'
import { checkBeforeOpen } from './start-check.ts'
import { currentManifest, removeStopRecord, writeStopRecord } from './stop-record.ts'
import { readIdentity, writeIdentity } from './store-identity.ts'
import { WalName } from './wal-name.ts'

/**
 * LevelDB maps its files into memory, and every page that a long read touches counts as memory of the process until the
 * file is unmapped. It keeps at most this many files minus ten mapped (74 is the minimum that it accepts). Each file is
 * about as large as LevelDB's memory table when it was flushed. So both numbers are small: a read of any length stays
 * under 250 MB (docs/decisions/0008-memory.md).
 */
const OPEN_FILES = 74
const WRITE_BUFFER_BYTES = 2 * 1024 * 1024
const BLOCK_CACHE_BYTES = 8 * 1024 * 1024

/** The options with which LevelDB is opened. The bench opens its plain LevelDB with the same options. */
export const LEVEL_OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  writeBufferSize: WRITE_BUFFER_BYTES,
  cacheSize: BLOCK_CACHE_BYTES,
  maxOpenFiles: OPEN_FILES,
} as const

/**
 * Opens a store, and creates it if it does not exist. A store with damage that LevelDB would hide is not opened
 * (start-check.ts). Rejects with StorageError 'format', 'locked', 'corrupt' or 'unavailable'.
 */
export async function openStorage(folder: string, options: LevelLogOptions): Promise<LevelStorage> {
  const isKnown = existsSync(join(folder, 'FORMAT'))
  ensureFormat(folder)
  const remarks = await checked(folder)
  if (isKnown && !existsSync(join(folder, 'store'))) remarks.push(emptied(folder))
  let identity = readIdentity(folder)
  await diskSpaceFreed(folder)
  const db = new ClassicLevel<Buffer, Buffer>(join(folder, 'store'), LEVEL_OPTIONS)
  try {
    await db.open()
  } catch (error) {
    if (innermost(error).code === 'LEVEL_LOCKED') throw locked(folder)
    const { code, message } = storageErrorOf(error)
    throw new StorageError(code, `data folder ${folder} cannot be opened: ${message}`, { cause: error })
  }
  let walName: WalName | undefined
  let manifest: string
  try {
    manifest = currentManifest(folder)
    if (identity === undefined) {
      identity = uniqueNumber('store', join(folder, 'store', manifest))
      writeIdentity(folder, identity)
    }
    removeStopRecord(folder)
    // Without this sync a power cut may remove the names of the files just created.
    for (const made of [folder, join(folder, 'store')]) syncFolder(made)
    if (canSyncFolders()) walName = new WalName(join(folder, 'store'))
  } catch (cause) {
    await db.close() // otherwise the folder stays locked
    throw unusable(folder, cause)
  }
  try {
    let freeAtFailure: number | undefined
    return await openStorageOn(db as unknown as Level, {
      ...options,
      onFailure() {
        freeAtFailure = freeBytesNow(folder)
      },
      ...(walName && { walName }),
      identity,
      epoch: uniqueNumber('epoch', join(folder, 'store', manifest)),
      folder: {
        remarks,
        freeBytesAtFailure: () => freeAtFailure,
        closed(isClosed, failure) {
          walName?.close()
          if (isClosed && failure === undefined) recordStop(folder, manifest)
        },
      },
    })
  } catch (error) {
    walName?.close()
    throw namingFolder(folder, error)
  }
}

/** Adds the folder to the message, because LevelDB's own errors do not name it. */
function namingFolder(folder: string, error: unknown): unknown {
  if (!(error instanceof StorageError) || error.cause === undefined) return error
  return new StorageError(error.code, `data folder ${folder} cannot be opened: ${error.message}`, {
    cause: error,
  })
}

async function checked(folder: string): Promise<string[]> {
  try {
    return await checkBeforeOpen(folder)
  } catch (cause) {
    if (cause instanceof StorageError && cause.code === 'locked') throw locked(folder)
    throw unusable(folder, cause)
  }
}

async function diskSpaceFreed(folder: string): Promise<void> {
  try {
    await freeDiskSpace(folder)
  } catch (cause) {
    if (cause instanceof StorageError && cause.code === 'locked') throw locked(folder)
    throw unusable(folder, cause)
  }
}

/** A crash shortly after a new folder was created leaves the same state. */
function emptied(folder: string): string {
  return `data folder ${folder} had a FORMAT stamp and no folder store: an empty one was made. If it had one, it is gone`
}

function locked(folder: string): StorageError {
  return new StorageError(
    'locked',
    `data folder ${folder} is in use by another process; stop it, or use another folder`,
  )
}

/** The stop record is optional: a full disk must not make the stop fail. */
function recordStop(folder: string, manifest: string): void {
  try {
    writeStopRecord(folder, manifest)
  } catch {}
}

interface StorageOptions {
  readonly folder?: FolderState
}

/** The same for a LevelDB that is open, or opens itself, such as the one in memory. */
export async function openStorageOn(
  db: Level,
  { folder, ...options }: LevelLogOptions & StorageOptions,
): Promise<LevelStorage> {
  let log: LevelLog
  try {
    log = await LevelLog.open(db, options)
  } catch (error) {
    await db.close() // otherwise the folder stays locked
    throw storageErrorOf(error)
  }
  return new LevelStorage(db, log, options.sync, folder)
}
