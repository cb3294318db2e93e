/** Flags and environment -> one frozen Config, read once. A flag wins over its variable, a variable over the default. */
import { parseArgs } from 'node:util'

export interface Config {
  /** 0 means any free port. */
  readonly port: number
  readonly host: string
  readonly dataFolder: string
  readonly eventBytesMax: number
  readonly asyncQueueBytesMax: number
  readonly janitorIntervalMs: number
  /** Events are refused while the disk has less; 0 if it may fill up. */
  readonly minFreeDiskBytes: number
  /** Whether namespaces may be deleted. */
  readonly unrecoverableReset: boolean
}

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'serve'; readonly config: Config }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

/** The message is one sentence for the terminal. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const MIB = 1024 * 1024
/** Buffers of 2 GiB and more are beyond some of the calls that an event passes through. */
const EVENT_BYTES_MOST = 1024 * MIB
/** More than any machine has: the queue is bounded by what its operator gives it. */
const QUEUE_BYTES_MOST = 1024 * 1024 * MIB

const DISK_BYTES_MOST = 512 * 1024 * 1024 * MIB

interface Setting {
  readonly flag: string
  readonly variable: string
  readonly value: string
  readonly fallback: string
  readonly about: string
}

const SETTINGS = {
  port: {
    flag: 'port',
    variable: 'MILLRACE_PORT',
    value: 'N',
    fallback: '11015',
    about: 'port to listen on; 0 takes any free one',
  },
  host: {
    flag: 'host',
    variable: 'MILLRACE_HOST',
    value: 'ADDRESS',
    fallback: '127.0.0.1',
    about: 'address to listen on; there is no authentication, so think before you name another',
  },
  data: {
    flag: 'data',
    variable: 'MILLRACE_DATA',
    value: 'FOLDER',
    fallback: './data',
    about: 'where events are kept; made if missing',
  },
  maxEventBytes: {
    flag: 'max-event-bytes',
    variable: 'MILLRACE_MAX_EVENT_BYTES',
    value: 'N',
    fallback: String(16 * MIB),
    about: 'largest event body, and largest line or record of a batch',
  },
  asyncQueueBytes: {
    flag: 'async-queue-bytes',
    variable: 'MILLRACE_ASYNC_QUEUE_BYTES',
    value: 'N',
    fallback: String(32 * MIB),
    about: 'events of /async that may wait in memory; above it the request waits',
  },
  janitorSeconds: {
    flag: 'janitor-seconds',
    variable: 'MILLRACE_JANITOR_SECONDS',
    value: 'N',
    fallback: '30',
    about: 'how often the disk is freed of expired and deleted events',
  },
  minFreeDisk: {
    flag: 'min-free-disk',
    variable: 'MILLRACE_MIN_FREE_DISK',
    value: 'BYTES',
    fallback: String(512 * MIB),
    about: 'events are refused while the disk has less than this free; 0 lets it fill up',
  },
} as const satisfies Record<string, Setting>

const RESET_VARIABLE = 'MILLRACE_NO_UNRECOVERABLE_RESET'

/** Throws ConfigError. */
export function parseCommand(args: readonly string[], environment: NodeJS.ProcessEnv): Command {
  const flags = parseFlags(args)
  if (flags.help) return { kind: 'help' }
  if (flags.version) return { kind: 'version' }
  const text = (setting: Setting) => {
    const flag = flags[setting.flag]
    if (typeof flag === 'string') return { text: flag, source: `--${setting.flag}` }
    const variable = environment[setting.variable]
    if (variable !== undefined && variable !== '') return { text: variable, source: setting.variable }
    return { text: setting.fallback, source: `--${setting.flag}` }
  }
  const config: Config = {
    port: wholeNumber(text(SETTINGS.port), 0, 65_535),
    host: nonEmpty(text(SETTINGS.host)),
    dataFolder: nonEmpty(text(SETTINGS.data)),
    eventBytesMax: wholeNumber(text(SETTINGS.maxEventBytes), 1, EVENT_BYTES_MOST),
    asyncQueueBytesMax: wholeNumber(text(SETTINGS.asyncQueueBytes), 0, QUEUE_BYTES_MOST),
    janitorIntervalMs: wholeNumber(text(SETTINGS.janitorSeconds), 1, 86_400) * 1000,
    minFreeDiskBytes: wholeNumber(text(SETTINGS.minFreeDisk), 0, DISK_BYTES_MOST),
    unrecoverableReset: !(flags['no-unrecoverable-reset'] === true || resetForbidden(environment)),
  }
  return { kind: 'serve', config: Object.freeze(config) }
}

function parseFlags(args: readonly string[]): Record<string, string | boolean | undefined> {
  const valued = Object.values(SETTINGS).map(({ flag }) => [flag, { type: 'string' }] as const)
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      options: {
        ...Object.fromEntries(valued),
        'no-unrecoverable-reset': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    }).values
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError(`${reason.replaceAll('\n', ' ')} (millrace --help lists what there is)`, { cause })
  }
}

function resetForbidden(environment: NodeJS.ProcessEnv): boolean {
  const value = environment[RESET_VARIABLE]
  if (value === undefined || value === '' || value === '0' || value === 'false') return false
  if (value === '1' || value === 'true') return true
  throw new ConfigError(`${RESET_VARIABLE} is '${value}'; use 1 or 0`)
}

function wholeNumber(
  { text, source }: { text: string; source: string },
  least: number,
  most: number,
): number {
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= least && number <= most)) {
    throw new ConfigError(`${source} is '${text}'; use a whole number from ${least} to ${most}`)
  }
  return number
}

function nonEmpty({ text, source }: { text: string; source: string }): string {
  if (text.trim() === '') throw new ConfigError(`${source} is empty; name one or leave it out`)
  return text
}

/** `commands` are the words that do something else than serve. */
export function helpText(commands: readonly { readonly name: string; readonly about: string }[]): string {
  const lines = Object.values(SETTINGS).flatMap(({ flag, value, variable, fallback, about }) => [
    `  --${flag} ${value}`,
    `        ${about}`,
    `        (${variable}; default ${fallback})`,
  ])
  const width = Math.max(0, ...commands.map(({ name }) => name.length))
  const commandLines = commands
    .map(({ name, about }) => `       millrace ${name.padEnd(width)}  ${about} (millrace ${name} --help)\n`)
    .join('')
  return `millrace: durable event streams over plain HTTP

usage: millrace [flags]
${commandLines}
${lines.join('\n')}
  --no-unrecoverable-reset
        refuse to delete namespaces (${RESET_VARIABLE}=1)
  --help, --version

Events are on disk before they are answered 200. SIGTERM and SIGINT finish what was accepted and stop.
`
}
