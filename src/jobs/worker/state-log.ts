/**
 * The log of the engine beside a state file: `<file>.wal`. The engine syncs its bytes at each commit. When it has folded the
 * log into the file it removes the log, and the next commit creates another one. The name of that one is durable only after
 * a sync of the folder.
 *
 *   log   := header, 8 bytes; entry*
 *   entry := length u64, checksum u64, payload of that length; little-endian
 *
 * The entries of a commit end with COMMIT_END, whose payload is always the same.
 */
import { statSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../../../storage/sync-folder.ts'

/** Length, checksum and payload. */
const COMMIT_END = Buffer.from('0500000000000000e7fe7d722fed3d5e640064ffff', 'hex')
/** Bytes of an entry before its payload. */
const ENTRY_HEAD_BYTES = 16
/** What the engine says about an entry whose bytes are not those of its checksum, with the place of its payload. */
const WRONG_ENTRY = /Corrupt WAL file: entry at byte position (\d+) computed checksum/

export function logOf(stateFile: string): string {
  return `${stateFile}.wal`
}

export class StateLog {
  readonly #stateFile: string
  #synced = ''

  constructor(stateFile: string) {
    this.#stateFile = stateFile
  }

  /** Makes the name of the log durable, if it is another log than at the last call. */
  async sync(): Promise<void> {
    const now = identityOf(logOf(this.#stateFile))
    if (now === this.#synced) return
    await syncFolder(dirname(this.#stateFile))
    this.#synced = now
  }
}

/**
 * Cuts the log before the entry for which the engine could not open the file, if the entry is of the last commit. After a
 * power cut the file may be as long as that commit has made it, and have other bytes in the place of those that were not
 * synced. Nothing relied on that commit. If it is an earlier one, the log has been damaged: returns false.
 */
export async function cutTornLog(stateFile: string, error: unknown): Promise<boolean> {
  const place = WRONG_ENTRY.exec(error instanceof Error ? error.message : String(error))?.[1]
  if (place === undefined) return false
  const log = logOf(stateFile)
  const begin = Number(place) - ENTRY_HEAD_BYTES
  const bytes = await readFile(log)
  const end = bytes.indexOf(COMMIT_END, begin)
  if (end !== -1 && end + COMMIT_END.length < bytes.length) return false
  const file = await open(log, 'r+')
  try {
    await file.truncate(begin)
    await file.sync()
  } finally {
    await file.close()
  }
  return true
}

/** Another one may have the number of a file that was removed, so the time of its creation counts too. */
function identityOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? 'none' : `${found.ino} ${found.birthtimeNs}`
}
