/**
 * The identity of a store: a number that cursors contain, so that a cursor of another store is detected.
 *
 *   <data>/IDENTITY   "millrace-store 5f3a9c01 crc=0d1e2f3a\n": 8 hexadecimal digits each, the second CRC-32C of all before " crc="
 *
 * Created when a folder without one is opened: a new folder, one of an older Millrace, or a copy by `millrace backup`,
 * which leaves it out. So a restored store has another identity than the store that was backed up.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { StorageError } from '../storage-error.ts'
import { writeDurably } from './format-stamp.ts'
import { innermost } from './level-error.ts'

const NAME = 'IDENTITY'

/** Undefined if the folder has none. Throws StorageError 'corrupt' or 'unavailable'. */
export function readIdentity(folder: string): number | undefined {
  const path = join(folder, NAME)
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new StorageError('unavailable', `${path} cannot be read: ${innermost(cause).message}`, { cause })
  }
  const digits = /^millrace-store ([0-9a-f]{8}) crc=[0-9a-f]{8}\n$/.exec(text)?.[1]
  const identity = digits === undefined ? 0 : Number.parseInt(digits, 16)
  if (identity !== 0 && text === identityText(identity)) return identity
  throw new StorageError(
    'corrupt',
    `${path} is damaged: it holds ${JSON.stringify(text.slice(0, 80))}. Remove it, and the store gets another identity ` +
      'when it is opened: cursors from before are refused then, and no event is lost',
  )
}

/** Durable once it returns. */
export function writeIdentity(folder: string, identity: number): void {
  writeDurably(join(folder, NAME), identityText(identity))
}

function identityText(identity: number): string {
  const text = `millrace-store ${inHex(identity)}`
  return `${text} crc=${inHex(crc32c(text))}\n`
}

function inHex(number: number): string {
  return number.toString(16).padStart(8, '0')
}
