/**
 * How fast a client moves one transfer: a body that it sends, or an answer that it takes.
 *
 * Only bytes of the content count, so chunk extensions, TLS records and headers are no progress. Only the time counts in which
 * the service waits for the client, so a slow disk does not count against it.
 */

/** How often the owner of the transfers takes a sample. */
export const SAMPLE_MS = 500
/** The longest window that can be asked for. */
const SAMPLES_MAX = 10

interface Sample {
  readonly moved: number
  readonly awaitedMs: number
}

export class TransferPace {
  #moved = 0
  #awaitedMs = 0
  /** `awaitedMs` at the last byte that moved. */
  #movedAtMs = 0
  /** Since when the service waits for the client; undefined while it does not. */
  #awaitedSince: number | undefined = performance.now()
  readonly #samples: Sample[] = [{ moved: 0, awaitedMs: 0 }]

  /** Bytes of the content since the beginning. */
  get moved(): number {
    return this.#moved
  }

  set moved(bytes: number) {
    if (bytes === this.#moved) return
    this.#moved = bytes
    this.#movedAtMs = this.awaitedMs
  }

  /** How long nothing has moved while the service waited for the client. */
  get idleMs(): number {
    return this.awaitedMs - this.#movedAtMs
  }

  /** How long the service has waited for the client, in all. */
  get awaitedMs(): number {
    const since = this.#awaitedSince
    return this.#awaitedMs + (since === undefined ? 0 : performance.now() - since)
  }

  /** Whether the next move is the client's. */
  get isAwaited(): boolean {
    return this.#awaitedSince !== undefined
  }

  awaitClient(): void {
    this.#awaitedSince ??= performance.now()
  }

  stopAwaiting(): void {
    this.#awaitedMs = this.awaitedMs
    this.#awaitedSince = undefined
  }

  /** Called every SAMPLE_MS. */
  sample(): void {
    this.#samples.push({ moved: this.moved, awaitedMs: this.awaitedMs })
    if (this.#samples.length > SAMPLES_MAX + 1) this.#samples.shift()
  }

  /** Over the last `windowMs` or a little more, as far as there are samples; infinite where the client was not awaited. */
  bytesPerSecond(windowMs: number): number {
    const samples = this.#samples
    const from = samples[Math.max(0, samples.length - 1 - Math.ceil(windowMs / SAMPLE_MS))]!
    const awaitedMs = this.awaitedMs - from.awaitedMs
    return awaitedMs < 1 ? Number.POSITIVE_INFINITY : ((this.moved - from.moved) * 1000) / awaitedMs
  }
}
