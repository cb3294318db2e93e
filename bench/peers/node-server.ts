/** Peers that are npm packages: each has a small program here that starts it from where npm installed it. */
import { fileURLToPath } from 'node:url'
import type { Place } from './peer.ts'
import { findGlobalPackage } from './programs.ts'

export interface NodeServerJob extends Place {
  readonly packageFolder: string
}

/** The command that runs `entry`, the compiled file beside this one. */
export function nodeServer(entry: string, packageName: string, place: Place): string[] {
  const packageFolder = findGlobalPackage(packageName)
  if (packageFolder === undefined) throw new Error(`${packageName} is not installed`)
  const job: NodeServerJob = { ...place, packageFolder }
  return [process.execPath, fileURLToPath(new URL(`./${entry}.js`, import.meta.url)), JSON.stringify(job)]
}
