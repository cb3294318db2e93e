/** The one target that all suites share: the most memory that the service took in any round of any case. */
import { isOfOtherBuild } from './processes/build.ts'
import type { SuiteResult } from './rounds.ts'
import { atMost, judge, NotMeasured, type Verdict } from './targets.ts'

const RSS_MB_MAX = 250

export function memoryVerdict(suites: readonly SuiteResult[]): Verdict {
  const peaks = suites.flatMap(({ name: suite, cases }) =>
    cases
      .filter(({ name, ofService }) => ofService && !isOfOtherBuild(name))
      .flatMap(({ name, samples }) =>
        samples.map(({ rssPeakBytes = 0 }) => ({ where: `${suite}/${name}`, mb: rssPeakBytes / 1e6 })),
      ),
  )
  const highest = peaks.toSorted((a, b) => b.mb - a.mb)[0]
  const row = 'RSS peak of the service in any case, MB'
  const value = () => {
    if (highest === undefined) throw new NotMeasured('no case of the service was measured')
    if (highest.mb === 0) throw new NotMeasured('there is no /proc to read it from')
    return highest.mb
  }
  const verdict = judge({ row, ...atMost(RSS_MB_MAX), value }, () => 0, [])
  return { ...(highest && { reason: highest.where }), ...verdict }
}
