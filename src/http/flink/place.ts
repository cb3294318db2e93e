/** Where a task runs: in the one process of jobs, which has no address, or nowhere. */
import { isTerminal, type JobView } from '../../jobs/job.ts'
import type { WorkerView } from '../../jobs/worker-view.ts'

/** Flink's word for a task that has no place. */
export const UNASSIGNED = '(unassigned)'

export interface Place {
  readonly host: string
  readonly endpoint: string
  readonly 'taskmanager-id': string
}

const NOWHERE: Place = { host: UNASSIGNED, endpoint: UNASSIGNED, 'taskmanager-id': UNASSIGNED }

export function placeOf({ state }: JobView, worker: WorkerView | undefined): Place {
  const runs = !isTerminal(state) && state !== 'INITIALIZING' && state !== 'RESTARTING'
  if (!runs || worker === undefined) return NOWHERE
  return { host: 'localhost', endpoint: 'localhost:-1', 'taskmanager-id': worker.id }
}
