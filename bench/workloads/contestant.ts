/** What the cases of one build need, and how they become cases of every build that is measured. */
import type { Build } from '../processes/build.ts'
import type { LoadTool } from '../processes/requests.ts'
import type { Case } from '../sample.ts'
import type { Shelf } from '../stores/shelf.ts'

export interface Contestant {
  readonly build: Build
  readonly shelf: Shelf
  readonly tool: LoadTool
}

/** The cases of all contestants, so that the same case of each is measured next to the other. */
export function ofEach(
  contestants: readonly Contestant[],
  casesOf: (contestant: Contestant) => readonly Case[],
): Case[] {
  const lists = contestants.map((contestant) =>
    casesOf(contestant).map(
      (one): Case => ({ ...one, name: `${one.name}${contestant.build.suffix}`, ofService: true }),
    ),
  )
  return lists[0]!.flatMap((_, at) => lists.map((cases) => cases[at]!))
}
