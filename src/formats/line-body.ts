/**
 * Finds the line in a body. A UTF-8 byte order mark before it and one LF or CRLF after it, as `echo` and editors write
 * them, do not belong to the line. A second line end, or a lone CR, is text.
 */
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Where the text of a body begins. */
export function textStart(bytes: Uint8Array, start: number, end: number): number {
  const isMarked =
    end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf
  return isMarked ? start + 3 : start
}

/** Where the line ends. `start` is the start of its text. */
export function lineEnd(bytes: Uint8Array, start: number, end: number): number {
  if (end === start || bytes[end - 1] !== LINE_FEED) return end
  return end - start >= 2 && bytes[end - 2] === CARRIAGE_RETURN ? end - 2 : end - 1
}
