/** Fills the topic of a new log with events that keep their times. */
import type { EventHeaders, EventSlices, LogId, LogRestore } from '../log.ts'
import type { LogTopics } from './log-topics.ts'
import type { LogWriters } from './log-writers.ts'
import type { WriteRequests } from './write-requests.ts'

export interface LogRestoreParts {
  readonly requests: WriteRequests
  readonly topics: LogTopics
  readonly writers: LogWriters
  /** Of a topic that takes the times of its producer. */
  readonly restoredSettings: Readonly<Record<string, string>>
  /** Of a log in use. */
  readonly settings: Readonly<Record<string, string>>
}

export class KafkaLogRestore implements LogRestore {
  readonly parts: LogRestoreParts
  readonly log: LogId

  constructor(parts: LogRestoreParts, log: LogId) {
    this.parts = parts
    this.log = log
  }

  async add(_slices: EventSlices, _headers: EventHeaders, _timestampMs: number): Promise<void> {
    throw new Error('not built yet')
  }

  async finish(): Promise<void> {
    throw new Error('not built yet')
  }
}
