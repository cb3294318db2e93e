/** Flags of the bench, read once. */
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { availableTool, type LoadTool } from './processes/requests.ts'

export interface BenchOptions {
  readonly quick: boolean
  /** Names of suites and cases, `suite/case`, or none for all. */
  readonly only: readonly string[]
  readonly rounds: number
  readonly seconds: number
  readonly warmupSeconds: number
  /** After this no case begins. */
  readonly secondsMost: number
  readonly loadTool: LoadTool
  /** Where the temporary folder is made. */
  readonly dataDir: string
  /** Where CPU profiles of the measured processes go, if they are wanted. */
  readonly cpuProfileDir?: string
  /** The `cli.js` of another build, to measure beside ours. */
  readonly against?: string
  /** A saved result to compare with. */
  readonly compare?: string
  /** Whether to save, and where, if that was said. */
  readonly save: boolean
  readonly saveTo?: string
}

/** The message is one sentence for the terminal. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError'
}

const ROUNDS = 3
const SECONDS = 3
const WARMUP_SECONDS = 2
const QUICK_SECONDS = 1
const QUICK_WARMUP_SECONDS = 1
/** Of the three minutes that a quick look may take: the case that runs then must still end. */
const QUICK_SECONDS_MOST = 160

/** Undefined if help was asked for. Throws OptionsError. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const flags = parseFlags(args)
  if (flags.help === true) return undefined
  const quick = flags.quick === true
  const only = (flags.only ?? []).flatMap((list) => list.split(',')).filter((name) => name !== '')
  return {
    quick,
    only,
    rounds: wholeNumber('rounds', flags.rounds, quick ? 1 : ROUNDS, 100),
    seconds: wholeNumber('seconds', flags.seconds, quick ? QUICK_SECONDS : SECONDS, 3600),
    warmupSeconds: quick ? QUICK_WARMUP_SECONDS : WARMUP_SECONDS,
    secondsMost: quick ? QUICK_SECONDS_MOST : Infinity,
    loadTool: loadTool(flags.load),
    dataDir: existing('data-dir', flags['data-dir'] ?? tmpdir(), 'folder'),
    ...(flags['cpu-prof'] !== undefined && { cpuProfileDir: flags['cpu-prof'] }),
    ...(flags.against !== undefined && { against: existing('against', flags.against, 'file') }),
    ...(flags.compare !== undefined && { compare: existing('compare', flags.compare, 'file') }),
    save: flags['no-save'] !== true && (flags.save !== undefined || (!quick && only.length === 0)),
    ...(flags.save !== undefined && { saveTo: flags.save }),
  }
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      options: {
        quick: { type: 'boolean' },
        only: { type: 'string', multiple: true },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        load: { type: 'string' },
        'data-dir': { type: 'string' },
        'cpu-prof': { type: 'string' },
        against: { type: 'string' },
        compare: { type: 'string' },
        save: { type: 'string' },
        'no-save': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new OptionsError(`${reason} (--help lists what there is)`, { cause })
  }
}

function wholeNumber(flag: string, text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= 1 && number <= most))
    throw new OptionsError(`--${flag} is '${text}'; use a whole number from 1 to ${most}`)
  return number
}

function loadTool(name: string | undefined): LoadTool {
  const available = availableTool()
  if (name === undefined || name === 'autocannon') return name ?? available
  if (name !== 'wrk') throw new OptionsError(`--load is '${name}'; use wrk or autocannon`)
  if (available !== 'wrk') throw new OptionsError('--load is wrk, which is not installed')
  return 'wrk'
}

function existing(flag: string, path: string, kind: 'folder' | 'file'): string {
  const found = statSync(path, { throwIfNoEntry: false })
  if (kind === 'folder' ? found?.isDirectory() : found?.isFile()) return path
  throw new OptionsError(`--${flag} is '${path}', which is no ${kind}; name one that exists`)
}

export const FLAGS_HELP = `usage: npm run bench -- [flags]

  --quick             for a first impression, within 3 minutes: one round, shorter, without the large stores
  --only NAME[,NAME]  only these suites and cases: 'posts', 'post-64' or 'posts/post-64'
  --rounds N          measure every case N times, in turn (default ${ROUNDS})
  --seconds N         each time for N seconds (default ${SECONDS})
  --load PROGRAM      wrk or autocannon (default: wrk where it is installed)
  --data-dir DIR      make the temporary data folder in DIR, to choose the disk (default ${tmpdir()})
  --against FILE      measure the build with this dist/src/cli.js beside ours, and print the change
  --compare FILE      print the change since a saved result
  --save FILE         save the result there (default for a full run: bench/results/<date>-<commit>.json)
  --no-save           save nothing
  --cpu-prof DIR      write CPU profiles of the measured processes there; costs speed
  --help
`
