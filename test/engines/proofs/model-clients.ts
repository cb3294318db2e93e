/**
 * Clients that alone use a stream each, one request after the other, every one at a random node. A model says what the stream has to
 * hold. After an answer that leaves the outcome open the client takes a new stream, because a change may still be on its way.
 */
import { send, streamPath } from '../../support/kafka-services.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'

export interface ModelCounts {
  acknowledged: number
  refused: number
  reads: number
  /** Events that were acknowledged, and are not there. */
  lost: number
  doubled: number
  /** Events that a truncation, a deletion or a shorter ttl had removed. */
  stale: number
  /** Requests that were answered as if an acknowledged change had not been made. */
  wrong: number
  longestSilenceMs: number
}

export const noCounts = (): ModelCounts => ({
  ...{ acknowledged: 0, refused: 0, reads: 0, lost: 0, doubled: 0, stale: 0, wrong: 0, longestSilenceMs: 0 },
})

export function modelRow(counts: ModelCounts): Record<string, number | string> {
  const { longestSilenceMs, ...others } = counts
  return { ...others, 'longest silence': `${(longestSilenceMs / 1000).toFixed(1)} s` }
}

export type Step = 'create' | 'post' | 'truncate' | 'delete' | 'ttl' | 'read'

/** A ttl so short that events before the pause have expired. */
const TTL_SECONDS = 1
const TTL_PAUSE_MS = 1_500

export class ModelClient {
  readonly #name: string
  readonly #ports: readonly number[]
  readonly #random: SeededRandom
  readonly #counts: ModelCounts
  #streams = 0
  #stream: string | undefined
  #events: string[] = []
  #removed = new Set<string>()
  #n = 0
  #lastMs = performance.now()
  readonly problems: string[] = []

  constructor(name: string, ports: readonly number[], random: SeededRandom, counts: ModelCounts) {
    this.#name = name
    this.#ports = ports
    this.#random = random
    this.#counts = counts
  }

  async step(kind: Step): Promise<void> {
    if (kind === 'create') this.#stream = undefined
    if (this.#stream === undefined) {
      const stream = `${this.#name}-${this.#streams++}`
      if (!(await this.#done('PUT', streamPath(stream)))) return
      this.#stream = stream
      this.#events = []
      this.#removed = new Set()
    }
    const path = streamPath(this.#stream)
    switch (kind) {
      case 'create':
        return
      case 'post': {
        const body = `${this.#name} ${this.#n++}`
        if (await this.#done('POST', path, body)) this.#events.push(body)
        return
      }
      case 'truncate':
        if (await this.#done('POST', `${path}/truncate`)) this.#empty()
        return
      case 'delete':
        if (!(await this.#done('DELETE', path))) return
        this.#empty()
        if ((await this.#answer('POST', path, 'late'))?.status === 200)
          this.#wrong('an event of a deleted stream was acknowledged')
        await this.#done('PUT', path)
        return
      case 'ttl':
        await new Promise((resolve) => setTimeout(resolve, TTL_PAUSE_MS))
        if (!(await this.#done('PUT', `${path}/properties`, JSON.stringify({ ttl: TTL_SECONDS })))) return
        this.#empty()
        await this.read()
        this.#stream = undefined // events that come now expire, too
        return
      case 'read':
        await this.read()
    }
  }

  /** Reads the stream, and compares it with the model. */
  async read(): Promise<void> {
    if (this.#stream === undefined) return
    const answer = await this.#answer('GET', `${streamPath(this.#stream)}/events`)
    if (answer === undefined) return
    this.#counts.reads++
    if (answer.status !== 200 && answer.status !== 204)
      return this.#wrong(`a read of ${this.#stream} was answered ${answer.status}`)
    const found =
      answer.status === 204 ? [] : (JSON.parse(answer.text) as { body: string }[]).map(({ body }) => body)
    const seen = new Set(found)
    const wanted = new Set(this.#events)
    const stale = found.filter((body) => this.#removed.has(body))
    const lost = this.#events.filter((body) => !seen.has(body))
    this.#counts.stale += stale.length
    this.#counts.lost += lost.length
    this.#counts.doubled += found.length - seen.size
    if (stale.length > 0) this.problems.push(`${this.#stream} shows ${stale}, which was removed`)
    if (lost.length > 0) this.problems.push(`${this.#stream} has lost ${lost}`)
    if (found.length > seen.size) this.problems.push(`${this.#stream} has an event twice`)
    const order = found.filter((body) => wanted.has(body))
    if (lost.length === 0 && order.join() !== this.#events.join())
      this.#wrong(`${this.#stream} is in another order`)
  }

  #empty(): void {
    for (const body of this.#events) this.#removed.add(body)
    this.#events = []
  }

  #wrong(problem: string): void {
    this.#counts.wrong++
    this.problems.push(problem)
  }

  /** Whether it was answered with success. */
  async #done(method: string, path: string, body = ''): Promise<boolean> {
    const answer = await this.#answer(method, path, body)
    if (answer === undefined) return false
    if (answer.status >= 200 && answer.status < 300) {
      this.#counts.acknowledged++
      return true
    }
    this.#wrong(`${method} ${path} was answered ${answer.status} ${answer.text.slice(0, 100)}`)
    this.#stream = undefined
    return false
  }

  /** Undefined: the outcome is open. */
  async #answer(method: string, path: string, body = '') {
    const answer = await send(this.#random.pick(this.#ports), method, path, { body })
    if (answer.status !== 0 && answer.status !== 503) {
      this.#counts.longestSilenceMs = Math.max(
        this.#counts.longestSilenceMs,
        performance.now() - this.#lastMs,
      )
      this.#lastMs = performance.now()
      return answer
    }
    this.#counts.refused++
    if (method !== 'GET') this.#stream = undefined
    await new Promise((resolve) => setTimeout(resolve, 50))
    return undefined
  }
}
