/**
 * Reads the events of one log from the files of a closed store, as far as they can be read. It reads block by block,
 * and also uses blocks that do not match LevelDB's own checksums, because each block has one of ours.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */

import type { StoreFiles } from '../level-files/store-files.ts'
import type { EventBlock, LogId } from '../log.ts'
import { decodeBlock } from './block-codec.ts'
import {
  afterLog,
  afterSegment,
  blockKey,
  indexOfPieceKey,
  isReferenceKey,
  pieceKey,
  sequenceOfKey,
  tailKey,
  timestampOfKey,
} from './keys.ts'
import { keyAfter } from './range-scan.ts'
import {
  decodeReference,
  REFERENCE_BYTES,
  readableReference,
  type SegmentReference,
} from './segment-reference.ts'
import { decodeTail, type StoredTail } from './tail-codec.ts'

/** Events `[from, to]` are left out; `to` is undefined if their number is unknown. */
export type OnLost = (from: number, to: number | undefined, reason: string) => void

/**
 * The blocks in order, without lost events. A block is returned with all its bytes, so the first may begin before the
 * trim point.
 */
export function* salvageLog(files: StoreFiles, log: LogId, onLost: OnLost): Generator<EventBlock, void> {
  const tail = readableTail(files, log)
  const ledger = new Ledger(tail?.firstSequence ?? 0, onLost)
  for (const { key, value } of files.entries(blockKey(log, 0, 0), afterLog(log))) {
    const sequence = sequenceOfKey(key)
    if (isReferenceKey(key)) yield* salvageSegment(files, key, value, ledger)
    else yield* ledger.take(sequence, () => decodeBlock(key, value, timestampOfKey(key), sequence))
  }
  ledger.end(tail?.nextSequence)
}

function* salvageSegment(
  files: StoreFiles,
  key: Buffer,
  value: Buffer,
  ledger: Ledger,
): Generator<EventBlock, void> {
  const first = sequenceOfKey(key)
  const timestampMs = timestampOfKey(key)
  const reference = ledger.read(first, () => repairedReference(key, value))
  if (reference === undefined) return
  const { segment, count } = reference
  for (const piece of files.entries(pieceKey(segment, 0), afterSegment(segment))) {
    const sequence = first + indexOfPieceKey(piece.key)
    if (sequence >= first + count) break
    yield* ledger.take(sequence, () => decodeBlock(piece.key, piece.value, timestampMs, sequence))
  }
  ledger.reach(first + count)
}

/**
 * Decodes a reference, and repairs it if one byte was altered, because a whole upload depends on it. A few thousand
 * values differ from the stored one in one byte. The one that matches its checksum is the value that was written.
 */
function repairedReference(key: Buffer, value: Buffer): SegmentReference {
  try {
    return decodeReference(key, value)
  } catch (error) {
    const repaired = Buffer.from(value)
    for (let at = 0; at < value.length && value.length === REFERENCE_BYTES; at++) {
      for (let flip = 1; flip < 256; flip++) {
        repaired[at] = value[at]! ^ flip
        const reference = readableReference(key, repaired)
        if (reference !== undefined) return reference
      }
      repaired[at] = value[at]!
    }
    throw error
  }
}

/** Tracks the returned events, and reports the missing ones between them. */
class Ledger {
  readonly #onLost: OnLost
  #next: number
  #reason: string | undefined

  constructor(first: number, onLost: OnLost) {
    this.#next = first
    this.#onLost = onLost
  }

  *take(sequence: number, decode: () => EventBlock): Generator<EventBlock, void> {
    const block = this.read(sequence, decode)
    if (block === undefined) return
    const end = sequence + block.starts.length
    if (end <= this.#next) return // an older version of events that were returned, or trimmed events
    yield sequence >= this.#next ? block : from(block, this.#next - sequence)
    this.#next = end
  }

  read<T>(sequence: number, decode: () => T): T | undefined {
    this.reach(sequence)
    try {
      return decode()
    } catch (error) {
      if (sequence >= this.#next) this.#reason = error instanceof Error ? error.message : String(error)
      return undefined
    }
  }

  reach(sequence: number): void {
    if (sequence <= this.#next) return
    this.#onLost(this.#next, sequence - 1, this.#reason ?? MISSING)
    this.#reason = undefined
    this.#next = sequence
  }

  /** `next` is undefined if the tail cannot be read. */
  end(next: number | undefined): void {
    if (next !== undefined && next > this.#next) this.reach(next)
    else if (this.#reason !== undefined) this.#onLost(this.#next, undefined, this.#reason)
  }
}

const MISSING = 'the events are missing'

function from(block: EventBlock, index: number): EventBlock {
  const runs = block.runs
    .filter(({ end }) => end > index)
    .map((run) => (run.begin >= index ? run : { ...run, begin: index }))
  return { ...block, runs }
}

function readableTail(files: StoreFiles, log: LogId): StoredTail | undefined {
  const wanted = tailKey(log)
  for (const { key, value } of files.entries(wanted, keyAfter(wanted))) {
    try {
      return decodeTail(key, value)
    } catch {
      return undefined
    }
  }
  return undefined
}
