/** What a broker answers for one topic of a request that changes topics. */
import type { WireReader } from './wire-reader.ts'

export interface TopicAnswer {
  readonly topic: string
  readonly errorCode: number
  /** The broker's own words. */
  readonly message: string | undefined
}

const MESSAGE_LENGTH_MAX = 500

export function messageOf(reader: WireReader): string | undefined {
  return reader.nullableString()?.slice(0, MESSAGE_LENGTH_MAX) || undefined
}
