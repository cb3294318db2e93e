/**
 * Reads a LevelDB store from its files alone. It writes nothing, verifies every checksum, and reports damage and
 * continues after it. LevelDB itself can do none of the three: opening replays and deletes the write-ahead log, and
 * classic-level does not offer LevelDB's options for checking.
 *
 * If the manifest cannot be read, every table and log in the folder is used. LevelDB numbers all changes, so the newest
 * entry of each key is still known.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { FileDamage, OnFileDamage } from './file-damage.ts'
import { CURRENT, type StoreFileNames, storeFileNames } from './file-names.ts'
import { type EntrySource, mergeNewest } from './key-merge.ts'
import { readVersion, type StoreVersion, type TableInfo } from './manifest.ts'
import { TableReader } from './table.ts'
import { type LogsEnd, readLogs, type WriteAheadLogs } from './write-ahead-logs.ts'
import type { Entry } from './write-batch.ts'

export class StoreFiles {
  readonly #store: string
  readonly #onDamage: OnFileDamage
  readonly #names: StoreFileNames
  readonly #version: StoreVersion | undefined
  readonly #logs: WriteAheadLogs
  #knownTables: readonly Table[] | undefined

  /** Reports each damage once, when it is found. Throws the errors of the file system. */
  constructor(store: string, onDamage: OnFileDamage) {
    this.#store = store
    this.#onDamage = onceEach(onDamage)
    this.#names = storeFileNames(store)
    this.#version = readVersion(store, this.#onDamage)
    this.#logs = readLogs(store, this.#names, this.#version?.logNumber, this.#onDamage)
    if (this.#version !== undefined) this.#knownTables = this.#present(this.#version)
  }

  /** How the last write-ahead log ends: whole, torn or doubtful. */
  get end(): LogsEnd {
    return this.#logs.end
  }

  /** The operations of the last whole write. */
  get lastWrite(): readonly Entry[] {
    return this.#logs.lastWrite
  }

  /**
   * Verifies every block of the newest tables, about `bytes` in total. Each step of the generator verifies one table.
   */
  *checkTables(bytes: number): Generator<void, void> {
    let left = bytes
    for (const { file, fileBytes } of this.#tables.toSorted((a, b) => b.number - a.number)) {
      if (left <= 0) return
      for (const _ of this.#entriesOf(file, undefined, undefined));
      left -= fileBytes
      yield
    }
  }

  /** The files that LevelDB needs to open the store; empty if the manifest cannot be read. */
  get liveFiles(): readonly string[] {
    if (this.#version === undefined) return []
    return [CURRENT, this.#version.manifest, ...this.#tables.map(({ file }) => file), ...this.#logs.files]
  }

  /** Bytes of tables and logs. */
  get fileBytes(): number {
    return this.#tables.reduce((sum, { fileBytes }) => sum + fileBytes, this.#logs.fileBytes)
  }

  get fileCount(): number {
    return this.#tables.length + this.#logs.files.length
  }

  /**
   * The newest entry of every key with `gte <= key < lt`, in order. Does not read tables without keys in this range.
   */
  entries(gte?: Buffer, lt?: Buffer): Generator<Entry, void> {
    const sources: EntrySource[] = []
    for (const table of this.#tables) {
      if (lt !== undefined && table.smallest.compare(lt) >= 0) continue
      if (gte !== undefined && table.largest.compare(gte) < 0) continue
      sources.push({ smallest: table.smallest, entries: () => this.#entriesOf(table.file, gte, lt) })
    }
    const logged = within(this.#logs.entries, gte, lt)
    if (logged.length > 0) sources.push({ smallest: logged[0]!.key, entries: () => each(logged) })
    return mergeNewest(sources)
  }

  *#entriesOf(file: string, gte: Buffer | undefined, lt: Buffer | undefined): Generator<Entry, void> {
    const table = new TableReader(join(this.#store, file), this.#onDamage)
    try {
      yield* table.entries(gte, lt)
    } finally {
      table.close()
    }
  }

  get #tables(): readonly Table[] {
    this.#knownTables ??= this.#explored()
    return this.#knownTables
  }

  #present({ tables }: StoreVersion): Table[] {
    const present: Table[] = []
    for (const table of tables) {
      const { number, fileBytes, smallest, largest } = table
      const file = this.#names.tables.get(number)
      if (file === undefined) {
        const reason = 'the file is missing'
        const keys = { after: smallest, upTo: largest }
        this.#onDamage({ file: `${String(number).padStart(6, '0')}.ldb`, offset: 0, reason, keys })
        continue
      }
      const found = statSync(join(this.#store, file)).size
      if (found !== fileBytes) {
        this.#onDamage({ file, offset: 0, reason: `the file has ${found} bytes instead of ${fileBytes}` })
      }
      present.push({ ...table, file })
    }
    return present
  }

  /** The tables, as a manifest would describe them. Reads all of them. */
  #explored(): Table[] {
    const explored: Table[] = []
    for (const [number, file] of this.#names.tables) {
      let smallest: Buffer | undefined
      let largest: Buffer | undefined
      for (const { key, sound } of this.#entriesOf(file, undefined, undefined)) {
        if (!sound) continue
        smallest ??= Buffer.from(key)
        largest = key
      }
      if (smallest === undefined || largest === undefined) continue
      const fileBytes = statSync(join(this.#store, file)).size
      explored.push({ number, fileBytes, smallest, largest: Buffer.from(largest), file })
    }
    return explored
  }
}

type Table = TableInfo & { readonly file: string }

function onceEach(onDamage: OnFileDamage): OnFileDamage {
  const told = new Set<string>()
  return (damage: FileDamage) => {
    const name = `${damage.file} ${damage.offset} ${damage.reason}`
    if (told.has(name)) return
    told.add(name)
    onDamage(damage)
  }
}

function* each(entries: readonly Entry[]): Generator<Entry, void> {
  yield* entries
}

function within(
  entries: readonly Entry[],
  gte: Buffer | undefined,
  lt: Buffer | undefined,
): readonly Entry[] {
  const from = gte === undefined ? 0 : firstNotBelow(entries, gte)
  const to = lt === undefined ? entries.length : firstNotBelow(entries, lt)
  return entries.slice(from, to)
}

function firstNotBelow(entries: readonly Entry[], key: Buffer): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries[middle]!.key.compare(key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
