/**
 * The bench: measures suite after suite, prints tables and ratios, saves the result. Tables go to stdout, progress to
 * stderr. Ends with 1 if a row cannot be believed, whatever the ratios are.
 */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { changesBetweenBuilds, changesSince, verdictChanges } from './changes.ts'
import { makeTempFolder, removeFolder } from './cleanup.ts'
import { describeMachine, machineFacts } from './machine.ts'
import { memoryVerdict } from './memory-target.ts'
import { type BenchOptions, FLAGS_HELP, OptionsError, parseOptions } from './options.ts'
import { choosePinning } from './pinning.ts'
import { type Build, OURS, otherBuild } from './processes/build.ts'
import { changeTable, suiteTables, verdictChangeTable, verdictTable } from './report.ts'
import { FORMAT, fileFor, loadResult, type RunResult, saveResult } from './results.ts'
import { type Measuring, measureSuite, NOT_IN_RUN, type SuiteResult } from './rounds.ts'
import type { Round, Sample } from './sample.ts'
import { chosenSuites } from './selection.ts'
import { complaintsOf } from './soundness.ts'
import { StoreCache } from './stores/store-cache.ts'
import { allSuites } from './suites/index.ts'
import type { Suite } from './suites/suite.ts'
import type { BuildUnderTest } from './workloads/build-under-test.ts'

const pinning = choosePinning()

await run()

async function run(): Promise<void> {
  try {
    const options = parseOptions(process.argv.slice(2))
    if (options === undefined) process.stdout.write(helpText())
    else await bench(options)
  } catch (error) {
    if (error instanceof OptionsError) progress(`bench: ${error.message}\n`)
    else
      progress(`bench failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  }
  process.exit() // after a failure a server or a load may still run; cleanup.ts ends them
}

async function bench(options: BenchOptions): Promise<void> {
  const earlier = options.compare === undefined ? undefined : loadResult(options.compare)
  const date = new Date().toISOString()
  const machine = machineFacts(options.dataDir, options.loadTool, pinning.about)
  const startMs = performance.now()
  print(`${describeMachine(machine)}\n`)
  if (options.quick) print('a quick look: short, one round, smaller stores; not a result to compare with\n')
  const folder = makeTempFolder(options.dataDir)
  const suites = await measureAll(options, folder)
  removeFolder(folder)
  const memory = memoryVerdict(suites)
  print(`\nall suites\n\n${verdictTable([memory])}`)
  print(`\ntook ${Math.round((performance.now() - startMs) / 1000)} s\n`)
  const { quick, seconds } = options
  const result: RunResult = { format: FORMAT, date, machine, quick, seconds, suites, memory }
  if (options.against !== undefined) printChangeBetweenBuilds(options.against, suites)
  if (earlier !== undefined) printChangeSince(earlier, result)
  if (options.save) {
    const file = options.saveTo ?? fileFor(result)
    saveResult(file, result)
    print(`\nsaved as ${file}\n`)
  }
  if (suites.some(({ cases }) => cases.some((one) => complaintsOf(one).length > 0))) process.exitCode = 1
}

async function measureAll(options: BenchOptions, folder: string): Promise<SuiteResult[]> {
  const { quick, only, rounds, secondsMost } = options
  const buildsUnderTest = buildsOf(options).map((build) => buildUnderTestOf(build, options, folder))
  const measuring: Measuring = {
    rounds,
    deadlineMs: performance.now() + secondsMost * 1000,
    withRound: (name, verify, work) => withRound(options, folder, name, verify, work),
    progress,
  }
  const results: SuiteResult[] = []
  for (const suite of chosenSuites(allSuites({ buildsUnderTest, quick }), only, quick)) {
    const result = withoutIdleRows(await measureSuite(suite, measuring), only)
    print(suiteTables(result))
    results.push(result)
  }
  return results
}

/** Who picks cases knows what the others are. */
function withoutIdleRows(result: SuiteResult, only: readonly string[]): SuiteResult {
  if (only.length === 0) return result
  return {
    ...result,
    verdicts: result.verdicts.filter(({ reason }) => reason?.endsWith(NOT_IN_RUN) !== true),
  }
}

function buildsOf({ against }: BenchOptions): Build[] {
  return against === undefined ? [OURS] : [OURS, otherBuild(resolve(against))]
}

function buildUnderTestOf(build: Build, { loadTool }: BenchOptions, folder: string): BuildUnderTest {
  const storeCache = join(folder, `storeCache${build.suffix}`)
  mkdirSync(storeCache)
  return { build, storeCache: new StoreCache(build, storeCache, progress), tool: loadTool }
}

async function withRound(
  { seconds, warmupSeconds, cpuProfileDir }: BenchOptions,
  parent: string,
  name: string,
  verify: boolean,
  work: (round: Round) => Promise<Sample>,
): Promise<Sample> {
  const folder = join(parent, 'round')
  mkdirSync(folder)
  try {
    return await work({
      seconds,
      warmupSeconds,
      folder,
      pinServer: pinning.server,
      pinLoad: pinning.load,
      nodeFlags: cpuProfileDir === undefined ? [] : profileFlags(cpuProfileDir, name),
      verify,
    })
  } finally {
    removeFolder(folder)
  }
}

function profileFlags(folder: string, name: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}.cpuprofile`]
}

function printChangeBetweenBuilds(other: string, suites: readonly SuiteResult[]): void {
  print(`\nthis build over ${other}\n\n`)
  print(changeTable(changesBetweenBuilds(suites, otherBuild(other).suffix)))
}

function printChangeSince(earlier: RunResult, now: RunResult): void {
  const verdicts = ({ suites, memory }: RunResult) => [...suites.flatMap((suite) => suite.verdicts), memory]
  print(`\nchange since ${earlier.date}: ${describeMachine(earlier.machine)}\n\n`)
  print(changeTable(changesSince(earlier.suites, now.suites)))
  print('\nRatios, which hold across runs better than figures do\n\n')
  print(verdictChangeTable(verdictChanges(verdicts(earlier), verdicts(now))))
}

function helpText(): string {
  const buildUnderTest: BuildUnderTest = {
    build: OURS,
    storeCache: new StoreCache(OURS, '', progress),
    tool: 'wrk',
  }
  const lists = allSuites({ buildsUnderTest: [buildUnderTest], quick: false }).map(listOf)
  return `Measures the service beside the least that a service could do. How, and what it means: bench/README.md\n\n${FLAGS_HELP}\nsuites and their cases, in this order; * not in a quick look\n${lists.join('')}`
}

function listOf({ name, about, cases }: Suite): string {
  const width = Math.max(...cases.map((one) => one.name.length))
  const lines = cases.map((one) => `  ${one.long ? '*' : ' '} ${one.name.padEnd(width)}  ${one.about}\n`)
  return `\n${name}: ${about}\n${lines.join('')}`
}

function print(text: string): void {
  process.stdout.write(text)
}

function progress(text: string): void {
  process.stderr.write(text)
}
