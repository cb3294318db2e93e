/**
 * The table of the reconciler: what is done next, for every goal of a deployment and every phase of its job.
 *
 * A step either writes resources (`record-…`, `note-…`, and those without a verb of the job) or acts on the job (`create-job`,
 * `send-savepoint`, `cancel-job`). Before an action its id is durable, and the same action with the same id again has no effect. So a step
 * can be repeated after a restart of the service, and the table goes on from any row of it.
 */
import type { Goal, Phase } from './phases.ts'

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

export const TRANSITIONS: Readonly<Record<Goal, Readonly<Record<Phase, StepName>>>> = {
  /** SUSPENDED, CANCELLED, FAILED, FINISHED: these are entered when the job has ended. */
  rest: {
    ...{
      none: 'wait',
      delayed: 'wait',
      recorded: 'drop-job',
      starting: 'record-cancel',
      up: 'record-cancel',
    },
    ...{ running: 'record-cancel', restarting: 'record-cancel', unsaved: 'record-cancel' },
    ...{ unsent: 'record-cancel', unsendable: 'record-cancel', saving: 'record-cancel' },
    ...{ 'save-failed': 'record-cancel', terminating: 'cancel-job', stopped: 'note-stop', ended: 'note-end' },
    ...{ canceled: 'note-end', failed: 'note-end', finished: 'note-end', lost: 'note-end' },
  },
  run: {
    ...{ none: 'record-job', delayed: 'wait', recorded: 'create-job', starting: 'wait', up: 'note-start' },
    ...{ running: 'observe', restarting: 'observe', unsaved: 'observe' },
    ...{ unsent: 'drop-savepoint', unsendable: 'drop-savepoint', saving: 'wait' },
    ...{
      'save-failed': 'drop-savepoint',
      terminating: 'cancel-job',
      stopped: 'note-stop',
      ended: 'note-end',
    },
    ...{ canceled: 'note-failure', failed: 'note-failure', finished: 'note-finish', lost: 'note-failure' },
  },
  'replace-stateful': {
    ...{
      none: 'record-job',
      delayed: 'record-job',
      recorded: 'drop-job',
      starting: 'wait',
      up: 'note-start',
    },
    ...{ running: 'record-savepoint', restarting: 'record-savepoint', unsaved: 'wait' },
    ...{ unsent: 'send-savepoint', unsendable: 'wait', saving: 'wait' },
    ...{ 'save-failed': 'note-save-failure', terminating: 'cancel-job', stopped: 'note-stop' },
    ...{ ended: 'note-end', canceled: 'note-end', failed: 'note-failure', finished: 'note-end' },
    lost: 'note-failure',
  },
  'replace-stateless': {
    ...{ none: 'record-job', delayed: 'record-job', recorded: 'drop-job', starting: 'record-cancel' },
    ...{
      up: 'record-cancel',
      running: 'record-cancel',
      restarting: 'record-cancel',
      unsaved: 'record-cancel',
    },
    ...{
      unsent: 'record-cancel',
      unsendable: 'record-cancel',
      saving: 'wait',
      'save-failed': 'record-cancel',
    },
    ...{ terminating: 'cancel-job', stopped: 'note-stop', ended: 'note-end', canceled: 'note-end' },
    ...{ failed: 'note-failure', finished: 'note-end', lost: 'note-failure' },
  },
  suspend: {
    ...{ none: 'settle', delayed: 'settle', recorded: 'drop-job', starting: 'wait', up: 'note-start' },
    ...{ running: 'record-savepoint', restarting: 'record-savepoint', unsaved: 'wait' },
    ...{ unsent: 'send-savepoint', unsendable: 'wait', saving: 'wait' },
    ...{ 'save-failed': 'note-save-failure', terminating: 'cancel-job', stopped: 'note-stop' },
    ...{ ended: 'note-end', canceled: 'note-end', failed: 'note-failure', finished: 'note-end' },
    lost: 'note-failure',
  },
  /** At once, also in the middle of another transition. */
  cancel: {
    ...{ none: 'settle', delayed: 'settle', recorded: 'drop-job', starting: 'record-cancel' },
    ...{
      up: 'record-cancel',
      running: 'record-cancel',
      restarting: 'record-cancel',
      unsaved: 'record-cancel',
    },
    ...{ unsent: 'record-cancel', unsendable: 'record-cancel', saving: 'record-cancel' },
    ...{ 'save-failed': 'record-cancel', terminating: 'cancel-job', stopped: 'note-stop' },
    ...{
      ended: 'note-end',
      canceled: 'note-end',
      failed: 'note-end',
      finished: 'note-end',
      lost: 'note-end',
    },
  },
}
