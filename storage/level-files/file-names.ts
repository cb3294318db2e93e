/** The names of LevelDB's files. */
import { readdirSync } from 'node:fs'

export const CURRENT = 'CURRENT'

export interface StoreFileNames {
  /** `000012.ldb` by number; older versions of LevelDB wrote `.sst`. */
  readonly tables: ReadonlyMap<number, string>
  /** `000012.log` by number. */
  readonly logs: ReadonlyMap<number, string>
  readonly manifests: readonly string[]
  readonly hasCurrent: boolean
}

/** All LevelDB files in this folder; none if the folder does not exist. */
export function storeFileNames(store: string): StoreFileNames {
  const tables = new Map<number, string>()
  const logs = new Map<number, string>()
  const manifests: string[] = []
  const names = namesIn(store)
  for (const name of names) {
    const [, number, kind] = /^([0-9]+)\.(ldb|sst|log)$/.exec(name) ?? []
    if (kind === 'log') logs.set(Number(number), name)
    else if (kind !== undefined) tables.set(Number(number), name)
    else if (/^MANIFEST-[0-9]+$/.test(name)) manifests.push(name)
  }
  return { tables, logs, manifests, hasCurrent: names.includes(CURRENT) }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
