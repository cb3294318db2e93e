/**
 * Reads one of LevelDB's tables (`000012.ldb`) and verifies every checksum: classic-level has no option for that.
 *
 *   table  := block … | filter block | metaindex block | index block | footer
 *   block  := content | type u8 (0 plain, 1 snappy) | masked crc32c u32 of content and type
 *   content:= entry* | restart offset u32 … | restart count u32
 *   entry  := shared varint | unshared varint | valueLength varint | rest of the key | value
 *   footer := handle of metaindex | handle of index | zeros, up to 40 bytes | magic u64
 *   handle := offset varint | size varint, without type and checksum
 *
 * Keys are internal: our key, then eight bytes of `sequence << 8 | type` (1 put, 0 delete), little-endian. An index
 * entry has a key that is not before the last key of its block, and the block's handle.
 *
 * If a block does not match its checksum, the reader reports it and continues with the next block. Entries that can
 * still be decoded from the bad block are returned with `sound: false`. Our own values have a checksum that covers
 * their key, so a caller can check which of these entries are right.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { uncompressSync } from 'snappy'
import type { OnFileDamage } from './file-damage.ts'
import { checksumMatches } from './masked-checksum.ts'
import { VarintReader } from './varint.ts'
import type { Entry } from './write-batch.ts'

const FOOTER_BYTES = 48
const HANDLES_BYTES = 40
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
const TRAILER_BYTES = 5
const KEY_TRAILER_BYTES = 8
const PLAIN = 0
const SNAPPY = 1
const PUT = 1
/** A block with a wrong checksum may contain any decompressed size. Then a larger size than this is not accepted. */
const UNSOUND_BYTES_MAX = 64 * 1024 * 1024

interface Handle {
  readonly offset: number
  readonly size: number
}

/** Keys of a block are in `(after, upTo]`. */
interface KeyBounds {
  readonly after: Buffer | undefined
  readonly upTo: Buffer
}

interface IndexedBlock extends Handle {
  /** No key of the block is larger. */
  readonly upTo: Buffer
}

export class TableReader {
  readonly fileBytes: number
  readonly #handle: number
  readonly #file: string
  readonly #onDamage: OnFileDamage
  readonly #blocks: readonly IndexedBlock[]

  /** Throws the errors of the file system. */
  constructor(path: string, onDamage: OnFileDamage) {
    this.#file = basename(path)
    this.#onDamage = onDamage
    this.#handle = openSync(path, 'r')
    this.fileBytes = fstatSync(this.#handle).size
    this.#blocks = this.#readIndex()
  }

  close(): void {
    closeSync(this.#handle)
  }

  /** Entries with `gte <= key < lt`, compared without LevelDB's trailer, in order; of the same key the newest first. */
  *entries(gte: Buffer | undefined, lt: Buffer | undefined): Generator<Entry, void> {
    let after: Buffer | undefined
    for (const block of this.#blocks) {
      if (gte === undefined || block.upTo.compare(gte) >= 0) {
        for (const entry of this.#entriesOf(block, after)) {
          if (lt !== undefined && entry.key.compare(lt) >= 0 && entry.sound) return
          if (isWithin(entry.key, gte, lt)) yield entry
        }
      }
      if (lt !== undefined && block.upTo.compare(lt) >= 0) return
      after = block.upTo
    }
  }

  *#entriesOf(block: IndexedBlock, after: Buffer | undefined): Generator<Entry, void> {
    const keys = { after, upTo: block.upTo }
    const read = this.#readBlock(
      block,
      (reason, fatal) => this.#onDamage({ file: this.#file, offset: block.offset, reason, fatal, keys }),
      keys,
    )
    if (read === undefined) return
    let last: Buffer | undefined
    for (const entry of entriesOfContent(read.content)) {
      if (entry === undefined || entry.key.length < KEY_TRAILER_BYTES) return
      const { key: internal, value } = entry
      const key = userKeyOf(internal)
      const trailer = internal.length - KEY_TRAILER_BYTES
      // Keys out of order are skipped, because merging tables relies on the order.
      if (!read.sound && ((last !== undefined && key.compare(last) < 0) || key.compare(block.upTo) > 0))
        continue
      if (!read.sound && after !== undefined && key.compare(after) < 0) continue
      last = key
      const sequence = internal.readUIntLE(trailer + 1, 6) + internal[trailer + 7]! * 0x1_0000_0000_0000
      yield { key, value, sequence, deleted: internal[trailer] !== PUT, sound: read.sound }
    }
  }

  /** The blocks of the table in order. Returns none, and reports the damage, if they cannot be found. */
  #readIndex(): IndexedBlock[] {
    const tell = (offset: number, reason: string) => this.#onDamage({ file: this.#file, offset, reason })
    const at = this.fileBytes - FOOTER_BYTES
    const footer = at < 0 ? undefined : this.#read(at, FOOTER_BYTES)
    if (footer === undefined || !footer.subarray(HANDLES_BYTES).equals(MAGIC)) {
      tell(Math.max(0, at), 'the table has no footer')
      return []
    }
    const reader = new VarintReader(footer.subarray(0, HANDLES_BYTES))
    const metaindex = handleFrom(reader)
    const index = handleFrom(reader)
    if (metaindex === undefined || index === undefined) {
      tell(at, 'the footer makes no sense')
      return []
    }
    if (footer.subarray(reader.at, HANDLES_BYTES).some((byte) => byte !== 0)) {
      const reason = 'filling bytes were altered'
      this.#onDamage({ file: this.#file, offset: at + reader.at, reason, harmless: true })
    }
    const read = this.#readBlock(index, (reason, fatal) =>
      this.#onDamage({ file: this.#file, offset: index.offset, reason: `index: ${reason}`, fatal }),
    )
    const blocks = read === undefined ? [] : blocksOfIndex(read.content)
    if (read?.sound) this.#checkLayout(blocks, metaindex, index, at)
    return blocks
  }

  /** Checks that no bytes lie between the parts, and that the parts that are not read elsewhere are sound, too. */
  #checkLayout(blocks: readonly IndexedBlock[], metaindex: Handle, index: Handle, footerAt: number): void {
    const tell = (offset: number, reason: string) => this.#onDamage({ file: this.#file, offset, reason })
    const read = this.#readBlock(metaindex, (reason) => tell(metaindex.offset, `metaindex: ${reason}`))
    const filters: Handle[] = []
    for (const entry of read?.sound ? entriesOfContent(read.content) : []) {
      const filter = entry && handleFrom(new VarintReader(entry.value))
      if (filter === undefined) continue
      filters.push(filter)
      this.#readBlock(filter, (reason) => tell(filter.offset, `filter: ${reason}`))
    }
    let at = 0
    for (const { offset, size } of [...blocks, ...filters, metaindex, index]) {
      if (offset !== at) break
      at += size + TRAILER_BYTES
    }
    if (at !== footerAt) tell(at, 'the parts of the table do not join')
  }

  #readBlock(
    { offset, size }: Handle,
    tell: (reason: string, fatal: boolean) => void,
    keys?: KeyBounds,
  ): { readonly content: Buffer; readonly sound: boolean } | undefined {
    const stored = this.#read(offset, size + TRAILER_BYTES)
    if (stored === undefined) {
      tell('the block lies beyond the end of the file', false)
      return undefined
    }
    const sound = checksumMatches(stored.readUInt32LE(size + 1), stored.subarray(0, size + 1))
    const content = contentOf(stored.subarray(0, size), stored[size]!, sound)
    if (!sound)
      tell('the block does not match its checksum', content !== undefined && !isWellFormed(content, keys))
    else if (content === undefined) tell('the block cannot be decompressed', false)
    return content && { content, sound }
  }

  /** Undefined if the file ends before these bytes. */
  #read(offset: number, length: number): Buffer | undefined {
    if (offset + length > this.fileBytes) return undefined
    const bytes = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const read = readSync(this.#handle, bytes, filled, length - filled, offset + filled)
      if (read === 0) return undefined
      filled += read
    }
    return bytes
  }
}

/** The key without LevelDB's sequence number and type. */
export function userKeyOf(internal: Buffer): Buffer {
  return internal.subarray(0, Math.max(0, internal.length - KEY_TRAILER_BYTES))
}

function isWithin(key: Buffer, gte: Buffer | undefined, lt: Buffer | undefined): boolean {
  return (gte === undefined || key.compare(gte) >= 0) && (lt === undefined || key.compare(lt) < 0)
}

function handleFrom(reader: VarintReader): Handle | undefined {
  const offset = reader.next()
  const size = reader.next()
  return offset === undefined || size === undefined ? undefined : { offset, size }
}

function blocksOfIndex(content: Buffer): IndexedBlock[] {
  const blocks: IndexedBlock[] = []
  for (const entry of entriesOfContent(content)) {
    const handle = entry && handleFrom(new VarintReader(entry.value))
    if (entry === undefined || handle === undefined) break
    blocks.push({ ...handle, upTo: userKeyOf(entry.key) })
  }
  return blocks
}

function contentOf(stored: Buffer, type: number, sound: boolean): Buffer | undefined {
  if (type === PLAIN) return stored
  if (type !== SNAPPY) return undefined
  const size = new VarintReader(stored).next()
  if (size === undefined || (!sound && size > UNSOUND_BYTES_MAX)) return undefined
  try {
    return uncompressSync(stored) as Buffer
  } catch {
    return undefined
  }
}

interface ContentEntry {
  readonly offset: number
  /** An internal key, also in an index. */
  readonly key: Buffer
  readonly value: Buffer
  /** Whether the whole key is stored. This is required at restart points, because searches begin there. */
  readonly isRestart: boolean
}

/** Entries in order. At the first invalid entry it yields undefined and ends. */
function* entriesOfContent(content: Buffer): Generator<ContentEntry | undefined, void> {
  const end = endOfEntries(content)
  if (end === undefined) return yield undefined
  const reader = new VarintReader(content.subarray(0, end))
  let key: Buffer = Buffer.alloc(0)
  while (!reader.ended) {
    const offset = reader.at
    const shared = reader.next()
    const unshared = reader.next()
    const valueLength = reader.next()
    const rest = unshared === undefined ? undefined : reader.take(unshared)
    const value = valueLength === undefined ? undefined : reader.take(valueLength)
    if (shared === undefined || shared > key.length || rest === undefined || value === undefined) {
      return yield undefined
    }
    key = shared === 0 ? rest : Buffer.concat([key.subarray(0, shared), rest])
    yield { offset, key, value, isRestart: shared === 0 }
  }
}

/** Offset at which the restart offsets begin; undefined if the content is too short for them. */
function endOfEntries(content: Buffer): number | undefined {
  if (content.length < 4) return undefined
  const end = content.length - 4 * (content.readUInt32LE(content.length - 4) + 1)
  return end < 0 ? undefined : end
}

/**
 * Whether LevelDB can iterate over the block and search in it without an invalid key. LevelDB does not check this
 * itself.
 */
function isWellFormed(content: Buffer, bounds?: KeyBounds): boolean {
  const restarts = new Set<number>()
  let last = bounds?.after
  for (const entry of entriesOfContent(content)) {
    if (entry === undefined || entry.key.length < KEY_TRAILER_BYTES) return false
    const key = userKeyOf(entry.key)
    if (last !== undefined && key.compare(last) < 0) return false
    if (entry.isRestart) restarts.add(entry.offset)
    last = key
  }
  for (let at = endOfEntries(content) ?? content.length; at + 4 < content.length; at += 4) {
    if (!restarts.has(content.readUInt32LE(at))) return false
  }
  return last !== undefined && !(bounds !== undefined && last.compare(bounds.upTo) > 0)
}
