/** A connection string as settings of a connection. */
import { CaptureProblem } from './capture-problem.ts'

export interface DatabaseAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** Settings of TLS to try, in order. */
  readonly tlsModes: readonly TlsMode[]
  /** What no message may contain. */
  readonly secrets: readonly string[]
}

/** `none`: no TLS. */
export type TlsMode = 'none' | 'unverified' | 'verify-ca' | 'verify-full'

/** The meaning is that of libpq: `require` encrypts and does not verify, `prefer` is the default. */
const TLS_MODES: Readonly<Record<string, readonly TlsMode[]>> = {
  disable: ['none'],
  allow: ['unverified', 'none'],
  prefer: ['unverified', 'none'],
  require: ['unverified'],
  'no-verify': ['unverified'],
  'verify-ca': ['verify-ca'],
  'verify-full': ['verify-full'],
}

/** They lead elsewhere, or name files of the client's machine. Others, such as `schema`, do not matter here. */
const REFUSED = [
  ...['host', 'hostaddr', 'port', 'user', 'password', 'dbname', 'service', 'passfile'],
  ...['sslcert', 'sslkey', 'sslrootcert', 'sslcrl', 'sslpassword'],
]

/** Throws CaptureProblem 'invalid_connection_string'. */
export function databaseAddressOf(connectionString: string): DatabaseAddress {
  let uri: URL
  try {
    uri = new URL(connectionString)
  } catch {
    throw invalid('the connection string is no URI; use postgres://user:password@host:port/database')
  }
  if (uri.protocol !== 'postgres:' && uri.protocol !== 'postgresql:') {
    throw invalid(`the connection string begins with ${uri.protocol}//; use postgres:// or postgresql://`)
  }
  const refused = REFUSED.find((name) => uri.searchParams.has(name))
  if (refused !== undefined) {
    throw invalid(`the connection string has the parameter ${refused}, which is not supported; remove it`)
  }
  const mode = uri.searchParams.get('sslmode') ?? 'prefer'
  const tlsModes = Object.hasOwn(TLS_MODES, mode) ? TLS_MODES[mode] : undefined
  if (tlsModes === undefined) {
    throw invalid(`sslmode is '${mode}'; use ${Object.keys(TLS_MODES).join(', ')}`)
  }
  const host = decoded(uri.hostname).replace(/^\[|\]$/g, '')
  const user = decoded(uri.username)
  const password = decoded(uri.password)
  const database = decoded(uri.pathname.slice(1)) || user
  if (host === '' || /[,/]/.test(host)) throw invalid('the connection string must name one host')
  if (user === '')
    throw invalid('the connection string has no user; use postgres://user:password@host/database')
  const port = uri.port === '' ? 5432 : Number(uri.port)
  return { host, port, user, password, database, tlsModes, secrets: [uri.password, password] }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('the connection string has a % that is no code; write %25 for the character itself')
  }
}

function invalid(message: string): CaptureProblem {
  return new CaptureProblem('invalid_connection_string', message, false)
}
