/**
 * The value of a document: its JSON text and a checksum. LevelDB's own checksums are not enough: a compaction copies
 * data without verifying them, and then writes a new checksum over data that has been damaged.
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
  /** Whether the value ends with a checksum that matches. */
  readonly sound: boolean
}

export function encodeDocument(key: Buffer, document: unknown): Buffer {
  return sealed(key, JSON.stringify(document))
}

/** The same value as text. */
export function documentText(key: Buffer, document: unknown): string {
  return sealedText(key, JSON.stringify(document))
}

/** The value of a document whose JSON text exists already. */
export function sealed(key: Buffer, json: string): Buffer {
  return Buffer.from(sealedText(key, json), 'utf8')
}

function sealedText(key: Buffer, json: string): string {
  const text = Buffer.from(json, 'utf8')
  return `${json}${SEAL}${inHex(checksum(key, text, 0))}`
}

/** Key and value are text: both are UTF-8 on disk. */
export function readDocument(key: string, value: string): ReadDocument {
  const at = value.length - SEAL_LENGTH
  if (!value.startsWith(SEAL, at)) return { json: value, sound: false }
  const json = value.slice(0, at)
  return { json, sound: inHex(crc32c(key + json)) === value.slice(at + SEAL.length) }
}

function inHex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
