/**
 * A folder that is either complete or missing: it is filled under the name `<folder>.partial` and renamed at the end, so a
 * crash leaves no folder that looks complete.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { syncFolder } from '../../storage/level/format-stamp.ts'
import { makeFolder } from '../../storage/make-folder.ts'
import { UsageError } from './command.ts'

/** Resolves with the result of `fill`; if that throws or is undefined, the folder is removed. Throws UsageError if one exists. */
export async function fillNewFolder<T>(
  folder: string,
  fill: (partial: string) => Promise<T | undefined>,
): Promise<T | undefined> {
  const target = resolve(folder)
  const partial = `${target}.partial`
  if (existsSync(target) && !isEmptyFolder(target)) {
    throw new UsageError(`${folder} is there already and not empty; name a new or empty folder`)
  }
  if (existsSync(partial)) {
    throw new UsageError(`${partial} is from a run that did not end; remove it first`)
  }
  makePartial(folder, partial)
  try {
    const result = await fill(partial)
    if (result === undefined) return undefined
    if (existsSync(target)) rmSync(target, { recursive: true }) // empty; a rename over it is not for every system
    renameSync(partial, target)
    syncFolder(dirname(target))
    return result
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

function makePartial(folder: string, partial: string): void {
  try {
    makeFolder(partial)
  } catch (error) {
    throw new UsageError(`${folder} cannot be made: ${(error as Error).message}`)
  }
}

function isEmptyFolder(path: string): boolean {
  return statSync(path).isDirectory() && readdirSync(path).length === 0
}
