/** The common part of readers of single lines: the line is the body without a byte order mark and without its line end. */

import { lineEnd, textStart } from './line-body.ts'
import type { EventHeaders, FormatError, RecordReader, Value } from './record-reader.ts'

export abstract class LineReader implements RecordReader {
  read(
    bytes: Uint8Array,
    bodyStart: number,
    bodyEnd: number,
    _headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    const start = textStart(bytes, bodyStart, bodyEnd)
    return this.line(bytes, start, lineEnd(bytes, start, bodyEnd), into)
  }

  /** Reads the line `bytes[start, end)`. The rest of the contract is that of RecordReader. */
  protected abstract line(
    bytes: Uint8Array,
    start: number,
    end: number,
    into: Value[],
  ): FormatError | undefined
}
