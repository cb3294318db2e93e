/**
 * How the system of a table is reached that has its addresses and passwords in its own options. Errors never repeat a value that may be
 * secret. Values are checked when a job starts, after the references in them were replaced.
 *
 *   kafka, upsert-kafka   properties.*, with the names of Kafka's client
 *   jdbc                  url, username, password, as JDBC has them for PostgreSQL
 */
import { kafkaAccess } from './kafka-config.ts'
import type { OptionTexts } from './option-names.ts'
import { parsePostgresUri } from './postgres-uri.ts'
import { invalid } from './refusal.ts'
import type { Access } from './table.ts'

export type OwnSystem = 'kafka' | 'postgres'

/** Throws ServiceError 'invalid_table'. */
export function ownAccess(system: OwnSystem, options: OptionTexts): Access {
  return system === 'kafka' ? kafkaOf(options) : postgresOf(options)
}

/** What tells the data of this system from those of others. It has no secret. */
export function addressOf(system: OwnSystem, shownOptions: OptionTexts): string {
  const { 'properties.bootstrap.servers': servers = '', url = '' } = shownOptions
  return system === 'kafka' ? servers : url
}

const KAFKA_NAMES: Readonly<Record<string, string>> = {
  bootstrap_servers: "option 'properties.bootstrap.servers'",
  security_protocol: "option 'properties.security.protocol'",
  sasl_mechanism: "option 'properties.sasl.mechanism'",
  'sasl_username and sasl_password': "username and password in option 'properties.sasl.jaas.config'",
  ssl_ca: "option 'properties.ssl.truststore.certificates'",
  ssl_certificate: "option 'properties.ssl.keystore.certificate.chain'",
  ssl_key: "option 'properties.ssl.keystore.key'",
  'ssl_certificate and ssl_key':
    "options 'properties.ssl.keystore.certificate.chain' and 'properties.ssl.keystore.key'",
}

const namedKafka = (member: string) => KAFKA_NAMES[member] ?? member

function kafkaOf(options: OptionTexts): Access {
  const property = (name: string) => options[`properties.${name}`]
  if (!property('bootstrap.servers')) throw invalid(`${namedKafka('bootstrap_servers')} is missing`)
  for (const store of ['truststore', 'keystore']) {
    if (property(`ssl.${store}.location`) !== undefined)
      throw invalid(
        `option 'properties.ssl.${store}.location' names a file of the service; give its content as PEM in properties.ssl.${store}.…`,
      )
    const type = property(`ssl.${store}.type`)
    if (type !== undefined && type !== 'PEM')
      throw invalid(`option 'properties.ssl.${store}.type' is not PEM; other types are not supported`)
  }
  const protocol = property('security.protocol') ?? 'PLAINTEXT'
  const config = {
    bootstrap_servers: property('bootstrap.servers'),
    security_protocol: protocol,
    ...(protocol.startsWith('SASL_') && saslOf(property('sasl.mechanism'), property('sasl.jaas.config'))),
    ...(protocol.endsWith('SSL') && {
      ssl_ca: property('ssl.truststore.certificates'),
      ssl_certificate: property('ssl.keystore.certificate.chain'),
      ssl_key: property('ssl.keystore.key'),
    }),
  }
  const given = Object.entries(config).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return kafkaAccess(Object.fromEntries(given), namedKafka)
}

const JAAS_MEMBER =
  /(?:^|[\s;])(username|password)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))/g

function saslOf(mechanism: string | undefined, jaas = ''): Record<string, string | undefined> {
  const members: Record<string, string> = {}
  for (const [, name, double, single, bare] of jaas.matchAll(JAAS_MEMBER))
    members[name!] = (double ?? single ?? bare ?? '').replace(/\\(.)/g, '$1')
  return {
    sasl_mechanism: mechanism ?? 'PLAIN',
    sasl_username: members.username,
    sasl_password: members.password,
  }
}

const JDBC_URL = /^jdbc:postgresql:\/\//
const JDBC_PARAMETERS: Readonly<Record<string, string>> = {
  ApplicationName: 'application_name',
  connectTimeout: 'connect_timeout',
}

function postgresOf({ url, username, password }: OptionTexts): Access {
  if (!url) throw invalid("option 'url' is missing")
  const connectionUri = uriOf(url, username, password)
  const uri = parsePostgresUri(connectionUri)
  if (typeof uri === 'string') throw invalid(`option 'url' cannot be used: ${uri}`)
  if (uri.namesFiles) throw invalid("option 'url' names files of the service; only --sources may do that")
  return { kind: 'postgres', connectionUri }
}

/** Names and values of parameters of JDBC are those of the client of PostgreSQL here, but for a few. */
function uriOf(url: string, username: string | undefined, password: string | undefined): string {
  const text = url.replace(JDBC_URL, 'postgres://')
  if (!/^postgres(ql)?:\/\//.test(text)) {
    throw invalid(
      "option 'url' is not that of a PostgreSQL database; use jdbc:postgresql://host:port/database",
    )
  }
  const uri = URL.canParse(text) ? new URL(text) : undefined
  if (uri === undefined) return text
  if (username !== undefined) uri.username = encodeURIComponent(username)
  if (password !== undefined) uri.password = encodeURIComponent(password)
  for (const [name, renamed] of Object.entries(JDBC_PARAMETERS)) {
    const value = uri.searchParams.get(name)
    if (value === null) continue
    uri.searchParams.delete(name)
    uri.searchParams.set(renamed, value)
  }
  return uri.toString()
}
