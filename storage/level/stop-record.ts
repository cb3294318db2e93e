/**
 * The record of a clean stop. Only with it can a write-ahead log that was cut off later, or restored from an older
 * copy, be distinguished from a complete one.
 *
 *   <data>/STOPPED   {"manifest":{"name":"MANIFEST-000004","bytes":377,"crc32c":"0d1e2f3a"},
 *                     "logs":[{"name":"000007.log","bytes":9422}]} crc=5f3a9c01
 *
 * One line. It is valid only for the manifest that it names. LevelDB creates a new manifest whenever it opens a store,
 * and that manifest is durable before any write is acknowledged. So a record with an older manifest than CURRENT's is
 * out of date and is ignored. This also covers a record whose removal was lost in a power cut, and a store that an
 * older Millrace has opened since.
 */
import { readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import type { FileDamage } from '../level-files/file-damage.ts'
import { CURRENT, type StoreFileNames, storeFileNames } from '../level-files/file-names.ts'
import type { StoreFiles } from '../level-files/store-files.ts'
import { readDocument, sealed } from './document-codec.ts'
import { writeDurably } from './format-stamp.ts'

export const STOP_RECORD = 'STOPPED'
const KEY = Buffer.from(STOP_RECORD)

export const ALTERED_STOP_RECORD = `${STOP_RECORD} does not match its checksum: whether anything is missing since the store was last closed is not known`

/**
 * The last write of a clean stop, which has no content (level-log.ts): headers of the record and the batch, deletion of
 * a mark.
 */
const END_WRITE_BYTES = 7 + 12 + 2 + 5

export interface StopRecord {
  readonly manifest: { readonly name: string; readonly bytes: number; readonly crc32c: string }
  readonly logs: readonly { readonly name: string; readonly bytes: number }[]
}

/** The manifest in use. Throws node's error. */
export function currentManifest(folder: string): string {
  return readFileSync(join(folder, 'store', CURRENT), 'latin1').trimEnd()
}

/**
 * Called when LevelDB has closed the store; `manifest` is the manifest that the store had then. If another process has
 * opened the store since, nothing is written. Durable once it returns. Throws node's error.
 */
export function writeStopRecord(folder: string, manifest: string): void {
  const store = join(folder, 'store')
  if (currentManifest(folder) !== manifest) return
  const bytes = readFileSync(join(store, manifest))
  const logs = [...storeFileNames(store).logs.values()].sort()
  const record: StopRecord = {
    manifest: { name: manifest, bytes: bytes.length, crc32c: inHex(crc32c(bytes)) },
    logs: logs.map((name) => ({ name, bytes: statSync(join(store, name)).size })),
  }
  const path = join(folder, STOP_RECORD)
  try {
    writeDurably(path, `${sealed(KEY, JSON.stringify(record))}\n`)
  } catch (error) {
    rmSync(`${path}.new`, { force: true })
    throw error
  }
}

/** The caller syncs the folder. */
export function removeStopRecord(folder: string): void {
  rmSync(join(folder, STOP_RECORD), { force: true })
}

/** Undefined if there is none. Throws node's error. */
export function readStopRecord(folder: string): StopRecord | 'altered' | undefined {
  let text: string
  try {
    text = readFileSync(join(folder, STOP_RECORD), 'latin1')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const { json, sound } = readDocument(STOP_RECORD, text.slice(0, -1))
  return sound && text.endsWith('\n') ? (JSON.parse(json) as StopRecord) : 'altered'
}

/** The differences between the files of a store now and when it was last stopped; none if the record is out of date. */
export function* changedSince(
  { manifest, logs }: StopRecord,
  store: string,
  files: StoreFiles,
): Generator<FileDamage, void> {
  const names = storeFileNames(store)
  const current = names.hasCurrent ? readFileSync(join(store, CURRENT), 'latin1').trimEnd() : undefined
  if (current === undefined || numberOf(current) < numberOf(manifest.name)) {
    const found = current === undefined ? 'it is missing' : `it names ${JSON.stringify(current.slice(0, 80))}`
    const reason = `${found}; when the store was last closed it named ${manifest.name}`
    yield { file: CURRENT, offset: 0, reason: `${reason}. What was written after that is missing` }
    return
  }
  if (numberOf(current) > numberOf(manifest.name)) return
  yield* changedManifest(manifest, store, names.manifests)
  const damage = [...changedLogs(logs, store, names)]
  yield* damage.length > 0 ? damage : changedEnd(store, files)
}

function* changedLogs(
  logs: StopRecord['logs'],
  store: string,
  { logs: present }: StoreFileNames,
): Generator<FileDamage, void> {
  for (const { name, bytes } of logs) {
    if (!present.has(Number.parseInt(name, 10))) yield { file: name, offset: 0, reason: missing(bytes) }
    else yield* changedLength(name, bytes, statSync(join(store, name)).size, END_WRITE_BYTES)
  }
  const known = new Set(logs.map(({ name }) => name))
  for (const name of present.values()) {
    if (known.has(name) || statSync(join(store, name)).size === 0) continue
    yield { file: name, offset: 0, reason: 'it was not there when the store was last closed' }
  }
}

/** In a file of the right length: bytes at its end were altered, or are zeros. */
function* changedEnd(store: string, { end }: StoreFiles): Generator<FileDamage, void> {
  if (end.kind === 'whole') return
  const { file, offset, reason } = end.damage
  const bytesLeft = statSync(join(store, file)).size - offset
  if (end.kind === 'doubtful' && bytesLeft <= END_WRITE_BYTES) return
  yield { file, offset, reason: `${reason}; when the store was last closed it was whole` }
}

function* changedManifest(
  { name, bytes, crc32c: sum }: StopRecord['manifest'],
  store: string,
  present: readonly string[],
): Generator<FileDamage, void> {
  if (!present.includes(name)) {
    yield { file: name, offset: 0, reason: missing(bytes) }
    return
  }
  const content = readFileSync(join(store, name))
  if (content.length !== bytes) yield* changedLength(name, bytes, content.length)
  else if (inHex(crc32c(content)) !== sum)
    yield { file: name, offset: 0, reason: 'it is not what it was when the store was last closed' }
}

/** The last `empty` bytes of the file have no content. */
function* changedLength(file: string, bytes: number, found: number, empty = 0): Generator<FileDamage, void> {
  if (found === bytes) return
  const reason = `the file has ${found} bytes; when the store was last closed it had ${bytes}`
  const harmless = found < bytes && found >= bytes - empty
  const lost = found > bytes ? '' : harmless ? '. No event is missing' : '. What was written last is missing'
  yield { file, offset: Math.min(found, bytes), reason: `${reason}${lost}`, harmless }
}

function missing(bytes: number): string {
  return `the file is missing; when the store was last closed it had ${bytes} bytes`
}

function numberOf(manifest: string): number {
  return Number(/^MANIFEST-([0-9]+)$/.exec(manifest)?.[1] ?? Number.NaN)
}

function inHex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
