/**
 * Finds the position at which a read continues after a cursor, or refuses the cursor. A cursor is accepted only if its
 * event is in this store, or was until it was truncated, deleted or expired. All other cursors are refused, because a
 * guess would skip events (docs/decisions/0007-cursors.md).
 *
 *   a store that was restored, repaired or created anew has another identity
 *   a copy that was put back has other epochs for events written after the copy was made, and may have fewer events
 *   the log of an imported stream is marked as restored
 *   a cursor without an identity, of an older version, must have the time of the event
 */
import type { EventLog, LogId, LogTail, Position } from '../../storage/log.ts'
import { ServiceError } from '../service-error.ts'
import { LogOrigins, UNKNOWN_EPOCH } from './log-origins.ts'

/** Where a reader continues: a position in one log. After truncating, the stream has another log. */
export interface Cursor {
  readonly log: LogId
  readonly position: Position
  /** The store and opening that wrote the event (log-origins.ts); undefined in cursors of older versions. */
  readonly origin?: { readonly identity: number; readonly epoch: number }
}

/**
 * Undefined: the read starts at the first event, because the cursor is of an earlier log of the stream. `log` is the
 * present log. Rejects with ServiceError 'cursor_gone', or StorageError.
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

/** Whether the position is in the log, as far as the tail shows it. */
function isWithin(position: Position, tail: LogTail): boolean {
  if (position.sequence >= tail.nextSequence) return false
  if (isRightBefore(position, tail)) return position.timestampMs === tail.lastTimestampMs
  return position.timestampMs <= tail.lastTimestampMs
}

/**
 * Whether no event fits between this position and the tail, so that it is the last event. If sequences have gaps, the
 * last event may be an earlier one.
 */
function isRightBefore({ sequence }: Position, { nextSequence }: LogTail): boolean {
  return sequence + 1 === nextSequence
}

async function assertSameTime(events: EventLog, cursor: Cursor, tail: LogTail): Promise<void> {
  const { sequence, timestampMs } = cursor.position
  if (isRightBefore(cursor.position, tail)) return // isWithin has compared it with the tail
  const found = await events.locate(cursor.log, sequence)
  // If the event has been removed, only one fact is known: it was not younger than the remaining events.
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
