/**
 * An instance of DuckDB that is closed to the outside: it reads and writes no file but what it spills, installs and loads
 * nothing, and no statement can change that. It has one thread, and its time zone is UTC, whatever that of the machine is.
 */
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { HIVE_FUNCTIONS } from './hive-functions.ts'

export interface InstanceOptions {
  readonly memoryBytes: number
  readonly diskBytes: number
  /** Empty: nothing spills. */
  readonly spillFolder: string
}

/** `prepare` runs on the first connection, before the settings are locked; that connection is returned as well. */
export async function openLocked(
  duckdb: typeof import('@duckdb/node-api'),
  { memoryBytes, diskBytes, spillFolder }: InstanceOptions,
  prepare: (connection: DuckDBConnection) => Promise<unknown>,
): Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> {
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
    ...HIVE_FUNCTIONS,
    "SET GLOBAL TimeZone = 'UTC'",
    'SET allow_community_extensions = false',
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ]) {
    await connection.run(sql)
  }
  return { instance, connection }
}
