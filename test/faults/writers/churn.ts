/**
 * One stream in a namespace of its own that is created, changed, truncated and deleted all the time, by one client,
 * while others write to it. Knows at every moment which states a crash may leave behind.
 *
 * Times are ticks of a counter that every request and every answer moves on: what was answered before something else
 * was sent came before it; what overlaps may have come in either order.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../../support/connection.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { bodyOf, Ledger, nameOf, Reading, type Sent } from './ledger.ts'
import { PROBLEMS_MAX, readBack } from './read-back.ts'
import { LARGE_PAUSE_MS, openRequest, sendRequest, type Writer, type WriterKind } from './writers.ts'

const NO_NAMESPACE = 'no namespace'
const NO_STREAM = 'no stream'
/** Either of the above, or the description of the stream, which every change gives a new number. */
type State = string

/** From when to when something happened; `end` is Infinity if it was not acknowledged. */
interface Span {
  begin: number
  end: number
}

interface Change {
  readonly method: 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: string
  readonly next: State
  /** Whether all events are gone afterwards. */
  readonly wipes: boolean
}

export class Churn {
  readonly #namespace: string
  readonly #writers: readonly WriterKind[]
  readonly #random: SeededRandom
  readonly #ledger = new Ledger()
  readonly #spans = new Map<Sent, Span>()
  #wipes: Span[] = []
  /** What the stream may be; two states while a change is on its way, and when it was cut off. */
  #states: readonly State[] = [NO_NAMESPACE]
  #ticks = 0
  #life = 0
  #round = 0
  #changes = 0

  constructor(namespace: string, writers: readonly WriterKind[], random: SeededRandom) {
    this.#namespace = namespace
    this.#writers = writers
    this.#random = random
  }

  get #namespacePath(): string {
    return `/v3/namespaces/${this.#namespace}`
  }

  get #streamPath(): string {
    return `${this.#namespacePath}/streams/s`
  }

  /** Resolves with the unexpected answers, when the service does not answer any more. */
  async run(port: number): Promise<string[]> {
    this.#round++
    this.#changes = 0
    const writing = this.#writers.map((kind, i) =>
      this.#write(port, {
        name: `${this.#namespace}-round${this.#round}-${kind.replace(' ', '')}${i}`,
        kind,
        stream: 's',
        path: this.#streamPath,
      }),
    )
    return (await Promise.all([this.#change(port), ...writing])).flat()
  }

  async #change(port: number): Promise<string[]> {
    const connection = new Connection(port)
    try {
      for (;;) {
        const [state] = this.#states as [State]
        const change = this.#nextChange(state)
        this.#states = [state, change.next]
        const wipe = { begin: this.#tick(), end: Number.POSITIVE_INFINITY }
        if (change.wipes) this.#wipes.push(wipe)
        const answer = await connection.send(change.method, change.path, {}, change.body)
        if (answer === undefined) return []
        wipe.end = this.#tick()
        this.#states = [change.next]
        this.#changes++
        if (answer.status !== 200) return [`${change.method} ${change.path} in ${state}: ${answer.status}`]
      }
    } finally {
      connection.close()
    }
  }

  #nextChange(state: State): Change {
    const namespacePath = this.#namespacePath
    const path = this.#streamPath
    const put = { method: 'PUT', wipes: false } as const
    if (state === NO_NAMESPACE) return { ...put, path: namespacePath, next: NO_STREAM }
    const next = `life ${++this.#life}`
    if (state === NO_STREAM) return { ...put, path, body: `{"description":"${next}"}`, next }
    const dice = this.#random.next()
    if (dice < 0.4) return { method: 'POST', path: `${path}/truncate`, next: state, wipes: true }
    if (dice < 0.6) return { method: 'DELETE', path, next: NO_STREAM, wipes: true }
    if (dice < 0.7) {
      const unrecoverable = `/v3/unrecoverable/namespaces/${this.#namespace}`
      return { method: 'DELETE', path: unrecoverable, next: NO_NAMESPACE, wipes: true }
    }
    return { ...put, path: `${path}/properties`, body: `{"description":"${next}"}`, next }
  }

  async #write(port: number, writer: Writer): Promise<string[]> {
    const connection = new Connection(port)
    try {
      for (;;) {
        const sent = openRequest(writer, this.#ledger, this.#random)
        const span = { begin: this.#tick(), end: Number.POSITIVE_INFINITY }
        this.#spans.set(sent, span)
        const answer = await sendRequest(connection, writer, sent)
        if (answer === undefined) {
          if ((await connection.send('GET', '/ping')) === undefined) return []
          return [`${nameOf(sent)} got no answer from a service that is up`]
        }
        span.end = this.#tick()
        if (answer.status === 404) sent.fate = 'refused'
        else if (answer.status === 200) sent.fate = 'acknowledged'
        else return [`${nameOf(sent)} got ${answer.status}: ${answer.text}`]
        if (writer.kind === 'large batch') await delay(LARGE_PAUSE_MS)
      }
    } finally {
      connection.close()
    }
  }

  /** After a restart: what is wrong, and how much there was to be checked. */
  async check(port: number) {
    const connection = new Connection(port)
    const problems: string[] = []
    const cutOff = this.#states.length === 2 && this.#states[0] !== this.#states[1]
    const state = await this.#stateNow(connection)
    if (!this.#states.includes(state)) {
      problems.push(`${this.#namespace} is '${state}'; it has to be ${this.#states.join(' or ')}`)
    }
    const counts = {
      changes: this.#changes,
      cutOff: cutOff ? 1 : 0,
      cutOffDone: cutOff && state === this.#states[1] ? 1 : 0,
      ...(await this.#checkEvents(port, state, problems)),
    }
    this.#states = [state]
    this.#wipes = []
    await this.#expectAccepting(connection, state, problems)
    connection.close()
    return { problems: problems.slice(0, PROBLEMS_MAX), counts }
  }

  async #checkEvents(port: number, state: State, problems: string[]) {
    const reading = new Reading(this.#ledger)
    if (state !== NO_NAMESPACE && state !== NO_STREAM) {
      problems.push(...(await readBack(port, this.#namespace, 's', (event) => reading.add(event))))
    }
    const found = reading.end()
    problems.push(...reading.problems)
    const counts = { certain: 0, wiped: 0, open: 0, found: found.size }
    for (const sent of this.#ledger.all()) {
      const due = this.#due(sent)
      if (due === 'there') counts.certain++
      if (due === 'gone' && sent.fate !== 'absent') counts.wiped++
      if (due === 'either') counts.open++
      if (due === 'there' && !found.has(sent)) problems.push(`${nameOf(sent)} has to be there (${sent.fate})`)
      if (due === 'gone' && found.has(sent)) problems.push(`${nameOf(sent)} has to be gone (${sent.fate})`)
      sent.fate = found.has(sent) ? 'present' : 'absent'
      const tick = this.#tick()
      this.#spans.set(sent, { begin: tick, end: tick })
    }
    return counts
  }

  #due(sent: Sent): 'there' | 'gone' | 'either' {
    if (sent.fate === 'absent' || sent.fate === 'refused') return 'gone'
    const { begin, end } = this.#spans.get(sent)!
    const later = this.#wipes.filter((wipe) => wipe.end > begin)
    if (later.some((wipe) => end < wipe.begin && wipe.end < Number.POSITIVE_INFINITY)) return 'gone'
    return sent.fate === 'unanswered' || later.length > 0 ? 'either' : 'there'
  }

  async #stateNow(connection: Connection): Promise<State> {
    const namespace = await connection.send('GET', this.#namespacePath)
    if (namespace?.status === 404) return NO_NAMESPACE
    const stream = await connection.send('GET', this.#streamPath)
    if (stream?.status === 404) return NO_STREAM
    return JSON.parse(stream?.text ?? '{}').description
  }

  /** Makes the stream if need be, and writes one event that the next round finds. */
  async #expectAccepting(connection: Connection, state: State, problems: string[]): Promise<void> {
    let now = state
    while (now === NO_NAMESPACE || now === NO_STREAM) {
      const change = this.#nextChange(now)
      const answer = await connection.send(change.method, change.path, {}, change.body)
      if (answer?.status !== 200) return void problems.push(`${change.path} was not made: ${answer?.text}`)
      now = change.next
    }
    this.#states = [now]
    const sent = this.#ledger.open(`${this.#namespace}-after${this.#round}`, 1, 10)
    const span = { begin: this.#tick(), end: Number.POSITIVE_INFINITY }
    this.#spans.set(sent, span)
    const answer = await connection.send('POST', this.#streamPath, {}, bodyOf(sent, 0))
    span.end = this.#tick()
    if (answer?.status === 200) sent.fate = 'acknowledged'
    else problems.push(`${nameOf(sent)} was not taken: ${answer?.text}`)
  }

  #tick(): number {
    return ++this.#ticks
  }
}
