/**
 * A run leaves nothing behind: every process it started is ended by its id and every folder it made is removed, however
 * it ends. Work that ends without an error has cleaned up before; this is for signals and failures.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const children = new Set<ChildProcess>()
const folders = new Set<string>()

/** By the time this runs nothing asynchronous can: SIGKILL, then folders, which may be written to for a moment more. */
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) removeFolder(folder)
})
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))

/** The child is killed when this process ends, if it still runs then. */
export function endWithUs(child: ChildProcess): void {
  children.add(child)
  child.once('exit', () => children.delete(child))
}

/** A fresh folder in `parent`; gone when this process ends, at the latest. */
export function makeTempFolder(parent: string): string {
  const folder = mkdtempSync(join(parent, 'millrace-bench-'))
  folders.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  folders.delete(folder)
}
