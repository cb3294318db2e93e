/**
 * What writers sent, what they were answered, and whether what is read back agrees with it.
 *
 * A request is one event or one batch. The body of every event says which request of which writer it belongs to and
 * where it stands in it, followed by filler up to a length that follows from those:
 *
 *   body := writer '#' number ':' index '/' count ' ' filler
 */
import { randomBytes } from 'node:crypto'
import { PROBLEMS_MAX, type ReadEvent } from './read-back.ts'

/**
 * unanswered: sent, and the connection ended; accepted: 202, may be lost; acknowledged: 200; refused: 404, or 503, of which
 * a caller who minds has to think himself; present and absent: what an earlier reading found, which no later one may change.
 */
export type Fate = 'unanswered' | 'accepted' | 'acknowledged' | 'refused' | 'present' | 'absent'

export interface Sent {
  readonly writer: string
  /** 0, 1, 2 … per writer. */
  readonly number: number
  readonly count: number
  readonly fillerMax: number
  /** When it was, by the clock that the service has, too: its events are not older. */
  readonly sentMs: number
  fate: Fate
}

/** In requests, since the last reading. */
export interface Counts {
  acknowledged: number
  acknowledgedEvents: number
  accepted: number
  acceptedFound: number
  unanswered: number
  unansweredFound: number
  refused: number
  refusedFound: number
}

/** Nothing that LevelDB could compress, or a disk would never fill up. */
const FILLER = randomBytes(3 * 1024 * 1024).toString('base64')

export function bodyOf({ writer, number, count, fillerMax }: Sent, index: number): string {
  const length = fillerMax === 0 ? 0 : (number * 31 + index * 7919) % fillerMax
  const from = (number * 104_729 + index * 15_485_863) % (FILLER.length - fillerMax)
  return `${writer}#${number}:${index}/${count} ${FILLER.slice(from, from + length)}`
}

export class Ledger {
  readonly #writers = new Map<string, Sent[]>()

  /** Notes a request before it is sent. */
  open(writer: string, count: number, fillerMax: number): Sent {
    let requests = this.#writers.get(writer)
    if (requests === undefined) {
      requests = []
      this.#writers.set(writer, requests)
    }
    const sent: Sent = {
      writer,
      number: requests.length,
      count,
      fillerMax,
      sentMs: Date.now(),
      fate: 'unanswered',
    }
    requests.push(sent)
    return sent
  }

  /** Of these writers nothing may be found from now on. */
  forget(which: (writer: string) => boolean): void {
    for (const writer of [...this.#writers.keys()]) if (which(writer)) this.#writers.delete(writer)
  }

  *all(): Generator<Sent> {
    for (const requests of this.#writers.values()) yield* requests
  }

  find(writer: string, number: number): Sent | undefined {
    return this.#writers.get(writer)?.[number]
  }
}

const BODY = /^([^#]+)#([0-9]+):([0-9]+)\/([0-9]+) /

/** Follows the events of one stream in their order and says what is wrong with it. */
export class Reading {
  readonly problems: string[] = []
  readonly #ledger: Ledger
  readonly #found = new Set<Sent>()
  readonly #lastOfWriter = new Map<string, number>()
  /** The batch that is being read, and the index of the event that has to come next. */
  #batch: { readonly sent: Sent; next: number } | undefined
  events = 0

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  add({ body, position }: ReadEvent): void {
    this.events++
    const [, writer, number, index] = BODY.exec(body) ?? []
    const sent = writer === undefined ? undefined : this.#ledger.find(writer, Number(number))
    if (sent === undefined) {
      this.#problem(`'${body.slice(0, 80)}' at ${position.sequence} was never sent`)
      return
    }
    this.#checkPlace(sent, Number(index))
    if (body !== bodyOf(sent, Number(index))) this.#problem(`${nameOf(sent)}:${index} has another body`)
  }

  end(): ReadonlySet<Sent> {
    if (this.#batch !== undefined) this.#problem(`${nameOf(this.#batch.sent)} is cut off at the end`)
    return this.#found
  }

  #checkPlace(sent: Sent, index: number): void {
    if (this.#batch !== undefined) {
      const { sent: expected, next } = this.#batch
      if (sent !== expected || index !== next) {
        this.#problem(`${nameOf(expected)}:${next} is torn by ${nameOf(sent)}:${index}`)
        this.#batch = undefined
        return
      }
      this.#batch = index + 1 === sent.count ? undefined : { sent, next: index + 1 }
      return
    }
    if (index !== 0 || this.#found.has(sent)) {
      this.#problem(`${nameOf(sent)}:${index} is there ${index === 0 ? 'twice' : 'without its beginning'}`)
      return
    }
    this.#found.add(sent)
    const last = this.#lastOfWriter.get(sent.writer) ?? -1
    if (sent.number <= last) this.#problem(`${nameOf(sent)} stands after request ${last} of the same writer`)
    this.#lastOfWriter.set(sent.writer, sent.number)
    if (sent.count > 1) this.#batch = { sent, next: 1 }
  }

  #problem(text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(text)
  }
}

export function nameOf({ writer, number }: Sent): string {
  return `${writer}#${number}`
}

/**
 * Compares what was found with what was answered, and keeps what was found for the next time. `mayBeGone` are those that
 * need not be there any more, whatever they were answered.
 */
export function settle(
  ledger: Ledger,
  found: ReadonlySet<Sent>,
  mayBeGone: (sent: Sent) => boolean = () => false,
): { problems: string[]; counts: Counts } {
  const problems: string[] = []
  const counts = { ...NOTHING }
  for (const sent of ledger.all()) {
    const present = found.has(sent)
    const found01 = present ? 1 : 0
    switch (sent.fate) {
      case 'acknowledged':
        counts.acknowledged++
        counts.acknowledgedEvents += sent.count
        if (!present && !mayBeGone(sent)) problems.push(`${nameOf(sent)} was acknowledged and is not there`)
        break
      case 'accepted':
        counts.accepted++
        counts.acceptedFound += found01
        break
      case 'unanswered':
        counts.unanswered++
        counts.unansweredFound += found01
        break
      case 'refused':
        counts.refused++
        counts.refusedFound += found01
        break
      case 'present':
        if (!present && !mayBeGone(sent)) problems.push(`${nameOf(sent)} was there before and is no more`)
        break
      case 'absent':
        if (present) problems.push(`${nameOf(sent)} was not there before and is now`)
    }
    sent.fate = present ? 'present' : 'absent'
  }
  return { problems: problems.slice(0, PROBLEMS_MAX), counts }
}

export function sumOf(counts: readonly Counts[]): Counts {
  const sum = { ...NOTHING }
  for (const one of counts) for (const name of NAMES) sum[name] += one[name]
  return sum
}

const NOTHING: Counts = {
  acknowledged: 0,
  acknowledgedEvents: 0,
  accepted: 0,
  acceptedFound: 0,
  unanswered: 0,
  unansweredFound: 0,
  refused: 0,
  refusedFound: 0,
}
const NAMES = Object.keys(NOTHING) as (keyof Counts)[]
