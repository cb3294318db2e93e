/**
 * Connections to PostgreSQL: sessions for statements, and streams of COPY messages, which are rows of a snapshot or the stream of
 * changes. All values are texts. Every call ends in bounded time, also if the server is stopped or paused: a time limit closes the
 * connection. Errors are CaptureProblems and contain no password.
 */
import pg, { type ClientConfig } from 'pg'
import { SESSION_SETTINGS } from '../events/session-settings.ts'
import { CaptureProblem, isConnectionLost, problemOf } from './capture-problem.ts'
import type { DatabaseAddress, TlsMode } from './database-address.ts'
import { MessageLimits, noMessage } from './message-limits.ts'
import { type CopyTaker, MessageSplitter } from './message-splitter.ts'

export interface SessionLimits {
  readonly connectMs: number
  /** Of one statement. */
  readonly statementMs: number
  /** A stream in which the server sends nothing for so long is broken. */
  readonly silenceMs: number
}

export const SESSION_LIMITS: SessionLimits = { connectMs: 10_000, statementMs: 30_000, silenceMs: 60_000 }

const KEEP_ALIVE_MS = 10_000
const FAREWELL_MS = 1_000

export type TextRow = readonly (string | null)[]

/** A message of a running COPY is `bytes.subarray(start, end)`. The reader may keep the bytes, and write to them. */
export interface CopyReader {
  row(bytes: Buffer, start: number, end: number): void
  /** The server has begun to stream. */
  started?(): void
  /** Called once. */
  ended(problem: CaptureProblem | undefined): void
}

/** What pg calls for the query that it runs. */
interface RunningQuery {
  submit(connection: PgConnection): undefined
  handleCopyData(): void
  handleError(error: unknown): void
  handleReadyForQuery(): void
  handleRowDescription(): void
  handleCommandComplete(): void
  handleCopyInResponse(): void
  callback(): void
}

interface PgStream {
  pause(): void
  resume(): void
  destroy(error?: Error): void
  on(event: string, listener: (chunk: Buffer) => void): void
}

interface PgConnection {
  readonly stream: PgStream
  /** Called with the socket, or with that of TLS, from which messages are read. */
  attachListeners(stream: Pick<PgStream, 'on'>): void
  query(text: string): void
  once(event: string, listener: () => void): void
  sendCopyFromChunk(chunk: Buffer): void
}

/** The COPY that runs on a connection. */
interface RunningCopy {
  take?: CopyTaker | undefined
}

export class DatabaseSession {
  readonly #client: pg.Client
  readonly #copying: RunningCopy
  readonly #address: DatabaseAddress
  readonly #limits: SessionLimits
  #failure: CaptureProblem | undefined
  #onFailure: (problem: CaptureProblem) => void = () => {}
  /** The statement that runs, or the last one. */
  #running: Promise<unknown> = Promise.resolve()

  private constructor(
    client: pg.Client,
    copying: RunningCopy,
    address: DatabaseAddress,
    limits: SessionLimits,
  ) {
    this.#client = client
    this.#copying = copying
    this.#address = address
    this.#limits = limits
    client.on('error', (error) => this.#fail(problemOf(error, address.secrets)))
  }

  /** `replication`: the session understands the commands of replication; then `query` takes no parameters. */
  static async open(
    address: DatabaseAddress,
    limits: SessionLimits,
    { replication = false } = {},
  ): Promise<DatabaseSession> {
    for (const [index, mode] of address.tlsModes.entries()) {
      const client = new pg.Client(configOf(address, mode, limits, replication))
      client.on('error', () => {}) // the promise reports it
      const copying: RunningCopy = {}
      splitMessages(connectionOf(client), copying)
      try {
        await withinMs(client.connect(), limits.connectMs)
        return new DatabaseSession(client, copying, address, limits)
      } catch (error) {
        destroy(client)
        const isLast = index === address.tlsModes.length - 1
        if (!isLast && /does not support SSL/.test(String(error))) continue
        throw problemOf(error, address.secrets)
      }
    }
    throw new CaptureProblem('database_unreachable', 'the database could not be reached', true)
  }

  get address(): DatabaseAddress {
    return this.#address
  }

  /** Process of the server that serves this session. */
  get serverPid(): number {
    return (this.#client as unknown as { readonly processID: number }).processID
  }

  /** Called once if the connection is lost while no statement runs, or while one does. */
  onFailure(listener: (problem: CaptureProblem) => void): void {
    this.#onFailure = listener
    if (this.#failure !== undefined) listener(this.#failure)
  }

  /** Runs one statement; statements wait for each other. Rejects with CaptureProblem. */
  query(
    sql: string,
    parameters: readonly unknown[] = [],
    limitMs = this.#limits.statementMs,
  ): Promise<readonly TextRow[]> {
    const run = () => this.#query(sql, parameters, limitMs)
    const running = this.#running.then(run, run)
    this.#running = running.catch(() => {})
    return running
  }

  async #query(sql: string, parameters: readonly unknown[], limitMs: number): Promise<readonly TextRow[]> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      const config = {
        text: sql,
        rowMode: 'array' as const,
        types: { getTypeParser: () => (text: unknown) => text },
        ...(parameters.length > 0 && { values: [...parameters] }),
      }
      const result: unknown = await withinMs(this.#client.query(config as never), limitMs)
      const last = Array.isArray(result) ? result.at(-1) : result
      return (last as { readonly rows: readonly TextRow[] }).rows
    } catch (error) {
      const problem = problemOf(error, this.#address.secrets)
      if (isConnectionLost(error)) this.#fail(problem)
      throw problem
    }
  }

  /** Runs `work` in a transaction; it is rolled back if `work` rejects. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.query('BEGIN')
    try {
      const result = await work()
      await this.query('COMMIT')
      return result
    } catch (error) {
      if (this.#failure === undefined) await this.query('ROLLBACK').catch(() => this.destroy())
      throw error
    }
  }

  /** Runs a COPY TO STDOUT or START_REPLICATION. No other statement may run until it has ended. */
  copy(sql: string, reader: CopyReader): void {
    let ended = false
    const end = (problem: CaptureProblem | undefined) => {
      if (ended) return
      ended = true
      this.#copying.take = undefined
      if (problem !== undefined && problem.state === undefined) this.#fail(problem)
      reader.ended(problem)
    }
    if (this.#failure !== undefined) {
      end(this.#failure)
      return
    }
    this.#copying.take = (bytes, start, end) => reader.row(bytes, start, end)
    const query: RunningQuery = {
      submit(connection) {
        for (const name of ['replicationStart', 'copyOutResponse']) {
          connection.once(name, () => reader.started?.())
        }
        connection.query(sql)
        return undefined
      },
      handleCopyData() {},
      handleError: (error) => end(problemOf(error, this.#address.secrets)),
      handleReadyForQuery: () => end(undefined),
      handleRowDescription() {},
      handleCommandComplete() {},
      handleCopyInResponse() {},
      callback() {},
    }
    this.#client.query(query as never)
  }

  /** Sends a message within a stream of changes. */
  send(message: Buffer): void {
    if (this.#failure === undefined) connectionOf(this.#client).sendCopyFromChunk(message)
  }

  /** Stops to read from the server until `resume`. Messages that have arrived are still delivered. */
  pause(): void {
    connectionOf(this.#client).stream.pause()
  }

  resume(): void {
    connectionOf(this.#client).stream.resume()
  }

  /** Ends the session; waits a short time for the server. */
  async close(): Promise<void> {
    if (this.#failure !== undefined) return
    this.#failure = new CaptureProblem('database_unreachable', 'the session is closed', true)
    await withinMs(this.#client.end(), FAREWELL_MS).catch(() => {})
    destroy(this.#client)
  }

  /** Ends the session without a word to the server. */
  destroy(): void {
    this.#failure ??= new CaptureProblem('database_unreachable', 'the session is closed', true)
    destroy(this.#client)
  }

  #fail(problem: CaptureProblem): void {
    if (this.#failure !== undefined) return
    this.#failure = problem
    destroy(this.#client)
    this.#onFailure(problem)
  }
}

function configOf(
  { host, port, user, password, database }: DatabaseAddress,
  mode: TlsMode,
  limits: SessionLimits,
  replication: boolean,
): ClientConfig {
  const settings = Object.entries({ ...SESSION_SETTINGS, statement_timeout: '0', row_security: 'off' })
  return {
    ...{ host, port, user, database },
    password: () => password, // as a function, so that no file of passwords is read where it is empty
    ssl: TLS_OPTIONS[mode],
    options: settings.map(([name, value]) => `-c ${name}=${value}`).join(' '),
    application_name: 'millrace',
    connectionTimeoutMillis: limits.connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    ...(replication && { replication: 'database' }),
  } as ClientConfig
}

const TLS_OPTIONS: Readonly<Record<TlsMode, ClientConfig['ssl']>> = {
  none: false,
  unverified: { rejectUnauthorized: false },
  'verify-ca': { rejectUnauthorized: true, checkServerIdentity: () => undefined },
  'verify-full': { rejectUnauthorized: true },
}

/** The connection belongs to the client; its messages are needed for COPY. */
function connectionOf(client: pg.Client): PgConnection {
  return (client as unknown as { readonly connection: PgConnection }).connection
}

/**
 * A server that sends too much, or what is no message of PostgreSQL, is disconnected. The client's parser throws for the latter, which
 * would end the process.
 */
function splitMessages(connection: PgConnection, copying: RunningCopy): void {
  const attach = connection.attachListeners.bind(connection)
  connection.attachListeners = (stream: PgStream) => {
    const limits = new MessageLimits()
    let hasEnded = false
    const guarded = (others: (chunk: Buffer) => void) => {
      const splitter = new MessageSplitter({ limits, others, copyTaker: () => copying.take })
      return (chunk: Buffer) => {
        if (hasEnded) return
        try {
          splitter.take(chunk)
        } catch (error) {
          hasEnded = true
          stream.destroy(error instanceof CaptureProblem ? error : noMessage(error))
        }
      }
    }
    attach({ on: (event, listener) => stream.on(event, event === 'data' ? guarded(listener) : listener) })
  }
}

function destroy(client: pg.Client): void {
  // `end` would wait for a server that does not answer.
  connectionOf(client).stream.destroy()
}

async function withinMs<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new CaptureProblem(
            'database_unreachable',
            `the database did not answer within ${limitMs / 1000} s`,
            true,
          ),
        ),
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

/** A name in double quotes. */
export function quotedIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text in quotes of a statement. The sessions have standard_conforming_strings. */
export function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
