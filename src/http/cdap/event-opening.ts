/**
 * The text between the bodies of two events: the end of one and the beginning of the next, up to its body.
 *
 *   "},{"timestamp":1407806944181,"headers":{},"body":"
 *
 * It is the same for all events of a run. Events that arrived one by one have a run each, and often only their timestamps
 * differ; then only its 13 digits are overwritten.
 */
import type { EventHeaders, EventRun } from '../../../storage/log.ts'

/** Timestamps from 2001-09-09 to 2286-11-20 have 13 digits. */
const DIGITS = 13
const TIMESTAMP_MIN = 1e12
const TIMESTAMP_MAX = 1e13 - 1

export class EventOpening {
  /** The text before the brace. */
  readonly #lead: string
  #bytes: Buffer = Buffer.alloc(0)
  #headers: EventHeaders | undefined
  #timestampMs = 0

  constructor(lead: string) {
    this.#lead = lead
  }

  /** For events of this run; valid until the next call. */
  of({ timestampMs, headers }: EventRun): Buffer {
    if (headers !== this.#headers) {
      this.#bytes = openingBytes(this.#lead, timestampMs, headers)
      this.#headers = headers
    } else if (timestampMs !== this.#timestampMs) {
      if (hasAllDigits(timestampMs) && hasAllDigits(this.#timestampMs)) {
        changeDigits(this.#bytes, this.#lead.length + BEFORE_TIMESTAMP.length, this.#timestampMs, timestampMs)
      } else {
        this.#bytes = openingBytes(this.#lead, timestampMs, headers)
      }
    }
    this.#timestampMs = timestampMs
    return this.#bytes
  }
}

const BEFORE_TIMESTAMP = '{"timestamp":'

function openingBytes(lead: string, timestampMs: number, headers: EventHeaders): Buffer {
  let text = `${lead}${BEFORE_TIMESTAMP}${timestampMs},"headers":{`
  for (const [i, [name, value]] of headers.entries()) {
    text += `${i === 0 ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(value)}`
  }
  return Buffer.from(`${text}},"body":"`)
}

function hasAllDigits(timestampMs: number): boolean {
  return timestampMs >= TIMESTAMP_MIN && timestampMs <= TIMESTAMP_MAX
}

/** Overwrites the digits of `from` by those of `to`, in two halves: 13 digits exceed a small integer, and the first half seldom changes. */
function changeDigits(target: Uint8Array, at: number, from: number, to: number): void {
  const millions = Math.floor(to / 1e6)
  if (millions !== Math.floor(from / 1e6)) writeHalf(target, at, at + DIGITS - 6, millions)
  writeHalf(target, at + DIGITS - 6, at + DIGITS, to - millions * 1e6)
}

function writeHalf(target: Uint8Array, from: number, to: number, value: number): void {
  let rest = value | 0
  for (let i = to - 1; i >= from; i--) {
    const tenth = (rest / 10) | 0
    target[i] = ZERO + rest - 10 * tenth
    rest = tenth
  }
}

const ZERO = 0x30
