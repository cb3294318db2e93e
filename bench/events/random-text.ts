/**
 * Printable text, random, so that no compression on the way to the disk makes it smaller. Nothing in it needs an escape in
 * JSON, or quotes in CSV.
 */
import { randomBytes } from 'node:crypto'

export const EVENT_BYTES = 100

export function randomText(bytes: number): string {
  return randomBytes(Math.ceil((bytes / 4) * 3))
    .toString('base64')
    .slice(0, bytes)
}
