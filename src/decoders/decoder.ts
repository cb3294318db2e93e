/**
 * The contract of a batch decoder: request body in pieces of any size -> events, as slices of shared memory.
 *
 * A decoder is pure and synchronous: no clock, no disk, no network. Any chunking of the same bytes gives the same
 * events. It throws ServiceError 'malformed_batch' (400) or 'event_too_large' (413); after that it is not used again.
 */
import type { EventHeaders, EventSlices } from '../../storage/log.ts'

export interface BatchDecoder {
  /**
   * Headers this decoder adds to every event (Avro: `schema` and `schema.hash`); settled once the first slices are
   * handed out. They replace headers of the same name that the client sent.
   */
  readonly headers: EventHeaders
  /** Whether a small body may become large: then few bodies should be decoded at a time. */
  readonly expands: boolean
  /**
   * Takes the next piece of the body. Calls `emit` for events that are complete; what is handed to `emit` may be
   * reused as soon as `emit` returns, so it has to copy. The chunk itself is never written to.
   *
   * Returns true if the piece has more events than one call emits. The caller then calls `decodeMore` until it returns false,
   * and passes the next piece after that.
   */
  decode(chunk: Uint8Array, emit: (slices: EventSlices) => void): boolean
  decodeMore(emit: (slices: EventSlices) => void): boolean
  /** The body ended cleanly: emits what is left, or throws if the body stopped in the middle of something. */
  end(emit: (slices: EventSlices) => void): void
}

export interface DecoderOptions {
  /** The longest event body in bytes; a longer one is refused with 'event_too_large'. */
  readonly eventBytesMax: number
  /** Called with a buffer that the decoder allocated and no longer uses, so that its memory can be freed. */
  readonly free?: (buffer: Uint8Array) => void
}

/** How a body is cut into events. `mayBeUtf16`: a byte order mark of UTF-16 or UTF-32 at its start would be one. */
export type BatchLayout =
  | { readonly kind: 'avro' }
  | { readonly kind: 'lines'; readonly mayBeUtf16: boolean }
  | ({ readonly kind: 'csv'; readonly mayBeUtf16: boolean } & CsvDialect)

export interface CsvDialect {
  /** One byte or more, no line ends, and not the quote. */
  readonly delimiter: Uint8Array
  /** One byte. */
  readonly quote: number
}
