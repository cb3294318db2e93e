/**
 * A header set: the headers that a run of events shares.
 *
 *   header set := count varint | (nameLength varint | name | valueLength varint | value) x count
 *
 * Names and values are UTF-8. The empty set is the empty byte string.
 */
import type { EventHeaders } from '../log.ts'
import { StorageError } from '../storage-error.ts'

const EMPTY = Buffer.alloc(0)
const NO_HEADERS: EventHeaders = []

export function encodeHeaders(headers: EventHeaders): Buffer {
  if (headers.length === 0) return EMPTY
  const parts: Buffer[] = [varint(headers.length)]
  for (const [name, value] of headers) parts.push(...text(name), ...text(value))
  return Buffer.concat(parts)
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
      byte = bytes[at++]
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value
  }
}

/** `undefined` stands for the empty set before the first run of a block. */
export function encodedHeadersEqual(a: Buffer, b: Buffer | undefined): boolean {
  if (b === undefined) return a.length === 0
  return a === b || a.equals(b)
}

function text(value: string): [Buffer, Buffer] {
  const bytes = Buffer.from(value, 'utf8')
  return [varint(bytes.length), bytes]
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}
