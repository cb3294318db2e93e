/**
 * Divides long work of the engine into time slices. After each slice the event loop handles the events that have
 * arrived.
 */
const SLICE_MS = 2

export class TimeSlice {
  #endMs = performance.now() + SLICE_MS

  get isOver(): boolean {
    return performance.now() >= this.#endMs
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#endMs = performance.now() + SLICE_MS
  }
}
