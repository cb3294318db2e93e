/**
 * The last row of every key of the captured tables of a connection, in a LevelDB of its own (row-coding.ts).
 *
 * Changes are made in memory with `put`, `remove` and `clear`; `get` sees them at once. `seal` ends a group of whole transactions.
 * `apply` takes the sealed groups up to an LSN, and is called when their events are durable. Applied rows are written a few MiB at a
 * time, or by `sync`, always in one batch with the LSN of the last group of which they are. So the store is never ahead of the
 * events; after a crash it is behind them, at the end of a group.
 *
 * Rows of a snapshot are added with `load`, straight to the batch that is written with their group: objects of many rows that live for
 * long would cost much time of the garbage collector.
 *
 * Rows of an open group that takes much memory are staged on the disk. When such a group is written, a mark with its LSN is stored
 * first; then its rows move to their places. An opening ends a move that a crash broke off, and removes the other staged rows.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChainedBatch, Level } from 'level'
import { ByteWriter } from '../events/byte-writer.ts'
import type { RowBytes } from '../events/row-bytes.ts'
import {
  ALL_STAGED,
  earlierRows,
  GENERATIONS,
  generationKey,
  joinKey,
  type KeyRange,
  LSN_KEY,
  MOVE_KEY,
  numberField,
  rowBytesMax,
  rowOfStaged,
  rowPrefix,
  STAGED_REMOVAL,
  stagedPrefix,
  stagedRow,
  stagedRows,
  tableOfGenerationKey,
  writeKey,
  writeRow,
} from './row-coding.ts'

/** The texts of the columns of the key, in its order. */
export type KeyTexts = readonly string[]

const MiB = 1024 * 1024
const LEVEL_OPTIONS = {
  keyEncoding: 'utf8',
  valueEncoding: 'buffer',
  /**
   * LevelDB reads blocks that are not compressed from the mapped files, without a copy: a look-up takes a third of the processor time, and
   * writing takes less, too. The files are up to twice as large.
   */
  compression: false,
  /**
   * LevelDB writes a block with one system call, and a look-up compares keys in the index of every file that it asks: with blocks of 4 KiB
   * both take several times as long.
   */
  blockSize: 16 * 1024,
  /** A larger one makes fewer files, which have to be merged less often, and takes longer to look up in. */
  writeBufferSize: 4 * MiB,
  cacheSize: 8 * MiB,
  /** LevelDB maps files of about 2 MiB into memory, so this bounds them. */
  maxOpenFiles: 74,
} as const
/**
 * Every write of rows is synced: LevelDB begins a new log file now and then and does not sync the old one, so a later synced write
 * does not make an earlier one durable.
 */
const SYNCED = { sync: true } as const

export interface RowStoreLimits {
  /** Applied rows of this size are written. Until then a row that changes again takes no further write. */
  readonly writeBytes: number
  /** Rows of an open group of this size are staged. */
  readonly stageBytes: number
}

const LIMITS: RowStoreLimits = { writeBytes: 4 * MiB, stageBytes: 16 * MiB }
/** A row takes this in memory besides its texts. */
const ROW_BYTES = 200
const MOVE_BYTES = 4 * MiB
const LOADING_BYTES = 64 * 1024
const CLEAR_ROWS = 10_000

type Db = Level<string, Buffer>

/** LevelDB copies each operation at once: an array of objects takes about seven times the processor time. */
type Batch = ChainedBatch<Db, string, Buffer>

/** A row as it is stored (row-coding.ts). Undefined: removed. */
type RowOrNone = Buffer | undefined

/** A row that was put or removed and is not written yet. */
interface Recent {
  readonly key: string
  row: RowOrNone
  /** Number of its group. */
  readonly group: number
  /** The list of its group that has it. As long as rows are added to the list, it is changed in its place. */
  readonly list: Recent[]
  /** The row of this key in a later list. */
  next: Recent | undefined
}

/**
 * The methods below those with encodings, which make objects for each operation. `write` of a batch must find an operation of its
 * own `put`, too, as the LSN of the group.
 */
interface EncodedPuts {
  _put(key: Uint8Array | string, value: Uint8Array): void
  _del(key: string): void
}
interface EncodedGets {
  _getSync(key: string, options: typeof GET_OPTIONS): Buffer | undefined
}
const GET_OPTIONS = { keyEncoding: 'utf8', valueEncoding: 'buffer' } as const

interface Joined {
  tableOid: number
  key: KeyTexts | undefined
  rowKey: string
  /** What `#recent` has of it. */
  recent: Recent | undefined
}

interface TablePrefix {
  readonly generation: number
  readonly prefix: string
  readonly bytes: Buffer
}

interface Group {
  /** Groups ascend. */
  readonly number: number
  /** Each has a key at most once. The last one is that of the open group. */
  readonly lists: Recent[][]
  bytes: number
  /** Rows of `load`. */
  loaded: Batch | undefined
  /** Tables that were emptied, with their new generation. */
  readonly generations: Map<number, number>
  /** Where rows of the group are on the disk. */
  area: number | undefined
  lsn: bigint
}

export class RowStore {
  readonly #db: Db
  readonly #folder: string
  readonly #limits: RowStoreLimits
  #lsn: bigint | undefined
  /** Generations of the tables as `get` sees them, and their prefixes of keys. */
  readonly #tables = new Map<number, TablePrefix>()
  readonly #loading = new ByteWriter(LOADING_BYTES, LOADING_BYTES)
  /** The last row of every key that is not written yet. */
  readonly #recent = new Map<string, Recent>()
  /** The last key that was joined: a row is mostly put after it was read. */
  readonly #joined: Joined = { tableOid: 0, key: undefined, rowKey: '', recent: undefined }
  #open = newGroup(1)
  #sealed: Group[] = []
  #applied: Group | undefined
  /** Areas with rows that are not in their places, the newest first. */
  #areas: number[] = []
  #lastArea = 0
  #closing = false
  /** Writes follow each other. After a failure all that follow fail. */
  #writes: Promise<void> = Promise.resolve()
  #clearing: Promise<void> = Promise.resolve()

  private constructor(db: Db, folder: string, limits: RowStoreLimits) {
    this.#db = db
    this.#folder = folder
    this.#limits = limits
  }

  /** Opens the store in the folder, or creates it. Rejects if another process has it open. */
  static async open(folder: string, limits = LIMITS): Promise<RowStore> {
    const db = new Level<string, Buffer>(folder, LEVEL_OPTIONS)
    await db.open()
    const store = new RowStore(db, folder, limits)
    try {
      await store.#recover()
    } catch (error) {
      await db.close() // otherwise the folder stays locked
      throw error
    }
    return store
  }

  /** Of the last group that is written; undefined: none. */
  get lsn(): bigint | undefined {
    return this.#lsn
  }

  /** The last row of the key; undefined if there is none. Synchronous: a read from the disk blocks for its time. */
  get(tableOid: number, key: KeyTexts): RowOrNone {
    const { rowKey, recent } = this.#join(tableOid, key)
    if (recent !== undefined) return recent.row
    for (const area of this.#areas) {
      const staged = this.#db.getSync(stagedPrefix(area) + rowKey)
      if (staged !== undefined) return rowOfStaged(staged)
    }
    if (this.#closing) throw new Error('the row store is closed')
    return (this.#db as unknown as EncodedGets)._getSync(rowKey, GET_OPTIONS)
  }

  put(tableOid: number, key: KeyTexts, row: Buffer): void {
    this.#change(tableOid, key, row)
  }

  remove(tableOid: number, key: KeyTexts): void {
    this.#change(tableOid, key, undefined)
  }

  /**
   * Puts a row that `get` need not see before its group is on the disk. A `put` or `remove` of its key in the same group counts. The values
   * of the key are those at `keyPlaces`. `places`, `fields`: as of `writeRow`.
   */
  load(
    tableOid: number,
    row: RowBytes,
    keyPlaces: readonly number[],
    places: readonly number[] | undefined,
    fields: number,
  ): void {
    const group = this.#open
    group.loaded ??= this.#db.batch()
    const out = this.#loading
    out.clear()
    out.put(this.#prefixBytes(tableOid))
    writeKey(out, row, keyPlaces)
    const keyEnd = out.at
    out.reserve(rowBytesMax(row, fields))
    const end = writeRow(out.bytes, keyEnd, row, places, fields)
    const { buffer } = out.bytes // it begins where its memory begins
    ;(group.loaded as unknown as EncodedPuts)._put(
      new Uint8Array(buffer, 0, keyEnd),
      new Uint8Array(buffer, keyEnd, end - keyEnd),
    )
  }

  /** Removes all rows of the table. */
  clear(tableOid: number): void {
    const generation = (this.#tables.get(tableOid)?.generation ?? 0) + 1
    this.#setGeneration(tableOid, generation)
    this.#open.generations.set(tableOid, generation)
  }

  /** Ends a group with the changes since the last call. */
  seal(lsn: bigint): void {
    this.#open.lsn = lsn
    this.#sealed.push(this.#open)
    this.#open = newGroup(this.#open.number + 1)
  }

  /**
   * Moves changes of the open group to the disk if they take much memory. Call it now and then in a large transaction. Until the group is
   * applied, a later opening does not see them.
   */
  async relieve(): Promise<void> {
    const group = this.#open
    if (group.bytes < this.#limits.stageBytes) return
    const list = group.lists.pop()!
    group.lists.push([])
    group.bytes = 0
    if (group.area === undefined) {
      group.area = ++this.#lastArea
      this.#areas.unshift(group.area)
    }
    const prefix = stagedPrefix(group.area)
    await this.#write(async () => {
      const batch = this.#db.batch()
      stageRows(batch, list, prefix)
      await batch.write(SYNCED)
      this.#forget(list)
    })
  }

  /** Takes the sealed groups with an LSN up to this one. Resolves when there is memory for more. */
  async apply(lsn: bigint): Promise<void> {
    while (this.#sealed.length > 0 && this.#sealed[0]!.lsn <= lsn) {
      const group = this.#sealed.shift()!
      if (isAlone(group) || (this.#applied !== undefined && isAlone(this.#applied)))
        void this.#flush().catch(ignore)
      this.#applied = this.#applied === undefined ? group : merged(this.#applied, group)
    }
    const applied = this.#applied
    if (applied !== undefined && (applied.bytes >= this.#limits.writeBytes || isAlone(applied)))
      await this.#flush()
  }

  /** Forgets all changes that are not applied. Wait for it before the next change. */
  async discard(): Promise<void> {
    for (const group of [...this.#sealed, this.#open]) await group.loaded?.close()
    this.#sealed = []
    this.#open = newGroup(this.#open.number + 1)
    await this.#flush()
    await this.#write(async () => {
      this.#recent.clear()
      this.#joined.key = undefined
      this.#areas = []
      await this.#db.clear(ALL_STAGED)
      this.#tables.clear()
      await this.#readGenerations()
    })
  }

  /** Writes what was applied; resolves when it is on the disk. */
  async sync(): Promise<void> {
    await this.#flush()
  }

  /** Bytes of the files. */
  async diskBytes(): Promise<number> {
    let bytes = 0
    for (const name of await readdir(this.#folder)) {
      try {
        bytes += (await stat(join(this.#folder, name))).size
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error // LevelDB removed it meanwhile
      }
    }
    return bytes
  }

  /** Writes what was applied, and closes the files. */
  async close(): Promise<void> {
    this.#closing = true
    try {
      await this.#flush()
    } finally {
      await this.#clearing
      await this.#db.close()
    }
  }

  /** Valid until the next call. */
  #join(tableOid: number, key: KeyTexts): Joined {
    const joined = this.#joined
    if (joined.key === key && joined.tableOid === tableOid) return joined
    joined.tableOid = tableOid
    joined.key = key
    joined.rowKey = joinKey(this.#prefix(tableOid), key)
    joined.recent = this.#recent.get(joined.rowKey)
    return joined
  }

  #prefix(tableOid: number): string {
    return (this.#tables.get(tableOid) ?? this.#setGeneration(tableOid, 0)).prefix
  }

  #prefixBytes(tableOid: number): Buffer {
    return (this.#tables.get(tableOid) ?? this.#setGeneration(tableOid, 0)).bytes
  }

  #setGeneration(tableOid: number, generation: number): TablePrefix {
    const prefix = rowPrefix(tableOid, generation)
    const table = { generation, prefix, bytes: Buffer.from(prefix) }
    this.#tables.set(tableOid, table)
    this.#joined.key = undefined
    return table
  }

  #change(tableOid: number, key: KeyTexts, row: RowOrNone): void {
    const joined = this.#join(tableOid, key)
    const { rowKey, recent: before } = joined
    const group = this.#open
    const list = group.lists.at(-1)!
    if (before?.list === list) {
      group.bytes += (row?.length ?? 0) - (before.row?.length ?? 0)
      before.row = row
      return
    }
    group.bytes += rowKey.length + sizeOf(row)
    const recent: Recent = { key: rowKey, row, group: group.number, list, next: undefined }
    if (before !== undefined) before.next = recent
    this.#recent.set(rowKey, recent)
    joined.recent = recent
    list.push(recent)
  }

  /** Writes the applied group, if there is one. */
  #flush(): Promise<void> {
    const group = this.#applied
    this.#applied = undefined
    return this.#write(async () => {
      if (group !== undefined) await this.#writeGroup(group)
    })
  }

  async #writeGroup(group: Group): Promise<void> {
    const { area, generations } = group
    if (area !== undefined) {
      const staging = this.#db.batch()
      for (const list of group.lists) stageRows(staging, list, stagedPrefix(area))
      await staging.write(SYNCED)
    }
    const batch = group.loaded ?? this.#db.batch()
    batch.put(LSN_KEY, numberField(group.lsn))
    for (const [table, generation] of generations) batch.put(generationKey(table), numberField(generation))
    if (area === undefined) {
      for (const list of group.lists) putRows(batch, list, group.number)
      await batch.write(SYNCED)
    } else {
      await batch.put(MOVE_KEY, numberField(area)).write(SYNCED)
      await this.#move(area)
      this.#areas = this.#areas.filter((other) => other !== area)
    }
    this.#lsn = group.lsn
    for (const list of group.lists) this.#forget(list)
    for (const [table, generation] of generations) this.#removeEarlier(table, generation)
  }

  /** Moves staged rows to their places, then removes the mark. */
  async #move(area: number): Promise<void> {
    const prefix = stagedPrefix(area)
    let batch = this.#db.batch()
    let bytes = 0
    for await (const [stagedKey, staged] of this.#db.iterator(stagedRows(area))) {
      const key = stagedKey.slice(prefix.length)
      const value = rowOfStaged(staged)
      if (value === undefined) batch.del(key)
      else batch.put(key, value)
      batch.del(stagedKey)
      bytes += stagedKey.length + staged.length + ROW_BYTES
      if (bytes < MOVE_BYTES) continue
      await batch.write(SYNCED)
      batch = this.#db.batch()
      bytes = 0
    }
    await batch.del(MOVE_KEY).write(SYNCED)
  }

  /** The rows are on the disk; rows that changed since then stay in memory. */
  #forget(list: readonly Recent[]): void {
    this.#joined.key = undefined
    for (const { key, next } of list) if (next === undefined) this.#recent.delete(key)
  }

  #write(work: () => Promise<void>): Promise<void> {
    const done = this.#writes.then(work)
    this.#writes = done
    done.catch(ignore) // each caller gets it, and every later one
    return done
  }

  async #recover(): Promise<void> {
    const lsn = await this.#db.get(LSN_KEY)
    if (lsn !== undefined) this.#lsn = BigInt(lsn.toString())
    const area = await this.#db.get(MOVE_KEY)
    if (area !== undefined) await this.#move(Number(area.toString()))
    await this.#db.clear(ALL_STAGED)
    await this.#readGenerations()
    for (const [table, { generation }] of this.#tables) this.#removeEarlier(table, generation)
  }

  async #readGenerations(): Promise<void> {
    for await (const [key, generation] of this.#db.iterator(GENERATIONS))
      this.#setGeneration(tableOfGenerationKey(key), Number(generation.toString()))
  }

  /** In the background. What is left when the store closes is removed by the next opening. */
  #removeEarlier(tableOid: number, generation: number): void {
    const range = earlierRows(tableOid, generation)
    this.#clearing = this.#clearing.then(() => this.#clearSlowly(range)).catch(ignore)
  }

  async #clearSlowly(range: KeyRange): Promise<void> {
    while (!this.#closing) {
      const keys = await this.#db.keys({ ...range, limit: CLEAR_ROWS }).all()
      const batch = this.#db.batch()
      for (const key of keys) batch.del(key)
      await batch.write()
      if (keys.length < CLEAR_ROWS) return
    }
  }
}

function newGroup(number: number): Group {
  return {
    number,
    lists: [[]],
    bytes: 0,
    loaded: undefined,
    generations: new Map(),
    area: undefined,
    lsn: 0n,
  }
}

/** It is written without others. */
function isAlone({ area, loaded }: Group): boolean {
  return area !== undefined || loaded !== undefined
}

/** The later group added to the earlier one. */
function merged(earlier: Group, later: Group): Group {
  earlier.lists.push(...later.lists)
  for (const [table, generation] of later.generations) earlier.generations.set(table, generation)
  return { ...earlier, number: later.number, bytes: earlier.bytes + later.bytes, lsn: later.lsn }
}

/** The rows that no later row of the written groups, which end with group `last`, replaces. */
function putRows(batch: Batch, list: readonly Recent[], last: number): void {
  const puts = batch as unknown as EncodedPuts
  for (const { key, row, next } of list) {
    if (next !== undefined && next.group <= last) continue
    if (row === undefined) puts._del(key)
    else puts._put(key, row)
  }
}

function stageRows(batch: Batch, list: readonly Recent[], prefix: string): void {
  for (const { key, row } of list)
    batch.put(prefix + key, row === undefined ? STAGED_REMOVAL : stagedRow(row))
}

function sizeOf(row: RowOrNone): number {
  return ROW_BYTES + (row?.length ?? 0)
}

function ignore(): void {}
