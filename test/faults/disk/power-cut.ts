/**
 * A folder on a disk that loses power: a service runs on it with power-loss.c preloaded, is killed, and the folder becomes
 * what a power cut at that moment would have left.
 *
 * Certain is what was synced: bytes of files by a sync of the file, names in a folder by a sync of that folder. What becomes
 * of the rest is chosen: all of it lost, as POSIX allows; or names as file systems with a journal keep them; or any of it.
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

export interface Loss {
  /**
   * Names that were made, changed or removed without a sync of their folder. strict: as they were before. journal: the
   * changes up to some moment, and at least to the last sync of any file. any: each change happened or not.
   */
  readonly names: 'strict' | 'journal' | 'any'
  /** Bytes behind the last sync of their file. part: the first few are there; zeros, noise: and others in their place. */
  readonly tails: 'dropped' | 'part' | 'zeros' | 'noise'
}

/** Syncs that report success and do nothing. */
export type Ignores = 'folders' | 'all'

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
  }

  /** What the disk holds: durable itself, and all that is in it after a cut. */
  get root(): string {
    return join(this.#folder, 'root')
  }

  get #graves(): string {
    return join(this.#folder, 'graves')
  }

  get #notes(): string {
    return join(this.#folder, 'notes')
  }

  /** For a process that runs on this disk. */
  environment(ignores?: Ignores): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      POWER_ROOT: this.root,
      POWER_GRAVES: this.#graves,
      POWER_NOTES: this.#notes,
      ...(ignores && { POWER_IGNORES: ignores }),
      UV_USE_IO_URING: '0', // which no library sees
    }
  }

  /** No process runs on it any more. Throws if one has done what the notes cannot tell. */
  cut(loss: Loss, random: SeededRandom): void {
    const { names, synced } = this.#readNotes(loss, random)
    const places = this.#placesOfInodes()
    const fresh = join(this.#folder, 'fresh')
    mkdirSync(fresh)
    for (const [path, inode] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!parentIsThere(names, path)) continue // its folder has lost its name
      const to = join(fresh, path)
      if (inode === undefined) mkdirSync(to)
      else this.#leave(places.get(inode)!, to, synced.get(inode) ?? 0, loss, random)
    }
    rmSync(this.root, { recursive: true })
    rmSync(this.#graves, { recursive: true })
    rmSync(this.#notes, { force: true })
    renameSync(fresh, this.root)
    mkdirSync(this.#graves)
    this.#takeStock()
    this.cuts++
  }

  #readNotes({ names: kept }: Loss, random: SeededRandom): { names: Names; synced: Map<string, number> } {
    const synced = new Map(this.#lengths)
    const names: Names = new Map(this.#durable)
    let pending: NameChange[] = []
    let journaled = 0
    for (const line of readNotes(this.#notes)) {
      const [call, first = '', second = ''] = line.split(' ')
      const path = this.#inRoot(first)
      switch (call) {
        case 'create':
          pending.push({ kind: 'file', path: this.#inRoot(second), inode: first })
          synced.set(first, 0)
          break
        case 'empty':
          synced.set(first, 0)
          break
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
    return { names, synced }
  }

  /** Puts what is left of a file to where it is found after the cut. */
  #leave(from: string, to: string, synced: number, { tails }: Loss, random: SeededRandom): void {
    const { size } = lstatSync(from)
    if (size <= synced) {
      linkSync(from, to)
      return
    }
    this.lostBytes += size - synced
    const kept = tails === 'dropped' ? synced : random.whole(synced, size)
    const head = readStart(from, kept)
    const others = tails === 'zeros' || tails === 'noise' ? size - kept : 0
    const rest = Buffer.alloc(Math.min(others, random.whole(0, Math.ceil(others / SECTOR)) * SECTOR))
    if (tails === 'noise') for (let i = 0; i < rest.length; i++) rest[i] = random.whole(0, 255)
    writeFileSync(to, Buffer.concat([head, rest]))
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

function readStart(path: string, length: number): Buffer {
  const start = Buffer.alloc(length)
  const file = openSync(path, 'r')
  try {
    readSync(file, start, 0, length, 0)
  } finally {
    closeSync(file)
  }
  return start
}
