/** Where things are, from the sources and from `dist/` alike. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = nearestPackage(dirname(fileURLToPath(import.meta.url)))
/** The command that a user starts, as this checkout builds it. */
export const CLI = join(ROOT, 'dist/src/cli.js')

/** A file of `bench/` that is no TypeScript, such as a script for wrk. */
export function benchFile(path: string): string {
  return join(ROOT, 'bench', path)
}

/** A program of `bench/`, built, to run in a process of its own. */
export function benchProgram(path: string): string {
  return join(ROOT, 'dist/bench', `${path}.js`)
}

function nearestPackage(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : nearestPackage(dirname(folder))
}
