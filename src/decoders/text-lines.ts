/**
 * Content type `text/*`: every line of the body is one event.
 *
 * A line ends at a byte 0x0A or 0x0D, or at the end of the body. Runs of them count as one end, so there are no
 * empty events. Nothing is trimmed and nothing decoded: the bytes between line ends are the event, UTF-8 or not.
 * That rules out UTF-16, where these two bytes are halves of other characters: such a body is refused before (utf16-mark.ts).
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
