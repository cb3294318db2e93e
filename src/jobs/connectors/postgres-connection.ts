/**
 * The connection of one connector to PostgreSQL. It is opened when it is needed, and again after it has failed. All values
 * are texts in both directions; the session has UTC and ISO dates.
 *
 * Every call ends in bounded time, also if the server is stopped or paused: a time limit closes the connection. Errors are
 * ConnectorErrors and never contain the password.
 */
import type { Client, ClientConfig } from 'pg'
import type { PostgresAccess } from '../../tables/table.ts'
import { ConnectorError } from './connector.ts'

export interface PostgresLimits {
  readonly connectMs: number
  /** Of one statement, on the server. */
  readonly statementMs: number
}

export const POSTGRES_LIMITS: PostgresLimits = { connectMs: 10_000, statementMs: 30_000 }

/** The client waits this much longer than the server, so that the server's answer is the one that is reported. */
const BEYOND_SERVER_MS = 5_000
const KEEP_ALIVE_MS = 10_000
/** A transaction whose client is gone ends after this time, and its locks with it. */
const IDLE_TRANSACTION_MS = 60_000

export type TextRow = readonly (string | null)[]

export interface TextResult {
  readonly rows: readonly TextRow[]
  readonly rowCount: number
}

type Parameter = string | number | null | readonly (string | null)[]

export class PostgresConnection {
  readonly #access: PostgresAccess
  readonly #limits: PostgresLimits
  readonly #integrationId: string | undefined
  #client: Client | undefined
  #closed = false

  /** Errors of the connection itself name the integration. */
  constructor(access: PostgresAccess, limits: PostgresLimits = POSTGRES_LIMITS, integrationId?: string) {
    this.#access = access
    this.#limits = limits
    this.#integrationId = integrationId
  }

  /** Runs one statement. Rejects with ConnectorError. */
  async query(sql: string, parameters: readonly Parameter[] = []): Promise<TextResult> {
    return this.#run(await this.#open(), sql, parameters)
  }

  /**
   * Runs `work` in a transaction of one connection. Rejects with ConnectorError; then the transaction is rolled back, or
   * its outcome is unknown if the connection was lost during the commit.
   */
  async transaction<T>(work: (query: PostgresConnection['query']) => Promise<T>): Promise<T> {
    const client = await this.#open()
    const query = (sql: string, parameters: readonly Parameter[] = []) => this.#run(client, sql, parameters)
    await query('BEGIN')
    try {
      const result = await work(query)
      await query('COMMIT')
      return result
    } catch (error) {
      if (this.#client === client) await query('ROLLBACK').catch(() => this.#drop())
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const client = this.#client
    this.#client = undefined
    if (client !== undefined) await withinMs(client.end(), BEYOND_SERVER_MS).catch(() => destroy(client))
  }

  /** Closes the connection without a farewell; the next call opens another. */
  #drop(): void {
    const client = this.#client
    this.#client = undefined
    if (client !== undefined) destroy(client)
  }

  async #run(client: Client, sql: string, parameters: readonly Parameter[]): Promise<TextResult> {
    if (client !== this.#client) throw this.#unreachable('the connection to PostgreSQL was lost', true)
    try {
      const running = client.query({
        text: sql,
        values: parameters as unknown[],
        rowMode: 'array',
        types: { getTypeParser: () => (text: unknown) => text },
      })
      const { rows, rowCount } = await withinMs(running, this.#limits.statementMs + BEYOND_SERVER_MS)
      return { rows: rows as TextRow[], rowCount: rowCount ?? 0 }
    } catch (error) {
      const problem = this.#problem(error)
      if (!isLost(error)) throw problem
      this.#drop()
      throw this.#unreachable(problem.message, problem.passing)
    }
  }

  async #open(): Promise<Client> {
    if (this.#closed) throw new ConnectorError('the connector is closed', true)
    if (this.#client !== undefined) return this.#client
    const { default: pg } = await import('pg')
    const { config, modes } = this.#config()
    for (const [index, ssl] of modes.entries()) {
      const client = new pg.Client({ ...config, ssl })
      try {
        client.on('error', () => {
          if (this.#client === client) this.#drop()
        })
        await withinMs(client.connect(), this.#limits.connectMs)
        await withinMs(client.query(this.#settings()), this.#limits.connectMs)
        this.#client = client
        return client
      } catch (error) {
        destroy(client)
        const isLast = index === modes.length - 1
        if (!isLast && /does not support SSL/.test(String(error))) continue
        const { message, passing } = this.#problem(error)
        throw this.#unreachable(message, passing)
      }
    }
    throw this.#unreachable('PostgreSQL could not be reached', true)
  }

  #unreachable(message: string, passing: boolean): ConnectorError {
    return new ConnectorError(message, passing, { unreachable: this.#integrationId })
  }

  #settings(): string {
    return [
      "SET TimeZone = 'UTC'",
      "SET DateStyle = 'ISO'",
      'SET bytea_output = hex',
      'SET extra_float_digits = 1',
      'SET standard_conforming_strings = on',
      `SET statement_timeout = ${this.#limits.statementMs}`,
      `SET idle_in_transaction_session_timeout = ${IDLE_TRANSACTION_MS}`,
    ].join('; ')
  }

  /** `modes`: the settings of TLS to try, in order. */
  #config(): { readonly config: ClientConfig; readonly modes: readonly ClientConfig['ssl'][] } {
    let uri: URL
    try {
      uri = new URL(this.#access.connectionUri)
    } catch {
      throw new ConnectorError(
        'connection_uri is no URI; use postgres://user:password@host:port/database',
        false,
      )
    }
    const mode = uri.searchParams.get('sslmode') ?? 'prefer'
    const modes = TLS_MODES[mode]
    if (modes === undefined) {
      throw new ConnectorError(`sslmode is '${mode}'; use ${Object.keys(TLS_MODES).join(', ')}`, false)
    }
    const config = {
      host: decodeURIComponent(uri.hostname).replace(/^\[|\]$/g, ''),
      port: uri.port === '' ? 5432 : Number(uri.port),
      user: decodeURIComponent(uri.username),
      password: decodeURIComponent(uri.password),
      database: decodeURIComponent(uri.pathname.slice(1)) || decodeURIComponent(uri.username),
      application_name: 'millrace',
      connectionTimeoutMillis: this.#limits.connectMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    }
    return { config, modes }
  }

  #problem(error: unknown): ConnectorError {
    if (error instanceof ConnectorError) return error
    const { code } = error as { code?: unknown }
    const text = this.#withoutPassword(messageOf(error))
    const isState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code)
    const passing = !isState || PASSING_STATES.test(code)
    return new ConnectorError(isState ? `PostgreSQL: ${text} (${code})` : `PostgreSQL: ${text}`, passing)
  }

  #withoutPassword(text: string): string {
    const secrets: string[] = []
    try {
      const { password } = new URL(this.#access.connectionUri)
      secrets.push(password, decodeURIComponent(password))
    } catch {
      secrets.push(this.#access.connectionUri)
    }
    return secrets
      .filter((secret) => secret !== '')
      .reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
  }
}

const NO_CHECK = { rejectUnauthorized: false }
/** The meaning is that of libpq: `require` encrypts and does not verify, `prefer` is the default. */
const TLS_MODES: Readonly<Record<string, readonly ClientConfig['ssl'][]>> = {
  disable: [false],
  allow: [NO_CHECK, false],
  prefer: [NO_CHECK, false],
  require: [NO_CHECK],
  'no-verify': [NO_CHECK],
  'verify-ca': [{ rejectUnauthorized: true, checkServerIdentity: () => undefined }],
  'verify-full': [{ rejectUnauthorized: true }],
}

/**
 * Connection trouble, rollbacks, missing resources, locks, the server's shutdown and its limits of time and size. Others
 * are errors of the statement, of rights or of the data, and stay.
 */
const PASSING_STATES = /^(08|40|53|54|55P03|55006|57|58|25006|XX000)/

/** Whether the connection cannot be used any more. */
function isLost(error: unknown): boolean {
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  return (
    typeof severity !== 'string' ||
    severity === 'FATAL' ||
    severity === 'PANIC' ||
    /^08|^57P/.test(String(code))
  )
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

function destroy(client: Client): void {
  // The stream belongs to the client; `end` would wait for a server that does not answer.
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } }
  client.on('error', () => undefined)
  connection?.stream?.destroy()
}

async function withinMs<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ConnectorError(`PostgreSQL did not answer within ${limitMs / 1000} s`, true)),
      limitMs,
    )
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined)
  }
}
