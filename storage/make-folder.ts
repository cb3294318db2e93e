/**
 * Creates a folder and its missing parent folders.
 *
 * Node's own `recursive` option never returns, and keeps the CPU busy, if mkdir fails with ENOENT in a parent that
 * exists. /proc returns this error.
 */
import { existsSync, lstatSync, mkdirSync, readlinkSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Returns the folders that it created, the outermost first. Throws the error of mkdir; EEXIST if `folder` is a file.
 */
export function makeFolder(folder: string, mode?: number): readonly string[] {
  const missing: string[] = []
  for (let path = resolve(folder); !existsSync(path) && dirname(path) !== path; path = dirname(path)) {
    missing.unshift(path)
  }
  if (missing.length === 0) makeOne(resolve(folder), mode)
  return missing.filter((path) => makeOne(path, mode))
}

/** False if the folder already existed. */
function makeOne(path: string, mode: number | undefined): boolean {
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw error
    if (existsSync(path)) {
      if (statSync(path).isDirectory()) return false
    } else if (lstatSync(path).isSymbolicLink()) {
      throw new Error(`EEXIST: ${path} is a link to ${readlinkSync(path)}, which does not exist`)
    }
    throw error
  }
}
