/**
 * Reads a closed store from first to last key and compares: checksums, sequences without gaps, times that never go
 * back, pieces with their references, tails with the events that exist.
 *
 * The order of keys is documents, blocks and references, tails, marks, orphans, pieces (keys.ts). So the events of a
 * log can be compared with its tail only at the end. Memory is bounded by the number of logs and uploads.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */

import type { Entry } from '../level-files/write-batch.ts'
import type { EventBlock, LogId } from '../log.ts'
import { bodyBytes } from '../slices.ts'
import { decodeBlock } from './block-codec.ts'
import { storedDocument } from './closed-content.ts'
import type { ClosedStore } from './closed-store.ts'
import {
  indexOfPieceKey,
  isReferenceKey,
  kindOfKey,
  logOfBlockKey,
  logOfMarkKey,
  logOfTailKey,
  segmentOfOrphanKey,
  segmentOfPieceKey,
  sequenceOfKey,
  timestampOfKey,
} from './keys.ts'
import { decodeReference } from './segment-reference.ts'
import { decodeTail, EMPTY_TAIL, type StoredTail } from './tail-codec.ts'

/**
 * A difference from the data that was written. `log` and the sequences identify the events concerned, as far as known.
 */
export interface Damage {
  readonly reason: string
  readonly log?: LogId
  /** `[fromSequence, toSequence]`. */
  readonly fromSequence?: number
  readonly toSequence?: number
}

export interface ScrubVisitor {
  /** In the order of collections and ids; `text` is the JSON. */
  document(collection: string, id: string, text: string): void
  damage(damage: Damage): void
  /** Called every PROGRESS_BYTES, with the bytes of keys and values read so far. */
  progress(bytes: number): void
}

export interface ScrubTotals {
  /** Events and body bytes of each log that exist and are sound. */
  readonly logs: ReadonlyMap<LogId, { readonly events: number; readonly bodyBytes: number }>
  /** Uploads that were not committed. The janitor will remove them. */
  readonly abandonedUploads: number
  /** Uploads that belong to no log and are not marked as abandoned. They only use disk space. */
  readonly strayUploads: number
}

/** The state of one log, from the entries read so far. */
class LogState {
  first: { readonly sequence: number; readonly timestampMs: number } | undefined
  /** Sequence after the last event read. */
  end = 0
  lastTimestampMs = 0
  events = 0
  bodyBytes = 0
  /** The reason why the events from `end` on cannot be read, up to the next readable ones. */
  unreadable: string | undefined
  damaged = false
}

/** An upload that a log refers to. */
interface Segment {
  readonly log: LogId
  readonly state: LogState
  readonly sequence: number
  readonly timestampMs: number
  readonly count: number
  /** Index that the next piece must have. */
  next: number
  unreadable: string | undefined
}

const PROGRESS_BYTES = 16 * 1024 * 1024

export function scrub({ files }: ClosedStore, visitor: ScrubVisitor): ScrubTotals {
  const walk = new Scrub(visitor)
  let bytes = 0
  let toldBytes = 0
  for (const entry of files.entries()) {
    walk.take(entry)
    bytes += entry.key.length + entry.value.length
    if (bytes - toldBytes < PROGRESS_BYTES) continue
    visitor.progress(bytes)
    toldBytes = bytes
  }
  return walk.end()
}

class Scrub {
  readonly #visitor: ScrubVisitor
  readonly #logs = new Map<LogId, LogState>()
  readonly #tails = new Map<LogId, StoredTail>()
  readonly #badTails = new Set<LogId>()
  readonly #marks = new Set<LogId>()
  readonly #orphans = new Set<number>()
  readonly #segments = new Map<number, Segment>()
  readonly #strays = new Set<number>()

  constructor(visitor: ScrubVisitor) {
    this.#visitor = visitor
  }

  take(entry: Entry): void {
    const { key, value, sound } = entry
    const kind = kindOfKey(key)
    if (kind === 'block') this.#takeOfLog(entry)
    else if (kind === 'piece') this.#takePiece(key, value)
    else if (kind === 'tail') this.#takeTail(key, value)
    else if (kind === 'document') this.#takeDocument(entry)
    else if (!sound)
      return // a key without a checksum of our own; the damage of the file has been reported
    else if (kind === 'mark') this.#marks.add(logOfMarkKey(key))
    else if (kind === 'orphan') this.#orphans.add(segmentOfOrphanKey(key))
    else this.#visitor.damage({ reason: `unknown key ${key.toString('hex')}` })
  }

  end(): ScrubTotals {
    for (const segment of this.#segments.values()) this.#endSegment(segment)
    for (const log of new Set([
      ...this.#logs.keys(),
      ...this.#tails.keys(),
      ...this.#marks,
      ...this.#badTails,
    ])) {
      this.#endLog(log, this.#logs.get(log) ?? new LogState())
    }
    for (const segment of this.#orphans) {
      const owner = this.#segments.get(segment)
      if (owner === undefined) continue
      this.#tell(
        owner.log,
        owner.sequence,
        owner.sequence + owner.count - 1,
        'the upload is marked as abandoned',
      )
    }
    return {
      logs: this.#logs,
      abandonedUploads: this.#orphans.size,
      strayUploads: [...this.#strays].filter((segment) => !this.#orphans.has(segment)).length,
    }
  }

  #takeDocument({ key, value }: Entry): void {
    const document = storedDocument(key, value)
    const { collection, id } = document
    if (document.sound) this.#visitor.document(collection, id, document.text)
    else this.#visitor.damage({ reason: `document ${collection}/${id} does not match its checksum` })
  }

  #takeOfLog({ key, value }: Entry): void {
    const log = logOfBlockKey(key)
    const sequence = sequenceOfKey(key)
    const timestampMs = timestampOfKey(key)
    const state = this.#logs.get(log) ?? new LogState()
    this.#logs.set(log, state)
    if (state.first === undefined) {
      state.first = { sequence, timestampMs }
      state.end = sequence
    }
    if (!this.#reach(log, state, sequence)) return
    if (timestampMs < state.lastTimestampMs) this.#tell(log, sequence, sequence, 'the time goes back')
    try {
      if (isReferenceKey(key)) this.#takeReference(log, state, key, value)
      else this.#addBlock(log, state, decodeBlock(key, value, timestampMs, sequence))
    } catch (error) {
      state.unreadable = messageOf(error)
    }
  }

  /** Whether the log continues at this sequence. If events before it are missing, reports that. */
  #reach(log: LogId, state: LogState, sequence: number): boolean {
    if (sequence < state.end) {
      this.#tell(log, sequence, sequence, `a block stands here twice; sequence ${state.end} was to come`)
      state.damaged = true
      return false
    }
    if (sequence > state.end || state.unreadable !== undefined) {
      const last = Math.max(state.end, sequence - 1)
      this.#tell(log, state.end, last, state.unreadable ?? MISSING)
      state.damaged = true
      state.unreadable = undefined
      state.end = sequence
    }
    return true
  }

  #takeReference(log: LogId, state: LogState, key: Buffer, value: Buffer): void {
    const { segment, count } = decodeReference(key, value)
    const sequence = sequenceOfKey(key)
    const timestampMs = timestampOfKey(key)
    this.#segments.set(segment, { log, state, sequence, timestampMs, count, next: 0, unreadable: undefined })
    state.end += count
    state.lastTimestampMs = timestampMs
  }

  #addBlock(log: LogId, state: LogState, { firstSequence, starts, ends, runs }: EventBlock): void {
    for (const { begin, timestampMs } of runs) {
      if (timestampMs < state.lastTimestampMs) {
        this.#tell(log, firstSequence + begin, firstSequence + begin, 'the time goes back')
      }
      state.lastTimestampMs = timestampMs
    }
    state.end += starts.length
    addBodies(state, starts, ends)
  }

  #takeTail(key: Buffer, value: Buffer): void {
    const log = logOfTailKey(key)
    try {
      this.#tails.set(log, decodeTail(key, value))
    } catch (error) {
      this.#badTails.add(log)
      this.#visitor.damage({ log, reason: messageOf(error) })
    }
  }

  #takePiece(key: Buffer, value: Buffer): void {
    const id = segmentOfPieceKey(key)
    const index = indexOfPieceKey(key)
    const segment = this.#segments.get(id)
    if (segment === undefined) {
      this.#strays.add(id)
      return
    }
    const { log, state, sequence, timestampMs } = segment
    if (index !== segment.next || segment.unreadable !== undefined) {
      const last = Math.max(segment.next, index - 1)
      this.#tell(log, sequence + segment.next, sequence + last, segment.unreadable ?? MISSING)
      state.damaged = true
      segment.unreadable = undefined
    }
    segment.next = index
    try {
      const { starts, ends } = decodeBlock(key, value, timestampMs, sequence + index)
      segment.next += starts.length
      addBodies(state, starts, ends)
    } catch (error) {
      segment.unreadable = messageOf(error)
    }
  }

  #endSegment({ log, state, sequence, next, count, unreadable }: Segment): void {
    if (next === count && unreadable === undefined) return
    state.damaged = true
    this.#tell(log, sequence + Math.min(next, count), sequence + count - 1, unreadable ?? MISSING)
  }

  /** Compares the entries of a log with its tail. */
  #endLog(log: LogId, state: LogState): void {
    const { first, end, unreadable } = state
    const marked = this.#marks.has(log)
    if (this.#badTails.has(log)) {
      if (unreadable !== undefined) this.#visitor.damage({ log, fromSequence: end, reason: unreadable })
      return
    }
    const tail = this.#tails.get(log) ?? (marked ? EMPTY_TAIL : undefined)
    if (tail === undefined) {
      this.#tell(log, first?.sequence ?? 0, end - 1, 'the log has events and no tail')
      return
    }
    const { firstSequence, nextSequence } = tail
    if (first !== undefined && first.sequence > firstSequence) {
      this.#tell(log, firstSequence, first.sequence - 1, MISSING)
      state.damaged = true
    } else if (first !== undefined && first.sequence < firstSequence) {
      this.#tell(
        log,
        first.sequence,
        firstSequence - 1,
        'the events are before the trim point, and still there',
      )
      state.damaged = true
    }
    const reached = first === undefined ? firstSequence : end
    if (unreadable !== undefined || reached < nextSequence) {
      this.#tell(log, reached, Math.max(reached, nextSequence - 1), unreadable ?? MISSING)
    } else if (reached > nextSequence && !marked) {
      this.#tell(log, nextSequence, reached - 1, 'the events are beyond the tail')
    } else if (!state.damaged && !marked) {
      this.#compareTotals(log, state, tail)
    }
  }

  #compareTotals(log: LogId, state: LogState, tail: StoredTail): void {
    if (state.events > 0 && state.lastTimestampMs !== tail.lastTimestampMs) {
      this.#visitor.damage({ log, reason: 'the tail has another time than the last event' })
    }
    if (tail.firstSequence === 0 && state.bodyBytes !== tail.bytesWritten) {
      this.#visitor.damage({ log, reason: 'the tail counts other bytes than there are' })
    }
  }

  #tell(log: LogId, fromSequence: number, toSequence: number, reason: string): void {
    this.#visitor.damage({ log, fromSequence, toSequence, reason })
  }
}

const MISSING = 'the events are missing'

function addBodies(state: LogState, starts: Uint32Array, ends: Uint32Array): void {
  state.events += starts.length
  state.bodyBytes += bodyBytes({ starts, ends, count: starts.length })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
