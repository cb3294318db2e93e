/**
 * Checks a connection URI of PostgreSQL: `postgres://user:password@host:port/database?sslmode=…`. Reasons never repeat a part
 * of the URI but names of parameters, because any other part may be a password.
 */

export interface PostgresUri {
  /** Every host to which the client may connect, with its port; a path is the folder of a socket. */
  readonly hosts: readonly HostPort[]
  /** Whether parameters name files of this machine. */
  readonly namesFiles: boolean
}

export interface HostPort {
  readonly host: string
  readonly port: string
}

const DEFAULT_PORT = '5432'
const URI_CHARACTERS_MAX = 4096
const FILE_PARAMETERS = ['sslcert', 'sslkey', 'sslrootcert']
const PARAMETERS = [
  ...['sslmode', 'application_name', 'connect_timeout', 'uselibpqcompat', 'sslnegotiation'],
  ...['host', 'port', 'user', 'password', 'dbname', ...FILE_PARAMETERS],
]
const FORM = 'use postgres://user:password@host:port/database'

/** Returns the reason as a text if the URI cannot be used. */
export function parsePostgresUri(text: string): PostgresUri | string {
  if (text.length > URI_CHARACTERS_MAX)
    return `it has ${text.length} characters; use at most ${URI_CHARACTERS_MAX}`
  if (!/^postgres(ql)?:\/\//.test(text)) return FORM
  if (/[\s\p{C}\\]/u.test(text))
    return 'it has white space, a control character or a backslash; percent-encode it'
  // Parsers repair these in different ways, so the host that is checked might not be the one that is contacted.
  if (/%(?![0-9a-f]{2})/i.test(text)) return "it has '%' without two hexadecimal digits; write %25"
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return `${FORM}, with one host and one port`
  const names = [...url.searchParams.keys()]
  const unknown = names.find((name) => !PARAMETERS.includes(name))
  if (unknown !== undefined)
    return `parameter '${unknown.slice(0, 60)}' is not supported; use ${PARAMETERS.join(', ')}`
  const hosts = hostsOf(url)
  if (typeof hosts === 'string') return hosts
  return { hosts, namesFiles: names.some((name) => FILE_PARAMETERS.includes(name)) }
}

/** The host of the authority, and those of parameters, one of which a client may use instead. */
function hostsOf(url: URL): HostPort[] | string {
  const isSocket = /^%2f/i.test(url.hostname)
  if (url.hostname.includes('%') && !isSocket) return "its host has '%'; write the host as it is"
  const authority = decoded(url.hostname)
  if (authority === undefined) return 'its host is not percent-encoded UTF-8'
  const named = url.searchParams.getAll('host')
  const hosts = [authority, ...named].filter((host) => host !== '').map(withoutBrackets)
  if (hosts.length === 0) return 'it has no host'
  if (hosts.some((host) => host.includes(','))) return 'it has several hosts; use one'
  const ports = [url.port, ...url.searchParams.getAll('port')].filter((port) => port !== '')
  if (ports.some((port) => !/^[0-9]{1,5}$/.test(port))) return 'its port is no number'
  const known = ports.length === 0 ? [DEFAULT_PORT] : ports
  return hosts.flatMap((host) => known.map((port) => ({ host, port })))
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
