/** Flags and environment -> one frozen Config, read once. A flag wins over its variable, a variable over the default. */
import { normalize } from 'node:path'
import { parseArgs } from 'node:util'
import {
  ConfigError,
  type Given,
  nonEmpty,
  optional,
  type Setting,
  url,
  wholeNumber,
} from './config-values.ts'
import { KAFKA_SETTINGS, KAFKA_SWITCHES, type KafkaConfig, kafkaConfig } from './kafka-config.ts'
import { LIMITS, type Limits, valuesOf } from './limits.ts'
import type { Setting as FlagSetting } from './process/service-process.ts'

export interface Config {
  /** 0 means any free port. */
  readonly port: number
  readonly host: string
  readonly dataFolder: string
  readonly eventBytesMax: number
  readonly asyncQueueBytesMax: number
  readonly janitorIntervalMs: number
  /** Events are refused while the disk has less free space; 0: the disk may fill up. */
  readonly minFreeDiskBytes: number
  /** Whether namespaces may be deleted. */
  readonly unrecoverableReset: boolean
  readonly limits: Limits
  /** HTTPS instead of HTTP. */
  readonly tls?: TlsFiles
  /** Web pages of these origins may use the API: `https://host[:port]`, or `*` for all. */
  readonly corsOrigins: readonly string[]
  /** The token file. Undefined: tokens are not required. */
  readonly authFile?: string | undefined
  /** The address at which clients reach the service, without a slash at the end. Undefined: `host` and port. */
  readonly publicUrl?: string | undefined
  /** Whether to listen to other machines although tokens are not required. */
  readonly insecure?: boolean
  readonly auditFile?: string | undefined
  /** Whether the URLs of webhooks may point to this machine and to private networks. */
  readonly allowPrivateWebhooks?: boolean
  /** The file that declares sources of tables by name. Undefined: none are declared. */
  readonly sourcesFile?: string | undefined
  /** Hosts that integrations of clients may name: `host` or `host:port`. Undefined: all hosts. */
  readonly connectorHosts?: readonly string[] | undefined
  /** A further port, with Flink's REST API alone; 0 means any free one. Undefined: there is none. */
  readonly flinkPort?: number | undefined
  /** Files of Flink's web dashboard, for `flinkPort`. */
  readonly dashboardFolder?: string | undefined
  /** A further port, with the API of cached queries alone; 0 means any free one. Undefined: there is none. */
  readonly cachedQueriesPort?: number | undefined
  /** A further port, with Ververica Platform's APIs alone; 0 means any free one. Undefined: there is none. */
  readonly ververicaPort?: number | undefined
  /** Whether DELETE /cluster ends the service. */
  readonly allowClusterShutdown?: boolean
  /** What the service prints is also in files of this folder. */
  readonly logFolder?: string | undefined
  /** Every flag with the value in use, for operators. */
  readonly flags?: readonly FlagSetting[]
  /** Where savepoints of jobs are made. Undefined: `savepoints` in the data folder. */
  readonly savepointFolder?: string | undefined
  /** Further folders in which savepoints may be. */
  readonly savepointRoots?: readonly string[]
  /** Streams are in Kafka, and other nodes may serve them too. Undefined: they are in the data folder. */
  readonly kafka?: KafkaConfig
}

/** Paths of PEM files. */
export interface TlsFiles {
  readonly certificate: string
  readonly key: string
  /** Clients must present a certificate of one of these authorities. */
  readonly clientAuthorities?: string
}

/** The action that the command line requests. */
export type Command =
  | { readonly kind: 'serve'; readonly config: Config }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

export { ConfigError }

const MIB = 1024 * 1024
/** Some of the functions that handle an event do not support buffers of 2 GiB and more. */
const EVENT_BYTES_MOST = 1024 * MIB
/** More than any machine has. The operator chooses the real limit of the queue. */
const QUEUE_BYTES_MOST = 1024 * 1024 * MIB

const DISK_BYTES_MOST = 512 * 1024 * 1024 * MIB

/** The data folder if neither `--data` nor its variable is set. Commands for closed stores use the same. */
export const DEFAULT_DATA_FOLDER = './data'
export const DATA_VARIABLE = 'MILLRACE_DATA'

/**
 * The path without `..`, which the system and `path.join` take differently: for the system `a/../b` needs `a`, and is elsewhere if `a`
 * is a link. Other paths stay as the user wrote them.
 */
export function dataFolderFrom(text: string): string {
  return text.split('/').includes('..') ? normalize(text) : text
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
    about: 'address to listen on; one that other machines reach takes --auth, or --insecure',
  },
  data: {
    flag: 'data',
    variable: DATA_VARIABLE,
    value: 'FOLDER',
    fallback: DEFAULT_DATA_FOLDER,
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
  tlsCert: {
    flag: 'tls-cert',
    variable: 'MILLRACE_TLS_CERT',
    value: 'FILE',
    fallback: '',
    about: 'certificate and its chain, PEM: serve HTTPS; read again on SIGHUP',
  },
  tlsKey: {
    flag: 'tls-key',
    variable: 'MILLRACE_TLS_KEY',
    value: 'FILE',
    fallback: '',
    about: 'its private key, PEM',
  },
  tlsClientCa: {
    flag: 'tls-client-ca',
    variable: 'MILLRACE_TLS_CLIENT_CA',
    value: 'FILE',
    fallback: '',
    about: 'authorities, PEM: clients have to show a certificate of theirs',
  },
  corsOrigin: {
    flag: 'cors-origin',
    variable: 'MILLRACE_CORS_ORIGIN',
    value: 'ORIGIN',
    fallback: '',
    about: 'web pages of this origin may use the API; several with commas, * for all',
  },
  auth: {
    flag: 'auth',
    variable: 'MILLRACE_AUTH',
    value: 'FILE',
    fallback: '',
    about: 'require tokens, those of this file; millrace token makes it',
  },
  publicUrl: {
    flag: 'public-url',
    variable: 'MILLRACE_PUBLIC_URL',
    value: 'URL',
    fallback: '',
    about: 'how clients reach the service, where a proxy stands before it: told to those who need a token',
  },
  auditFile: {
    flag: 'audit-file',
    variable: 'MILLRACE_AUDIT_FILE',
    value: 'FILE',
    fallback: '',
    about: 'add a line of JSON for every change of a stream, a namespace or the tokens',
  },
  minFreeDisk: {
    flag: 'min-free-disk',
    variable: 'MILLRACE_MIN_FREE_DISK',
    value: 'BYTES',
    fallback: String(512 * MIB),
    about: 'events are refused while the disk has less than this free; 0 lets it fill up',
  },
  sources: {
    flag: 'sources',
    variable: 'MILLRACE_SOURCES',
    value: 'FILE',
    fallback: '',
    about: 'sources of tables by name, JSON: their kind, address and secrets (docs/tables.md)',
  },
  flinkPort: {
    flag: 'flink-port',
    variable: 'MILLRACE_FLINK_PORT',
    value: 'N',
    fallback: '',
    about:
      "a further port with Flink's REST API alone, for its tools; 8081 is Flink's own, 0 takes any free one",
  },
  flinkDashboard: {
    flag: 'flink-dashboard',
    variable: 'MILLRACE_FLINK_DASHBOARD',
    value: 'FOLDER',
    fallback: '',
    about: "files of Flink's web dashboard, for the pages of --flink-port (docs/flink-rest.md)",
  },
  cachedQueriesPort: {
    flag: 'cached-queries-port',
    variable: 'MILLRACE_CACHED_QUERIES_PORT',
    value: 'N',
    fallback: '',
    about:
      'a further port with the API of cached queries alone (docs/cached-queries.md); 0 takes any free one',
  },
  ververicaPort: {
    flag: 'ververica-port',
    variable: 'MILLRACE_VERVERICA_PORT',
    value: 'N',
    fallback: '',
    about:
      "a further port with Ververica Platform's APIs alone (docs/deployments.md); 8080 is its own, 0 takes any free one",
  },
  logDir: {
    flag: 'log-dir',
    variable: 'MILLRACE_LOG_DIR',
    value: 'FOLDER',
    fallback: '',
    about: 'what the service prints is also in files here, four of 4 MiB at most; made if missing',
  },
  connectorHosts: {
    flag: 'connector-hosts',
    variable: 'MILLRACE_CONNECTOR_HOSTS',
    value: 'HOSTS',
    fallback: '',
    about:
      'hosts that integrations of clients may name, host or host:port, with commas; default all, with --auth none',
  },
  savepointDir: {
    flag: 'savepoint-dir',
    variable: 'MILLRACE_SAVEPOINT_DIR',
    value: 'FOLDER',
    fallback: '',
    about: 'where savepoints of jobs are made; default savepoints in the data folder',
  },
} as const satisfies Record<string, Setting>

/** A setting that may be given several times; in its variable with commas. */
const SAVEPOINT_ROOT = {
  flag: 'savepoint-root',
  variable: 'MILLRACE_SAVEPOINT_ROOT',
} as const

const ALL_SETTINGS: readonly Setting[] = [
  ...Object.values(SETTINGS),
  ...Object.values(KAFKA_SETTINGS),
  ...Object.values(LIMITS),
]

const RESET_VARIABLE = 'MILLRACE_NO_UNRECOVERABLE_RESET'
const INSECURE_VARIABLE = 'MILLRACE_INSECURE'
const PRIVATE_WEBHOOKS_VARIABLE = 'MILLRACE_ALLOW_PRIVATE_WEBHOOKS'
const SHUTDOWN_VARIABLE = 'MILLRACE_ALLOW_CLUSTER_SHUTDOWN'

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
    return { text: setting.fallback, source: '' }
  }
  const isOn = ({ flag, variable }: { readonly flag: string; readonly variable: string }) =>
    flags[flag] === true || isSet(environment, variable)
  const config: Config = {
    port: wholeNumber(text(SETTINGS.port), 0, 65_535),
    host: nonEmpty(text(SETTINGS.host)),
    dataFolder: dataFolderFrom(nonEmpty(text(SETTINGS.data))),
    eventBytesMax: wholeNumber(text(SETTINGS.maxEventBytes), 1, EVENT_BYTES_MOST),
    asyncQueueBytesMax: wholeNumber(text(SETTINGS.asyncQueueBytes), 0, QUEUE_BYTES_MOST),
    janitorIntervalMs: wholeNumber(text(SETTINGS.janitorSeconds), 1, 86_400) * 1000,
    unrecoverableReset: !(flags['no-unrecoverable-reset'] === true || isSet(environment, RESET_VARIABLE)),
    authFile: optional(text(SETTINGS.auth)),
    publicUrl: url(text(SETTINGS.publicUrl)),
    insecure: flags.insecure === true || isSet(environment, INSECURE_VARIABLE),
    allowPrivateWebhooks:
      flags['allow-private-webhooks'] === true || isSet(environment, PRIVATE_WEBHOOKS_VARIABLE),
    auditFile: optional(text(SETTINGS.auditFile)),
    limits: Object.freeze(valuesOf((limit) => wholeNumber(text(limit), limit.least, limit.most))),
    corsOrigins: origins(text(SETTINGS.corsOrigin)),
    ...tlsFiles(text(SETTINGS.tlsCert).text, text(SETTINGS.tlsKey).text, text(SETTINGS.tlsClientCa).text),
    sourcesFile: optional(text(SETTINGS.sources)),
    savepointFolder: optional(text(SETTINGS.savepointDir)),
    savepointRoots: savepointRoots(flags[SAVEPOINT_ROOT.flag], environment[SAVEPOINT_ROOT.variable]),
    connectorHosts: hosts(text(SETTINGS.connectorHosts), text(SETTINGS.auth).source !== ''),
    minFreeDiskBytes: wholeNumber(text(SETTINGS.minFreeDisk), 0, DISK_BYTES_MOST),
    ...flinkPort(text(SETTINGS.flinkPort), text(SETTINGS.flinkDashboard), text(SETTINGS.port)),
    ...cachedQueriesPort(text(SETTINGS.cachedQueriesPort), [text(SETTINGS.port), text(SETTINGS.flinkPort)]),
    ...ververicaPort(text(SETTINGS.ververicaPort), [
      ['--port', text(SETTINGS.port)],
      ['--flink-port', text(SETTINGS.flinkPort)],
      ['--cached-queries-port', text(SETTINGS.cachedQueriesPort)],
    ]),
    allowClusterShutdown: flags['allow-cluster-shutdown'] === true || isSet(environment, SHUTDOWN_VARIABLE),
    logFolder: optional(text(SETTINGS.logDir)),
  }
  const listening = { host: config.host, port: config.port, hasTls: config.tls !== undefined }
  const kafka = kafkaConfig(text, isOn, listening)
  const all = [
    ...ALL_SETTINGS.map((setting) => ({ key: setting.flag, value: text(setting).text })),
    { key: SAVEPOINT_ROOT.flag, value: (config.savepointRoots ?? []).join(',') },
    { key: 'no-unrecoverable-reset', value: `${!config.unrecoverableReset}` },
    { key: 'insecure', value: `${config.insecure}` },
    { key: 'allow-private-webhooks', value: `${config.allowPrivateWebhooks}` },
    { key: 'allow-cluster-shutdown', value: `${config.allowClusterShutdown}` },
    ...Object.values(KAFKA_SWITCHES).map((one) => ({ key: one.flag, value: `${isOn(one)}` })),
  ]
  return { kind: 'serve', config: Object.freeze({ ...config, ...(kafka && { kafka }), flags: all }) }
}

type FlagValue = string | boolean | readonly (string | boolean)[] | undefined

function parseFlags(args: readonly string[]): Record<string, FlagValue> {
  const valued = ALL_SETTINGS.map(({ flag }) => [flag, { type: 'string' }] as const)
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      options: {
        ...Object.fromEntries(valued),
        'no-unrecoverable-reset': { type: 'boolean' },
        insecure: { type: 'boolean' },
        'allow-private-webhooks': { type: 'boolean' },
        'allow-cluster-shutdown': { type: 'boolean' },
        ...Object.fromEntries(
          Object.values(KAFKA_SWITCHES).map(({ flag }) => [flag, { type: 'boolean' }] as const),
        ),
        [SAVEPOINT_ROOT.flag]: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    }).values
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError(`${reason.replaceAll('\n', ' ')} (millrace --help lists what there is)`, { cause })
  }
}

/** The flags win over the variable. */
function savepointRoots(given: FlagValue, variable: string | undefined): readonly string[] {
  const isFlag = Array.isArray(given)
  const all = isFlag ? given.map(String) : (variable ?? '').split(',').filter((root) => root.trim() !== '')
  const source = isFlag ? `--${SAVEPOINT_ROOT.flag}` : SAVEPOINT_ROOT.variable
  return all.map((root) => nonEmpty({ text: root.trim(), source }))
}

function isSet(environment: NodeJS.ProcessEnv, variable: string): boolean {
  const value = environment[variable]
  if (value === undefined || value === '' || value === '0' || value === 'false') return false
  if (value === '1' || value === 'true') return true
  throw new ConfigError(`${variable} is '${value}'; use 1 or 0`)
}

function tlsFiles(certificate: string, key: string, clientAuthorities: string): { tls?: TlsFiles } {
  if (certificate === '' && key === '') {
    if (clientAuthorities === '') return {}
    throw new ConfigError('--tls-client-ca needs --tls-cert and --tls-key')
  }
  if (certificate === '' || key === '') {
    throw new ConfigError('--tls-cert and --tls-key go together; give both or neither')
  }
  return { tls: { certificate, key, ...(clientAuthorities !== '' && { clientAuthorities }) } }
}

/** Origins must have the form that browsers write in `Origin`; other forms would never match. */
function origins({ text, source }: { text: string; source: string }): readonly string[] {
  const all = text.split(',').map((origin) => origin.trim())
  return all.filter((origin) => {
    if (origin === '' || origin === '*') return origin === '*'
    if (URL.canParse(origin) && new URL(origin).origin === origin) return true
    throw new ConfigError(`${source} is '${origin}'; use an origin such as https://example.org:8443, or *`)
  })
}

const CONNECTOR_HOST = /^([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$|^[0-9a-fA-F:]+$|^\/[^,]*$/

/** Without a list: undefined, so all hosts; where tokens are required, none. */
function hosts(
  { text, source }: { text: string; source: string },
  withTokens: boolean,
): readonly string[] | undefined {
  if (source === '') return withTokens ? [] : undefined
  const all = text.split(',').map((host) => host.trim())
  const wrong = all.find((host) => host !== '' && !CONNECTOR_HOST.test(host))
  if (wrong !== undefined) {
    throw new ConfigError(`${source} is '${wrong}'; use a host such as db.example.org or db.example.org:5432`)
  }
  return all.filter((host) => host !== '')
}

function flinkPort(
  port: Given,
  dashboard: Given,
  mainPort: Given,
): Pick<Config, 'flinkPort' | 'dashboardFolder'> {
  if (port.source === '') {
    if (dashboard.source === '') return {}
    throw new ConfigError(`${dashboard.source} needs --flink-port, at which the dashboard is served`)
  }
  return { flinkPort: furtherPort(port, [['--port', mainPort]]), dashboardFolder: optional(dashboard) }
}

function cachedQueriesPort(port: Given, [main, flink]: readonly [Given, Given]): Partial<Config> {
  if (port.source === '') return {}
  const others = [
    ['--port', main],
    ['--flink-port', flink],
  ] as const
  return { cachedQueriesPort: furtherPort(port, others) }
}

function ververicaPort(port: Given, others: OtherPorts): Partial<Config> {
  return port.source === '' ? {} : { ververicaPort: furtherPort(port, others) }
}

type OtherPorts = readonly (readonly [flag: string, Given])[]

/** Throws ConfigError if another port is the same. */
function furtherPort(port: Given, others: OtherPorts): number {
  const number = wholeNumber(port, 0, 65_535)
  const same = others.find(([, { text }]) => text !== '' && number !== 0 && Number(text) === number)
  if (same !== undefined)
    throw new ConfigError(`${port.source} is ${port.text}, as ${same[0]} is; choose two ports`)
  return number
}

/** `commands` are the words that run a command instead of the service. */
export function helpText(commands: readonly { readonly name: string; readonly about: string }[]): string {
  const lines = ALL_SETTINGS.flatMap(({ flag, value, variable, fallback, about }) => [
    `  --${flag} ${value}`,
    `        ${about}`,
    `        (${variable}; default ${fallback === '' ? 'none' : fallback})`,
  ])
  const width = Math.max(0, ...commands.map(({ name }) => name.length))
  const commandLines = commands
    .map(({ name, about }) => `       millrace ${name.padEnd(width)}  ${about} (millrace ${name} --help)\n`)
    .join('')
  return `millrace: durable event streams over plain HTTP

usage: millrace [flags]
${commandLines}
${lines.join('\n')}
  --savepoint-root FOLDER
        savepoints of jobs may also be in this folder; may be given several times
        (${SAVEPOINT_ROOT.variable}, with commas; default none)
  --no-unrecoverable-reset
        refuse to delete namespaces (${RESET_VARIABLE}=1)
  --insecure
        listen beyond this machine without --auth, so that every client that can connect may do everything
        (${INSECURE_VARIABLE}=1)
  --allow-private-webhooks
        let webhooks lead to this machine and to private networks
        (${PRIVATE_WEBHOOKS_VARIABLE}=1)
  --allow-cluster-shutdown
        let clients end the service with DELETE /cluster of Flink's API
        (${SHUTDOWN_VARIABLE}=1)
${Object.values(KAFKA_SWITCHES)
  .map(({ flag, about, variable }) => `  --${flag}\n        ${about}\n        (${variable}=1)`)
  .join('\n')}
  --help, --version

Events are on disk, or on the replicas of Kafka, before they are answered 200. SIGTERM and SIGINT finish what was accepted and stop.
`
}
