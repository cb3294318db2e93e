/**
 * Connection strings of databases: `postgres://user:password@host:port/database`. What is shown of one has no password and no
 * parameter.
 */
import { parsePostgresUri } from '../tables/postgres-uri.ts'
import { CaptureError } from './capture-service.ts'

export interface ParsedConnection {
  /** `postgres://app:***@db:5432/shop`. Stored and shown. */
  readonly shown: string
  /** Of the server and the database: two strings with one place lead to the same database. */
  readonly place: string
  /** Of the server alone. */
  readonly server: string
  /** Name of the database, for the events. */
  readonly database: string
}

/** Throws CaptureError 'invalid_connection_string', whose message has no part of the string but names of parameters. */
export function parseConnection(connectionString: string): ParsedConnection {
  const uri = parsePostgresUri(connectionString)
  if (typeof uri === 'string') throw invalid(uri)
  const [only, ...others] = uri.hosts
  if (only === undefined || others.length > 0) throw invalid('it names several hosts or ports; use one')
  if (uri.namesFiles) {
    throw invalid(
      'it names files of certificates or keys; use a connection string without sslcert, sslkey and sslrootcert',
    )
  }
  const url = new URL(connectionString)
  const { searchParams } = url
  if (searchParams.has('dbname')) throw invalid("it has parameter 'dbname'; write the database as the path")
  const user = searchParams.get('user') ?? decoded(url.username, 'user')
  const path = decoded(url.pathname.slice(1), 'database')
  const database = path === '' ? user : path
  if (database === '')
    throw invalid('it names no database; write it as the path: postgres://user:password@host:port/database')
  const host = only.host.includes('/') ? encodeURIComponent(only.host) : bracketed(only.host)
  const server = `${host}:${Number(only.port)}`
  const place = `${server}/${encodeURIComponent(database)}`
  const shownUser = user === '' ? '' : `${encodeURIComponent(user)}:***@`
  return { shown: `postgres://${shownUser}${place}`, place, server, database }
}

/** The place of a shown string. */
export function placeOf(shown: string): string {
  const rest = shown.slice('postgres://'.length)
  return rest.slice(rest.indexOf('@') + 1)
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`its ${what} is not percent-encoded UTF-8`)
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function invalid(reason: string): CaptureError {
  return new CaptureError('invalid_connection_string', `connectionString cannot be used: ${reason}`)
}
