/**
 * Rejects a text that begins with the byte order mark of UTF-16 or UTF-32. There the bytes 0x0A and 0x0D are also parts
 * of other characters, and cutting at them would destroy those.
 *
 *   FF FE | FE FF | 00 00 FE FF      (little-endian UTF-32 begins with FF FE too)
 */

import type { EventSlices } from '../../storage/log.ts'
import { ServiceError } from '../service-error.ts'
import type { BatchDecoder } from './decoder.ts'

const MARKS = ['fffe', 'feff', '0000feff']
const MARK_BYTES_MAX = 4

export function refusingUtf16(decoder: BatchDecoder): BatchDecoder {
  /** The first bytes of the body, in hex. */
  let start = ''
  return {
    get headers() {
      return decoder.headers
    },
    expands: decoder.expands,
    decode(chunk: Uint8Array, emit: (slices: EventSlices) => void): boolean {
      if (start.length < 2 * MARK_BYTES_MAX) {
        for (const byte of chunk.subarray(0, MARK_BYTES_MAX - start.length / 2)) {
          start += byte.toString(16).padStart(2, '0')
        }
        if (MARKS.some((mark) => start.startsWith(mark))) throw utf16()
      }
      return decoder.decode(chunk, emit)
    },
    decodeMore: (emit) => decoder.decodeMore(emit),
    end: (emit) => decoder.end(emit),
  }
}

function utf16(): ServiceError {
  return new ServiceError(
    'unsupported_charset',
    'the body begins with the byte order mark of UTF-16 or UTF-32, in which the bytes of line ends are also parts of other characters; ' +
      'send the batch in UTF-8, or each text as an event of its own',
  )
}
