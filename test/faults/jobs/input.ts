/** The events that the jobs of the proofs read: their form, a stream of random ones, and writers that send them. */
import { setTimeout as delay } from 'node:timers/promises'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import type { FlinkClient } from './flink-client.ts'

export interface Event {
  /** Unique. */
  readonly id: number
  readonly k: string
  readonly v: number
  /** Event time. */
  readonly ms: number
  readonly pad: string
}

export const INPUT = 'events'
export const INPUT_SCHEMA = `id BIGINT, k STRING, v INT, ms BIGINT, pad STRING, ts AS TO_TIMESTAMP_LTZ(ms, 3),
  proctime AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND`
export const WATERMARK_DELAY_MS = 1_000

const BEGIN_MS = 1_633_956_780_000
/** Of event time, from one event to the next: a window of two seconds has 400 events. */
const STEP_MS = 5
const KEYS = 7
/** The rows of a burst are more than one message between worker and service. */
const BURST_EVENTS = 150
const PAD = 'x'.repeat(10_000)

/** Makes events in the order of their times, some out of order, some late. */
export class EventMaker {
  readonly #random: SeededRandom
  #last = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  next(pad = ''): Event {
    const random = this.#random
    const id = ++this.#last
    const late = random.next() < 0.1 ? random.whole(0, 5_000) : random.whole(0, 900)
    const ms = BEGIN_MS + id * STEP_MS - late
    return { id, k: `k${random.whole(1, KEYS)}`, v: random.whole(0, 99), ms, pad }
  }

  lines(count: number, pad = ''): string[] {
    return Array.from({ length: count }, () => JSON.stringify(this.next(pad)))
  }
}

/** Writers that send batches to `INPUT` until they are ended, whether or not the service runs. */
export class InputWriters {
  readonly acknowledged: number[] = []
  readonly #client: FlinkClient
  readonly #maker: EventMaker
  readonly #random: SeededRandom
  readonly #writing: Promise<void>[]
  #ended = false

  constructor(client: FlinkClient, seed: number, writers = 3) {
    this.#client = client
    this.#random = seededRandom(seed)
    this.#maker = new EventMaker(this.#random)
    this.#writing = Array.from({ length: writers }, () => this.#write())
  }

  /** More than one message of rows. */
  burst(): Promise<void> {
    return this.#send(this.#maker.lines(BURST_EVENTS, PAD))
  }

  async end(): Promise<void> {
    this.#ended = true
    await Promise.all(this.#writing)
  }

  async #write(): Promise<void> {
    while (!this.#ended) {
      await this.#send(this.#maker.lines(this.#random.whole(1, 20)))
      await delay(this.#random.whole(30, 120))
    }
  }

  async #send(lines: readonly string[]): Promise<void> {
    if ((await this.#client.post(INPUT, lines)) !== 200) return
    for (const line of lines) this.acknowledged.push((JSON.parse(line) as Event).id)
  }
}
