/** Several writers at each of several streams, and the reading back of all they sent. */
import { Connection } from '../../support/connection.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { type Ledger, Reading, type Sent } from './ledger.ts'
import { PROBLEMS_MAX, type ReadEvent, readBack } from './read-back.ts'
import { pathOf, type Writer, type WriterKind, write } from './writers.ts'

/** One writer of each kind at each stream; no two rounds have writers of the same name. */
export function writersOf(
  round: number,
  streams: readonly string[],
  kinds: readonly WriterKind[],
): readonly Writer[] {
  return streams.flatMap((stream) =>
    kinds.map((kind, i) => ({
      name: `round${round}-${stream}-${kind.replace(' ', '')}${i}`,
      kind,
      stream,
      path: pathOf(stream),
    })),
  )
}

/** Resolves with the unexpected answers, when the service does not answer any more. */
export async function writeAll(
  writers: readonly Writer[],
  port: number,
  ledger: Ledger,
  random: SeededRandom,
): Promise<string[]> {
  const writing = writers.map((writer) =>
    write(writer, port, ledger, seededRandom(random.whole(0, 2 ** 32 - 1))),
  )
  return (await Promise.all(writing)).flat()
}

export async function createStreams(port: number, streams: readonly string[]): Promise<void> {
  for (const stream of streams) await change(port, 'PUT', pathOf(stream))
}

/** Everything in the streams, and what is wrong with its order, its wholeness and its bytes. */
export async function readStreams(port: number, streams: readonly string[], ledger: Ledger) {
  const problems: string[] = []
  const found = new Set<Sent>()
  for (const stream of streams) {
    const reading = new Reading(ledger)
    const check = (event: ReadEvent) => {
      reading.add(event)
      const { writer } = event.headers
      if (!writer?.includes(`-${stream}`) || !event.body.startsWith(`${writer}#`)) {
        problems.push(`${stream}: header '${writer}' on '${event.body.slice(0, 60)}'`)
      }
    }
    problems.push(...(await readBack(port, 'default', stream, check)))
    for (const sent of reading.end()) found.add(sent)
    problems.push(...reading.problems)
  }
  return { problems: problems.slice(0, 2 * PROBLEMS_MAX), found }
}

/** Nothing that was sent before may be found from now on. */
export async function truncateStream(port: number, stream: string, ledger: Ledger): Promise<void> {
  await change(port, 'POST', `${pathOf(stream)}/truncate`)
  ledger.forget((writer) => writer.includes(`-${stream}`))
}

async function change(port: number, method: string, path: string): Promise<void> {
  const connection = new Connection(port)
  const answer = await connection.send(method, path)
  connection.close()
  if (answer?.status !== 200)
    throw new Error(`${method} ${path} was answered ${answer?.status}: ${answer?.text}`)
}

/** What the service has to say of itself, which should be nothing. */
export function linesOf(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line !== '')
}
