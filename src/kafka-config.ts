/** The flags of streams on Kafka and of several nodes: their table, and the values that they give. */
import { ConfigError, type Given, optional, type Setting, url, wholeNumber } from './config-values.ts'

export interface KafkaConfig {
  /** Brokers to ask first. */
  readonly brokers: readonly { readonly host: string; readonly port: number }[]
  /** Names of all topics begin with it. Nodes with the same prefix share a store. */
  readonly prefix: string
  /** Paths of PEM files. Undefined: without TLS. */
  readonly tls?: { readonly ca?: string; readonly certificate?: string; readonly key?: string }
  /** The file with mechanism, user name and password. */
  readonly saslFile?: string
  /** Brokers sync events to disk before they acknowledge them. */
  readonly flush: boolean
  /** The service starts also on a cluster that can lose acknowledged events. */
  readonly insecure: boolean
  readonly spoolBytesMax: number
  readonly pendingMs: number
  /** Where the other nodes reach this one. Undefined: the address of the listener is none that they can use. */
  readonly nodeUrl?: string
  /** The folder of the files that move with the coordinator. Undefined: they stay in the data folder of each node. */
  readonly sharedFolder?: string
}

const GIB = 1024 ** 3

export const KAFKA_SETTINGS = {
  log: {
    flag: 'log',
    variable: 'MILLRACE_LOG',
    value: 'URL',
    fallback: '',
    about: 'keep streams in Kafka: kafka://host:port, further brokers with commas (docs/kafka.md)',
  },
  prefix: {
    flag: 'kafka-prefix',
    variable: 'MILLRACE_KAFKA_PREFIX',
    value: 'NAME',
    fallback: 'millrace',
    about: 'names of topics begin with it; nodes with the same prefix share their streams',
  },
  tlsCa: {
    flag: 'kafka-tls-ca',
    variable: 'MILLRACE_KAFKA_TLS_CA',
    value: 'FILE',
    fallback: '',
    about: 'connect to brokers with TLS, and accept certificates of these authorities, PEM',
  },
  tlsCert: {
    flag: 'kafka-tls-cert',
    variable: 'MILLRACE_KAFKA_TLS_CERT',
    value: 'FILE',
    fallback: '',
    about: 'connect to brokers with TLS, and show them this certificate and its chain, PEM',
  },
  tlsKey: {
    flag: 'kafka-tls-key',
    variable: 'MILLRACE_KAFKA_TLS_KEY',
    value: 'FILE',
    fallback: '',
    about: 'the private key of --kafka-tls-cert, PEM',
  },
  sasl: {
    flag: 'kafka-sasl',
    variable: 'MILLRACE_KAFKA_SASL',
    value: 'FILE',
    fallback: '',
    about:
      'authenticate to brokers, JSON: mechanism (plain, scram-sha-256, scram-sha-512), username, password',
  },
  spool: {
    flag: 'max-spool-bytes',
    variable: 'MILLRACE_MAX_SPOOL_BYTES',
    value: 'N',
    fallback: String(10 * GIB),
    about: 'large batches that wait on the disk of this node until they are sent to Kafka',
  },
  pending: {
    flag: 'max-pending-ms',
    variable: 'MILLRACE_MAX_PENDING_MS',
    value: 'N',
    fallback: '2000',
    about: 'how long a read waits for a large batch that is being written to Kafka',
  },
  nodeUrl: {
    flag: 'node-url',
    variable: 'MILLRACE_NODE_URL',
    value: 'URL',
    fallback: '',
    about: 'where other nodes reach this one; default its host and port, if they name one machine',
  },
  shared: {
    flag: 'shared-dir',
    variable: 'MILLRACE_SHARED_DIR',
    value: 'FOLDER',
    fallback: '',
    about: 'a folder that all nodes reach, for states of jobs and other files that move to another node',
  },
} as const satisfies Record<string, Setting>

/** Settings without a value: the flag, its variable, and what --help says. */
export const KAFKA_SWITCHES = {
  tls: {
    flag: 'kafka-tls',
    variable: 'MILLRACE_KAFKA_TLS',
    about: 'connect to brokers with TLS, and accept certificates of the authorities that Node.js knows',
  },
  flush: {
    flag: 'kafka-flush',
    variable: 'MILLRACE_KAFKA_FLUSH',
    about: 'brokers write each event to disk before it is acknowledged, which takes longer',
  },
  insecure: {
    flag: 'insecure-kafka',
    variable: 'MILLRACE_INSECURE_KAFKA',
    about: 'start also on a cluster that can lose acknowledged events, such as one broker alone',
  },
} as const

type Texts = (setting: Setting) => Given
type Switches = (setting: { readonly flag: string; readonly variable: string }) => boolean

/** As the listener of the service is configured. */
export interface Listening {
  readonly host: string
  readonly port: number
  readonly hasTls: boolean
}

const PREFIX = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/
const BROKER = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/
const BROKER_PORT = 9092
const SPOOL_BYTES_MOST = 1024 * 1024 * GIB
const PENDING_MS_MOST = 600_000
/** Addresses of the listener that stand for all addresses of the machine. */
const ALL_ADDRESSES: ReadonlySet<string> = new Set(['0.0.0.0', '::', '::0', ''])

/** Undefined without `--log`. Throws ConfigError. */
export function kafkaConfig(text: Texts, isOn: Switches, listening: Listening): KafkaConfig | undefined {
  const log = text(KAFKA_SETTINGS.log)
  if (log.source === '') {
    assertNoneGiven(text, isOn)
    return undefined
  }
  const tls = tlsOf(text, isOn(KAFKA_SWITCHES.tls))
  const saslFile = optional(text(KAFKA_SETTINGS.sasl))
  const nodeUrl = url(text(KAFKA_SETTINGS.nodeUrl)) ?? urlOf(listening)
  const sharedFolder = optional(text(KAFKA_SETTINGS.shared))
  return {
    brokers: brokersOf(log),
    prefix: prefixOf(text(KAFKA_SETTINGS.prefix)),
    ...(tls && { tls }),
    ...(saslFile !== undefined && { saslFile }),
    flush: isOn(KAFKA_SWITCHES.flush),
    insecure: isOn(KAFKA_SWITCHES.insecure),
    spoolBytesMax: wholeNumber(text(KAFKA_SETTINGS.spool), 0, SPOOL_BYTES_MOST),
    pendingMs: wholeNumber(text(KAFKA_SETTINGS.pending), 0, PENDING_MS_MOST),
    ...(nodeUrl !== undefined && { nodeUrl }),
    ...(sharedFolder !== undefined && { sharedFolder }),
  }
}

/** A setting without `--log` would have no effect, and its user would believe that streams are in Kafka. */
function assertNoneGiven(text: Texts, isOn: Switches): void {
  const given = Object.values(KAFKA_SETTINGS).map((setting) => text(setting).source)
  const on = Object.values(KAFKA_SWITCHES).flatMap((one) => (isOn(one) ? [`--${one.flag}`] : []))
  const first = [...given, ...on].find((source) => source !== '')
  if (first !== undefined) throw new ConfigError(`${first} needs --log kafka://host:port`)
}

/** Throws ConfigError. */
export function brokersOf({ text, source }: Given): KafkaConfig['brokers'] {
  const example = 'kafka://kafka1:9092,kafka2:9092'
  if (!text.startsWith('kafka://'))
    throw new ConfigError(`${source} is '${text}'; use a URL such as ${example}, or leave it out`)
  const brokers = text.slice('kafka://'.length).replace(/\/$/, '').split(',')
  return brokers.map((broker) => {
    const [whole, ipv6, name, port = `${BROKER_PORT}`] = BROKER.exec(broker) ?? []
    if (whole === undefined || Number(port) < 1 || Number(port) > 65_535)
      throw new ConfigError(`${source} names the broker '${broker}'; use host:port, as in ${example}`)
    return { host: (ipv6 ?? name)!, port: Number(port) }
  })
}

function prefixOf({ text, source }: Given): string {
  if (PREFIX.test(text)) return text
  throw new ConfigError(
    `${source} is '${text}'; use up to 100 letters, digits, '_', '-' and '.', the first one no '.'`,
  )
}

function tlsOf(text: Texts, isOn: boolean): KafkaConfig['tls'] {
  const ca = optional(text(KAFKA_SETTINGS.tlsCa))
  const certificate = optional(text(KAFKA_SETTINGS.tlsCert))
  const key = optional(text(KAFKA_SETTINGS.tlsKey))
  if ((certificate === undefined) !== (key === undefined))
    throw new ConfigError('--kafka-tls-cert and --kafka-tls-key go together; give both or neither')
  if (!isOn && ca === undefined && certificate === undefined) return undefined
  return {
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  }
}

/** Undefined if other nodes cannot use it. */
function urlOf({ host, port, hasTls }: Listening): string | undefined {
  if (port === 0 || ALL_ADDRESSES.has(host)) return undefined
  return `${hasTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

export interface SaslAccess {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

const MECHANISMS: readonly string[] = ['plain', 'scram-sha-256', 'scram-sha-512']

/** The content of the file of `--kafka-sasl`. Throws ConfigError, whose message has no secret in it. */
export function parseSasl(text: string, path: string): SaslAccess {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    throw new ConfigError(
      `${path} is not JSON; write {"mechanism": "scram-sha-512", "username": …, "password": …}`,
    )
  }
  const { mechanism, username, password } = (found ?? {}) as Record<string, unknown>
  if (typeof mechanism !== 'string' || !MECHANISMS.includes(mechanism))
    throw new ConfigError(
      `the mechanism in ${path} is ${JSON.stringify(mechanism)}; use one of ${MECHANISMS.join(', ')}`,
    )
  const missing = [
    ['username', username],
    ['password', password],
  ].find(([, value]) => typeof value !== 'string' || value === '')
  if (missing !== undefined) throw new ConfigError(`${path} has no ${missing[0]}; write it as a text`)
  return {
    mechanism: mechanism as SaslAccess['mechanism'],
    username: username as string,
    password: password as string,
  }
}
