/**
 * The table of the reconciler: what is done next, for every goal of a deployment and every phase of its job.
 *
 * A step either writes resources (`record-…`, `note-…`, and those without a verb of the job) or acts on the job (`create-job`,
 * `send-savepoint`, `cancel-job`). Before an action its id is durable, and the same action with the same id again has no effect. So a step
 * can be repeated after a restart of the service, and the table goes on from any row of it.
 */
import { GOALS, type Goal, type Phase } from './phases.ts'

export const STEPS = [
  /** Nothing, until the job changes. */
  'wait',
  /** The job runs or restarts: its figures and the conditions are kept up to date. */
  'observe',
  'record-job',
  'create-job',
  /** A job that is recorded is not created. */
  'drop-job',
  'note-start',
  'record-savepoint',
  'send-savepoint',
  /** A savepoint that is recorded is not wanted any more; the job goes on. */
  'drop-savepoint',
  'note-save-failure',
  'record-cancel',
  'cancel-job',
  'note-stop',
  'note-end',
  'note-failure',
  'note-finish',
  /** The deployment has the state that its spec asks for. */
  'settle',
] as const
export type StepName = (typeof STEPS)[number]

type Row = Readonly<Record<Goal, StepName>>

/** In the order of the goals: rest, run, replace-stateful, replace-stateless, suspend, cancel. */
function row(...steps: readonly [StepName, StepName, StepName, StepName, StepName, StepName]): Row {
  return Object.fromEntries(GOALS.map((goal, index) => [goal, steps[index]])) as Row
}

/**
 * `rest` (SUSPENDED, CANCELLED, FAILED, FINISHED) is entered when the job has ended. `cancel` acts at once, also in the middle of another
 * transition; the other goals let a savepoint that is being written come to its end.
 */
export const TRANSITIONS: Readonly<Record<Phase, Row>> = {
  none: row('wait', 'record-job', 'record-job', 'record-job', 'settle', 'settle'),
  delayed: row('wait', 'wait', 'record-job', 'record-job', 'settle', 'settle'),
  recorded: row('drop-job', 'create-job', 'drop-job', 'drop-job', 'drop-job', 'drop-job'),
  starting: row('record-cancel', 'wait', 'wait', 'record-cancel', 'wait', 'record-cancel'),
  up: row('record-cancel', 'note-start', 'note-start', 'record-cancel', 'note-start', 'record-cancel'),
  running: row(
    'record-cancel',
    'observe',
    'record-savepoint',
    'record-cancel',
    'record-savepoint',
    'record-cancel',
  ),
  restarting: row(
    'record-cancel',
    'observe',
    'record-savepoint',
    'record-cancel',
    'record-savepoint',
    'record-cancel',
  ),
  unsaved: row('record-cancel', 'observe', 'wait', 'record-cancel', 'wait', 'record-cancel'),
  unsent: row(
    'record-cancel',
    'drop-savepoint',
    'send-savepoint',
    'record-cancel',
    'send-savepoint',
    'record-cancel',
  ),
  unsendable: row('record-cancel', 'drop-savepoint', 'wait', 'record-cancel', 'wait', 'record-cancel'),
  saving: row('record-cancel', 'wait', 'wait', 'wait', 'wait', 'record-cancel'),
  'save-failed': row(
    'record-cancel',
    'drop-savepoint',
    'note-save-failure',
    'record-cancel',
    'note-save-failure',
    'record-cancel',
  ),
  terminating: row('cancel-job', 'cancel-job', 'cancel-job', 'cancel-job', 'cancel-job', 'cancel-job'),
  retaining: row('wait', 'wait', 'wait', 'wait', 'wait', 'wait'),
  stopped: row('note-stop', 'note-stop', 'note-stop', 'note-stop', 'note-stop', 'note-stop'),
  ended: row('note-end', 'note-end', 'note-end', 'note-end', 'note-end', 'note-end'),
  canceled: row('note-end', 'note-failure', 'note-end', 'note-end', 'note-end', 'note-end'),
  failed: row('note-end', 'note-failure', 'note-failure', 'note-failure', 'note-failure', 'note-end'),
  finished: row('note-end', 'note-finish', 'note-end', 'note-end', 'note-end', 'note-end'),
  lost: row('note-end', 'note-failure', 'note-failure', 'note-failure', 'note-failure', 'note-end'),
}
