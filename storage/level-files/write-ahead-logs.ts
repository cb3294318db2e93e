/**
 * Reads the write-ahead logs that LevelDB would replay if it opened the store now. They contain the newest writes,
 * which are in no table yet. They are about as large as LevelDB's memory table, so their entries are held in memory.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { FileDamage, OnFileDamage } from './file-damage.ts'
import type { StoreFileNames } from './file-names.ts'
import { readRecordLog } from './record-log.ts'
import { type Entry, entriesOfBatch, operationCountOf, sequenceOfBatch } from './write-batch.ts'

/** How the last log ends. */
export type LogsEnd =
  | { readonly kind: 'whole' }
  /** It ends in the middle of a write, as after a crash. That write was not acknowledged. */
  | { readonly kind: 'torn'; readonly damage: FileDamage }
  /** The last write does not match its checksum: a power cut interrupted it, or it was damaged. */
  | { readonly kind: 'doubtful'; readonly damage: FileDamage }

export interface WriteAheadLogs {
  /** In key order; entries of the same key are sorted newest first. */
  readonly entries: readonly Entry[]
  readonly files: readonly string[]
  readonly fileBytes: number
  readonly end: LogsEnd
  /** The operations of the last whole write. */
  readonly lastWrite: readonly Entry[]
}

interface LastWrite {
  /** LevelDB's sequence number of the write's last operation. */
  sequence: number
  lastWrite: readonly Entry[]
}

interface Ending {
  readonly kind: 'torn' | 'doubtful'
  readonly damage: FileDamage
}

/** `from` is the number of the oldest log that is still needed. If it is undefined, all logs are read. */
export function readLogs(
  store: string,
  names: StoreFileNames,
  from: number | undefined,
  onDamage: OnFileDamage,
): WriteAheadLogs {
  const numbers = [...names.logs.keys()].filter((number) => number >= (from ?? 0)).sort((a, b) => a - b)
  if (from !== undefined && from > 0 && !names.logs.has(from)) {
    onDamage({ file: `${String(from).padStart(6, '0')}.log`, offset: 0, reason: 'the file is missing' })
  }
  const entries: Entry[] = []
  const files = numbers.map((number) => names.logs.get(number)!)
  const last: LastWrite = { sequence: 0, lastWrite: [] }
  let fileBytes = 0
  let ending: Ending | undefined
  for (const file of files) {
    fileBytes += statSync(join(store, file)).size
    const before = entries.length
    let own = readLog(store, file, last, entries, onDamage)
    // Every write is synced, so the content of a log is on disk before LevelDB starts a new one. An old log cannot be
    // torn.
    if (ending !== undefined && entries.length > before) onDamage(ending.damage)
    else own ??= ending
    ending = own
  }
  const { lastWrite } = last
  entries.sort((a, b) => a.key.compare(b.key) || b.sequence - a.sequence)
  return { entries, files, fileBytes, end: endOf(ending), lastWrite }
}

function endOf(ending: Ending | undefined): LogsEnd {
  if (ending === undefined) return { kind: 'whole' }
  return ending
}

/** Adds the entries of one log. Returns how the log ends; undefined if it ends with a whole record. */
function readLog(
  store: string,
  file: string,
  last: LastWrite,
  entries: Entry[],
  onDamage: OnFileDamage,
): Ending | undefined {
  let fresh = true
  const isLater = (payload: Buffer, skipped: number) => {
    const sequence = sequenceOfBatch(payload)
    if (sequence === undefined) return true
    // Every operation takes a few bytes, so the skipped bytes limit how much the sequence can have grown.
    return sequence > last.sequence && (fresh || sequence - last.sequence <= skipped)
  }
  for (const piece of readRecordLog(join(store, file), isLater)) {
    const { offset } = piece
    if (piece.kind === 'record') {
      const batch = entriesOfBatch(piece.bytes)
      if (batch === undefined) {
        onDamage({ file, offset, reason: 'the record makes no sense' })
        continue
      }
      for (const entry of batch) entries.push(entry)
      last.sequence = sequenceOfBatch(piece.bytes)! + operationCountOf(piece.bytes) - 1
      last.lastWrite = batch
      fresh = false
    } else if (piece.kind === 'damage') {
      onDamage({ file, offset, reason: piece.reason })
    } else if (piece.kind === 'padding') {
      onDamage({ file, offset, reason: 'filling bytes were altered', harmless: true })
    } else {
      const reason = piece.kind === 'doubtful' ? piece.reason : 'the record is cut off'
      return { kind: piece.kind, damage: { file, offset, reason } }
    }
  }
  return undefined
}
