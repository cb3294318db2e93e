/**
 * Reads entries of a ZIP archive by its central directory, without unpacking the others. The bytes are a client's, so every size is
 * checked before memory is taken for it.
 *
 *   [local header, name, extra field, data] …   central directory   end record, comment
 *
 * The directory has the sizes of every entry, so data descriptors behind the data are not needed. Stored and deflated entries are
 * read; ZIP64, encryption and archives of several files are refused. Bytes before the first entry are allowed, as in Java.
 */
import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'

/** A sentence about an archive or an entry that cannot be read. */
export class ZipProblem extends Error {
  override readonly name = 'ZipProblem'
}

/** The bytes of an archive. */
export interface ZipFile {
  readonly bytes: number
  /** All bytes `[start, start + length)`, which are within the file. */
  read(start: number, length: number): Promise<Buffer>
}

export interface ZipEntry {
  readonly name: string
  /** Bytes of the content. */
  readonly bytes: number
  readonly packedBytes: number
  readonly method: number
  readonly isEncrypted: boolean
  readonly crc: number
  /** Of the local header in the file. */
  readonly start: number
}

export interface ZipDirectory {
  readonly entries: readonly ZipEntry[]
  /** Where the central directory begins: no entry reaches further. */
  readonly start: number
}

const END_BYTES = 22
const COMMENT_BYTES_MAX = 0xffff
const END_SIGNATURE = 0x06054b50
const HEADER_BYTES = 46
const HEADER_SIGNATURE = 0x02014b50
const LOCAL_BYTES = 30
const LOCAL_SIGNATURE = 0x04034b50

/** In memory at a time: that of a jar with 60,000 classes has 6 MiB. */
const DIRECTORY_BYTES_MAX = 16 * 1024 * 1024
/** Headers that are read before other work of the process gets its turn. */
const HEADERS_AT_A_TIME = 1_000
/** Encrypted, strongly encrypted, and with a masked header. */
const ENCRYPTED_FLAGS = 1 | (1 << 6) | (1 << 13)
const STORED = 0
const DEFLATED = 8
/** Deflate may be longer than its content by a few bytes for each 16 KiB. */
const PACKED_EXTRA_BYTES = 1024

const unpack = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw)

/** The entries for which `isWanted`. Rejects with ZipProblem. */
export async function readDirectory(
  file: ZipFile,
  isWanted: (name: string) => boolean,
): Promise<ZipDirectory> {
  const { count, bytes, offset, end } = await readEnd(file)
  const start = end - bytes
  const shift = start - offset
  if (shift < 0) throw new ZipProblem('its central directory is not where its end record says')
  if (bytes > DIRECTORY_BYTES_MAX) {
    throw new ZipProblem(
      `its central directory has ${bytes} bytes; at most ${DIRECTORY_BYTES_MAX} are read: put fewer files into it`,
    )
  }
  const directory = await file.read(start, bytes)
  const entries: ZipEntry[] = []
  const names = new Set<string>()
  let at = 0
  for (let number = 0; number < count; number++) {
    if (number % HEADERS_AT_A_TIME === HEADERS_AT_A_TIME - 1) await otherWork()
    if (at + HEADER_BYTES > bytes || directory.readUInt32LE(at) !== HEADER_SIGNATURE) {
      throw new ZipProblem(`its central directory ends at entry ${number} of ${count}`)
    }
    const { entry, next } = headerAt(directory, at, shift)
    at = next
    if (!isWanted(entry.name)) continue
    if (names.has(entry.name)) throw new ZipProblem(`it has the entry ${entry.name} twice`)
    names.add(entry.name)
    entries.push(entry)
  }
  return { entries, start }
}

/** The content of an entry. Rejects with ZipProblem, also if it has more than `bytesMax`. */
export async function readEntry(
  file: ZipFile,
  directory: ZipDirectory,
  entry: ZipEntry,
  bytesMax: number,
): Promise<Buffer> {
  const { name, bytes, packedBytes, method, start, crc } = entry
  if (entry.isEncrypted) throw new ZipProblem(`its entry ${name} is encrypted; store it without a password`)
  if (method !== STORED && method !== DEFLATED) {
    throw new ZipProblem(`its entry ${name} is compressed by method ${method}; use deflate, or none`)
  }
  if (bytes > bytesMax || packedBytes > bytesMax + PACKED_EXTRA_BYTES) {
    throw new ZipProblem(
      `its entry ${name} has ${Math.max(bytes, packedBytes)} bytes; at most ${bytesMax} are read`,
    )
  }
  const packed = await readPacked(file, directory, entry)
  const content = method === STORED ? packed : await unpacked(packed, entry)
  if (content.length !== bytes || crc32(content) !== crc || start < 0) throw damaged(name)
  return content
}

interface End {
  readonly count: number
  readonly bytes: number
  readonly offset: number
  /** Where the record begins. */
  readonly end: number
}

/** The end record is the last one whose comment ends with the file. */
async function readEnd(file: ZipFile): Promise<End> {
  const length = Math.min(file.bytes, END_BYTES + COMMENT_BYTES_MAX)
  const from = file.bytes - length
  const last = await file.read(from, length)
  for (let at = length - END_BYTES; at >= 0; at--) {
    if (last.readUInt32LE(at) !== END_SIGNATURE) continue
    if (at + END_BYTES + last.readUInt16LE(at + 20) !== length) continue
    const count = last.readUInt16LE(at + 10)
    const bytes = last.readUInt32LE(at + 12)
    const offset = last.readUInt32LE(at + 16)
    if (count === 0xffff || bytes === 0xffffffff || offset === 0xffffffff) {
      throw new ZipProblem('it is in the form ZIP64, which is not read; put fewer files into it')
    }
    if (last.readUInt32LE(at + 4) !== 0 || last.readUInt16LE(at + 8) !== count) {
      throw new ZipProblem('it is one part of an archive of several files; make it one file')
    }
    const end = from + at
    if (bytes > end) throw new ZipProblem('its central directory is longer than the file')
    return { count, bytes, offset, end }
  }
  throw new ZipProblem('it is no ZIP archive, or its end is missing')
}

function headerAt(directory: Buffer, at: number, shift: number): { entry: ZipEntry; next: number } {
  const nameLength = directory.readUInt16LE(at + 28)
  const extraLength = directory.readUInt16LE(at + 30)
  const commentLength = directory.readUInt16LE(at + 32)
  const nameEnd = at + HEADER_BYTES + nameLength
  const next = nameEnd + extraLength + commentLength
  if (next > directory.length) throw new ZipProblem('its central directory ends within an entry')
  const entry = {
    name: directory.toString('utf8', at + HEADER_BYTES, nameEnd),
    isEncrypted: (directory.readUInt16LE(at + 8) & ENCRYPTED_FLAGS) !== 0,
    method: directory.readUInt16LE(at + 10),
    crc: directory.readUInt32LE(at + 16),
    packedBytes: directory.readUInt32LE(at + 20),
    bytes: directory.readUInt32LE(at + 24),
    start: directory.readUInt32LE(at + 42) + shift,
  }
  return { entry, next }
}

async function readPacked(
  file: ZipFile,
  { start: limit }: ZipDirectory,
  { name, packedBytes, start }: ZipEntry,
): Promise<Buffer> {
  if (start + LOCAL_BYTES > limit) throw damaged(name)
  const local = await file.read(start, LOCAL_BYTES)
  if (local.readUInt32LE(0) !== LOCAL_SIGNATURE) throw damaged(name)
  const nameLength = local.readUInt16LE(26)
  const dataStart = start + LOCAL_BYTES + nameLength + local.readUInt16LE(28)
  if (dataStart + packedBytes > limit) throw damaged(name)
  const ownName = await file.read(start + LOCAL_BYTES, nameLength)
  if (ownName.toString('utf8') !== name) throw damaged(name)
  return file.read(dataStart, packedBytes)
}

async function unpacked(packed: Buffer, { name, bytes }: ZipEntry): Promise<Buffer> {
  try {
    return await unpack(packed, { maxOutputLength: Math.max(1, bytes) })
  } catch (cause) {
    throw damaged(name, cause)
  }
}

function damaged(name: string, cause?: unknown): ZipProblem {
  return new ZipProblem(`its entry ${name} is damaged: content, size and checksum do not fit`, { cause })
}

function otherWork(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
