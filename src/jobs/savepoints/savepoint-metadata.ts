/**
 * The file `_metadata` of a savepoint: a JSON object in one line. Savepoints of older versions stay readable: members are added,
 * and never changed or reused.
 *
 *   format       1: version of this layout
 *   kind         "CANONICAL": Parquet files, restored by any version · "NATIVE": state.duckdb, restored by this or a newer engine
 *   version      of the service that has written it
 *   timestampMs, jid, namespace, name, statement, schemas {table: definition}
 *   signature    of the plan; a statement with another one cannot go on from here
 *   stateFormat  version of the tables of the state (worker/state-file.ts)
 *   epoch        commits of the state, which all sinks have
 *   drained      whether all windows were closed before
 *   counters     {sources, inserts} of worker/state-file.ts
 *   positions    [{source, position, watermarkMs?}]
 *   tables       [{name, rows, columns: [{name, type, text?}], files: [name]}]; empty for NATIVE. `text`: stored as VARCHAR
 *   files        [{name, bytes, sha256}] of everything else in the folder
 *   checksum     SHA-256 of the object without this member
 */
import { createHash } from 'node:crypto'
import type { SavepointFormat } from './savepoint.ts'

export const METADATA_FILE = '_metadata'
export const SAVEPOINT_FORMAT = 1
/** A statement has at most 128 KiB; state tables and positions are few. */
export const METADATA_BYTES_MAX = 16 * 1024 * 1024

export interface SavepointMetadata {
  readonly format: number
  readonly kind: SavepointFormat
  readonly version: string
  readonly timestampMs: number
  readonly jid: string
  readonly namespace: string
  readonly name: string
  readonly statement: string
  readonly schemas: Readonly<Record<string, string>>
  readonly signature: string
  readonly stateFormat: number
  readonly epoch: number
  readonly drained: boolean
  readonly counters: unknown
  readonly positions: readonly SavedPosition[]
  readonly tables: readonly SavedTable[]
  readonly files: readonly SavedFile[]
}

export interface SavedPosition {
  readonly source: string
  readonly position: Readonly<Record<string, unknown>>
  readonly watermarkMs?: number
}

export interface SavedTable {
  readonly name: string
  readonly rows: number
  readonly columns: readonly SavedColumn[]
  /** In the order of the rows. */
  readonly files: readonly string[]
}

export interface SavedColumn {
  readonly name: string
  readonly type: string
  /** Parquet has no such type. */
  readonly text?: true
}

export interface SavedFile {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

/** The message says what is wrong, as the end of a sentence that names the savepoint. */
export class MetadataProblem extends Error {
  override readonly name = 'MetadataProblem'
}

export function encodeMetadata(metadata: SavepointMetadata): string {
  return `${JSON.stringify({ ...metadata, checksum: checksumOf(metadata) })}\n`
}

/** Throws MetadataProblem. */
export function decodeMetadata(text: string): SavepointMetadata {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new MetadataProblem(`its ${METADATA_FILE} is no JSON`, { cause })
  }
  if (typeof value !== 'object' || value === null || !('format' in value))
    throw new MetadataProblem(`its ${METADATA_FILE} is not one of a savepoint`)
  if (!Number.isInteger(value.format) || (value.format as number) > SAVEPOINT_FORMAT) {
    const text = `it has format ${String(value.format)}, and this version reads up to ${SAVEPOINT_FORMAT}; use the version that has written it`
    throw new MetadataProblem(text)
  }
  const { checksum, ...metadata } = value as SavepointMetadata & { checksum?: unknown }
  if (checksum !== checksumOf(metadata)) throw new MetadataProblem(`its ${METADATA_FILE} is damaged`)
  const wrong = metadata.files.find(({ name }) => !FILE_NAME.test(name))
  if (wrong !== undefined)
    throw new MetadataProblem(`its ${METADATA_FILE} names the file '${wrong.name.slice(0, 100)}'`)
  return metadata
}

/** Names that a savepoint writes. So no name leads out of the folder. */
const FILE_NAME = /^[a-z0-9_]{1,200}(-\d{1,9})?\.(parquet|duckdb)$/

function checksumOf(metadata: SavepointMetadata): string {
  return createHash('sha256').update(JSON.stringify(metadata)).digest('hex')
}
