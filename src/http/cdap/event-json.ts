/**
 * Events on the wire: blocks as read from disk -> JSON text in pieces of up to 128 KiB.
 *
 *   array:   [{"timestamp":1407806944181,"headers":{},"body":"Hello World"},…]
 *   NDJSON:  one such object per line
 *
 * Bodies are escaped as CDAP does (body-escapes.ts). `utf8` and `base64` are ours and unambiguous: with `utf8` a body that is
 * not UTF-8 is in base64, and its event has a member `"encoding":"base64"`.
 */
import { isUtf8 } from 'node:buffer'
import type { EventBlock, EventRun } from '../../../storage/log.ts'
import { ESCAPE_BYTES_MAX, escapeBody, type Words, wordsOf } from './body-escapes.ts'
import type { CursorPrinter } from './cursor.ts'
import { EventOpening } from './event-opening.ts'

export type BodyEncoding = 'escaped' | 'utf8' | 'base64'

export interface EventJsonOptions {
  readonly encoding: BodyEncoding
  readonly layout: 'array' | 'ndjson'
  /** Adds a member `cursor` to every event. */
  readonly cursors?: CursorPrinter
  /** Adds a member `sequence` to every event. */
  readonly sequences?: boolean
}

/** The size of one write to the socket, the fastest in measurements. */
const PIECE_BYTES = 128 * 1024
/** Most answers are short, so the first piece begins with this size and grows by the factor. */
const FIRST_PIECE_BYTES = 2 * 1024
const GROWTH = 4
/** An event that may become longer than this is written in parts, which may end in the middle of its body. */
const SMALL_EVENT_BYTES = PIECE_BYTES / 4
/** A part that would be shorter than this goes into the next piece. */
const PART_BYTES_MIN = 512
/** The texts after a body: encoding, cursor, sequence, closing brace. */
const END_BYTES_MAX = 128

/**
 * JSON text of all events, of which there is at least one. The pieces use two buffers alternately: a piece is valid until the
 * next but one is requested.
 */
export async function* eventJson(
  blocks: AsyncIterable<EventBlock>,
  options: EventJsonOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = new EventEncoder(options)
  // yield* of a synchronous iterator would await several microtasks for each piece.
  for await (const block of blocks) for (const piece of encoder.encode(block)) yield piece
  for (const piece of encoder.end()) yield piece
}

/** The pieces that it yields use two buffers alternately. */
export class EventEncoder {
  readonly #options: EventJsonOptions
  /** The end of an event if all events have the same; else empty, and each end is written with its event. */
  readonly #owedEnd: '' | '"}'
  #opening: EventOpening
  #begun = false
  #piece: Words<Buffer> = wordsOf(Buffer.allocUnsafe(FIRST_PIECE_BYTES))
  #at = 0
  /** The other buffer, once there is one. */
  #other: Words<Buffer> | undefined

  constructor(options: EventJsonOptions) {
    this.#options = options
    const { encoding, cursors, sequences } = options
    this.#owedEnd = encoding !== 'utf8' && cursors === undefined && !sequences ? '"}' : ''
    this.#opening = new EventOpening(options.layout === 'array' ? '[' : '')
  }

  /** Yields the pieces that this block fills. */
  *encode(block: EventBlock): Generator<Uint8Array, void, undefined> {
    const words = wordsOf(block.bytes)
    const at = { run: 0, event: block.runs[0]!.begin } // a block has at least one run, see EventBlock
    if (!this.#begun) {
      yield* this.#encodeLarge(block, words, at)
      this.#begun = true
      this.#opening = new EventOpening(`${this.#owedEnd}${this.#options.layout === 'array' ? ',' : '\n'}`)
    }
    for (;;) {
      const missing = this.#encodeSmall(block, words, at)
      if (missing === 0) return
      if (missing > SMALL_EVENT_BYTES) yield* this.#encodeLarge(block, words, at)
      else yield* this.#nextPiece()
    }
  }

  /** Yields the last piece. */
  *end(): Generator<Uint8Array, void, undefined> {
    yield* this.#copy(Buffer.from(`${this.#owedEnd}${this.#options.layout === 'array' ? ']' : '\n'}`))
    yield this.#piece.bytes.subarray(0, this.#at)
  }

  /**
   * Writes events from `place` on while they certainly fit into this piece. Returns 0 if all are written, else the maximum length
   * of the first one that may not fit.
   */
  #encodeSmall(block: EventBlock, words: Words, place: Place): number {
    const { starts, ends, runs } = block
    const piece = this.#piece
    const escaped = this.#options.encoding === 'escaped'
    let at = this.#at
    let i = place.event
    for (let r = place.run; r < runs.length; r++) {
      const run = runs[r]! // as everywhere here: places and runs lie within their block
      const opening = this.#opening.of(run)
      for (i = Math.max(i, run.begin); i < run.end; i++) {
        const bytesMax = opening.length + ESCAPE_BYTES_MAX * (ends[i]! - starts[i]!) + END_BYTES_MAX
        if (bytesMax > piece.bytes.length - at || bytesMax > SMALL_EVENT_BYTES) {
          place.run = r
          place.event = i
          this.#at = at
          return bytesMax
        }
        piece.bytes.set(opening, at)
        at += opening.length
        if (escaped) at = escapeBody(piece, at, words, starts[i]!, ends[i]!)
        else at += piece.bytes.write(this.#bodyText(block, i), at)
        if (this.#owedEnd === '') at += piece.bytes.write(this.#endOf(block, run, i), at)
      }
    }
    this.#at = at
    return 0
  }

  /** Writes the event at `place`, of any length, and moves `place` to the next one. */
  *#encodeLarge(block: EventBlock, words: Words, place: Place): Generator<Uint8Array, void, undefined> {
    const run = block.runs[place.run]!
    const i = place.event++
    yield* this.#copy(this.#opening.of(run))
    if (this.#options.encoding === 'escaped') {
      const end = block.ends[i]!
      let from = block.starts[i]!
      while (from < end) {
        const fits = Math.floor((this.#piece.bytes.length - this.#at) / ESCAPE_BYTES_MAX)
        if (fits < PART_BYTES_MIN && fits < end - from) {
          yield* this.#nextPiece()
        } else {
          const to = Math.min(end, from + fits)
          this.#at = escapeBody(this.#piece, this.#at, words, from, to)
          from = to
        }
      }
    } else {
      yield* this.#copy(Buffer.from(this.#bodyText(block, i)))
    }
    if (this.#owedEnd === '') yield* this.#copy(Buffer.from(this.#endOf(block, run, i)))
  }

  *#copy(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    let from = 0
    while (from < bytes.length) {
      if (this.#at === this.#piece.bytes.length) yield* this.#nextPiece()
      const to = Math.min(bytes.length, from + this.#piece.bytes.length - this.#at)
      this.#piece.bytes.set(bytes.subarray(from, to), this.#at)
      this.#at += to - from
      from = to
    }
  }

  /** Provides space: grows the piece while none has been yielded, else yields it. */
  *#nextPiece(): Generator<Uint8Array, void, undefined> {
    const { bytes } = this.#piece
    if (bytes.length < PIECE_BYTES) {
      const grown = Buffer.allocUnsafe(Math.min(PIECE_BYTES, GROWTH * bytes.length))
      bytes.copy(grown, 0, 0, this.#at)
      this.#piece = wordsOf(grown)
      return
    }
    yield bytes.subarray(0, this.#at)
    const next = this.#other ?? wordsOf(Buffer.allocUnsafe(PIECE_BYTES))
    this.#other = this.#piece
    this.#piece = next
    this.#at = 0
  }

  /** The text of the body between its quotes, as UTF-8 or base64. */
  #bodyText(block: EventBlock, i: number): string {
    const body = Buffer.from(
      block.bytes.buffer,
      block.bytes.byteOffset + block.starts[i]!,
      block.ends[i]! - block.starts[i]!,
    )
    if (this.#options.encoding === 'utf8' && isUtf8(body))
      return JSON.stringify(body.toString('utf8')).slice(1, -1)
    return body.toString('base64')
  }

  /** The text from the closing quote of the body to the closing brace of the event. */
  #endOf(block: EventBlock, run: EventRun, i: number): string {
    const { encoding, cursors, sequences } = this.#options
    let end = '"'
    if (encoding === 'utf8' && !isUtf8(block.bytes.subarray(block.starts[i], block.ends[i])))
      end += ',"encoding":"base64"'
    if (cursors !== undefined) end += `,"cursor":"${cursors.print(block.firstSequence + i, run.timestampMs)}"`
    if (sequences) end += `,"sequence":${block.firstSequence + i}`
    return `${end}}`
  }
}

/** An event of a block and its run; after the last event of a run, `run` may still be that run. */
interface Place {
  run: number
  event: number
}
