/**
 * A folder on a disk that loses power: a service runs on it with power-loss.c preloaded, is killed together with the
 * processes it has started, and the folder becomes what a power cut at that moment would have left.
 *
 * Certain is what was synced: bytes of files by a sync of the file, names in a folder by a sync of that folder. What becomes
 * of the rest is chosen: all of it lost, as POSIX allows; or names as file systems with a journal keep them; or any of it.
 * Of a file that is written in place, each page of 4 KiB is what it was at the last sync, or what a later write has made of
 * it; a page is never torn.
 */
import { execFile } from 'node:child_process'
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { SeededRandom } from '../../support/seeded-random.ts'

const run = promisify(execFile)
const SECTOR = 512
const PAGE = 4096

export interface Loss {
  /**
   * Names that were made, changed or removed without a sync of their folder. strict: as they were before. journal: the
   * changes up to some moment, and at least to the last sync of any file. any: each change happened or not.
   */
  readonly names: 'strict' | 'journal' | 'any'
  /**
   * Bytes behind the last sync of their file. part: the first few are there; zeros, noise: and others in their place;
   * holes: each page of them is there or zeros. Bytes that were replaced in place: as they were if dropped, else any page
   * as it was or as it became.
   */
  readonly tails: 'dropped' | 'part' | 'zeros' | 'noise' | 'holes'
}

/** Syncs that report success and do nothing: all, those of folders, or those of paths with this text in them. */
export type Ignores = 'folders' | 'all' | `/${string}`

/** Bytes that a call has replaced, and the length that the file had. */
interface Replaced {
  readonly length: number
  readonly offset: number
  readonly bytes: Buffer
}

interface Notes {
  readonly names: Names
  /** Length of each file at its last sync. */
  readonly synced: ReadonlyMap<string, number>
  /** Since the last sync of each file, the oldest first. */
  readonly replaced: ReadonlyMap<string, readonly Replaced[]>
}

type NameChange =
  | { readonly kind: 'file'; readonly path: string; readonly inode: string }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }

/** By path from the root; a folder has no inode. */
type Names = Map<string, string | undefined>

/** Why there can be no such disk here, or undefined. */
export async function powerCutProblem(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'calls can be watched by LD_PRELOAD on Linux only'
  return run('gcc', ['--version']).then(
    () => undefined,
    () => 'there is no gcc on this machine',
  )
}

export class PowerCutDisk {
  readonly #folder: string
  readonly #library: string
  #durable: Names = new Map()
  #lengths = new Map<string, number>()
  cuts = 0
  /** What was not synced at the cuts so far. */
  lostBytes = 0
  lostNames = 0
  /** Pages of files written in place that had more than one content to choose from. */
  openPages = 0

  /** Everything happens in this folder. */
  static async make(emptyFolder: string): Promise<PowerCutDisk> {
    const folder = realpathSync(emptyFolder)
    const library = join(folder, 'power-loss.so')
    const source = fileURLToPath(new URL('power-loss.c', import.meta.url))
    await run('gcc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'])
    return new PowerCutDisk(folder, library)
  }

  private constructor(folder: string, library: string) {
    this.#folder = folder
    this.#library = library
    mkdirSync(this.root)
    mkdirSync(this.#graves)
    mkdirSync(this.#before)
  }

  /** What the disk holds: durable itself, and all that is in it after a cut. */
  get root(): string {
    return join(this.#folder, 'root')
  }

  get #graves(): string {
    return join(this.#folder, 'graves')
  }

  get #before(): string {
    return join(this.#folder, 'before')
  }

  get #notes(): string {
    return join(this.#folder, 'notes')
  }

  /** For a process that runs on this disk, and for those that it starts. */
  environment(ignores?: Ignores, syncMs = 0): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      POWER_ROOT: this.root,
      POWER_GRAVES: this.#graves,
      POWER_NOTES: this.#notes,
      POWER_BEFORE: this.#before,
      POWER_SYNC_MS: String(syncMs),
      ...(ignores && { POWER_IGNORES: ignores }),
      UV_USE_IO_URING: '0', // which no library sees
    }
  }

  /** No process runs on it any more. Throws if one has done what the notes cannot tell. */
  cut(loss: Loss, random: SeededRandom): void {
    const { names, synced, replaced } = this.#readNotes(loss, random)
    const places = this.#placesOfInodes()
    const fresh = join(this.#folder, 'fresh')
    mkdirSync(fresh)
    for (const [path, inode] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!parentIsThere(names, path)) continue // its folder has lost its name
      const to = join(fresh, path)
      if (inode === undefined) {
        mkdirSync(to)
        continue
      }
      const from = places.get(inode)!
      const length = synced.get(inode) ?? 0
      const calls = replaced.get(inode) ?? []
      if (calls.length > 0) this.#leavePages(from, to, length, calls, loss, random)
      else this.#leave(from, to, length, loss, random)
    }
    for (const folder of [this.root, this.#graves, this.#before]) rmSync(folder, { recursive: true })
    rmSync(this.#notes, { force: true })
    renameSync(fresh, this.root)
    mkdirSync(this.#graves)
    mkdirSync(this.#before)
    this.#takeStock()
    this.cuts++
  }

  #readNotes({ names: kept }: Loss, random: SeededRandom): Notes {
    const synced = new Map(this.#lengths)
    const replaced = new Map<string, Replaced[]>()
    const names: Names = new Map(this.#durable)
    let pending: NameChange[] = []
    let journaled = 0
    for (const line of readNotes(this.#notes)) {
      const [call, first = '', second = '', ...others] = line.split(' ')
      const path = this.#inRoot(first)
      switch (call) {
        case 'create':
          pending.push({ kind: 'file', path: this.#inRoot(second), inode: first })
          synced.set(first, 0)
          break
        case 'empty':
          synced.set(first, 0)
          replaced.delete(first)
          break
        case 'over': {
          const calls = replaced.get(first) ?? []
          calls.push(this.#replaced(Number(second), others))
          replaced.set(first, calls)
          break
        }
        case 'mkdir':
          pending.push({ kind: 'folder', path })
          break
        case 'rename':
          pending.push({ kind: 'rename', path, to: this.#inRoot(second) })
          break
        case 'unlink':
          pending.push({ kind: 'unlink', path })
          break
        case 'sync':
          synced.set(first, Number(second))
          replaced.delete(first)
          journaled = pending.length
          break
        case 'folder':
          for (const change of pending) if (parentOf(change.path) === path) apply(names, change)
          pending = pending.filter((change) => parentOf(change.path) !== path)
          journaled = pending.length
          break
        default:
          throw new Error(`the service does what a power cut cannot be worked out for: ${line}`)
      }
    }
    const upTo = random.whole(journaled, pending.length)
    const left = pending.filter((_, i) => {
      if (kept === 'strict') return false
      return kept === 'journal' ? i < upTo : random.next() < 0.5
    })
    for (const change of left) apply(names, change)
    this.lostNames += pending.length - left.length
    return { names, synced, replaced }
  }

  #replaced(length: number, [offset, count, process, place]: readonly string[]): Replaced {
    const bytes = readPart(join(this.#before, process!), Number(place), Number(count))
    return { length, offset: Number(offset), bytes }
  }

  /** Puts what is left of a file to where it is found after the cut. */
  #leave(from: string, to: string, synced: number, { tails }: Loss, random: SeededRandom): void {
    const { size } = lstatSync(from)
    if (size <= synced) {
      linkSync(from, to)
      return
    }
    this.lostBytes += size - synced
    if (tails === 'holes') {
      const content = readFileSync(from)
      for (let at = synced; at < size; at = nextPage(at))
        if (random.next() < 0.5) content.fill(0, at, Math.min(nextPage(at), size))
      writeFileSync(to, content)
      return
    }
    const kept = tails === 'dropped' ? synced : random.whole(synced, size)
    const head = readStart(from, kept)
    const others = tails === 'zeros' || tails === 'noise' ? size - kept : 0
    const rest = Buffer.alloc(Math.min(others, random.whole(0, Math.ceil(others / SECTOR)) * SECTOR))
    if (tails === 'noise') fillWithNoise(rest, random)
    writeFileSync(to, Buffer.concat([head, rest]))
  }

  /** Of a file written in place: each page as it was at some moment since the last sync, the length as well. */
  #leavePages(
    from: string,
    to: string,
    synced: number,
    calls: readonly Replaced[],
    { tails }: Loss,
    random: SeededRandom,
  ): void {
    let content: Buffer = readFileSync(from)
    const lengths = [content.length]
    const versions = new Map<number, Buffer[]>()
    const keep = (begin: number, end: number) => {
      for (let at = begin - (begin % PAGE); at < end; at += PAGE) {
        const page = Buffer.alloc(PAGE)
        content.copy(page, 0, at, at + PAGE)
        const known = versions.get(at) ?? []
        if (!known.some((version) => version.equals(page))) versions.set(at, [...known, page])
      }
    }
    keep(0, content.length)
    for (const { length, offset, bytes } of calls.toReversed()) {
      const before = Buffer.alloc(length)
      content.copy(before)
      bytes.copy(before, offset)
      content = before
      lengths.push(length)
      keep(offset, offset + bytes.length)
    }
    for (const [at, known] of versions) {
      if (known.length < 2 && at + PAGE <= synced) continue
      this.openPages++
      this.lostBytes += PAGE
    }
    if (tails === 'dropped') {
      writeFileSync(to, content.subarray(0, synced))
      return
    }
    const left = Buffer.alloc(random.pick([...lengths, synced]))
    for (let at = 0; at < left.length; at += PAGE) {
      const page = random.pick(versions.get(at) ?? [Buffer.alloc(PAGE)])
      if (at < synced || tails === 'part' || random.next() < 0.5) page.copy(left, at)
      else if (tails === 'noise') fillWithNoise(left.subarray(at, at + PAGE), random)
    }
    writeFileSync(to, left)
  }

  /** Where the content of every file is, whether or not it has a name still. */
  #placesOfInodes(): Map<string, string> {
    const places = new Map<string, string>()
    for (const folder of [this.#graves, this.root]) {
      for (const path of filesIn(folder)) places.set(String(lstatSync(path).ino), path)
    }
    return places
  }

  #takeStock(): void {
    this.#durable = new Map()
    this.#lengths = new Map()
    for (const entry of readdirSync(this.root, { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isDirectory()) {
        this.#durable.set(this.#inRoot(path), undefined)
        continue
      }
      const { ino, size } = lstatSync(path)
      this.#durable.set(this.#inRoot(path), String(ino))
      this.#lengths.set(String(ino), size)
    }
  }

  #inRoot(path: string): string {
    return path.startsWith(this.root) ? path.slice(this.root.length + 1) : path
  }
}

/** A kill may have come in the middle of the last line. */
function readNotes(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1)
  } catch {
    return []
  }
}

function apply(names: Names, change: NameChange): void {
  const { kind, path } = change
  if (kind === 'file') names.set(path, change.inode)
  if (kind === 'folder') names.set(path, undefined)
  if (kind === 'unlink') names.delete(path)
  if (kind === 'rename' && names.has(path)) {
    names.set(change.to, names.get(path))
    names.delete(path)
  }
}

function parentOf(path: string): string {
  const parent = dirname(path)
  return parent === '.' ? '' : parent
}

function parentIsThere(names: Names, path: string): boolean {
  const parent = parentOf(path)
  return parent === '' || (names.has(parent) && parentIsThere(names, parent))
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function nextPage(at: number): number {
  return at - (at % PAGE) + PAGE
}

function fillWithNoise(bytes: Buffer, random: SeededRandom): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.whole(0, 255)
}

function readStart(path: string, length: number): Buffer {
  return readPart(path, 0, length)
}

function readPart(path: string, offset: number, length: number): Buffer {
  const part = Buffer.alloc(length)
  const file = openSync(path, 'r')
  try {
    readSync(file, part, 0, length, offset)
  } finally {
    closeSync(file)
  }
  return part
}
