/**
 * Events on the wire: blocks as read from disk -> JSON text in pieces of about 64 KiB, body byte by body byte.
 *
 *   array:   [{"timestamp":1407806944181,"headers":{},"body":"Hello World"},…]
 *   NDJSON:  one such object per line
 *
 * Bodies as CDAP prints them: bytes 0x20 to 0x7E stand for themselves, every other one is `\xNN` in upper-case hex, a
 * backslash is not doubled; the result is then a JSON string. `utf8` and `base64` are ours and unambiguous: with
 * `utf8` an event whose body is not UTF-8 has it in base64 and says so in a member `"encoding":"base64"`.
 */
import { isUtf8 } from 'node:buffer'
import type { EventBlock, EventRun } from '../../storage/log.ts'
import type { CursorPrinter } from './cursor.ts'

export type BodyEncoding = 'escaped' | 'utf8' | 'base64'

export interface EventJsonOptions {
  readonly encoding: BodyEncoding
  readonly layout: 'array' | 'ndjson'
  /** Adds a member `cursor` to every event. */
  readonly cursors?: CursorPrinter
}

/** About how much is handed to the socket at a time. */
const PIECE_BYTES = 64 * 1024
/** The texts around a body, headers aside: separator, encoding, cursor, closing brace. */
const AROUND_BYTES_MAX = 128
/** The longest a body byte becomes, in any encoding: `\u00NN`. */
const EXPANSION_MAX = 6
/** Large bodies are written out in stretches of this much. */
const STRETCH_BYTES = 8 * 1024

/** All events, of which there is at least one, as JSON text in pieces of about 64 KiB. */
export async function* eventJson(
  blocks: AsyncIterable<EventBlock>,
  options: EventJsonOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = new EventEncoder(options)
  for await (const block of blocks) yield* encoder.encode(block)
  yield encoder.end()
}

class EventEncoder {
  readonly #options: EventJsonOptions
  #piece = Buffer.allocUnsafe(PIECE_BYTES)
  #at = 0
  #separator: number | undefined
  /** Whether nothing follows the body of an event. */
  readonly #plainEnd: boolean

  constructor(options: EventJsonOptions) {
    this.#options = options
    this.#plainEnd = options.encoding !== 'utf8' && options.cursors === undefined
    if (options.layout === 'array') this.#piece[this.#at++] = OPENING_BRACKET
  }

  /** The pieces that this block fills. */
  *encode(block: EventBlock): Generator<Uint8Array, void, undefined> {
    const { starts, ends } = block
    for (const run of block.runs) {
      const head = headOf(run)
      for (let i = run.begin; i < run.end; i++) {
        const bytesMax = head.length + EXPANSION_MAX * (ends[i] - starts[i]) + AROUND_BYTES_MAX
        if (bytesMax > PIECE_BYTES - this.#at) yield this.#takePiece()
        if (bytesMax > PIECE_BYTES) yield* this.#encodeLarge(head, block, run, i)
        else this.#encodeSmall(head, block, run, i)
      }
    }
  }

  end(): Uint8Array {
    this.#piece[this.#at++] = this.#options.layout === 'array' ? CLOSING_BRACKET : NEWLINE
    return this.#takePiece()
  }

  /** One event that is sure to fit in this piece. */
  #encodeSmall(head: Buffer, block: EventBlock, run: EventRun, i: number): void {
    const piece = this.#piece
    let at = this.#writeSeparator()
    piece.set(head, at)
    at += head.length
    if (this.#options.encoding === 'escaped') {
      at = escapeInto(piece, at, block.bytes, block.starts[i], block.ends[i])
    } else {
      at += piece.write(this.#bodyText(block, i), at)
    }
    if (this.#plainEnd) {
      piece[at++] = QUOTE
      piece[at++] = CLOSING_BRACE
      this.#at = at
    } else {
      this.#at = at + piece.write(this.#endOf(block, run, i), at)
    }
  }

  *#encodeLarge(
    head: Buffer,
    block: EventBlock,
    run: EventRun,
    i: number,
  ): Generator<Uint8Array, void, undefined> {
    this.#at = this.#writeSeparator()
    yield this.#takePiece()
    yield head
    if (this.#options.encoding === 'escaped') {
      const end = block.ends[i]
      for (let from = block.starts[i]; from < end; from += STRETCH_BYTES) {
        this.#at = escapeInto(this.#piece, 0, block.bytes, from, Math.min(end, from + STRETCH_BYTES))
        yield this.#takePiece()
      }
    } else {
      yield Buffer.from(this.#bodyText(block, i))
    }
    yield Buffer.from(this.#endOf(block, run, i))
  }

  /** What is between this event and the one before; answers where to go on. */
  #writeSeparator(): number {
    if (this.#separator !== undefined) this.#piece[this.#at++] = this.#separator
    this.#separator = this.#options.layout === 'array' ? COMMA : NEWLINE
    return this.#at
  }

  /** The body between its quotes, in an encoding of ours. */
  #bodyText(block: EventBlock, i: number): string {
    const body = Buffer.from(
      block.bytes.buffer,
      block.bytes.byteOffset + block.starts[i],
      block.ends[i] - block.starts[i],
    )
    if (this.#options.encoding === 'utf8' && isUtf8(body))
      return JSON.stringify(body.toString('utf8')).slice(1, -1)
    return body.toString('base64')
  }

  /** From the quote that closes the body to the brace that closes the event. */
  #endOf(block: EventBlock, run: EventRun, i: number): string {
    const { encoding, cursors } = this.#options
    let end = '"'
    if (encoding === 'utf8' && !isUtf8(block.bytes.subarray(block.starts[i], block.ends[i])))
      end += ',"encoding":"base64"'
    if (cursors !== undefined) end += `,"cursor":"${cursors.print(block.firstSequence + i, run.timestampMs)}"`
    return `${end}}`
  }

  #takePiece(): Uint8Array {
    const piece = this.#piece.subarray(0, this.#at)
    this.#piece = Buffer.allocUnsafe(PIECE_BYTES)
    this.#at = 0
    return piece
  }
}

/** From the brace that opens an event to the quote that opens its body: the same for all events of a run. */
function headOf({ timestampMs, headers }: EventRun): Buffer {
  let text = `{"timestamp":${timestampMs},"headers":{`
  for (const [i, [name, value]] of headers.entries()) {
    text += `${i === 0 ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(value)}`
  }
  return Buffer.from(`${text}},"body":"`)
}

/** Writes `bytes[from, to)` as CDAP prints it, inside a JSON string; answers the end. */
function escapeInto(target: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  let end = at
  for (let i = from; i < to; i++) {
    const byte = bytes[i]
    const kind = BYTE_KINDS[byte]
    if (kind === PLAIN) {
      target[end++] = byte
    } else if (kind === QUOTED) {
      target[end++] = BACKSLASH
      target[end++] = byte
    } else {
      target[end++] = BACKSLASH
      target[end++] = BACKSLASH
      target[end++] = LOWER_X
      target[end++] = HEX_DIGITS[byte >>> 4]
      target[end++] = HEX_DIGITS[byte & 0x0f]
    }
  }
  return end
}

const NEWLINE = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const OPENING_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSING_BRACKET = 0x5d
const LOWER_X = 0x78
const CLOSING_BRACE = 0x7d
const HEX_DIGITS = Buffer.from('0123456789ABCDEF')

const PLAIN = 0
const QUOTED = 1
const ESCAPED = 2
/** What becomes of each byte of a body. */
const BYTE_KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte < 0x20 || byte > 0x7e) return ESCAPED
  return byte === QUOTE || byte === BACKSLASH ? QUOTED : PLAIN
})
