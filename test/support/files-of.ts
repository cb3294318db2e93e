/** Every file below a folder with its bytes. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Without LevelDB's lock: it is empty, and LevelDB may create it. */
export async function filesOf(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'LOCK') continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(folder.length + 1), await readFile(path, 'latin1'))
  }
  return files
}
