/**
 * Prints at the end of a run the ten slowest tests, the ten slowest files, and the tests that failed first and then passed
 * (RETRIES in speeds.ts), so that none of them goes unseen.
 */
import { relative } from 'node:path'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

const SHOWN = 10

export default class SlowestTests implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => ({
        ms: test.diagnostic()?.duration ?? 0,
        name: `${pathOf(module)} > ${test.fullName}`,
      })),
    )
    const files = modules.map((module) => {
      const { collectDuration, setupDuration, duration } = module.diagnostic()
      return { ms: collectDuration + setupDuration + duration, name: pathOf(module) }
    })
    process.stdout.write(`\n${table('tests', tests)}\n${table('files', files)}`)
    const retried = modules.flatMap((module) =>
      [...module.children.allTests()].filter((test) => test.diagnostic()?.flaky).map(firstFailure),
    )
    if (retried.length > 0) process.stdout.write(`\nPassed only when run again:\n${retried.join('')}`)
  }
}

function firstFailure(test: TestCase): string {
  const [error] = test.result().errors ?? []
  const text = error?.stack ?? error?.message ?? 'no error is known'
  return `  ${pathOf(test.module)} > ${test.fullName}\n${text.replace(/^/gm, '      ')}\n`
}

interface Timed {
  readonly ms: number
  readonly name: string
}

function table(what: string, rows: readonly Timed[]): string {
  const slowest = [...rows].sort((a, b) => b.ms - a.ms).slice(0, SHOWN)
  const lines = slowest.map(({ ms, name }) => `${(ms / 1000).toFixed(1).padStart(7)} s  ${name}`)
  return [`The ${slowest.length} slowest ${what}:`, ...lines, ''].join('\n')
}

function pathOf({ moduleId }: TestModule): string {
  return relative(process.cwd(), moduleId)
}
