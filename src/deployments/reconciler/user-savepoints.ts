/** Savepoints that clients have asked for, with which the job goes on. */
import { isTerminal, type JobView } from '../../jobs/job.ts'
import type { Operation } from '../../jobs/savepoints/savepoint.ts'
import type { SavepointResource } from '../resources.ts'
import { SEND_MS_MAX } from './phases.ts'

export type UserStep =
  | { readonly kind: 'wait' }
  /** The trigger id is durable, and the job has no such order. After a restart of the service the order is repeated. */
  | { readonly kind: 'send' }
  | { readonly kind: 'complete'; readonly location: string }
  | { readonly kind: 'fail'; readonly message: string }

export function userStep(
  savepoint: SavepointResource,
  view: JobView | undefined,
  operation: Operation | undefined,
  nowMs: number,
): UserStep {
  if (operation?.state === 'completed' && operation.location !== undefined)
    return { kind: 'complete', location: operation.location }
  if (operation?.state === 'failed') return { kind: 'fail', message: operation.message }
  if (view === undefined || isTerminal(view.state))
    return { kind: 'fail', message: 'the job has ended before the savepoint was taken' }
  if (operation !== undefined) return { kind: 'wait' }
  if (view.state === 'RUNNING') return { kind: 'send' }
  if (nowMs - savepoint.metadata.createdMs < SEND_MS_MAX) return { kind: 'wait' }
  return { kind: 'fail', message: `job is ${view.state}; it takes no savepoint` }
}
