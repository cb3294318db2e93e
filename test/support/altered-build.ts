/** A copy of the built service with a fault put into it: for negative controls, which show that a proof would see the fault. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_FOLDER, temporaryFolder } from './service-process.ts'

export interface Alteration {
  /** Relative to dist/src. */
  readonly file: string
  /** Once in the file. */
  readonly from: string
  readonly to: string
}

/** The file that starts the copy. It is gone when the test is over. */
export async function alteredBuild(alterations: readonly Alteration[]): Promise<string> {
  const folder = await temporaryFolder()
  cpSync(join(PROJECT_FOLDER, 'dist'), join(folder, 'dist'), { recursive: true })
  cpSync(join(PROJECT_FOLDER, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(PROJECT_FOLDER, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, from, to } of alterations) {
    const path = join(folder, 'dist', 'src', file)
    const parts = readFileSync(path, 'utf8').split(from)
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${from}`)
    writeFileSync(path, parts.join(to))
  }
  return join(folder, 'dist', 'src', 'cli.js')
}
