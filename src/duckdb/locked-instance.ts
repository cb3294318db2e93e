/**
 * A DuckDB instance that is isolated: it reads and writes no files except spilled data, it installs and loads no extensions,
 * and no statement can change that. It has one thread, and its time zone is UTC on every
 * machine.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { OpenInstance } from './open-instance.ts'

export interface InstanceOptions {
  readonly memoryBytes: number
  readonly diskBytes: number
  /** Empty: the instance does not spill. */
  readonly spillFolder: string
}

/** `macros` are statements that create functions. `prepare` runs on the first connection before the settings are locked. That connection is returned as well. */
export async function openLocked(
  duckdb: typeof import('@duckdb/node-api'),
  { memoryBytes, diskBytes, spillFolder }: InstanceOptions,
  prepare: (connection: DuckDBConnection) => Promise<unknown>,
  macros: readonly string[],
): Promise<{ instance: OpenInstance; connection: DuckDBConnection }> {
  const instance = await duckdb.DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${memoryBytes}B`,
    temp_directory: spillFolder,
    max_temp_directory_size: `${diskBytes}B`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  await prepare(connection)
  for (const sql of [
    ...macros,
    "SET GLOBAL TimeZone = 'UTC'",
    'SET allow_community_extensions = false',
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ]) {
    await connection.run(sql)
  }
  return { instance: new OpenInstance(instance), connection }
}
