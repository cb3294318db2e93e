/**
 * Content type `text/*`: every line of the body is one event.
 *
 * A line ends at a byte 0x0A or 0x0D, or at the end of the body. Several such bytes in a row count as one end, so there
 * are no empty events. Nothing is trimmed or decoded: the event is the bytes between line ends, UTF-8 or not. In UTF-16
 * these two bytes are also halves of other characters, so such a body is rejected before this decoder (utf16-mark.ts).
 */
import type { BatchDecoder, DecoderOptions } from './decoder.ts'
import { type Emit, EventCutter } from './event-cutter.ts'
import { LineSplitter } from './line-splitter.ts'

export function textLines(options: DecoderOptions): BatchDecoder {
  const cutter = new EventCutter(
    options.eventBytesMax,
    (number) =>
      `event ${number} of this batch is longer than ${options.eventBytesMax} bytes, the most one event may hold; ` +
      'send shorter lines, each ended by LF or CR',
  )
  const splitter = new LineSplitter(cutter)
  return {
    headers: [],
    expands: false,
    decode(chunk: Uint8Array, emit: Emit): boolean {
      const bytes = cutter.begin(chunk, emit)
      splitter.begin(bytes)
      cutter.finish(splitter.split(0, 0, bytes.length))
      return false
    },
    decodeMore: () => false,
    end(emit: Emit): void {
      cutter.end(emit)
    },
  }
}
