/** Checks the savepoints in a data folder. Those in other folders are checked when a job starts from them. */
import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { checkSavepoint, PARTIAL } from '../jobs/savepoints/savepoint-files.ts'
import { METADATA_FILE } from '../jobs/savepoints/savepoint-metadata.ts'
import { SAVEPOINTS_FOLDER } from '../jobs/savepoints/savepoint-places.ts'

/** Calls `damaged` with a sentence for each savepoint that is. Resolves with the number of savepoints. */
export async function checkSavepoints(data: string, damaged: (text: string) => void): Promise<number> {
  const folders = savepointsIn(join(data, SAVEPOINTS_FOLDER))
  for (const folder of folders) {
    try {
      await checkSavepoint(folder)
    } catch (error) {
      damaged(`${relative(data, folder)}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return folders.length
}

function savepointsIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  if (existsSync(join(folder, METADATA_FILE))) return [folder]
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.endsWith(PARTIAL))
    .flatMap(({ name }) => savepointsIn(join(folder, name)))
}
