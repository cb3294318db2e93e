/** The writers of the crash test: each sends one request after the other until its connection ends. */

import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../support/connection.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import { bodyOf, type Ledger, type Sent } from './ledger.ts'

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

/** Resolves when the service does not answer any more; with what it answered that nobody expected. */
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
      sent.answered = writer.kind !== 'async'
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
