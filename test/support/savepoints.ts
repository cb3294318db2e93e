/** Savepoints of a worker in the test's process. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { StateFolders } from '../../src/jobs/embedded/state-folders.ts'
import type { JobOrder, SavepointFormat } from '../../src/jobs/savepoints/savepoint.ts'
import { readSavepoint } from '../../src/jobs/savepoints/savepoint-files.ts'
import type { TestWorker } from './job-worker.ts'

type SavepointOrder = JobOrder & { readonly kind: 'savepoint' }

export function savepointOrder(location: string, more: Partial<SavepointOrder> = {}): SavepointOrder {
  return {
    ...{ kind: 'savepoint', id: 'ab'.repeat(16), location, format: 'CANONICAL' },
    ...{ drains: false, ends: false, replaces: false },
    about: { namespace: 'default', name: 'test', statement: 'INSERT …', schemas: {}, version: '0.0.0-test' },
    ...more,
  }
}

/** What the service does before a job is started from a savepoint. Returns the epoch. */
export async function restoredInto(
  worker: TestWorker,
  jid: string,
  savepoint: string,
  sinks = 1,
): Promise<number> {
  const metadata = await readSavepoint(savepoint)
  await new StateFolders(worker.jobsFolder).restore(jid, savepoint, metadata)
  for (let sink = 0; sink < sinks; sink++) worker.store.epochs.set(`${jid}/${sink}`, metadata.epoch)
  return metadata.epoch
}

export const FORMATS: readonly SavepointFormat[] = ['CANONICAL', 'NATIVE']

/** What is left beside the state of a job. */
export async function besideState(worker: TestWorker, jid: string): Promise<string[]> {
  const names = await readdir(join(worker.jobsFolder, jid))
  return names.filter((name) => !name.startsWith('state.duckdb'))
}
