/**
 * The contract of a batch decoder: it turns a request body, in pieces of any size, into events, as slices of shared
 * memory.
 *
 * A decoder is pure and synchronous: no clock, no disk, no network. The events do not depend on how the body is cut
 * into chunks. It throws ServiceError 'malformed_batch' (400) or 'event_too_large' (413); it must not be used after
 * that.
 */
import type { EventHeaders, EventSlices } from '../../storage/log.ts'

export interface BatchDecoder {
  /**
   * Headers that this decoder adds to every event (Avro: `schema` and `schema.hash`). They do not change after the
   * first call of `emit`. They replace headers of the same name that the client sent.
   */
  readonly headers: EventHeaders
  /** Whether a small body may become large. Then few bodies should be decoded at a time. */
  readonly expands: boolean
  /**
   * Takes the next piece of the body and calls `emit` for complete events. The decoder may reuse the slices as soon as
   * `emit` returns, so `emit` has to copy them. The decoder never writes to the chunk.
   *
   * Returns true if the piece has more events than one call emits. The caller then calls `decodeMore` until it returns false,
   * and passes the next piece after that.
   */
  decode(chunk: Uint8Array, emit: (slices: EventSlices) => void): boolean
  decodeMore(emit: (slices: EventSlices) => void): boolean
  /** Call it at the regular end of the body. Emits the rest, or throws if the body ended in the middle of an event. */
  end(emit: (slices: EventSlices) => void): void
}

export interface DecoderOptions {
  /** The longest event body in bytes. A longer one is rejected with 'event_too_large'. */
  readonly eventBytesMax: number
  /** Called with a buffer that the decoder allocated and no longer uses, so that its memory can be freed. */
  readonly free?: (buffer: Uint8Array) => void
}

/** How a body is cut into events. `mayBeUtf16`: FF FE or FE FF at the start of the body would be a byte order mark. */
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
