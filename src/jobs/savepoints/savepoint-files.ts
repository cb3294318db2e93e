/** Files of a savepoint on disk: read, checked, copied, moved to their place, and deleted. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  unlink,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncFolder } from '../../../storage/sync-folder.ts'
import {
  decodeMetadata,
  METADATA_BYTES_MAX,
  METADATA_FILE,
  MetadataProblem,
  type SavedFile,
  type SavepointMetadata,
} from './savepoint-metadata.ts'

/** In the state folder of a job: the savepoint from which its state is made. */
export const RESTORE_FOLDER = 'restore'
/** A copy is stopped between two pieces; a piece takes about 1 ms to hash. */
const PIECE_BYTES = 1024 * 1024
/** A savepoint that is not complete has this after its name. */
const PARTIAL = '.partial'

/**
 * Reads `_metadata`, and checks that the files are there with their sizes, but for those of `taken`. Rejects with MetadataProblem.
 */
export async function readSavepoint(
  folder: string,
  taken: ReadonlySet<string> = new Set(),
): Promise<SavepointMetadata> {
  const metadata = decodeMetadata(await metadataText(folder))
  for (const { name, bytes } of metadata.files) {
    if (taken.has(name)) continue
    const found = await lstat(join(folder, name)).catch(() => undefined)
    if (found === undefined) throw new MetadataProblem(`its file ${name} is missing`)
    if (!found.isFile()) throw new MetadataProblem(`its file ${name} is no file`)
    if (found.size !== bytes)
      throw new MetadataProblem(`its file ${name} has ${found.size} bytes, and ${bytes} were written`)
  }
  return metadata
}

/** Whether the folder holds a file `_metadata`, of whatever content. */
export async function hasMetadata(folder: string): Promise<boolean> {
  const found = await lstat(join(folder, METADATA_FILE)).catch(() => undefined)
  return found?.isFile() ?? false
}

/** Reads every byte. Rejects with MetadataProblem if one is not as it was written. */
export async function checkSavepoint(folder: string): Promise<SavepointMetadata> {
  const metadata = await readSavepoint(folder)
  for (const file of metadata.files) await passFile(join(folder, file.name), undefined, file)
  return metadata
}

/** Copies the files, checks every byte, and makes the copy durable. Rejects with MetadataProblem if one is not as it was written. */
export async function copySavepoint(
  folder: string,
  { files }: SavepointMetadata,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(target)
  for (const file of files) await passFile(join(folder, file.name), join(target, file.name), file, signal)
  await writeDurably(join(target, METADATA_FILE), await metadataText(folder))
  await syncFolder(target)
}

/** Copies a file durably, and returns what `_metadata` says of it. Without `to` it is only read, and synced. */
export async function savedFile(
  from: string,
  to: string | undefined,
  signal?: AbortSignal,
): Promise<SavedFile> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const passed = await pass(source, to, signal)
    if (to === undefined) await source.sync()
    return { name: basename(to ?? from), ...passed }
  } finally {
    await source.close()
  }
}

export async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Moves a complete and durable folder to its place, which does not exist. Durable when it resolves. */
export async function publish(folder: string, location: string, signal?: AbortSignal): Promise<void> {
  const parent = dirname(location)
  if ((await lstat(location).catch(() => undefined)) !== undefined)
    throw new Error(`${location} exists already`)
  try {
    await rename(folder, location)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    await copySavepoint(folder, await readSavepoint(folder), location + PARTIAL, signal)
    await rename(location + PARTIAL, location)
    await rm(folder, { recursive: true })
  }
  await syncFolder(parent)
  await syncFolder(dirname(folder))
}

/** Removes what a broken-off `publish` has left. */
export async function removePartial(location: string): Promise<void> {
  await rm(location + PARTIAL, { recursive: true, force: true })
}

/**
 * Deletes the files of a savepoint and the folder, `_metadata` last: a deletion that breaks off can be repeated, and what is left
 * is refused as damaged. Files that are not of a savepoint stay, and so does the folder then.
 */
export async function deleteSavepoint(folder: string): Promise<void> {
  const { files } = decodeMetadata(await metadataText(folder))
  for (const { name } of files) await unlink(join(folder, name)).catch(ignoreMissing)
  const others = (await readdir(folder)).filter((name) => name !== METADATA_FILE)
  if (others.length > 0)
    throw new Error(
      `${folder} holds ${others[0]!.slice(0, 100)}, which is not of the savepoint; it was left there`,
    )
  await unlink(join(folder, METADATA_FILE)).catch(ignoreMissing)
  await rmdir(folder)
  await syncFolder(dirname(folder))
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

async function metadataText(folder: string): Promise<string> {
  const path = join(folder, METADATA_FILE)
  const found = await lstat(path).catch(() => undefined)
  if (!found?.isFile()) throw new MetadataProblem(`it has no ${METADATA_FILE}`)
  if (found.size > METADATA_BYTES_MAX)
    throw new MetadataProblem(
      `its ${METADATA_FILE} has ${found.size} bytes; at most ${METADATA_BYTES_MAX} are read`,
    )
  return readFile(path, 'utf8')
}

async function passFile(
  from: string,
  to: string | undefined,
  { name, bytes, sha256 }: SavedFile,
  signal?: AbortSignal,
): Promise<void> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const passed = await pass(source, to, signal)
    if (passed.bytes !== bytes || passed.sha256 !== sha256)
      throw new MetadataProblem(`its file ${name} is damaged: it has other bytes than were written`)
  } finally {
    await source.close()
  }
}

/** Reads a file, and writes it durably to `to`. */
async function pass(
  source: FileHandle,
  to: string | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(PIECE_BYTES)
  const target = to === undefined ? undefined : await open(to, 'wx')
  let bytes = 0
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await source.read(piece, 0, PIECE_BYTES, bytes)
      if (bytesRead === 0) break
      const read = piece.subarray(0, bytesRead)
      hash.update(read)
      for (let done = 0; target !== undefined && done < bytesRead; )
        done += (await target.write(read, done, bytesRead - done)).bytesWritten
      bytes += bytesRead
    }
    await target?.sync()
  } finally {
    await target?.close()
  }
  return { bytes, sha256: hash.digest('hex') }
}
