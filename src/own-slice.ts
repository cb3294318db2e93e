/** Slices for long work of the service itself: after each, the event loop handles the events that have arrived. */
import type { Slice } from './loop-share.ts'

const SLICE_MS = 2

export class OwnSlice implements Slice {
  #endMs = performance.now() + SLICE_MS

  get isOver(): boolean {
    return performance.now() >= this.#endMs
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#endMs = performance.now() + SLICE_MS
  }
}
