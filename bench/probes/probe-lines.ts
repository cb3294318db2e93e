/** Lines of 100 printable, random bytes, which no compression on the way to the disk makes smaller, and a LF each. */
import { randomBytes } from 'node:crypto'

export const EVENT_BYTES = 100
/** An event and the LF after it. */
export const LINE_BYTES = EVENT_BYTES + 1

/** More than LevelDB ever compresses at once, so repeating it is no help to it. */
const POOL_LINES = 20_000

export function randomText(length: number): string {
  return randomBytes(Math.ceil((length * 3) / 4))
    .toString('base64')
    .slice(0, length)
}

/** Lines to repeat, made once. */
export function linePool(): Buffer {
  return Buffer.from(Array.from({ length: POOL_LINES }, () => `${randomText(EVENT_BYTES)}\n`).join(''))
}

/** `count` lines, in pieces that share the memory of the pool. */
export function* linePieces(
  pool: Buffer,
  count: number,
  pieceBytes: number,
): Generator<Buffer, void, undefined> {
  let left = count * LINE_BYTES
  let at = 0
  while (left > 0) {
    const piece = pool.subarray(at, at + Math.min(pieceBytes, left))
    yield piece
    left -= piece.length
    at = (at + piece.length) % pool.length
  }
}
