/** Jars as tests need them: ZIP archives of a few entries, also such that no tool writes. */
import { crc32, deflateRawSync } from 'node:zlib'

export interface JarEntry {
  readonly name: string
  readonly content: string | Uint8Array
  readonly isStored?: boolean
  /** As it stands in the headers, where that is wrong. */
  readonly flags?: number
  readonly method?: number
  readonly bytes?: number
  readonly packedBytes?: number
  readonly crc?: number
  /** In the local header. */
  readonly localName?: string
  /** Of the local header in the file. */
  readonly start?: number
}

export interface JarEnd {
  readonly before?: Uint8Array
  readonly comment?: Uint8Array
  readonly count?: number
  readonly directoryBytes?: number
  readonly directoryStart?: number
}

export function jarOf(
  entries: readonly JarEntry[] | Readonly<Record<string, string>>,
  end: JarEnd = {},
): Buffer {
  const list: readonly JarEntry[] = Array.isArray(entries)
    ? entries
    : Object.entries(entries).map(([name, content]) => ({ name, content }))
  const parts: Uint8Array[] = [end.before ?? new Uint8Array()]
  const headers: Buffer[] = []
  let at = 0
  for (const entry of list) {
    const content = Buffer.from(entry.content as string)
    const packed = entry.isStored === true ? content : deflateRawSync(content)
    const name = Buffer.from(entry.name)
    const localName = Buffer.from(entry.localName ?? entry.name)
    const fields = Buffer.alloc(24)
    fields.writeUInt16LE(20, 0)
    fields.writeUInt16LE(entry.flags ?? 0, 2)
    fields.writeUInt16LE(entry.method ?? (entry.isStored === true ? 0 : 8), 4)
    fields.writeUInt32LE(entry.crc ?? crc32(content), 10)
    fields.writeUInt32LE(entry.packedBytes ?? packed.length, 14)
    fields.writeUInt32LE(entry.bytes ?? content.length, 18)
    const local = Buffer.concat([number32(0x04034b50), fields, number16(0), number16(0)])
    local.writeUInt16LE(localName.length, 26)
    local.writeUInt16LE(0, 28)
    const header = Buffer.alloc(46)
    header.writeUInt32LE(0x02014b50, 0)
    header.writeUInt16LE(20, 4)
    fields.copy(header, 6, 0, 22)
    header.writeUInt16LE(name.length, 28)
    header.writeUInt32LE(entry.start ?? at, 42)
    headers.push(header, name)
    const local30 = local.subarray(0, 30)
    parts.push(local30, localName, packed)
    at += local30.length + localName.length + packed.length
  }
  const directory = Buffer.concat(headers)
  const comment = end.comment ?? new Uint8Array()
  const record = Buffer.alloc(22)
  record.writeUInt32LE(0x06054b50, 0)
  record.writeUInt16LE(end.count ?? list.length, 8)
  record.writeUInt16LE(end.count ?? list.length, 10)
  record.writeUInt32LE(end.directoryBytes ?? directory.length, 12)
  record.writeUInt32LE(end.directoryStart ?? at, 16)
  record.writeUInt16LE(comment.length, 20)
  return Buffer.concat([...parts, directory, record, comment])
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function number16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

export interface FilePart {
  readonly part?: string
  readonly file?: string
  readonly content: string | Uint8Array
}

export const BOUNDARY = '----WebKitFormBoundary7MA4YWxkTrZu0gW'

/** A multipart body, as options of a request. */
export function multipart(parts: readonly FilePart[], boundary = BOUNDARY) {
  const pieces = parts.flatMap(({ part = 'jarfile', file, content }) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${part}"${file === undefined ? '' : `; filename="${file}"`}\r\n` +
        'Content-Type: application/x-java-archive\r\n\r\n',
    ),
    Buffer.from(content as string),
    Buffer.from('\r\n'),
  ])
  return {
    headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]),
  }
}
