/**
 * Where the states of jobs are, where several nodes may run them. The folder of states has an id, and a job's document has the id
 * of the folder with its state. A job runs only where its state is: without it, the job would read its sources from the
 * beginning, and its results would be written twice.
 */
import { link, open, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../storage/make-folder.ts'
import { syncFolder } from '../../storage/sync-folder.ts'

export interface StatePlace {
  readonly folder: string
  /** The node that runs jobs now, for messages. */
  readonly node: string
}

/** In a job's document. */
export interface StateIn {
  readonly folder: string
  /** The node that ran the job first. */
  readonly node: string
}

const ID_FILE = 'folder-id'
const ID = /^[0-9a-f-]{36}$/

/** The id of the folder; `newId` is given to one that has none. Rejects with an Error of one sentence. */
export async function statePlaceOf(folder: string, node: string, newId: string): Promise<StatePlace> {
  const path = join(folder, ID_FILE)
  for (const created of makeFolder(folder)) await syncFolder(dirname(created))
  await makeIdFile(path, newId)
  const id = (await readFile(path, 'utf8')).trim()
  if (!ID.test(id))
    throw new Error(`${path} is damaged: it has no id; restore it, or the states of jobs are not used`)
  return { folder: id, node }
}

/** The file is complete when it appears, and is never replaced: of two nodes that make it, both get the first one's. */
async function makeIdFile(path: string, id: string): Promise<void> {
  const partial = `${path}.${id}.partial`
  const handle = await open(partial, 'w')
  try {
    await handle.writeFile(`${id}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await link(partial, path)
    await syncFolder(dirname(path))
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error
  } finally {
    await rm(partial, { force: true })
  }
}

/** Why a job with this state cannot run here, as a sentence; undefined if it can. */
export function elsewhere(state: StateIn, here: StatePlace): string | undefined {
  if (state.folder === here.folder) return undefined
  return (
    `the state of this job is on node ${state.node}, and jobs run on node ${here.node} now: it goes on when node ` +
    `${state.node} runs them again; with --shared-dir, states move with the jobs`
  )
}
