/**
 * A row as places in one buffer: the UTF-8 texts of PostgreSQL's values, where they arrived or are kept. Nothing is decoded or copied.
 * The object is filled again for the next row, so that a row costs no memory of its own.
 */

/** A row as texts. Columns beyond its end are NULL. */
export type RowTexts = readonly (string | null)[]

/** In `ends`: the value is NULL. */
export const NULL_END = -1
/** In `ends`: a large value that was not changed and was not sent, or of a column that the row does not have. */
export const UNSENT_END = -2

export class RowBytes {
  bytes: Buffer = EMPTY
  /** Value i is `bytes.subarray(starts[i], ends[i])`; an end below zero says that there is none. */
  readonly starts: number[] = []
  readonly ends: number[] = []
  length = 0

  clear(bytes: Buffer): void {
    this.bytes = bytes
    this.length = 0
  }

  push(start: number, end: number): void {
    this.starts[this.length] = start
    this.ends[this.length++] = end
  }

  /** Below zero: NULL_END, or UNSENT_END. */
  endOf(index: number): number {
    return index < this.length ? this.ends[index]! : NULL_END
  }

  /** The text of a value that is not NULL. */
  text(index: number): string {
    return textBetween(this.bytes, this.starts[index]!, this.ends[index]!)
  }

  isWhole(): boolean {
    for (let i = 0; i < this.length; i++) if (this.ends[i] === UNSENT_END) return false
    return true
  }
}

export function isSameValue(a: RowBytes, b: RowBytes, index: number): boolean {
  const end = a.endOf(index)
  const otherEnd = b.endOf(index)
  if (end < 0 || otherEnd < 0) return end === otherEnd
  const start = a.starts[index]!
  const otherStart = b.starts[index]!
  if (end - start !== otherEnd - otherStart) return false
  for (let i = 0; i < end - start; i++) if (a.bytes[start + i] !== b.bytes[otherStart + i]) return false
  return true
}

/** A row of its own. Undefined: a value that was not sent. */
export function rowOfTexts(texts: readonly (string | null | undefined)[]): RowBytes {
  const row = new RowBytes()
  row.clear(Buffer.from(texts.map((text) => text ?? '').join('')))
  let at = 0
  for (const text of texts) {
    if (text === null || text === undefined) {
      row.push(0, text === null ? NULL_END : UNSENT_END)
      continue
    }
    const start = at
    at += Buffer.byteLength(text)
    row.push(start, at)
  }
  return row
}

/** Short texts are mostly digits and dates: reading them here is faster than a call into the engine. */
const SHORT_BYTES = 12

export function textBetween(bytes: Buffer, start: number, end: number): string {
  if (end - start > SHORT_BYTES) return bytes.toString('utf8', start, end)
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte > 0x7f) return bytes.toString('utf8', start, end)
    text += String.fromCharCode(byte)
  }
  return text
}

const EMPTY = Buffer.alloc(0)
