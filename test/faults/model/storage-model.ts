/**
 * The contract of EventLog as a list in memory: what every read, position and tail must be. It knows no blocks, segments or
 * groups, and so no way in which they could go wrong.
 */
import type { EventHeaders, LogTail, LogTotals, ReadRange } from '../../../storage/log.ts'

export interface ModelEvent {
  readonly headers: EventHeaders
  readonly body: Buffer
}

export interface StoredEvent extends ModelEvent {
  readonly sequence: number
  readonly timestampMs: number
}

export class ModelLog {
  /** Every event ever written; its sequence is its index. */
  readonly events: StoredEvent[] = []
  /** Sequence of the first event that has not been trimmed. */
  first = 0
  /** Blocks may hold events of several times since: then trimming leaves some that are old. */
  merged = false

  get lastTimestampMs(): number {
    return this.events.at(-1)?.timestampMs ?? 0
  }

  append(events: readonly ModelEvent[], nowMs: number): void {
    const timestampMs = Math.max(nowMs, this.lastTimestampMs)
    for (const { headers, body } of events) {
      this.events.push({ sequence: this.events.length, timestampMs, headers, body })
    }
  }

  read({ startMs, endMs, after, limit }: ReadRange): StoredEvent[] {
    const from = Math.max(this.first, after === undefined ? 0 : after.sequence + 1)
    return this.events
      .slice(from)
      .filter(({ timestampMs }) => timestampMs >= startMs && timestampMs < endMs)
      .slice(0, limit)
  }

  /** Without `firstTimestampMs`, which may be any time up to that of the first event. */
  tail(): Omit<LogTail, 'firstTimestampMs'> {
    return {
      nextSequence: this.events.length,
      lastTimestampMs: this.lastTimestampMs,
      firstSequence: this.first,
    }
  }

  totals(): LogTotals {
    return {
      events: this.events.length,
      bytes: this.events.reduce((sum, { body }) => sum + body.length, 0),
    }
  }
}
