/** Checks the `user_config` of a Kafka cluster. Errors never repeat a value that may be secret. */
import type { OptionNaming } from './options.ts'
import type { HostPort } from './postgres-uri.ts'
import { invalid, shown } from './refusal.ts'
import type { KafkaAccess } from './table.ts'

const PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
const BROKERS_MAX = 32
const BROKER = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]{1,253}):([0-9]{1,5})$/

type Config = Readonly<Record<string, string>>

const ofUserConfig: OptionNaming = (member) => `user_config.${member}`

/** Throws ServiceError 'invalid_table'. */
export function kafkaAccess(config: Config, named: OptionNaming = ofUserConfig): KafkaAccess {
  const { ssl_ca: ca, ssl_certificate: certificate, ssl_key: key } = config
  const securityProtocol = protocolOf(config, named)
  const sasl = securityProtocol.startsWith('SASL_') ? saslOf(config, named) : undefined
  if (sasl === undefined)
    assertAbsent(
      config,
      ['sasl_mechanism', 'sasl_username', 'sasl_password'],
      'SASL_PLAINTEXT or SASL_SSL',
      named,
    )
  if (securityProtocol === 'SSL' || securityProtocol === 'SASL_SSL')
    assertPem({ ssl_ca: ca, ssl_certificate: certificate, ssl_key: key }, named)
  else assertAbsent(config, ['ssl_ca', 'ssl_certificate', 'ssl_key'], 'SSL or SASL_SSL', named)
  if ((certificate === undefined) !== (key === undefined)) {
    throw invalid(`${named('ssl_certificate and ssl_key')} go together; give both or neither`)
  }
  return {
    kind: 'kafka',
    bootstrapServers: brokersOf(config.bootstrap_servers ?? '', named),
    securityProtocol,
    ...(sasl && { sasl }),
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  }
}

export function brokerAddress(server: string): HostPort {
  const [, host, port] = BROKER.exec(server) ?? []
  return { host: (host ?? server).replace(/^\[(.*)\]$/, '$1').toLowerCase(), port: port ?? '' }
}

function brokersOf(text: string, named: OptionNaming): readonly string[] {
  const servers = text.split(',', BROKERS_MAX + 1).map((server) => server.trim())
  if (servers.length > BROKERS_MAX)
    throw invalid(`${named('bootstrap_servers')} has more than ${BROKERS_MAX} servers`)
  const wrong = servers.find((server) => !BROKER.test(server))
  if (wrong !== undefined) {
    throw invalid(`${named('bootstrap_servers')} has ${shown(wrong)}; use host:port, several with commas`)
  }
  return servers
}

function protocolOf(
  { security_protocol: given, sasl_mechanism: mechanism }: Config,
  named: OptionNaming,
): KafkaAccess['securityProtocol'] {
  if (given === undefined) return mechanism === undefined ? 'PLAINTEXT' : 'SASL_SSL'
  const protocol = PROTOCOLS.find((one) => one === given)
  if (protocol === undefined) {
    throw invalid(`${named('security_protocol')} is ${shown(given)}; use ${PROTOCOLS.join(', ')}`)
  }
  return protocol
}

function saslOf(
  { sasl_mechanism = 'PLAIN', sasl_username: username, sasl_password: password }: Config,
  named: OptionNaming,
) {
  const mechanism = MECHANISMS.find((one) => one === sasl_mechanism)
  if (mechanism === undefined) {
    throw invalid(`${named('sasl_mechanism')} is ${shown(sasl_mechanism)}; use ${MECHANISMS.join(', ')}`)
  }
  if (username === undefined || password === undefined) {
    throw invalid(`${named('sasl_username and sasl_password')} are needed for SASL`)
  }
  return { mechanism, username, password }
}

function assertAbsent(
  config: Config,
  members: readonly string[],
  protocols: string,
  named: OptionNaming,
): void {
  const given = members.find((member) => config[member] !== undefined)
  if (given !== undefined) throw invalid(`${named(given)} needs security_protocol ${protocols}`)
}

function assertPem(files: Readonly<Record<string, string | undefined>>, named: OptionNaming): void {
  for (const [member, text] of Object.entries(files)) {
    if (text !== undefined && !text.includes('-----BEGIN ')) {
      throw invalid(`${named(member)} is not PEM; it begins with -----BEGIN`)
    }
  }
}
