/**
 * Makes the state of a new job from a savepoint. The service has copied it to `restore/` beside the state file; the folder is
 * removed when the state is complete, and before the first tick. If the process ends before that, the next start begins anew.
 */
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../../../storage/sync-folder.ts'
import { quotedName } from '../../duckdb/sql-text.ts'
import type { Sink } from '../connectors/connector.ts'
import { RESTORE_FOLDER, readSavepoint } from '../savepoints/savepoint-files.ts'
import { METADATA_FILE, type SavedTable, type SavepointMetadata } from '../savepoints/savepoint-metadata.ts'
import type { JobConnection } from './job-connection.ts'
import { quotedText } from './job-database.ts'
import { JobError } from './job-error.ts'
import { stateTables } from './saved-tables.ts'
import { STATE_FILE, type StateFile } from './state-file.ts'
import type { Engine } from './tick-input.ts'

export interface RestoreContext {
  readonly state: StateFile
  readonly connection: JobConnection
  readonly engine: Engine
  readonly sinks: readonly Sink[]
}

export class StateRestore {
  readonly #stateFolder: string
  readonly #metadata: SavepointMetadata

  private constructor(stateFolder: string, metadata: SavepointMetadata) {
    this.#stateFolder = stateFolder
    this.#metadata = metadata
  }

  /** Call it before the state is opened. Undefined: the job has its own state, or begins without one. */
  static async begin(stateFolder: string): Promise<StateRestore | undefined> {
    const folder = join(stateFolder, RESTORE_FOLDER)
    if (!existsSync(join(folder, METADATA_FILE))) return undefined
    const file = join(stateFolder, STATE_FILE)
    const native = join(folder, STATE_FILE)
    const moved = !existsSync(native) && existsSync(file)
    const metadata = await readMetadata(folder, moved)
    if (metadata.kind === 'NATIVE' && moved) return new StateRestore(stateFolder, metadata)
    await rm(file, { force: true })
    await rm(`${file}.wal`, { force: true })
    if (metadata.kind === 'NATIVE') await rename(native, file)
    return new StateRestore(stateFolder, metadata)
  }

  /** Call it when state, ways and sinks are open. Afterwards the state is durable, and all sinks have its epoch. */
  async finish({ state, connection, engine, sinks }: RestoreContext): Promise<void> {
    const metadata = this.#metadata
    if (metadata.kind === 'NATIVE') {
      if (state.epoch !== metadata.epoch)
        throw new JobError(`the state has epoch ${state.epoch}, its savepoint ${metadata.epoch}`, 'lasting')
      await engine(() => state.settle())
    } else {
      await this.#load(state, connection, engine)
      await engine(() => state.adopt(metadata))
    }
    for (const sink of sinks) await sink.restored?.(metadata.epoch)
    state.assertSize()
    await rm(join(this.#stateFolder, RESTORE_FOLDER), { recursive: true })
    await syncFolder(this.#stateFolder)
  }

  async #load(state: StateFile, connection: JobConnection, engine: Engine): Promise<void> {
    const present = new Map(
      (await engine(() => stateTables(connection, state.schema))).map(({ name, columns }) => [name, columns]),
    )
    const { tables } = this.#metadata
    const names = (all: Iterable<string>) => [...all].sort().join(', ')
    if (names(present.keys()) !== names(tables.map(({ name }) => name)))
      throw unfit(
        `it has the tables ${names(tables.map(({ name }) => name))}, wanted ${names(present.keys())}`,
      )
    for (const table of tables) {
      const wanted = present
        .get(table.name)!
        .map(({ name, type }) => `${name} ${type}`)
        .join(', ')
      const saved = table.columns.map(({ name, type }) => `${name} ${type}`).join(', ')
      if (wanted !== saved) throw unfit(`its table ${table.name} has the columns ${saved}, wanted ${wanted}`)
      await this.#loadTable(table, `${state.schema}.${table.name}`, connection, engine)
    }
  }

  async #loadTable(
    { name, rows, columns, files }: SavedTable,
    table: string,
    connection: JobConnection,
    engine: Engine,
  ): Promise<void> {
    const list = columns.map(({ name: column, type, text }) =>
      text ? `CAST(${quotedName(column)} AS ${type})` : quotedName(column),
    )
    let loaded = 0
    for (const file of files) {
      const path = join(this.#stateFolder, RESTORE_FOLDER, file)
      const [added] = await engine(() =>
        connection.once(
          `INSERT INTO ${table} SELECT ${list.join(', ')} FROM read_parquet(${quotedText(path)})`,
        ),
      )
      loaded += Number(added![0])
    }
    if (loaded !== rows) throw unfit(`its table ${name} has ${loaded} rows, and ${rows} were written`)
  }
}

/** The state file of a NATIVE savepoint is moved out of the folder. */
async function readMetadata(folder: string, moved: boolean): Promise<SavepointMetadata> {
  try {
    return await readSavepoint(folder, moved ? new Set([STATE_FILE]) : undefined)
  } catch (error) {
    throw unfit(error instanceof Error ? error.message : String(error), error)
  }
}

function unfit(reason: string, cause?: unknown): JobError {
  return new JobError(`the savepoint cannot be restored: ${reason}`, 'lasting', undefined, { cause })
}
