/**
 * What the service promises about streams, as lists in memory: which events a read answers, and where its cursors lead.
 *
 * A stream that was emptied or made anew lives another life: cursors of earlier ones stand before all of it.
 */
import type { EventJson } from '../../support/test-app.ts'

export interface SentEvent {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface StreamEvent extends SentEvent {
  readonly timestampMs: number
}

export class ModelStream {
  readonly events: StreamEvent[] = []
  readonly life: number
  /** Undefined is for ever. */
  ttlSeconds: number | undefined
  /** Events before this one are gone for good. */
  gone = 0
  /** Events before this one had expired when the janitor came by: they are invisible, or gone, and never seen after others. */
  tidied = 0

  constructor(life: number, ttlSeconds: number | undefined) {
    this.life = life
    this.ttlSeconds = ttlSeconds
  }

  add(events: readonly SentEvent[], nowMs: number): void {
    const timestampMs = Math.max(nowMs, this.events.at(-1)?.timestampMs ?? 0)
    for (const event of events) this.events.push({ ...event, timestampMs })
  }

  /** Expired events may be removed from now on. */
  tidy(nowMs: number): void {
    const visibleMs = this.visibleMs(nowMs)
    let expired = this.tidied
    while (expired < this.events.length && this.events[expired]!.timestampMs < visibleMs) expired++
    this.tidied = expired
  }

  /** Time of the oldest event that may be seen. */
  visibleMs(nowMs: number): number {
    if (this.ttlSeconds === undefined) return 0
    return this.ttlSeconds === 0 ? Number.POSITIVE_INFINITY : nowMs - this.ttlSeconds * 1000
  }

  /** Indexes of all events in range, were nothing gone before `gone`. */
  inRange(range: ModelRange, nowMs: number): number[] {
    const startMs = Math.max(range.startMs, this.visibleMs(nowMs))
    const from = Math.max(this.gone, range.afterIndex + 1)
    const found: number[] = []
    for (let i = from; i < this.events.length; i++) {
      const { timestampMs } = this.events[i]!
      if (timestampMs >= startMs && timestampMs < range.endMs) found.push(i)
    }
    return found
  }
}

export interface ModelRange {
  readonly startMs: number
  readonly endMs: number
  /** -1 is before all. */
  readonly afterIndex: number
  readonly limit: number
}

/** A cursor that a read gave away, and what it stands for. */
export interface KeptCursor {
  readonly text: string
  readonly stream: string
  readonly life: number
  readonly index: number
}

/** As the service prints it with `encoding=base64`. */
export function printed({ timestampMs, headers, body }: StreamEvent): EventJson {
  return { timestamp: timestampMs, headers, body: body.toString('base64') }
}
