/**
 * Writes a savepoint of a job between two ticks, when its outboxes are emitted: into a folder beside the state file, because
 * DuckDB writes nowhere else, and from there to its place. Other jobs have the engine between the pieces.
 *
 *   savepoint/          the savepoint while it is written
 *   savepoint.target    its place, so that the next start of the job can remove what a broken-off move has left there
 */
import { existsSync, statSync } from 'node:fs'
import { mkdir, readFile, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../../../storage/sync-folder.ts'
import { quotedName } from '../../duckdb/sql-text.ts'
import type { SavepointFigures, SavepointOrder } from '../savepoints/savepoint.ts'
import {
  deleteSavepoint,
  hasMetadata,
  publish,
  removePartial,
  savedFile,
  writeDurably,
} from '../savepoints/savepoint-files.ts'
import {
  encodeMetadata,
  METADATA_FILE,
  SAVEPOINT_FORMAT,
  type SavedFile,
  type SavedTable,
  type SavepointMetadata,
} from '../savepoints/savepoint-metadata.ts'
import type { JobConnection } from './job-connection.ts'
import { quotedText } from './job-database.ts'
import type { JobId } from './job-worker-protocol.ts'
import { savedColumns, stateTables } from './saved-tables.ts'
import { STATE_FILE, STATE_FORMAT, type StateFile } from './state-file.ts'
import type { Engine } from './tick-input.ts'

export interface SavepointContext {
  readonly jid: JobId
  readonly stateFolder: string
  readonly signature: string
  readonly state: StateFile
  readonly connection: JobConnection
  readonly engine: Engine
  readonly nowMs: () => number
  /** The job is cancelled: a savepoint that is being written is given up. */
  readonly signal: AbortSignal
}

const FOLDER = 'savepoint'
const TARGET_FILE = 'savepoint.target'
/** Rows of one Parquet file: one row group of the engine. Writing it takes less than a second. */
const PIECE_ROWS = 122_880
/** A statement of another job may hold a read of the catalog for a moment. */
const CHECKPOINT_TRIES = 20
const CHECKPOINT_PAUSE_MS = 100

/** Rejects if it cannot be written; then nothing is left of it. */
export async function writeSavepoint(
  context: SavepointContext,
  order: SavepointOrder,
): Promise<SavepointFigures> {
  const { stateFolder, state, signal, nowMs } = context
  const staging = join(stateFolder, FOLDER)
  const startedMs = nowMs()
  const beganMs = performance.now()
  const turns = new MeasuredTurns(context.engine)
  try {
    await assertSpace(order, state.bytes)
    if (order.replaces) await removeEarlier(order.location)
    await mkdir(staging)
    await writeDurably(join(stateFolder, TARGET_FILE), order.location)
    const measured = { ...context, engine: turns.run }
    const { files, tables } =
      order.format === 'NATIVE'
        ? { files: [await copyState(measured, staging)], tables: [] }
        : await writeTables(measured, staging)
    const text = encodeMetadata(metadataOf(context, order, startedMs, tables, files))
    await writeDurably(join(staging, METADATA_FILE), text)
    await syncFolder(staging)
    await publish(staging, order.location, signal)
    await rm(join(stateFolder, TARGET_FILE), { force: true })
    const bytes = files.reduce((sum, file) => sum + file.bytes, Buffer.byteLength(text))
    const durationMs = performance.now() - beganMs
    return { startedMs, durationMs, syncMs: turns.ms, bytes, stateBytes: state.bytes }
  } catch (error) {
    await removeUnfinished(stateFolder).catch(() => {}) // the next start of the job removes it
    throw error
  }
}

/** Removes what a savepoint that broke off has left. */
export async function removeUnfinished(stateFolder: string): Promise<void> {
  await rm(join(stateFolder, FOLDER), { recursive: true, force: true })
  const note = join(stateFolder, TARGET_FILE)
  const location = await readFile(note, 'utf8').catch(() => undefined)
  if (location === undefined) return
  if (location !== '') await removePartial(location)
  await rm(note, { force: true })
}

/** Measures the time in which the job has the engine. */
class MeasuredTurns {
  readonly #engine: Engine
  ms = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  readonly run: Engine = (work) =>
    this.#engine(async () => {
      const beganMs = performance.now()
      try {
        return await work()
      } finally {
        this.ms += performance.now() - beganMs
      }
    })
}

async function assertSpace({ format, location }: SavepointOrder, stateBytes: number): Promise<void> {
  if (format !== 'NATIVE') return
  const { bavail, bsize } = await statfs(dirname(location))
  const free = bavail * bsize
  if (free >= stateBytes) return
  throw new Error(
    `the savepoint needs ${stateBytes} bytes, and the disk of ${dirname(location)} has ${free} free`,
  )
}

async function removeEarlier(location: string): Promise<void> {
  await removePartial(location)
  if (await hasMetadata(location)) await deleteSavepoint(location)
}

async function copyState(
  { state, stateFolder, connection, engine, signal }: SavepointContext,
  staging: string,
): Promise<SavedFile> {
  const file = join(stateFolder, STATE_FILE)
  await checkpoint(connection, engine, state.schema, signal)
  const log = `${file}.wal`
  if (existsSync(log) && statSync(log).size > 0)
    throw new Error(`the log of the state has ${statSync(log).size} bytes after a checkpoint`)
  return savedFile(file, join(staging, STATE_FILE), signal)
}

/** Folds the log into the file. */
async function checkpoint(
  connection: JobConnection,
  engine: Engine,
  schema: string,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    try {
      await engine(() => connection.once(`CHECKPOINT ${schema}`))
      return
    } catch (error) {
      const isBusy = /Cannot CHECKPOINT/.test(error instanceof Error ? error.message : '')
      if (!isBusy || tries === CHECKPOINT_TRIES) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, CHECKPOINT_PAUSE_MS))
  }
}

async function writeTables(
  context: SavepointContext,
  staging: string,
): Promise<{ tables: readonly SavedTable[]; files: readonly SavedFile[] }> {
  const { state, connection, engine } = context
  const tables: SavedTable[] = []
  const files: SavedFile[] = []
  const found = await engine(() => stateTables(connection, state.schema))
  for (const { name, columns } of found) {
    const written = await writeTable(context, staging, name, savedColumns(columns))
    tables.push(written.table)
    files.push(...written.files)
  }
  return { tables, files }
}

async function writeTable(
  { state, connection, engine, signal }: SavepointContext,
  staging: string,
  name: string,
  columns: SavedTable['columns'],
): Promise<{ table: SavedTable; files: readonly SavedFile[] }> {
  const table = `${state.schema}.${name}`
  const [counted] = await engine(() =>
    connection.once(`SELECT count(*), coalesce(max(rowid) + 1, 0) FROM ${table}`),
  )
  const [rows, end] = counted!.map(Number) as [number, number]
  const list = columns.map(({ name: column, text }) =>
    text ? `CAST(${quotedName(column)} AS VARCHAR) AS ${quotedName(column)}` : quotedName(column),
  )
  const files: SavedFile[] = []
  for (let first = 0; first < end; first += PIECE_ROWS) {
    signal.throwIfAborted()
    const file = join(staging, `${name}-${files.length}.parquet`)
    const range = `rowid >= ${first} AND rowid < ${first + PIECE_ROWS}`
    await engine(() =>
      connection.once(
        `COPY (SELECT ${list.join(', ')} FROM ${table} WHERE ${range}) TO ${quotedText(file)} (FORMAT parquet)`,
      ),
    )
    files.push(await savedFile(file, undefined, signal))
  }
  return { table: { name, rows, columns, files: files.map((file) => file.name) }, files }
}

function metadataOf(
  { jid, signature, state }: SavepointContext,
  { format, drains, about }: SavepointOrder,
  timestampMs: number,
  tables: readonly SavedTable[],
  files: readonly SavedFile[],
): SavepointMetadata {
  return {
    ...{ format: SAVEPOINT_FORMAT, kind: format, version: about.version, timestampMs, jid },
    ...{ namespace: about.namespace, name: about.name, statement: about.statement, schemas: about.schemas },
    ...{
      signature,
      stateFormat: STATE_FORMAT,
      epoch: state.epoch,
      drained: drains,
      counters: state.counters,
    },
    positions: [...state.sources].map(([source, { position, watermarkMs }]) => ({
      ...{ source, position },
      ...(watermarkMs !== undefined && { watermarkMs }),
    })),
    ...{ tables, files },
  }
}
