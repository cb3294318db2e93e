/**
 * A header set: the headers of an event, or of a run of events that share them. It is part of the storage contract
 * (HeadedEvents in log.ts), and the LevelDB engine stores these bytes.
 *
 *   header set := count varint | (nameLength varint | name | valueLength varint | value) x count
 *
 * Names and values are UTF-8. The empty set is the empty byte string.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { EventHeaders } from './log.ts'
import { StorageError } from './storage-error.ts'
import { VARINT_BYTES_MAX, writeVarint } from './varint.ts'

const EMPTY = Buffer.alloc(0)
const NO_HEADERS: EventHeaders = []

export function encodeHeaders(headers: EventHeaders): Buffer {
  if (headers.length === 0) return EMPTY
  let bytesMax = VARINT_BYTES_MAX
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i]!
    bytesMax += 2 * VARINT_BYTES_MAX + (name.length + value.length) * UTF8_BYTES_MAX
  }
  const bytes = Buffer.allocUnsafe(bytesMax)
  let at = writeVarint(bytes, 0, headers.length)
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i]!
    at = writeText(bytes, writeText(bytes, at, name), value)
  }
  return bytes.subarray(0, at)
}

export function decodeHeaders(bytes: Buffer): EventHeaders {
  if (bytes.length === 0) return NO_HEADERS
  let at = 0
  const headers: [string, string][] = []
  const count = readVarint()
  for (let i = 0; i < count; i++) headers.push([readText(), readText()])
  if (at !== bytes.length)
    throw new StorageError('corrupt', `header set of ${bytes.length} bytes ends at ${at}`)
  return headers

  function readText(): string {
    const length = readVarint()
    at += length
    return bytes.toString('utf8', at - length, at)
  }

  function readVarint(): number {
    let value = 0
    let scale = 1
    let byte: number
    do {
      byte = bytes[at++]!
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value
  }
}

export function encodedHeadersEqual(a: Buffer, b: Buffer): boolean {
  return a === b || a.equals(b)
}

/** Writes length and text. Nearly all texts are short and ASCII; for those a loop is faster than a call of `write`. */
function writeText(bytes: Buffer, start: number, text: string): number {
  const { length } = text
  if (length < SHORT_TEXT) {
    let at = start + 1
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) break
      bytes[at++] = code
    }
    if (i === length) {
      bytes[start] = length
      return at
    }
  }
  const at = writeVarint(bytes, start, Buffer.byteLength(text))
  return at + bytes.write(text, at)
}

/** A length below this takes one byte. */
const SHORT_TEXT = 0x80
/** UTF-8 bytes of one UTF-16 code unit. */
const UTF8_BYTES_MAX = 3
