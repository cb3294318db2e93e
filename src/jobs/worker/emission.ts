/**
 * The commit protocol between the state of a job and its sinks. A commit stores the rows of a tick in the outbox together
 * with the epoch; then each sink writes its outbox and records the epoch in one write. An empty outbox is not emitted.
 *
 * When a job starts, the sink's record S is compared with the epoch E of the state, and with P, the epoch of the last outbox
 * with rows before that of E:
 *
 *   S = E                       go on
 *   S = P < E, outbox has rows  emit the outbox as E, go on
 *   S = P < E, outbox is empty  go on
 *   anything else               the state and the sink are of different moments: the job fails
 *
 * No record counts as 0. A sink that keeps no record gets its outbox again unless it has been marked as emitted.
 */
import type { Emitted, Outbox, RecordedEpoch, Sink } from '../connectors/connector.ts'
import { JobError } from './job-error.ts'
import type { Emission } from './state-file.ts'

export type StartDecision = 'go-on' | 'emit'

/** Throws JobError 'lasting' if state and sink are not from the same moment. */
export function decideAtStart(
  epoch: number,
  { last, previous }: Emission,
  outboxRows: number,
  recorded: RecordedEpoch,
): StartDecision {
  if (recorded === 'unknowable') return outboxRows > 0 ? 'emit' : 'go-on'
  const sink = recorded === 'none' ? 0 : recorded
  if (sink === epoch) return 'go-on'
  const before = last === epoch ? previous : last
  if (sink === before) return outboxRows > 0 ? 'emit' : 'go-on'
  const text = `sink is at epoch ${sink}, state at ${epoch}: they are not from the same moment; restore both, or start with another state`
  throw new JobError(text, 'lasting')
}

/** Called between the commit of the state and the emission: a test stops the job there. */
export type BeforeEmit = (epoch: number, sink: number) => Promise<void>

export interface SinkState {
  readonly sink: Sink
  /** Undefined until it is known: whether the sink keeps a record of the epoch. */
  keepsRecord: boolean
}

/** Emits if the outbox has rows. */
export async function emit(sink: Sink, epoch: number, outbox: Outbox): Promise<Emitted> {
  return outbox.rowCount === 0 ? { records: 0, bytes: 0 } : sink.emit(epoch, outbox)
}
