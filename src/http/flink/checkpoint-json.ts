/**
 * Checkpoints as Flink shows them: a checkpoint is a commit of the state of a job, and its id counts the commits. The state is one
 * file for the whole job; it is shown at the operator that holds the query, and sources and sinks have none. There is no
 * alignment and no data in flight, so these are 0.
 */
import type { Checkpoint, CheckpointHistory } from '../../jobs/checkpoint-history.ts'
import type { JobView } from '../../jobs/job.ts'
import type { VertexPlan } from '../../jobs/plan/job-plan.ts'
import { vertexId } from '../../jobs/vertex-detail.ts'
import { statisticsOf } from './statistics.ts'

const NOTHING_IN_FLIGHT = { alignment_buffered: 0, processed_data: 0, persisted_data: 0 }

export function checkpointConfig(intervalMs: number): object {
  return {
    mode: 'exactly_once',
    interval: intervalMs,
    timeout: 600_000,
    min_pause: 0,
    max_concurrent: 1,
    externalization: { enabled: true, delete_on_cancellation: true },
    state_backend: 'DuckDB',
    checkpoint_storage: 'state file of the job',
    unaligned_checkpoints: false,
    tolerable_failed_checkpoints: 0,
    aligned_checkpoint_timeout: 0,
    checkpoints_after_tasks_finish: true,
    state_changelog_enabled: false,
    changelog_periodic_materialization_interval: 0,
    changelog_storage: 'none',
  }
}

export function checkpointsJson(
  { counts, history, latest, samples }: CheckpointHistory,
  job: JobView,
): object {
  const shown = (checkpoint: Checkpoint | undefined) =>
    checkpoint === undefined ? null : checkpointJson(checkpoint, job)
  const { restored } = latest
  const zeros = statisticsOf(samples.map(() => 0))
  return {
    counts: {
      restored: counts.restored,
      total: counts.total,
      in_progress: counts.inProgress,
      completed: counts.completed,
      failed: counts.failed,
    },
    summary: {
      checkpointed_size: statisticsOf(samples.map(({ bytes }) => bytes)),
      state_size: statisticsOf(samples.map(({ stateBytes }) => stateBytes)),
      end_to_end_duration: statisticsOf(samples.map(({ durationMs }) => durationMs)),
      alignment_buffered: zeros,
      processed_data: zeros,
      persisted_data: zeros,
    },
    latest: {
      completed: shown(latest.completed),
      savepoint: shown(latest.savepoint),
      failed: shown(latest.failed),
      restored:
        restored === undefined
          ? null
          : {
              id: restored.id,
              restore_timestamp: Math.trunc(restored.restoredMs),
              is_savepoint: restored.isSavepoint,
              external_path: restored.location ?? '<checkpoint-not-externally-addressable>',
            },
    },
    history: history.map((checkpoint) => checkpointJson(checkpoint, job)),
  }
}

/** With `isWhole` also the part of each operator. */
export function checkpointJson(checkpoint: Checkpoint, job: JobView, isWhole = false): object {
  const { vertices } = job
  const isCompleted = checkpoint.status === 'COMPLETED'
  return {
    '@class': isCompleted ? 'completed' : 'failed',
    ...sharesOf(checkpoint, checkpoint.bytes, checkpoint.stateBytes, vertices.length),
    is_savepoint: checkpoint.kind !== 'CHECKPOINT',
    ...(checkpoint.kind !== 'CHECKPOINT' && { savepointFormat: checkpoint.format ?? 'CANONICAL' }),
    trigger_timestamp: Math.trunc(checkpoint.triggeredMs),
    checkpoint_type: checkpoint.kind,
    tasks: isWhole ? tasksOf(checkpoint, vertices) : {},
    ...(isCompleted
      ? {
          external_path: checkpoint.location ?? '<checkpoint-not-externally-addressable>',
          discarded: false,
        }
      : {
          failure_timestamp: endedMs(checkpoint),
          failure_message: checkpoint.message ?? '',
        }),
  }
}

function tasksOf(checkpoint: Checkpoint, vertices: readonly VertexPlan[]): object {
  return Object.fromEntries(
    vertices.map((vertex) => [vertexId(vertex), taskJson(checkpoint, vertex, vertices)]),
  )
}

function taskJson(checkpoint: Checkpoint, vertex: VertexPlan, vertices: readonly VertexPlan[]) {
  const holdsState = vertex === vertices.find(({ kind }) => kind === 'query')
  return sharesOf(checkpoint, holdsState ? checkpoint.bytes : 0, holdsState ? checkpoint.stateBytes : 0, 1)
}

function sharesOf(checkpoint: Checkpoint, bytes: number, stateBytes: number, subtasks: number) {
  const isCompleted = checkpoint.status === 'COMPLETED'
  return {
    id: checkpoint.id,
    status: checkpoint.status,
    latest_ack_timestamp: isCompleted ? endedMs(checkpoint) : -1,
    checkpointed_size: bytes,
    state_size: stateBytes,
    end_to_end_duration: Math.trunc(checkpoint.durationMs),
    ...NOTHING_IN_FLIGHT,
    num_subtasks: subtasks,
    num_acknowledged_subtasks: isCompleted ? subtasks : 0,
  }
}

/** The part of one operator, with that of its one subtask. */
export function checkpointTaskJson(checkpoint: Checkpoint, vertex: VertexPlan, job: JobView): object {
  const task = taskJson(checkpoint, vertex, job.vertices)
  const syncMs = checkpoint.syncMs ?? 0
  const asyncMs = checkpoint.asyncMs ?? checkpoint.durationMs - syncMs
  const one = (value: number) => statisticsOf(checkpoint.status === 'COMPLETED' ? [Math.trunc(value)] : [])
  return {
    ...task,
    summary: {
      checkpointed_size: one(task.checkpointed_size),
      state_size: one(task.state_size),
      end_to_end_duration: one(checkpoint.durationMs),
      checkpoint_duration: { sync: one(syncMs), async: one(asyncMs) },
      alignment: { buffered: one(0), processed: one(0), persisted: one(0), duration: one(0) },
      start_delay: one(0),
    },
    subtasks: [
      checkpoint.status === 'COMPLETED'
        ? completedSubtask(checkpoint, task, Math.trunc(syncMs), Math.trunc(asyncMs))
        : { '@class': 'pending', index: 0, status: 'pending_or_failed' },
    ],
  }
}

function completedSubtask(
  checkpoint: Checkpoint,
  task: ReturnType<typeof taskJson>,
  sync: number,
  async: number,
): object {
  return {
    '@class': 'completed',
    index: 0,
    status: 'completed',
    ack_timestamp: endedMs(checkpoint),
    end_to_end_duration: task.end_to_end_duration,
    checkpointed_size: task.checkpointed_size,
    state_size: task.state_size,
    checkpoint: { sync, async },
    alignment: { buffered: 0, processed: 0, persisted: 0, duration: 0 },
    start_delay: 0,
    unaligned_checkpoint: false,
    aborted: false,
  }
}

function endedMs({ triggeredMs, durationMs }: Checkpoint): number {
  return Math.trunc(triggeredMs + durationMs)
}
