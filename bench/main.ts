/**
 * The bench: starts the real service, measures it over HTTP from other processes, and prints one table.
 * The table goes to stdout, progress to stderr. Ends with 1 if a row cannot be believed.
 */
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { makeTempFolder, removeFolder } from './cleanup.ts'
import { type BenchOptions, helpText, OptionsError, parseOptions } from './options.ts'
import { choosePinning } from './pinning.ts'
import { isSound, type Row, resultTable, verification } from './report.ts'
import type { Workload } from './workloads/workload.ts'

const pinning = choosePinning()

await run()

async function run(): Promise<void> {
  const options = readOptions()
  if (options === undefined) return
  progress(`${surroundings()}; ${pinning.about}\n`)
  const rows: Row[] = []
  try {
    for (const workload of options.workloads) rows.push(await measured(workload, options))
  } catch (error) {
    progress(`failed\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  }
  if (rows.length > 0) print(rows)
  process.exit() // after a failure a server or a load may still run; cleanup.ts ends them
}

function print(rows: readonly Row[]): void {
  process.stdout.write(`\n${resultTable(rows)}\n`)
  for (const { workload, measurement } of rows)
    process.stdout.write(`${workload.name}: ${verification(measurement)}\n`)
  if (!rows.every(({ measurement }) => isSound(measurement))) process.exitCode = 1
}

function readOptions(): BenchOptions | undefined {
  try {
    const options = parseOptions(process.argv.slice(2))
    if (options === undefined) process.stdout.write(helpText())
    return options
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error
    process.stderr.write(`bench: ${error.message}\n`)
    process.exitCode = 1
    return undefined
  }
}

/** Each workload has a server and a data folder of its own, so that none inherits memory or files from another. */
async function measured(workload: Workload, options: BenchOptions): Promise<Row> {
  progress(`${workload.name} … `)
  const folder = makeTempFolder(options.dataDir)
  const measurement = await workload.run({
    ...options,
    dataFolder: join(folder, 'data'),
    pinning,
    nodeFlags: profileFlags(workload, options),
  })
  removeFolder(folder)
  progress(`${verification(measurement)}\n`)
  return { workload, measurement }
}

function profileFlags({ name }: Workload, { cpuProfileDir }: BenchOptions): string[] {
  if (cpuProfileDir === undefined) return []
  return ['--cpu-prof', `--cpu-prof-dir=${cpuProfileDir}`, `--cpu-prof-name=${name}.cpuprofile`]
}

function surroundings(): string {
  const load = loadavg()[0]!.toFixed(1) // near 0 on a machine that does nothing else
  return `load average ${load}, node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}`
}

function progress(text: string): void {
  process.stderr.write(text)
}
