/**
 * Reads a file in LevelDB's log format. Write-ahead logs (`000012.log`) and manifests have this format.
 *
 *   file   := block of 32 KiB … last block, which may be shorter
 *   block  := record* | 0x00 x (up to 6, if no header fits any more)
 *   record := masked crc32c u32 of all that follows | length u16 | type u8 (1 full, 2 first, 3 middle, 4 last) | payload
 *
 * LevelDB itself skips bytes that it cannot read, up to the next block, and does not report it, even if they were an
 * acknowledged record. This reader distinguishes three cases:
 *
 *   damage     bytes were altered: sound records that were written later follow
 *   torn       the file ends in the middle of a record, or in zeros: a crash interrupted a write
 *   doubtful   the last record has its full length and does not match: a power cut tore it, or it was damaged later
 *
 * All our records are written with fsync, one after the other, so no record can follow a torn one.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { checksumMatches } from './masked-checksum.ts'

const BLOCK_BYTES = 32 * 1024
const HEADER_BYTES = 7
const FULL = 1
const FIRST = 2
const LAST = 4

export type LogPiece =
  | { readonly kind: 'record'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'damage' | 'doubtful'; readonly offset: number; readonly reason: string }
  | { readonly kind: 'torn'; readonly offset: number }
  /** Bytes that are never read and should be zero. */
  | { readonly kind: 'padding'; readonly offset: number }

/**
 * Whether a record found after unreadable bytes can have been written after them. Bodies of events may contain any
 * bytes, also bytes that look like a record. `skipped` bytes lie between the last sound record and this one.
 */
export type IsLater = (payload: Buffer, skipped: number) => boolean

/** Throws the errors of the file system. */
export function* readRecordLog(path: string, isLater: IsLater = () => true): Generator<LogPiece, void> {
  const handle = openSync(path, 'r')
  try {
    yield* logicalRecords(physicalRecords(handle), isLater)
  } finally {
    closeSync(handle)
  }
}

type Fragment =
  | { readonly kind: 'sound'; readonly offset: number; readonly type: number; readonly payload: Buffer }
  | { readonly kind: 'bad'; readonly offset: number; readonly how: 'cut' | 'altered' | 'length' }
  | { readonly kind: 'padding'; readonly offset: number }

const REASONS = {
  cut: 'the record is cut off',
  altered: 'the record does not match its checksum',
  length: 'the length of the record was altered',
} as const

interface Problem {
  readonly offset: number
  reason: string
  torn: boolean
  certain: boolean
}

function* logicalRecords(fragments: Iterable<Fragment>, isLater: IsLater): Generator<LogPiece, void> {
  let open: { readonly offset: number; readonly parts: Buffer[] } | undefined
  let problem: Problem | undefined
  const blame = (offset: number, reason: string, torn: boolean, certain = false) => {
    problem ??= { offset: open?.offset ?? offset, reason, torn, certain }
    problem.torn &&= torn
    problem.certain ||= certain
    open = undefined
  }
  for (const fragment of fragments) {
    if (fragment.kind === 'padding') {
      yield fragment
    } else if (fragment.kind === 'bad') {
      blame(fragment.offset, REASONS[fragment.how], fragment.how === 'cut', fragment.how === 'length')
    } else if (fragment.type === FULL || fragment.type === FIRST) {
      const { offset, payload } = fragment
      if (open !== undefined) blame(open.offset, 'the end of the record is missing', false)
      if (problem !== undefined) {
        if (!isLater(payload, offset - problem.offset)) continue
        yield { kind: 'damage', offset: problem.offset, reason: problem.reason }
        problem = undefined
      }
      if (fragment.type === FULL) yield { kind: 'record', offset, bytes: payload }
      else open = { offset, parts: [payload] }
    } else if (open === undefined) {
      blame(fragment.offset, 'the beginning of the record is missing', false)
    } else {
      open.parts.push(fragment.payload)
      if (fragment.type !== LAST) continue
      yield { kind: 'record', offset: open.offset, bytes: Buffer.concat(open.parts) }
      open = undefined
    }
  }
  if (open !== undefined) blame(open.offset, REASONS.cut, true)
  if (problem === undefined) return
  const { offset, reason, torn, certain } = problem
  if (certain) yield { kind: 'damage', offset, reason }
  else if (torn) yield { kind: 'torn', offset }
  else yield { kind: 'doubtful', offset, reason }
}

function* physicalRecords(handle: number): Generator<Fragment, void> {
  const { size } = fstatSync(handle)
  for (let base = 0; base < size; base += BLOCK_BYTES) {
    const block = readBlock(handle, base, Math.min(BLOCK_BYTES, size - base))
    yield* fragmentsOf(block, base, base + block.length >= size)
  }
}

function readBlock(handle: number, base: number, length: number): Buffer {
  const block = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const read = readSync(handle, block, filled, length - filled, base + filled)
    if (read === 0) return block.subarray(0, filled)
    filled += read
  }
  return block
}

function* fragmentsOf(block: Buffer, base: number, isLastBlock: boolean): Generator<Fragment, void> {
  let at = 0
  while (at < block.length) {
    const offset = base + at
    const rest = block.length - at
    if (rest < HEADER_BYTES) {
      if (block.length < BLOCK_BYTES) yield { kind: 'bad', offset, how: 'cut' }
      else if (!isZero(block.subarray(at))) yield { kind: 'padding', offset }
      return
    }
    const length = soundLengthAt(block, at)
    if (length !== undefined) {
      const payload = block.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length)
      yield { kind: 'sound', offset, type: block[at + 6]!, payload }
      at += HEADER_BYTES + length
      continue
    }
    yield { kind: 'bad', offset, how: howBad(block, at, isLastBlock) }
    // Any byte may have been altered, also a length. So every following offset is tried until a sound record is found.
    do at++
    while (at < block.length && soundLengthAt(block, at) === undefined)
  }
}

/** Length of the payload if a sound record begins at `at`. */
function soundLengthAt(block: Buffer, at: number): number | undefined {
  if (at + HEADER_BYTES > block.length) return undefined
  const length = block.readUInt16LE(at + 4)
  const type = block[at + 6]!
  if (type < FULL || type > LAST || at + HEADER_BYTES + length > block.length) return undefined
  return matches(block, at, at + HEADER_BYTES + length) ? length : undefined
}

function howBad(block: Buffer, at: number, isLastBlock: boolean): 'cut' | 'altered' | 'length' {
  if (isZero(block.subarray(at))) return 'cut'
  const length = block.readUInt16LE(at + 4)
  if (!isLastBlock || at + HEADER_BYTES + length <= block.length) return 'altered'
  // A torn write also has a length that reaches beyond the end of the file. But if the bytes up to the end match the
  // checksum, only the length was altered.
  return matches(block, at, block.length) ? 'length' : 'cut'
}

/** Whether the record that begins at `at` matches its checksum if it ends at `end`. */
function matches(block: Buffer, at: number, end: number): boolean {
  return checksumMatches(block.readUInt32LE(at), block.subarray(at + 6, end))
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}
