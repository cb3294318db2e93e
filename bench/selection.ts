/** Which suites and cases a run has. */
import { OptionsError } from './options.ts'
import type { Suite } from './suites/suite.ts'

/**
 * Those that are named, as suite, case or `suite/case`; the case of another build goes with ours. A quick look leaves out
 * what takes long unless it is named. Throws OptionsError if there is nothing of a name.
 */
export function chosenSuites(all: readonly Suite[], only: readonly string[], quick: boolean): Suite[] {
  const unknown = new Set(only)
  const suites = all.map((suite) => ({
    ...suite,
    cases: suite.cases.filter(({ name, long }) => {
      const ours = name.replace(/@.*$/, '')
      const names = [suite.name, name, ours, `${suite.name}/${name}`, `${suite.name}/${ours}`]
      const named = names.filter((one) => only.includes(one))
      for (const one of named) unknown.delete(one)
      if (only.length === 0) return !(quick && long)
      return named.some((one) => one !== suite.name) || (named.length > 0 && !(quick && long))
    }),
  }))
  for (const name of unknown)
    throw new OptionsError(`--only names '${name}', and there is no such suite or case (--help lists them)`)
  return suites.filter(({ cases }) => cases.length > 0)
}
