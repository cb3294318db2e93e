/** Copies and measures data folders. */
import { copyFileSync, linkSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** LevelDB writes a table once and never changes it. */
const NEVER_CHANGED = /\.ldb$/

/**
 * A copy that may be written to, of a folder that no process has open. Tables are linked: copying gigabytes would leave
 * the disk busy for the measurement that follows.
 */
export function copyStore(from: string, to: string): void {
  for (const file of filesIn(from)) {
    const target = join(to, relative(from, file))
    mkdirSync(dirname(target), { recursive: true })
    if (NEVER_CHANGED.test(file)) linkSync(file, target)
    else copyFileSync(file, target)
  }
}

/** Bytes of all files in it. */
export function folderBytes(folder: string): number {
  return filesIn(folder).reduce((sum, file) => sum + statSync(file).size, 0)
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
