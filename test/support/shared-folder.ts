/** One folder for all tests of a file, which goes when they are over. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export function sharedFolder(): { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'millrace-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  return { path }
}
