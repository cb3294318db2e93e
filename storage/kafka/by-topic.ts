/** Parts of a request grouped by topic, and the parts of an answer put back in the order of the request. */
import { MalformedAnswer, type WireReader } from './wire-reader.ts'

/** The only partition of every topic of the engine. */
export const PARTITION = 0

/**
 * The parts in rounds: no round has a topic twice, because a request may name it once only. Nearly always there is one round.
 */
export function roundsOf<P extends { readonly topic: string }>(parts: readonly P[]): P[][] {
  const rounds: Map<string, P>[] = []
  const times = new Map<string, number>()
  for (const part of parts) {
    const round = times.get(part.topic) ?? 0
    times.set(part.topic, round + 1)
    rounds[round] ??= new Map()
    rounds[round].set(part.topic, part)
  }
  return rounds.map((round) => [...round.values()])
}

/** The answers in the order of `parts`, which name each topic once. Throws MalformedAnswer if one is missing. */
export function inOrder<A extends { readonly topic: string }>(
  parts: readonly { readonly topic: string }[],
  answers: readonly A[],
): A[] {
  if (answers.length === parts.length && parts.every(({ topic }, i) => answers[i]!.topic === topic))
    return [...answers]
  const byTopic = new Map(answers.map((answer) => [answer.topic, answer]))
  return parts.map(({ topic }) => {
    const answer = byTopic.get(topic)
    if (answer === undefined) throw new MalformedAnswer(`the answer for topic ${topic} is missing`)
    return answer
  })
}

/** The parts of an answer that lists partitions by topic. `readPart` reads one, up to its tags. */
export function readByTopic<A>(reader: WireReader, readPart: (topic: string) => A): A[] {
  const answers = reader.array(() => {
    const topic = reader.string()
    const partitions = reader.array(() => {
      reader.int32() // partition
      const part = readPart(topic)
      reader.tags()
      return part
    })
    reader.tags()
    return partitions
  })
  return answers.flat()
}
