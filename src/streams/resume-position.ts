/**
 * Where a read continues after a cursor, or why it cannot. A cursor is accepted only if its event is in this store, or was until
 * it was truncated, deleted or expired. All others are refused, because a guess would skip events
 * (docs/decisions/0007-cursors.md).
 *
 *   a store that was restored, repaired or made anew has another identity
 *   a copy that an operator made and put back has other epochs from where it was made, and may be shorter
 *   a stream that was imported has a log that says so
 *   a cursor that names no store, from before there were identities, must have the time of the event
 */
import type { EventLog, LogId, LogTail, Position } from '../../storage/log.ts'
import { ServiceError } from '../service-error.ts'
import { LogOrigins, UNKNOWN_EPOCH } from './log-origins.ts'

/** Where a reader continues: a position in one log. A stream that was truncated since has another log. */
export interface Cursor {
  readonly log: LogId
  readonly position: Position
  /** The store and opening that wrote the event (log-origins.ts); undefined in cursors of older versions. */
  readonly origin?: { readonly identity: number; readonly epoch: number }
}

/**
 * Undefined: at the first event, for the cursor is of a log that the stream had before. `log` is the one that it has now.
 * Rejects with ServiceError 'cursor_gone', or StorageError.
 */
export async function resumePosition(
  events: EventLog,
  log: LogId,
  cursor: Cursor,
): Promise<Position | undefined> {
  const { origin, position } = cursor
  if (origin !== undefined && origin.identity !== events.identity) throw gone(cursor, OTHER_STORE)
  if (cursor.log > log) throw gone(cursor, NOT_HERE)
  const origins = await LogOrigins.load(events, log)
  if (cursor.log < log) {
    if (origins.restored) throw gone(cursor, IMPORTED)
    return undefined
  }
  const tail = await events.tail(log)
  if (tail === undefined || !isWithin(position, tail)) throw gone(cursor, NOT_HERE)
  const { epoch } = origins.of(position.sequence)
  if (origin === undefined || epoch === UNKNOWN_EPOCH) await assertSameTime(events, cursor, tail)
  else if (origin.epoch !== epoch) throw gone(cursor, OTHER_HISTORY)
  return position
}

/** As far as the tail says it. */
function isWithin(position: Position, tail: LogTail): boolean {
  if (position.sequence >= tail.nextSequence) return false
  if (isRightBefore(position, tail)) return position.timestampMs === tail.lastTimestampMs
  return position.timestampMs <= tail.lastTimestampMs
}

/** No event fits between this one and the tail, so it is the last. Where sequences have holes, the last may be before. */
function isRightBefore({ sequence }: Position, { nextSequence }: LogTail): boolean {
  return sequence + 1 === nextSequence
}

async function assertSameTime(events: EventLog, cursor: Cursor, tail: LogTail): Promise<void> {
  const { sequence, timestampMs } = cursor.position
  if (isRightBefore(cursor.position, tail)) return // compared with the tail already
  const found = await events.locate(cursor.log, sequence)
  // Of one that is gone nothing is known but that it was not younger than those that are left.
  const isSame =
    found === undefined ? timestampMs <= tail.firstTimestampMs : found.timestampMs === timestampMs
  if (!isSame) throw gone(cursor, OTHER_HISTORY)
}

const OTHER_STORE =
  'the cursor is of another store: this one was made anew, or restored or repaired from it, since the cursor was handed out'
const NOT_HERE =
  'the cursor stands behind everything that this stream holds: the store has gone back since the cursor was handed out'
const OTHER_HISTORY =
  'the cursor stands at an event that this stream does not hold: the store has gone back since, and another event is in its place'
const IMPORTED = 'the events of this stream were imported since the cursor was handed out'

function gone({ position: { timestampMs } }: Cursor, why: string): ServiceError {
  return new ServiceError(
    'cursor_gone',
    `${why}. To go on, read without after, from the beginning, or with start=${timestampMs}, the time of the event that you ` +
      'had last; then keep the new cursors',
  )
}
