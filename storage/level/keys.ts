/**
 * Every key that the LevelDB engine writes. Integers are big-endian, so byte order is position order.
 *
 *   document:  'c' | collection | 0x00 | id                            -> JSON (level-catalog.ts)
 *   block:     'e' | logId u32 | timestampMs u64 | sequence u64        -> block of events (block-codec.ts)
 *   reference: 'e' | logId u32 | timestampMs u64 | sequence u64 | 's'  -> committed segment (segment-reference.ts)
 *   tail:      'l' | logId u32                                         -> ends and totals of a log (tail-codec.ts)
 *   mark:      'm' | logId u32                                         -> empty: the log's tail is out of date (checkpoints.ts)
 *   orphan:    'o' | segmentId u64                                     -> empty: this segment belongs to no log
 *   piece:     's' | segmentId u64 | index u64                         -> block of a segment's events from `index`
 *
 * A position in a block or reference key is that of its first event. The leading letters are on disk. Add new ones;
 * never change or reuse one. Before the first release, 't' was the letter of the tail.
 *
 * Pieces must sort last. LevelDB writes a full memory table as one file that spans all its keys. It moves this file to
 * a deeper level without rewriting it if no other file overlaps that span. Every upload ends with a reference and a
 * tail. If the key of one of them sorted after the pieces, the file that contains it and the pieces would overlap all
 * later pieces (docs/decisions/0010-key-order.md).
 */
import type { LogId } from '../log.ts'

/** Ids of logs begin at 1. Every stop deletes the mark of log 0, which never exists. */
export const NO_LOG: LogId = 0

const DOCUMENT = 0x63 // 'c'
const BLOCK = 0x65 // 'e'
const TAIL = 0x6c // 'l'
const MARK = 0x6d // 'm'
const ORPHAN = 0x6f // 'o'
const PIECE = 0x73 // 's'
const REFERENCE_SUFFIX = 0x73 // 's'

const BLOCK_KEY_BYTES = 21
const REFERENCE_KEY_BYTES = BLOCK_KEY_BYTES + 1

export function blockKey(log: LogId, timestampMs: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(BLOCK_KEY_BYTES)
  writeBlockKey(key, log, timestampMs, sequence)
  return key
}

export function referenceKey(log: LogId, timestampMs: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(REFERENCE_KEY_BYTES)
  writeBlockKey(key, log, timestampMs, sequence)
  key[BLOCK_KEY_BYTES] = REFERENCE_SUFFIX
  return key
}

export function isReferenceKey(key: Uint8Array): boolean {
  return key.length === REFERENCE_KEY_BYTES
}

/** Timestamp of the first event of a block or segment, from the key of the block or reference. */
export function timestampOfKey(key: Buffer): number {
  return readU64(key, 5)
}

/** Sequence of the first event of a block or segment, from the key of the block or reference. */
export function sequenceOfKey(key: Buffer): number {
  return readU64(key, 13)
}

/** The log of a block or reference key. */
export function logOfBlockKey(key: Buffer): LogId {
  return key.readUInt32BE(1)
}

/** The first key after every block and reference of this log. */
export function afterLog(log: LogId): Buffer {
  const key = Buffer.allocUnsafe(6)
  key[0] = BLOCK
  key.writeUInt32BE(log, 1)
  key[5] = 0xff
  return key
}

export function tailKey(log: LogId): Buffer {
  const key = Buffer.allocUnsafe(5)
  key[0] = TAIL
  key.writeUInt32BE(log, 1)
  return key
}

export function logOfTailKey(key: Buffer): LogId {
  return key.readUInt32BE(1)
}

export function markKey(log: LogId): Buffer {
  const key = Buffer.allocUnsafe(5)
  key[0] = MARK
  key.writeUInt32BE(log, 1)
  return key
}

export function logOfMarkKey(key: Buffer): LogId {
  return key.readUInt32BE(1)
}

export function pieceKey(segment: number, index: number): Buffer {
  const key = Buffer.allocUnsafe(17)
  key[0] = PIECE
  writeU64(key, 1, segment)
  writeU64(key, 9, index)
  return key
}

export function segmentOfPieceKey(key: Buffer): number {
  return readU64(key, 1)
}

export function indexOfPieceKey(key: Buffer): number {
  return readU64(key, 9)
}

/** The first key after every piece of this segment. */
export function afterSegment(segment: number): Buffer {
  return pieceKey(segment + 1, 0)
}

export function orphanKey(segment: number): Buffer {
  const key = Buffer.allocUnsafe(9)
  key[0] = ORPHAN
  writeU64(key, 1, segment)
  return key
}

export function segmentOfOrphanKey(key: Buffer): number {
  return readU64(key, 1)
}

export function documentKey(collection: string, id: string): Buffer {
  return Buffer.concat([collectionPrefix(collection), Buffer.from(id, 'utf8')])
}

/** `key` is text: the keys of documents are UTF-8. */
export function idOfDocumentKey(collection: string, key: string): string {
  return key.slice(collection.length + 2)
}

export type KeyKind = 'document' | 'block' | 'tail' | 'mark' | 'orphan' | 'piece'

/** The kind of value under this key. A reference counts as a block. Undefined if no key of ours has this form. */
export function kindOfKey(key: Uint8Array): KeyKind | undefined {
  const kind = KINDS.get(key[0])
  if (kind === undefined || kind === 'document') return kind
  const { length } = key
  return length === KEY_BYTES[kind] || (kind === 'block' && length === REFERENCE_KEY_BYTES) ? kind : undefined
}

const KINDS: ReadonlyMap<number | undefined, KeyKind> = new Map<number, KeyKind>([
  [DOCUMENT, 'document'],
  [BLOCK, 'block'],
  [TAIL, 'tail'],
  [MARK, 'mark'],
  [ORPHAN, 'orphan'],
  [PIECE, 'piece'],
])

const KEY_BYTES = { block: BLOCK_KEY_BYTES, tail: 5, mark: 5, orphan: 9, piece: 17 } as const

/** Collection and id of a document's key. */
export function documentOfKey(key: Buffer): { readonly collection: string; readonly id: string } {
  const end = key.indexOf(0)
  return { collection: key.toString('utf8', 1, end), id: key.toString('utf8', end + 1) }
}

/** The keys with `gte <= key < lt`. */
export interface KeyRange {
  readonly gte: Buffer
  readonly lt: Buffer
}

export const TAILS: KeyRange = letterRange(TAIL)
export const DOCUMENTS: KeyRange = letterRange(DOCUMENT)
export const BLOCKS: KeyRange = letterRange(BLOCK)
export const MARKS: KeyRange = letterRange(MARK)
export const PIECES: KeyRange = letterRange(PIECE)
export const ORPHANS: KeyRange = letterRange(ORPHAN)

/** The documents of a collection whose ids begin with `prefix`, which is ASCII. */
export function collectionRange(collection: string, prefix = ''): KeyRange {
  const gte = documentKey(collection, prefix)
  const lt = Buffer.from(gte)
  lt[lt.length - 1]!++ // the last byte is the 0 after the collection, or ASCII
  return { gte, lt }
}

function letterRange(letter: number): KeyRange {
  return { gte: Buffer.from([letter]), lt: Buffer.from([letter + 1]) }
}

function collectionPrefix(collection: string): Buffer {
  return Buffer.concat([Buffer.from([DOCUMENT]), Buffer.from(collection, 'utf8'), Buffer.from([0])])
}

function writeBlockKey(key: Buffer, log: LogId, timestampMs: number, sequence: number): void {
  key[0] = BLOCK
  key.writeUInt32BE(log, 1)
  writeU64(key, 5, timestampMs)
  writeU64(key, 13, sequence)
}

/** Numbers are below 2^53, so the upper half fits into 32 bits; BigInt would cost an allocation per key. */
function writeU64(target: Buffer, offset: number, value: number): void {
  target.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset)
  target.writeUInt32BE(value % 0x1_0000_0000, offset + 4)
}

function readU64(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * 0x1_0000_0000 + source.readUInt32BE(offset + 4)
}
