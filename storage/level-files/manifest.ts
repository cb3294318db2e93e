/**
 * Reads LevelDB's manifest: which tables make up the store, and which write-ahead logs have to be replayed after them.
 *
 *   CURRENT    the name of the manifest, and a line end
 *   manifest   records (record-log.ts) of fields. Each field changes the state that the fields before it define:
 *
 *   1 comparator name | 2 log number | 3 next file number | 4 last sequence | 5 level, key (compaction pointer)
 *   6 level, file (deleted) | 7 level, file, bytes, smallest, largest (added) | 9 previous log number
 *
 * Numbers are varints. Texts and keys have their length before them. Keys are internal keys (table.ts).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OnFileDamage } from './file-damage.ts'
import { CURRENT } from './file-names.ts'
import { readRecordLog } from './record-log.ts'
import { userKeyOf } from './table.ts'
import { VarintReader } from './varint.ts'

/** One of the store's tables. */
export interface TableInfo {
  readonly number: number
  readonly fileBytes: number
  readonly smallest: Buffer
  readonly largest: Buffer
}

export interface StoreVersion {
  readonly manifest: string
  readonly tables: readonly TableInfo[]
  /** Write-ahead logs with this number or a higher one have not become tables yet. */
  readonly logNumber: number
  /** Numbers of all tables that the manifest names, including tables that were removed since. */
  readonly named: ReadonlySet<number>
  /** Whether the manifest ends with a whole record. */
  readonly whole: boolean
}

/** Returns undefined, and reports the damage, if the manifest cannot be read. */
export function readVersion(store: string, onDamage: OnFileDamage): StoreVersion | undefined {
  const manifest = readCurrent(store, onDamage)
  if (manifest === undefined) return undefined
  const version = new VersionBuilder()
  let damaged = false
  let whole = true
  const tell = (offset: number, reason: string) => {
    damaged = true
    onDamage({ file: manifest, offset, reason })
  }
  try {
    for (const piece of readRecordLog(join(store, manifest))) {
      if (piece.kind === 'record') {
        if (!version.apply(piece.bytes)) tell(piece.offset, 'the record makes no sense')
      } else if (piece.kind === 'padding') {
        const reason = 'filling bytes were altered'
        onDamage({ file: manifest, offset: piece.offset, reason, harmless: true })
      } else if (piece.kind === 'torn') {
        whole = false
      } else {
        tell(piece.offset, piece.reason)
      }
    }
  } catch (error) {
    tell(0, error instanceof Error ? error.message : String(error))
  }
  if (damaged) return undefined
  if (version.logNumber === undefined) {
    tell(0, 'the manifest is empty')
    return undefined
  }
  const { logNumber, named } = version
  return { manifest, tables: version.tables(), logNumber, named, whole }
}

function readCurrent(store: string, onDamage: OnFileDamage): string | undefined {
  try {
    const text = readFileSync(join(store, CURRENT), 'latin1')
    if (/^MANIFEST-[0-9]+\n$/.test(text)) return text.slice(0, -1)
    onDamage({ file: CURRENT, offset: 0, reason: `it holds ${JSON.stringify(text.slice(0, 80))}` })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    onDamage({ file: CURRENT, offset: 0, reason })
  }
  return undefined
}

class VersionBuilder {
  logNumber: number | undefined
  readonly named = new Set<number>()
  /** By level and number. */
  readonly #tables = new Map<string, TableInfo>()

  tables(): TableInfo[] {
    return [...this.#tables.values()].sort((a, b) => a.number - b.number)
  }

  /** False if the record is not valid. This cannot happen to a record that matches its checksum. */
  apply(record: Buffer): boolean {
    const reader = new VarintReader(record)
    while (!reader.ended) {
      const field = reader.next()
      if (field === undefined || !this.#applyField(field, reader)) return false
    }
    return true
  }

  #applyField(field: number, reader: VarintReader): boolean {
    switch (field) {
      case 1:
        return reader.nextBytes() !== undefined
      case 2:
        this.logNumber = reader.next()
        return this.logNumber !== undefined
      case 3:
      case 4:
      case 9:
        return reader.next() !== undefined
      case 5:
        return reader.next() !== undefined && reader.nextBytes() !== undefined
      case 6:
        return this.#remove(reader)
      case 7:
        return this.#add(reader)
      default:
        return false
    }
  }

  #remove(reader: VarintReader): boolean {
    const level = reader.next()
    const number = reader.next()
    if (level === undefined || number === undefined) return false
    this.named.add(number)
    this.#tables.delete(`${level}/${number}`)
    return true
  }

  #add(reader: VarintReader): boolean {
    const level = reader.next()
    const number = reader.next()
    const fileBytes = reader.next()
    const smallest = reader.nextBytes()
    const largest = reader.nextBytes()
    if (number === undefined || fileBytes === undefined || !smallest || !largest) return false
    this.named.add(number)
    this.#tables.set(`${level}/${number}`, {
      number,
      fileBytes,
      smallest: userKeyOf(smallest),
      largest: userKeyOf(largest),
    })
    return true
  }
}
