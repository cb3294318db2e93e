/**
 * Makes a folder, and those above it that are missing.
 *
 * Node's own `recursive` never returns, and keeps the processor busy, where a parent that exists answers ENOENT to mkdir, as
 * /proc does.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Returns the folders it made, the outermost first. Throws what mkdir throws; EEXIST if `folder` is a file. */
export function makeFolder(folder: string, mode?: number): readonly string[] {
  const missing: string[] = []
  for (let path = resolve(folder); !existsSync(path) && dirname(path) !== path; path = dirname(path)) {
    missing.unshift(path)
  }
  if (missing.length === 0) makeOne(resolve(folder), mode)
  return missing.filter((path) => makeOne(path, mode))
}

/** False if the folder was there already. */
function makeOne(path: string, mode: number | undefined): boolean {
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && existsSync(path) && statSync(path).isDirectory()) return false
    throw error
  }
}
