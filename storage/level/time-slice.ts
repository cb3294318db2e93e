/** Long work of the engine itself, in slices: after each, the event loop handles what has arrived. */
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
