/**
 * The token file on disk: read as a whole, replaced as a whole.
 *
 * A change first creates `<file>.lock`, which fails if the file exists, writes the new content into it and renames it over
 * the token file. So concurrent changes do not overwrite each other, and a reader sees either the old file or the new one. A lock that
 * is there for a minute is that of a process that was killed, and is removed.
 */
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeFolder } from '../../storage/make-folder.ts'
import { syncFolder } from '../../storage/sync-folder.ts'
import { parseTokenFile, printTokenFile, type TokenEntry } from './token-file.ts'
import { TokenProblem } from './token-problem.ts'

/** Only for its owner: the hashes are no secrets, but write access to the file allows adding tokens. */
const MODE = 0o600
const FOLDER_MODE = 0o700
const WRITABLE_BY_ALL = 0o002
/** How often, and how long, a change that waits looks for the lock of another. A change takes a few milliseconds. */
const WAIT_MS = 50
const WAITS_MAX = 60
/** A lock that has not changed for this long is left over. */
const LEFT_OVER_MS = 60_000

/** Rejects with TokenProblem, in a sentence that names the file. */
export async function readTokenFile(path: string): Promise<TokenEntry[]> {
  return entriesOf(path, await readTokenText(path))
}

/** Rejects with TokenProblem. */
export function readTokenText(path: string): Promise<string> {
  return usable(path, async () => {
    const { mode } = await stat(path)
    if (process.platform !== 'win32' && (mode & WRITABLE_BY_ALL) !== 0) {
      throw new TokenProblem('all users may write it; forbid that with chmod 600')
    }
    return readFile(path, 'utf8')
  })
}

/** Throws TokenProblem. */
export function entriesOf(path: string, text: string): TokenEntry[] {
  try {
    return parseTokenFile(text)
  } catch (error) {
    throw unusable(path, error)
  }
}

/** Differs when the file is written or replaced; '' if its attributes cannot be read. */
export async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch {
    return ''
  }
}

export interface ChangeOptions {
  /** The clock; without it no lock is removed. */
  readonly nowMs?: () => number
  /** Whether to wait a few seconds for a change of another process. */
  readonly waits?: boolean
}

/**
 * Replaces the entries with the result of `change`, durably; a missing file has no entries. Rejects with TokenProblem if the
 * file is not usable or another process is changing it, and with the error that `change` throws; the file is unchanged then.
 */
export async function changeTokenFile(
  path: string,
  change: (entries: readonly TokenEntry[]) => readonly TokenEntry[],
  { nowMs = () => 0, waits = false }: ChangeOptions = {},
): Promise<void> {
  const file = await realpath(path).catch(() => path) // a symbolic link stays one
  const lock = `${file}.lock`
  await removeLeftOver(lock, nowMs())
  const handle = await lockFile(file, lock, waits ? WAITS_MAX : 0)
  try {
    const existing = await stat(file).catch(() => undefined)
    const entries = existing === undefined ? [] : await readTokenFile(file)
    await handle.writeFile(printTokenFile(change(entries)))
    if (existing !== undefined) await keepOwner(handle, existing)
    await handle.sync()
    if (!(await isSameFile(handle, lock))) throw new TokenProblem(`${lock} was removed during a change`)
    await handle.close()
    await rename(lock, file)
  } catch (error) {
    const isOurs = await isSameFile(handle, lock).catch(() => true) // closed already: the rename has failed
    await handle.close()
    if (isOurs) await rm(lock, { force: true })
    throw error
  }
  await syncFolder(dirname(file))
}

/** Makes the folder of a token file, for its owner alone, unless it is there. Throws TokenProblem. */
export function makeTokenFolder(file: string): void {
  try {
    makeFolder(dirname(file), FOLDER_MODE)
  } catch (error) {
    throw new TokenProblem(`the folder of token file ${file} cannot be made: ${messageOf(error)}`)
  }
}

async function removeLeftOver(lock: string, nowMs: number): Promise<void> {
  const found = await stat(lock).catch(() => undefined)
  if (found !== undefined && nowMs - found.mtimeMs > LEFT_OVER_MS) await rm(lock, { force: true })
}

/** False if the lock was taken for left over while this process was stopped. */
async function isSameFile(handle: FileHandle, path: string): Promise<boolean> {
  const [ours, there] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)])
  return ours.ino === there?.ino && ours.dev === there.dev
}

async function lockFile(file: string, lock: string, waitsLeft: number): Promise<FileHandle> {
  try {
    return await open(lock, 'wx', MODE)
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && waitsLeft > 0) {
      await delay(WAIT_MS)
      return lockFile(file, lock, waitsLeft - 1)
    }
    if (codeOf(error) === 'EEXIST') {
      throw new TokenProblem(`${lock} is there: another command is changing ${file}; if none is, remove it`)
    }
    throw new TokenProblem(`token file ${file} cannot be written: ${messageOf(error)}`)
  }
}

/** root may change the file of the user who runs the service, and that user still has to read it. */
async function keepOwner(handle: FileHandle, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  const ours = await handle.stat()
  if (ours.uid === uid && ours.gid === gid) return
  try {
    await handle.chown(uid, gid)
  } catch (error) {
    throw new TokenProblem(
      `the token file belongs to user ${uid}, group ${gid}, and has to stay theirs: ${messageOf(error)}`,
    )
  }
}

async function usable<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw unusable(path, error)
  }
}

function unusable(path: string, error: unknown): TokenProblem {
  if (codeOf(error) === 'ENOENT') {
    return new TokenProblem(`there is no token file ${path}; make one with millrace token add --auth ${path}`)
  }
  return new TokenProblem(`token file ${path} cannot be used: ${messageOf(error)}`)
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
