/**
 * The `user_config` of integrations: how to reach a system, with its secrets.
 *
 *   postgres   connection_uri
 *   kafka      bootstrap_servers, security_protocol, sasl_mechanism, sasl_username, sasl_password, ssl_ca, ssl_certificate, ssl_key
 *
 * Errors never repeat a value that may be secret.
 */
import { brokerAddress, kafkaAccess } from './kafka-config.ts'
import { type HostPort, parsePostgresUri } from './postgres-uri.ts'
import { invalid, shown } from './refusal.ts'
import type { Access, IntegrationKind } from './table.ts'

/** What a secret is shown as, and what a client sends to keep the secret. */
export const HIDDEN = '***'

const VALUE_CHARACTERS_MAX = 32_768
const KAFKA_OPEN = [
  'bootstrap_servers',
  'security_protocol',
  'sasl_mechanism',
  'sasl_username',
  'ssl_ca',
  'ssl_certificate',
]
const KAFKA = [...KAFKA_OPEN, 'sasl_password', 'ssl_key']
const POSTGRES = ['connection_uri']

export type UserConfig = Readonly<Record<string, string>>

/** The kind that the members show; undefined for no members. Throws ServiceError 'invalid_table'. */
export function kindOf(
  userConfig: Readonly<Record<string, unknown>>,
): Exclude<IntegrationKind, 'stream'> | undefined {
  const names = Object.keys(userConfig).filter((name) => isGiven(userConfig[name]))
  const isPostgres = names.includes('connection_uri')
  const isKafka = names.includes('bootstrap_servers')
  if (isPostgres && isKafka) {
    throw invalid('user_config has connection_uri and bootstrap_servers; give one of them')
  }
  if (names.length === 0) return undefined
  if (isPostgres || isKafka) return isPostgres ? 'postgres' : 'kafka'
  throw invalid('user_config has neither connection_uri nor bootstrap_servers; give one of them')
}

/** The members as texts. A hidden secret is taken from `before`. Throws ServiceError 'invalid_table'. */
export function checkedConfig(
  kind: 'postgres' | 'kafka',
  given: Readonly<Record<string, unknown>>,
  before: UserConfig = {},
): UserConfig {
  const known = kind === 'postgres' ? POSTGRES : KAFKA
  const config: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!isGiven(value)) continue
    if (!known.includes(name))
      throw invalid(`unknown field ${shown(`user_config.${name}`)}; use ${known.join(', ')}`)
    if (typeof value !== 'string' || value === '')
      throw invalid(`user_config.${name} is not a text; use a text that is not empty`)
    if (value.length > VALUE_CHARACTERS_MAX) {
      throw invalid(`user_config.${name} has ${value.length} characters; use at most ${VALUE_CHARACTERS_MAX}`)
    }
    const kept = value === HIDDEN ? before[name] : value
    if (kept === undefined)
      throw invalid(`user_config.${name} is ${HIDDEN}, which stands for a secret; send the secret`)
    config[name] = kept
  }
  return config
}

/** Throws ServiceError 'invalid_table'. `byOperator`: the URI may name files of this machine. */
export function accessOf(kind: 'postgres' | 'kafka', config: UserConfig, byOperator = false): Access {
  if (kind === 'kafka') return kafkaAccess(config)
  const { connection_uri: connectionUri = '' } = config
  const uri = parsePostgresUri(connectionUri)
  if (typeof uri === 'string') throw invalid(`user_config.connection_uri cannot be used: ${uri}`)
  if (uri.namesFiles && !byOperator) {
    throw invalid('user_config.connection_uri names files of the service; only --sources may do that')
  }
  return { kind: 'postgres', connectionUri }
}

/** Every host that a connection may reach first. */
export function hostsOf(access: Access): readonly HostPort[] {
  if (access.kind === 'stream') return []
  if (access.kind === 'kafka') return access.bootstrapServers.map(brokerAddress)
  const uri = parsePostgresUri(access.connectionUri)
  return typeof uri === 'string' ? [] : uri.hosts
}

/** For answers: secrets are hidden. */
export function shownConfig(
  userConfig: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const members = Object.entries(userConfig)
  return Object.fromEntries(
    members.map(([name, value]) => [name, KAFKA_OPEN.includes(name) ? value : HIDDEN]),
  )
}

function isGiven(value: unknown): boolean {
  return value !== null && value !== undefined
}
