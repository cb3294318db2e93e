/**
 * What a jar holds: the classes that its manifest names, and SQL scripts. A jar with a script is a SQL jar.
 *
 *   META-INF/MANIFEST.MF   Program-Class or Main-Class: classes, separated by commas
 *   a.sql, sql/b.sql       scripts: at the root and in the folder sql, not further down
 */
import { type FileHandle, open } from 'node:fs/promises'
import { readDirectory, readEntry, type ZipDirectory, type ZipFile, ZipProblem } from './zip-archive.ts'

export interface Script {
  /** Of its entry. */
  readonly name: string
  readonly text: string
}

export interface JarContents {
  /** Of the manifest. */
  readonly entryClasses: readonly string[]
  /** Names of the scripts, in the order in which they run. */
  readonly scripts: readonly string[]
  /** Why the file cannot be read; undefined if it can. */
  readonly problem: string | undefined
}

const MANIFEST = 'META-INF/MANIFEST.MF'
/** A longer one, or one that cannot be read, names no classes here. */
const MANIFEST_BYTES_MAX = 1024 * 1024
/** A script name has no folder but `sql`, so it cannot leave one; nor is it absolute on any system. */
const SCRIPT = /^(?:sql\/)?[^/\\:\p{Cc}]+\.sql$/u
const SCRIPTS_MAX = 64
/** Of all together. The statement made of them has at most 131,072 characters. */
const SCRIPT_BYTES_MAX = 512 * 1024

/** Never rejects because of what is in the file. */
export async function contentsOf(path: string): Promise<JarContents> {
  try {
    return await withFile(path, async (file) => {
      const directory = await readDirectory(file, (name) => name === MANIFEST || SCRIPT.test(name))
      const entryClasses = await classesOf(file, directory)
      return { entryClasses, scripts: scriptNames(directory), problem: undefined }
    })
  } catch (error) {
    return { entryClasses: [], scripts: [], problem: problemOf(error) }
  }
}

async function classesOf(file: ZipFile, directory: ZipDirectory): Promise<readonly string[]> {
  const manifest = directory.entries.find(({ name }) => name === MANIFEST)
  if (manifest === undefined) return []
  try {
    const content = await readEntry(file, directory, manifest, MANIFEST_BYTES_MAX)
    return classesIn(content.toString('utf8'))
  } catch (error) {
    problemOf(error)
    return []
  }
}

/** The sentence of a ZipProblem. Throws every other error. */
function problemOf(error: unknown): string {
  if (error instanceof ZipProblem) return error.message
  throw error
}

/** The scripts in the order of their names. Rejects with ZipProblem. */
export function scriptsOf(path: string): Promise<readonly Script[]> {
  return withFile(path, async (file) => {
    const directory = await readDirectory(file, (name) => SCRIPT.test(name))
    const names = scriptNames(directory)
    if (names.length > SCRIPTS_MAX)
      throw new ZipProblem(`it has ${names.length} scripts; at most ${SCRIPTS_MAX} are possible`)
    const scripts: Script[] = []
    let bytes = 0
    for (const name of names) {
      const entry = directory.entries.find((one) => one.name === name)!
      bytes += entry.bytes
      if (bytes > SCRIPT_BYTES_MAX)
        throw new ZipProblem(`its scripts have more than ${SCRIPT_BYTES_MAX} bytes; make them shorter`)
      const content = await readEntry(file, directory, entry, SCRIPT_BYTES_MAX)
      scripts.push({ name, text: textOf(name, content) })
    }
    return scripts
  })
}

function scriptNames({ entries }: ZipDirectory): readonly string[] {
  return entries
    .map(({ name }) => name)
    .filter((name) => name !== MANIFEST)
    .sort((a, b) => (a < b ? -1 : 1))
}

function textOf(name: string, content: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content) // without a byte order mark
  } catch (cause) {
    throw new ZipProblem(`its entry ${name} is not UTF-8; save it as UTF-8`, { cause })
  }
}

/** Values of the first section, in which a line that begins with a space continues the one before it. */
function classesIn(manifest: string): readonly string[] {
  const [section = ''] = manifest.replaceAll(/\r\n?/g, '\n').split('\n\n', 1)
  const values = new Map(
    section
      .replaceAll('\n ', '')
      .split('\n')
      .map((line) => {
        const [name = '', ...value] = line.split(':')
        return [name.trim().toLowerCase(), value.join(':').trim()] as const
      }),
  )
  const classes = values.get('program-class') ?? values.get('main-class') ?? ''
  return classes
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

async function withFile<T>(path: string, work: (file: ZipFile) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r')
  try {
    const { size } = await handle.stat()
    return await work({ bytes: size, read: (start, length) => readAll(handle, start, length) })
  } finally {
    await handle.close()
  }
}

async function readAll(handle: FileHandle, start: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let at = 0
  while (at < length) {
    const { bytesRead } = await handle.read(buffer, at, length - at, start + at)
    if (bytesRead === 0) throw new ZipProblem('it is shorter than when it was stored')
    at += bytesRead
  }
  return buffer
}
