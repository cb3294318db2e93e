/** Prints the ten slowest tests and the ten slowest files at the end of a run, so that a slow test does not go unseen. */
import { relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'

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
  }
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
