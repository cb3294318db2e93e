/** Events of a sink on their way to the service. */
import type { SinkEvents } from '../worker/job-worker-protocol.ts'

/** One message to the service. Longer emissions are staged in parts. */
const PART_BYTES_MAX = 1024 * 1024
const PART_EVENTS_MAX = 50_000
/** Events with headers of their own. The service decodes a message in one piece, so it must be short. */
const PART_RUNS_MAX = 4_000

export type Headers = readonly (readonly [name: string, value: string])[]

export class SinkPart {
  #bytes = Buffer.allocUnsafe(64 * 1024)
  #length = 0
  #ends: number[] = []
  #runs: { end: number; readonly headers: Headers; readonly text: string }[] = []

  get isFull(): boolean {
    return (
      this.#length >= PART_BYTES_MAX ||
      this.#ends.length >= PART_EVENTS_MAX ||
      this.#runs.length >= PART_RUNS_MAX
    )
  }

  add(body: Uint8Array, headers: Headers): void {
    const end = this.#length + body.length
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    this.#bytes.set(body, this.#length)
    this.#length = end
    this.#ends.push(end)
    const last = this.#runs.at(-1)
    const text = headers.length === 1 ? '' : JSON.stringify(headers)
    if (last !== undefined && last.text === text) last.end = this.#ends.length
    else this.#runs.push({ end: this.#ends.length, headers, text })
  }

  take(): SinkEvents {
    const ends = Uint32Array.from(this.#ends)
    const starts = new Uint32Array(ends.length)
    if (ends.length > 0) starts.set(ends.subarray(0, -1), 1)
    // A copy of its own size: a message clones whole buffers.
    const bytes = new Uint8Array(this.#length)
    bytes.set(this.#bytes.subarray(0, this.#length))
    const runs = this.#runs.map(({ end, headers }) => ({ end, headers }))
    this.#length = 0
    this.#ends = []
    this.#runs = []
    return { bytes, starts, ends, runs }
  }
}
