/**
 * The value of a document: its JSON text, and a checksum, because LevelDB copies what it compacts without looking at its
 * own checksums, and gives what has rotted a new one.
 *
 *   document := JSON | " crc=" | crc32c in 8 hexadecimal digits
 *
 * crc32c covers key and JSON.
 */
import { crc32c } from '@node-rs/crc32'
import { checksum } from './checksum.ts'

const SEAL = ' crc='
const SEAL_LENGTH = SEAL.length + 8

export interface ReadDocument {
  readonly json: string
  /** The value ends with a checksum, and matches it. */
  readonly sound: boolean
}

export function encodeDocument(key: Buffer, document: unknown): Buffer {
  return sealed(key, JSON.stringify(document))
}

/** The same as text. */
export function documentText(key: Buffer, document: unknown): string {
  return sealedText(key, JSON.stringify(document))
}

/** The value of a document whose JSON text is there already. */
export function sealed(key: Buffer, json: string): Buffer {
  return Buffer.from(sealedText(key, json), 'utf8')
}

function sealedText(key: Buffer, json: string): string {
  const text = Buffer.from(json, 'utf8')
  return `${json}${SEAL}${inHex(checksum(key, text, 0))}`
}

/** Key and value as text: both are UTF-8. */
export function readDocument(key: string, value: string): ReadDocument {
  const at = value.length - SEAL_LENGTH
  if (!value.startsWith(SEAL, at)) return { json: value, sound: false }
  const json = value.slice(0, at)
  return { json, sound: inHex(crc32c(key + json)) === value.slice(at + SEAL.length) }
}

function inHex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
