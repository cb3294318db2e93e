/** Which data folder a command works on: that of the service, unless `--data` names another. */
import { DATA_VARIABLE, DEFAULT_DATA_FOLDER, dataFolderFrom } from '../config.ts'
import type { CommandEnvironment } from './command.ts'
import type { Flags } from './flags.ts'

/** `--data`, else the environment's, else `./data`. Throws UsageError if the flag is empty. */
export function dataFolderOf(flags: Flags, { environment }: CommandEnvironment): string {
  return dataFolderFrom(flags.optional('data') ?? (environment[DATA_VARIABLE] || DEFAULT_DATA_FOLDER))
}
