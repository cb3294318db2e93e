/**
 * What writers were answered, and whether what is read back agrees with it. A body is the name of its writer, a space, and a number
 * that ascends; each is sent once.
 */
export interface Found {
  readonly lost: string[]
  readonly doubled: string[]
  readonly reordered: string[]
  readonly strange: string[]
}

export class Tally {
  acknowledged = 0
  /** Answered otherwise, or not at all: such an event may be there. */
  refused = 0
  lost = 0
  doubled = 0
  reordered = 0
  longestSilenceMs = 0
  readonly #bodies = new Map<string, Map<string, boolean>>()
  readonly #lastMs = new Map<string, number>()

  /** From now on the stream is written to: before, its silence does not count. */
  begin(stream: string): void {
    this.#lastMs.set(stream, performance.now())
  }

  answered(stream: string, body: string, isAcknowledged: boolean): void {
    this.#of(stream).set(body, isAcknowledged)
    if (!isAcknowledged) {
      this.refused++
      return
    }
    this.acknowledged++
    const nowMs = performance.now()
    const silentMs = nowMs - (this.#lastMs.get(stream) ?? nowMs)
    this.longestSilenceMs = Math.max(this.longestSilenceMs, silentMs)
    this.#lastMs.set(stream, nowMs)
  }

  /** Compares all that was read from a stream, and adds what is wrong to the counts. */
  check(stream: string, bodies: readonly string[]): Found {
    const sent = this.#of(stream)
    const found: Found = { lost: [], doubled: [], reordered: [], strange: [] }
    const seen = new Set<string>()
    const lastOf = new Map<string, number>()
    for (const body of bodies) {
      if (!sent.has(body)) found.strange.push(body)
      if (seen.has(body)) found.doubled.push(body)
      else {
        const [writer = '', number] = body.split(' ')
        if (Number(number) <= (lastOf.get(writer) ?? -1)) found.reordered.push(body)
        lastOf.set(writer, Number(number))
      }
      seen.add(body)
    }
    for (const [body, isAcknowledged] of sent) if (isAcknowledged && !seen.has(body)) found.lost.push(body)
    this.lost += found.lost.length
    this.doubled += found.doubled.length
    this.reordered += found.reordered.length
    return found
  }

  /** The row of the table of proofs. */
  row(): Record<string, number | string> {
    const { acknowledged, lost, doubled, reordered, refused, longestSilenceMs } = this
    return {
      acknowledged,
      lost,
      doubled,
      reordered,
      refused,
      'longest silence': `${(longestSilenceMs / 1000).toFixed(1)} s`,
    }
  }

  #of(stream: string): Map<string, boolean> {
    let bodies = this.#bodies.get(stream)
    if (bodies === undefined) {
      bodies = new Map()
      this.#bodies.set(stream, bodies)
    }
    return bodies
  }
}

export const NOTHING: Found = { lost: [], doubled: [], reordered: [], strange: [] }
