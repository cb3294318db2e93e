/** Flags of the bench, read once. */
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { EVENT_BYTES } from './load/event-text.ts'
import { WORKLOADS } from './workloads/index.ts'
import type { Workload } from './workloads/workload.ts'

export interface BenchOptions {
  readonly workloads: readonly Workload[]
  readonly seconds: number
  readonly warmupSeconds: number
  /** Lines of one upload. */
  readonly uploadLines: number
  /** Where the temporary folder is made. */
  readonly dataDir: string
  /** Where CPU profiles of the server go, if they are wanted. */
  readonly cpuProfileDir?: string
}

/** The message is one sentence for the terminal. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError'
}

const SECONDS = 8
const WARMUP_SECONDS = 2
const QUICK_SECONDS = 2
const QUICK_WARMUP_SECONDS = 0.5
const UPLOAD_MB = 100

/** Undefined if help was asked for. Throws OptionsError. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const flags = parseFlags(args)
  if (flags.help === true) return undefined
  const quick = flags.quick === true
  return {
    workloads: chosenWorkloads(flags.only ?? []),
    seconds: wholeNumber('seconds', flags.seconds, quick ? QUICK_SECONDS : SECONDS, 3600),
    warmupSeconds: quick ? QUICK_WARMUP_SECONDS : WARMUP_SECONDS,
    uploadLines: (wholeNumber('upload-mb', flags['upload-mb'], UPLOAD_MB, 100_000) * 1e6) / EVENT_BYTES,
    dataDir: folder(flags['data-dir'] ?? tmpdir()),
    ...(flags['cpu-prof'] !== undefined && { cpuProfileDir: flags['cpu-prof'] }),
  }
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      options: {
        only: { type: 'string', multiple: true },
        seconds: { type: 'string' },
        quick: { type: 'boolean' },
        'upload-mb': { type: 'string' },
        'data-dir': { type: 'string' },
        'cpu-prof': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new OptionsError(`${reason} (--help lists what there is)`, { cause })
  }
}

/** In the order of the list, however they were named. */
function chosenWorkloads(only: readonly string[]): readonly Workload[] {
  if (only.length === 0) return WORKLOADS.filter(({ long }) => long !== true)
  const names = new Set(only.flatMap((list) => list.split(',')))
  const chosen = WORKLOADS.filter(({ name }) => names.delete(name))
  for (const unknown of names) {
    throw new OptionsError(
      `--only names '${unknown}'; there are ${WORKLOADS.map(({ name }) => name).join(', ')}`,
    )
  }
  return chosen
}

function wholeNumber(flag: string, text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= 1 && number <= most))
    throw new OptionsError(`--${flag} is '${text}'; use a whole number from 1 to ${most}`)
  return number
}

function folder(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new OptionsError(`--data-dir is '${path}', which is not a folder; name one that exists`)
  return path
}

export function helpText(): string {
  const width = Math.max(...WORKLOADS.map(({ name }) => name.length))
  const list = (long: boolean) =>
    WORKLOADS.filter((workload) => (workload.long ?? false) === long)
      .map(({ name, about }) => `  ${name.padEnd(width)}  ${about}\n`)
      .join('')
  return `Measures the service over HTTP and prints one table. How, and what it means: bench/README.md

usage: npm run bench -- [flags]

  --only NAME[,NAME]  run only these workloads
  --seconds N         measure each workload for N seconds (default ${SECONDS})
  --quick             ${QUICK_SECONDS} seconds each, with a shorter warm-up: a look, not a result
  --upload-mb N       bytes of events in one upload of the workload 'upload' (default ${UPLOAD_MB})
  --data-dir DIR      make the temporary data folder in DIR, to choose the disk (default ${tmpdir()})
  --cpu-prof DIR      write a CPU profile of the server there, one per workload; costs speed
  --help

workloads, in this order:
${list(false)}
only when named with --only, for they take long:
${list(true)}`
}
