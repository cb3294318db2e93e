/**
 * The write-ahead logs that LevelDB would replay if it opened the store now: what was written last and is in no table yet.
 * About as large as LevelDB's memory table, so their entries are held in memory.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { FileDamage, OnFileDamage } from './file-damage.ts'
import type { StoreFileNames } from './file-names.ts'
import { readRecordLog } from './record-log.ts'
import { type Entry, entriesOfBatch, operationCountOf, sequenceOfBatch } from './write-batch.ts'

/** How the last of the logs ends. */
export type LogsEnd =
  | { readonly kind: 'whole' }
  /** In the middle of a write, as after a crash: it was not acknowledged. */
  | { readonly kind: 'torn'; readonly damage: FileDamage }
  /** With a write that does not match: a power cut in the middle of it, or damage. */
  | { readonly kind: 'doubtful'; readonly damage: FileDamage }

export interface WriteAheadLogs {
  /** In the order of their keys; of one key the newest first. */
  readonly entries: readonly Entry[]
  readonly files: readonly string[]
  readonly fileBytes: number
  readonly end: LogsEnd
  /** What was written last. */
  readonly lastWrite: readonly Entry[]
}

interface LastWrite {
  /** LevelDB's number of its last operation. */
  sequence: number
  lastWrite: readonly Entry[]
}

interface Ending {
  readonly kind: 'torn' | 'doubtful'
  readonly damage: FileDamage
}

/** `from` is the oldest log that is still needed; undefined where it is not known, then all are read. */
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
    // A log is left for a new one only when all that stands in it is on disk: it cannot be torn.
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

/** Adds the entries of one log; answers how it ends, if not with a whole record. */
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
    // Every operation takes a few bytes, so what was skipped bounds how far the numbers went on.
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
