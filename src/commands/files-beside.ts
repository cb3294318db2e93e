/**
 * What a data folder has beside its store and belongs to the same moment: the states of jobs, uploaded jars, and the key of stored secrets.
 *
 *   jobs/<jid>/…   states of jobs; positions and epochs in them belong to the events and documents of the store
 *   savepoints/…   savepoints of jobs; those that are not complete are left out
 *   jars/…         uploaded jars
 *   secret.key     without it the secrets of integrations cannot be read
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../../storage/make-folder.ts'
import { JARS_FOLDER } from '../jars/jar-store.ts'
import { JOBS_FOLDER } from '../jobs/embedded/state-folders.ts'
import { PARTIAL } from '../jobs/savepoints/savepoint-files.ts'
import { SAVEPOINTS_FOLDER } from '../jobs/savepoints/savepoint-places.ts'
import { SECRET_KEY_FILE } from '../tables/secret-key.ts'

export interface BesideFiles {
  readonly count: number
  readonly bytes: number
}

/** Copies the files with `copy`, which makes each of them durable, and their folders with `sync`. */
export function copyBeside(
  data: string,
  target: string,
  copy: (from: string, to: string) => void,
  sync: (folder: string) => void,
): BesideFiles {
  let [count, bytes] = [0, 0]
  const copyFile = (from: string, to: string) => {
    copy(from, to)
    count++
    bytes += statSync(to).size
  }
  const copyFolder = (from: string, to: string) => {
    makeFolder(to)
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      const [source, copied] = [join(from, entry.name), join(to, entry.name)]
      if (entry.name.endsWith(PARTIAL)) continue
      if (entry.isDirectory()) copyFolder(source, copied)
      else if (entry.isFile()) copyFile(source, copied)
    }
    sync(to)
  }
  for (const folder of [JOBS_FOLDER, SAVEPOINTS_FOLDER, JARS_FOLDER])
    if (existsSync(join(data, folder))) copyFolder(join(data, folder), join(target, folder))
  if (existsSync(join(data, SECRET_KEY_FILE)))
    copyFile(join(data, SECRET_KEY_FILE), join(target, SECRET_KEY_FILE))
  return { count, bytes }
}
