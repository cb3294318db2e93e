/**
 * The folder of `--log-dir`: what the service prints, also in files.
 *
 *   millrace.log      what it reports, as on stderr
 *   millrace.out      what it prints on stdout
 *   millrace.log.1    the lines before those of millrace.log; millrace.out.1 likewise
 *
 * A file that has grown to FILE_BYTES_MAX is renamed, and replaces the one that was renamed before it. So a folder has at most
 * four files of that size.
 */
import { appendFile, mkdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface LogFile {
  readonly name: string
  readonly bytes: number
  readonly modifiedMs: number
}

export type LogKind = 'log' | 'out'

const FILE_BYTES_MAX = 4 * 1024 * 1024
/** Texts that wait for a slow disk; further ones are only on stderr and stdout. */
const WAITING_BYTES_MAX = 1024 * 1024
/** Only for its owner: lines may name clients and streams. */
const MODE = 0o600

const FILES = ['millrace.log', 'millrace.log.1', 'millrace.out', 'millrace.out.1'] as const
type FileName = (typeof FILES)[number]

export class LogFolder {
  readonly #folder: string
  readonly #bytesMax: number
  #waiting: { readonly kind: LogKind; readonly text: string }[] = []
  #waitingBytes = 0
  #writing: Promise<void> | undefined

  private constructor(folder: string, bytesMax: number) {
    this.#folder = folder
    this.#bytesMax = bytesMax
  }

  /** Makes the folder if it is missing. Rejects with a sentence if it cannot be written. */
  static async open(folder: string, bytesMax = FILE_BYTES_MAX): Promise<LogFolder> {
    try {
      await mkdir(folder, { recursive: true })
      await appendFile(join(folder, nameOf('log')), '', { mode: MODE })
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`log folder ${folder} cannot be written: ${reason}`, { cause })
    }
    return new LogFolder(folder, bytesMax)
  }

  /** Texts that cannot be written are dropped: they are on stderr or stdout as well. */
  write(kind: LogKind, text: string): void {
    const bytes = Buffer.byteLength(text)
    if (this.#waitingBytes + bytes > WAITING_BYTES_MAX) return
    this.#waiting.push({ kind, text })
    this.#waitingBytes += bytes
    this.#writing ??= this.#writeAll()
  }

  /** Files that exist, in the order of FILES. */
  async list(): Promise<readonly LogFile[]> {
    const found: LogFile[] = []
    for (const name of FILES) {
      const { size, mtimeMs } = (await stat(join(this.#folder, name)).catch(() => undefined)) ?? {}
      if (size !== undefined) found.push({ name, bytes: size, modifiedMs: Math.trunc(mtimeMs!) })
    }
    return found
  }

  /** The text of one of these files; undefined for any other name, and for a file that does not exist. */
  async read(name: string): Promise<Buffer | undefined> {
    if (!isFileName(name)) return undefined
    return readFile(join(this.#folder, name)).catch(() => undefined)
  }

  /** The file that is being written. */
  current(kind: LogKind): Promise<Buffer | undefined> {
    return this.read(nameOf(kind))
  }

  /** Resolves when all texts are in the files. */
  async close(): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting
      this.#waiting = []
      this.#waitingBytes = 0
      for (const kind of ['log', 'out'] as const) {
        const text = waiting.flatMap((one) => (one.kind === kind ? one.text : [])).join('')
        if (text !== '') await this.#append(kind, text).catch(() => {})
      }
    }
    this.#writing = undefined
  }

  async #append(kind: LogKind, text: string): Promise<void> {
    const path = join(this.#folder, nameOf(kind))
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    )
    if (size > 0 && size + Buffer.byteLength(text) > this.#bytesMax) await rename(path, `${path}.1`)
    await appendFile(path, text, { mode: MODE })
  }
}

function nameOf(kind: LogKind): FileName {
  return `millrace.${kind}`
}

function isFileName(name: string): name is FileName {
  return (FILES as readonly string[]).includes(name)
}
