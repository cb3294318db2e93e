/**
 * The jars that clients have uploaded, in a folder of the data folder:
 *
 *   jars/<uuid>_<name>.jar    a jar; the file name is its id, its time of change is that of the upload
 *   jars/upload-<uuid>.part   one that arrives: it is synced and gets its name when it is complete
 *
 * Number and bytes are limited, those that arrive included. Uploads at a time are shared by clients.
 */
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../storage/make-folder.ts'
import { syncFolder } from '../../storage/sync-folder.ts'
import { type ClientKey, FairShare } from '../fair-share.ts'
import { ServiceError } from '../service-error.ts'
import { idFrom } from '../tables/id.ts'
import { contentsOf, type JarContents } from './jar-contents.ts'

/** In the data folder. */
export const JARS_FOLDER = 'jars'

export interface StoredJar {
  /** `<uuid>_<name>`. */
  readonly id: string
  readonly name: string
  readonly uploadedMs: number
  readonly bytes: number
  /** Of the file, absolute. */
  readonly path: string
}

export interface JarStoreParts {
  readonly folder: string
  readonly limits: {
    readonly maxJars: number
    readonly maxJarBytes: number
    readonly maxJarDiskBytes: number
  }
  readonly space: { readonly low: boolean; refusal(): ServiceError }
  readonly nowMs: () => number
  /** A number from 0 to 1. */
  readonly random: () => number
}

/** Each holds an open file. */
const UPLOADS_MAX = 4
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const STORED = new RegExp(`^${UUID}_(.*\\.jar)$`, 's')
const PARTIAL = new RegExp(`^upload-${UUID}\\.part$`)
/** File systems allow 255, of which the id takes 37. */
const NAME_BYTES_MAX = 200
/** The disk, or the part of it that this user may have, is full. */
const DISK_FULL: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export class JarStore {
  readonly folder: string
  readonly #parts: JarStoreParts
  readonly #jars = new Map<string, StoredJar>()
  readonly #contents = new Map<string, Promise<JarContents>>()
  readonly #uploads = new Set<JarUpload>()
  readonly #share = new FairShare(UPLOADS_MAX)
  #loading: Promise<void> | undefined
  #created = 0

  constructor(parts: JarStoreParts) {
    this.#parts = parts
    this.folder = parts.folder
  }

  /** Finds the stored jars and removes parts of uploads that a stop has broken off. Later calls do nothing until `unload`. */
  load(): Promise<void> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  /** Another node may change the folder now: the next `load` reads it again. */
  unload(): void {
    this.#loading = undefined
    this.#jars.clear()
    this.#contents.clear()
  }

  /** Newest first. */
  list(): readonly StoredJar[] {
    return [...this.#jars.values()].sort((a, b) => b.uploadedMs - a.uploadedMs || (a.id < b.id ? -1 : 1))
  }

  /** Throws ServiceError 'jar_not_found'. */
  get(id: string): StoredJar {
    const jar = this.#jars.get(id)
    if (jar === undefined)
      throw new ServiceError('jar_not_found', `Jar file ${this.folder}/${id} does not exist`)
    return jar
  }

  contents({ id, path }: StoredJar): Promise<JarContents> {
    const known = this.#contents.get(id)
    if (known !== undefined) return known
    const contents = contentsOf(path)
    this.#contents.set(id, contents)
    contents.catch(() => this.#contents.delete(id)) // the next call reads the file again
    return contents
  }

  /** Resolves when the file is gone. Rejects with ServiceError 'jar_not_found'. */
  async delete(id: string): Promise<void> {
    const jar = this.#jars.get(id)
    if (jar === undefined)
      throw new ServiceError('jar_not_found', `File ${id} does not exist in ${this.folder}.`)
    await rm(jar.path, { force: true })
    await syncFolder(this.folder)
    this.#jars.delete(id)
    this.#contents.delete(id)
  }

  /**
   * Begins an upload: `discard` of it has to be called in any case. Throws ServiceError 'invalid_jar' for a name that no jar can
   * have, 'jars_full', 'disk_low' and 'overloaded'.
   */
  async begin(name: string, client: ClientKey): Promise<JarUpload> {
    assertName(name)
    const { maxJars } = this.#parts.limits
    if (this.#jars.size + this.#uploads.size >= maxJars)
      throw new ServiceError('jars_full', `there are ${maxJars} jars, as many as possible; delete one`)
    this.#assertSpace()
    this.#takePermit(client)
    const id = this.#newId(name)
    const upload = new JarUpload(
      id,
      name,
      client,
      this.#target(() => upload),
    )
    this.#uploads.add(upload)
    try {
      for (const created of makeFolder(this.folder)) await syncFolder(dirname(created))
      await upload.open()
      return upload
    } catch (error) {
      await upload.discard()
      throw diskProblem(error)
    }
  }

  async #load(): Promise<void> {
    for (const file of await filesIn(this.folder)) {
      const path = join(this.folder, file)
      const name = STORED.exec(file)?.[1]
      if (PARTIAL.test(file)) await rm(path, { force: true })
      if (name === undefined) continue
      const { size: bytes, mtimeMs } = await stat(path)
      this.#jars.set(file, { id: file, name, uploadedMs: Math.round(mtimeMs), bytes, path })
    }
  }

  #newId(name: string): string {
    const { nowMs, random } = this.#parts
    for (;;) {
      const id = idFrom('jar', name, nowMs(), random(), ++this.#created)
      if (!this.#jars.has(`${id}_${name}`)) return id
    }
  }

  #target(self: () => JarUpload): UploadTarget {
    return {
      folder: this.folder,
      nowMs: this.#parts.nowMs,
      assertFits: (bytes) => this.#assertFits(self(), bytes),
      stored: (jar) => this.#jars.set(jar.id, jar),
      ended: () => {
        if (this.#uploads.delete(self())) this.#share.give(self().client, 1)
      },
    }
  }

  #assertSpace(): void {
    const { space } = this.#parts
    if (space.low) throw space.refusal()
  }

  /** Before an upload has `bytes`. */
  #assertFits(upload: JarUpload, bytes: number): void {
    this.#assertSpace()
    const { maxJarBytes, maxJarDiskBytes } = this.#parts.limits
    if (bytes > maxJarBytes)
      throw new ServiceError(
        'jar_too_large',
        `the jar has more than ${maxJarBytes} bytes; at most ${maxJarBytes} bytes are taken`,
      )
    let total = bytes
    for (const jar of this.#jars.values()) total += jar.bytes
    for (const other of this.#uploads) if (other !== upload) total += other.bytes
    if (total > maxJarDiskBytes)
      throw new ServiceError(
        'jars_full',
        `the jars would have more than ${maxJarDiskBytes} bytes together; delete one`,
      )
  }

  /** If all permits are taken, the client with most of them loses its newest upload. */
  #takePermit(client: ClientKey): void {
    if (!this.#share.fits(1)) {
      const heaviest = this.#share.heaviest(client)
      if (heaviest === undefined || this.#share.held(heaviest) <= this.#share.held(client) + 1)
        throw new ServiceError('overloaded', `${UPLOADS_MAX} jars arrive already; try again later`)
      const newest = [...this.#uploads].findLast((upload) => upload.client === heaviest)!
      newest.cut()
      this.#uploads.delete(newest)
      this.#share.give(heaviest, 1)
    }
    this.#share.take(client, 1)
  }
}

interface UploadTarget {
  readonly folder: string
  readonly nowMs: () => number
  readonly assertFits: (bytes: number) => void
  readonly stored: (jar: StoredJar) => void
  readonly ended: () => void
}

/** One jar that arrives. */
export class JarUpload {
  readonly #id: string
  readonly #name: string
  readonly client: ClientKey
  readonly #target: UploadTarget
  readonly #partial: string
  #file: FileHandle | undefined
  #isCut = false
  #isStored = false
  bytes = 0

  constructor(id: string, name: string, client: ClientKey, target: UploadTarget) {
    this.#id = id
    this.#name = name
    this.client = client
    this.#target = target
    this.#partial = join(target.folder, `upload-${id}.part`)
  }

  async open(): Promise<void> {
    this.#file = await open(this.#partial, 'wx')
  }

  /** Rejects with ServiceError 'jar_too_large', 'jars_full', 'disk_low', and 'overloaded' if another client needs the permit. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#assertNotCut()
    const bytes = this.bytes + chunk.length
    this.#target.assertFits(bytes)
    this.bytes = bytes
    try {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await this.#file!.write(chunk, at)
        at += bytesWritten
      }
    } catch (error) {
      throw diskProblem(error)
    }
  }

  /** Resolves when the jar survives a power failure and is listed. Rejects as `write`. */
  async commit(): Promise<StoredJar> {
    this.#assertNotCut()
    const { folder, nowMs, stored } = this.#target
    const id = `${this.#id}_${this.#name}`
    const path = join(folder, id)
    const uploadedMs = Math.floor(nowMs())
    try {
      await this.#file!.utimes(uploadedMs / 1000, uploadedMs / 1000)
      await this.#file!.sync()
      await this.#close()
      await rename(this.#partial, path)
      await syncFolder(folder)
      this.#isStored = true
    } catch (error) {
      await rm(path, { force: true })
      throw diskProblem(error)
    }
    const jar = { id, name: this.#name, uploadedMs, bytes: this.bytes, path }
    stored(jar)
    return jar
  }

  /** Removes what has arrived, unless the jar is stored. */
  async discard(): Promise<void> {
    try {
      await this.#close()
      if (!this.#isStored) await rm(this.#partial, { force: true })
    } finally {
      this.#target.ended()
    }
  }

  /** The next call rejects. */
  cut(): void {
    this.#isCut = true
  }

  #assertNotCut(): void {
    if (this.#isCut)
      throw new ServiceError('overloaded', 'other clients upload jars too; send this one again')
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [] // no jar was uploaded yet
    throw error
  }
}

function assertName(name: string): void {
  if (!name.endsWith('.jar')) throw new ServiceError('invalid_jar', 'Only Jar files are allowed.')
  if (/[/\\\p{Cc}]/u.test(name))
    throw new ServiceError('invalid_jar', 'the file name has a slash or a control character; rename the file')
  const bytes = Buffer.byteLength(name)
  if (bytes > NAME_BYTES_MAX)
    throw new ServiceError('invalid_jar', `the file name has ${bytes} bytes; use at most ${NAME_BYTES_MAX}`)
}

function diskProblem(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (error instanceof ServiceError || !DISK_FULL.has(code)) return error
  return new ServiceError('disk_low', 'the disk is full; free disk space and send the jar again', {
    cause: error,
  })
}
