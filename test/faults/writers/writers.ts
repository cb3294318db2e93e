/** Writers: each sends one request after the other until its connection ends. */

import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../../support/connection.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { bodyOf, type Ledger, nameOf, type Sent } from './ledger.ts'

export type WriterKind = 'single' | 'async' | 'batch' | 'large batch'

export interface Writer {
  readonly name: string
  readonly kind: WriterKind
  /** Path of the stream. */
  readonly path: string
  readonly stream: string
}

const MIB = 1024 * 1024

/** Large batches in a row would leave no time to the others. */
export const LARGE_PAUSE_MS = 60

/** Resolves with the unexpected answers, when the service does not answer any more. */
export async function write(
  writer: Writer,
  port: number,
  ledger: Ledger,
  random: SeededRandom,
): Promise<string[]> {
  const connection = new Connection(port)
  try {
    for (;;) {
      const sent = openRequest(writer, ledger, random)
      const answer = await sendRequest(connection, writer, sent)
      if (answer === undefined) return []
      const wanted = writer.kind === 'async' ? 202 : 200
      if (answer.status !== wanted)
        return [`${writer.name}#${sent.number} got ${answer.status}: ${answer.text}`]
      sent.fate = writer.kind === 'async' ? 'accepted' : 'acknowledged'
      if (writer.kind === 'large batch') await delay(LARGE_PAUSE_MS)
    }
  } finally {
    connection.close()
  }
}

/** Notes the next request of a writer in the ledger. */
export function openRequest({ name, kind }: Writer, ledger: Ledger, random: SeededRandom): Sent {
  if (kind === 'batch') return ledger.open(name, random.whole(2, 50), 200)
  if (kind === 'large batch') {
    const fillerMax = random.pick([300, 3_000, 90_000])
    const bytes = (random.whole(12, 25) / 10) * MIB
    return ledger.open(name, Math.ceil(bytes / (fillerMax / 2)), fillerMax)
  }
  return ledger.open(name, 1, random.pick([0, 100, 4_000]))
}

/** The body of events is checked when they are read back, and so is the header that says whose they are. */
export function sendRequest(connection: Connection, { kind, path, stream, name }: Writer, sent: Sent) {
  const headers = { [`${stream}.writer`]: name }
  if (kind === 'single') return connection.send('POST', path, headers, bodyOf(sent, 0))
  if (kind === 'async') return connection.send('POST', `${path}/async`, headers, bodyOf(sent, 0))
  const events = Array.from({ length: sent.count }, (_, index) => bodyOf(sent, index))
  return connection.send(
    'POST',
    `${path}/batch`,
    { ...headers, 'Content-Type': 'text/plain' },
    events.join('\n'),
  )
}

export function pathOf(stream: string): string {
  return `/v3/namespaces/default/streams/${stream}`
}

/** One more event that later readings have to find: the service takes writes. */
export async function acknowledgeOne(
  port: number,
  stream: string,
  prefix: string,
  ledger: Ledger,
): Promise<void> {
  const connection = new Connection(port)
  const sent = ledger.open(`${prefix}-${stream}`, 1, 10)
  const headers = { [`${stream}.writer`]: sent.writer }
  const answer = await connection.send('POST', pathOf(stream), headers, bodyOf(sent, 0))
  connection.close()
  if (answer?.status !== 200) throw new Error(`${nameOf(sent)} was answered ${JSON.stringify(answer)}`)
  sent.fate = 'acknowledged'
}

/** What writers meet who do not give up when they are refused. */
export interface Refusals {
  /** 503, but for overload, which a slow machine may have: stored or not, the client cannot know. */
  unavailable: number
  /** 507: not stored. */
  low: number
}

const OVERLOADED = /^(more requests come in than can be done|as much is arriving already)/
/** The pause of a client that was refused. */
const REFUSED_PAUSE_MS = 50

/**
 * Goes on through 503 and 507 until `ended`; resolves with the unexpected answers. A request that was answered 503
 * is not sent again, so that it can be found at most once.
 */
export async function writePersistently(
  writer: Writer,
  port: number,
  ledger: Ledger,
  random: SeededRandom,
  refusals: Refusals,
  ended: () => boolean,
): Promise<string[]> {
  const connection = new Connection(port)
  try {
    while (!ended()) {
      const sent = openRequest(writer, ledger, random)
      const answer = await sendRequest(connection, writer, sent)
      if (answer === undefined) return [`${nameOf(sent)} was not answered`]
      if (answer.status === 200) sent.fate = 'acknowledged'
      else if (answer.status === 202) sent.fate = 'accepted'
      else if (answer.status === 503) {
        sent.fate = 'refused'
        if (!OVERLOADED.test(answer.text)) refusals.unavailable++
      } else if (answer.status === 507) {
        sent.fate = 'absent'
        refusals.low++
      } else return [`${nameOf(sent)} got ${answer.status}: ${answer.text}`]
      if (answer.status >= 500) await delay(REFUSED_PAUSE_MS)
      else if (writer.kind === 'large batch') await delay(LARGE_PAUSE_MS)
    }
    return []
  } finally {
    connection.close()
  }
}
