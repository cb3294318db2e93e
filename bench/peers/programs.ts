/** Finds the programs of peers and of loads; each peer tells how to install its own. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Folders of servers in system packages, which are only on the path of root. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** The path of an executable, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SERVER_FOLDERS].filter(Boolean)
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/** What to start it with: the path, for its folder may not be on ours. */
export function programPath(name: string): string {
  return findProgram(name) ?? name
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The folder of a package installed with `npm install --global`, or undefined. */
export function findGlobalPackage(name: string): string | undefined {
  const folder = join(globalRoot(), name)
  return existsSync(join(folder, 'package.json')) ? folder : undefined
}

let root: string | undefined

function globalRoot(): string {
  root ??= spawnSync('npm', ['root', '--global'], { encoding: 'utf8' }).stdout?.trim() ?? ''
  return root
}

export async function needsProgram(name: string, install: string): Promise<string | undefined> {
  return findProgram(name) === undefined ? `${name} is not installed: ${install}` : undefined
}

export async function needsGlobalPackage(name: string): Promise<string | undefined> {
  if (findGlobalPackage(name) !== undefined) return undefined
  return `${name} is not installed: npm install --global ${name}`
}
