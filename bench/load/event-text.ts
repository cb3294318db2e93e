/**
 * Events of 100 bytes: printable, and random, so that no compression on the way to the disk makes them smaller.
 * Nothing in them needs an escape in JSON.
 */
import { randomBytes } from 'node:crypto'

export const EVENT_BYTES = 100
/** An event and the LF after it. */
export const LINE_BYTES = EVENT_BYTES + 1

export function randomEvent(): string {
  return randomBytes((EVENT_BYTES / 4) * 3).toString('base64')
}

/** More than LevelDB ever compresses at once, so repeating it is no help to it. */
const POOL_LINES = 20_000
/** As a client that reads a file writes it: lines are cut anywhere. */
const PIECE_BYTES = 64 * 1024

/** Lines to repeat, made once. */
export function linePool(): Buffer {
  return Buffer.from(Array.from({ length: POOL_LINES }, () => `${randomEvent()}\n`).join(''))
}

/** `count` lines, in pieces that share the memory of the pool. */
export function* linePieces(pool: Buffer, count: number): Generator<Buffer, void, undefined> {
  let left = count * LINE_BYTES
  let at = 0
  while (left > 0) {
    const piece = pool.subarray(at, at + Math.min(PIECE_BYTES, left))
    yield piece
    left -= piece.length
    at = (at + piece.length) % pool.length
  }
}
