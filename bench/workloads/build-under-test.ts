/** What the cases of one build need, and how they become cases of every build that is measured. */
import type { Build } from '../processes/build.ts'
import type { LoadTool } from '../processes/requests.ts'
import type { Case } from '../sample.ts'
import type { StoreCache } from '../stores/store-cache.ts'

export interface BuildUnderTest {
  readonly build: Build
  readonly storeCache: StoreCache
  readonly tool: LoadTool
}

/** The cases of all builds, the same case of each next to each other. */
export function ofEach(
  buildsUnderTest: readonly BuildUnderTest[],
  casesOf: (buildUnderTest: BuildUnderTest) => readonly Case[],
): Case[] {
  const lists = buildsUnderTest.map((buildUnderTest) =>
    casesOf(buildUnderTest).map(
      (one): Case => ({ ...one, name: `${one.name}${buildUnderTest.build.suffix}`, ofService: true }),
    ),
  )
  return lists[0]!.flatMap((_, at) => lists.map((cases) => cases[at]!))
}
