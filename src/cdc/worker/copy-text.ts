/**
 * Rows in the text format of COPY: values between tabs, `\N` for NULL, and `\` before the letters of control characters and before
 * itself.
 */
import { NULL_END, type RowBytes } from '../events/row-bytes.ts'

const TAB = 0x09
const BACKSLASH = 0x5c
const UPPER_N = 0x4e

/** Reads the line `bytes.subarray(start, end)`, without its end. Values with a `\` are written again, in their place in `bytes`. */
export function readCopyLine(bytes: Buffer, start: number, end: number, row: RowBytes): void {
  row.clear(bytes)
  let from = start
  let isEscaped = false
  for (let at = start; at <= end; at++) {
    const byte = at < end ? bytes[at] : TAB
    if (byte === BACKSLASH) isEscaped = true
    if (byte !== TAB) continue
    if (!isEscaped) row.push(from, at)
    else if (at === from + 2 && bytes[from + 1] === UPPER_N) row.push(from, NULL_END)
    else row.push(from, unescaped(bytes, from, at))
    isEscaped = false
    from = at + 1
  }
}

/** Returns the new end. */
function unescaped(bytes: Buffer, start: number, end: number): number {
  let to = start
  for (let at = start; at < end; at++) {
    let byte = bytes[at]!
    if (byte === BACKSLASH) {
      at++
      byte = CONTROLS[String.fromCharCode(bytes[at]!)] ?? bytes[at]!
    }
    bytes[to++] = byte
  }
  return to
}

const CONTROLS: Readonly<Record<string, number>> = { b: 0x08, f: 0x0c, n: 0x0a, r: 0x0d, t: 0x09, v: 0x0b }
