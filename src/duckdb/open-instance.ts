/**
 * An open instance that is closed safely. The library connects on another thread, and a connection that is being opened to
 * an instance which is closed meanwhile ends the process.
 */
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

export class OpenInstance {
  readonly #instance: DuckDBInstance
  readonly #connecting = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(instance: DuckDBInstance) {
    this.#instance = instance
  }

  /** Rejects after `close` was called. */
  connect(): Promise<DuckDBConnection> {
    if (this.#closing !== undefined) return Promise.reject(new Error('the engine is closed'))
    const connection = this.#instance.connect()
    this.#connecting.add(connection)
    const forget = () => this.#connecting.delete(connection)
    connection.then(forget, forget)
    return connection
  }

  /** Waits for connections that are being opened. Those that are open keep the data of the instance until they are closed. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#connecting).then(() => this.#instance.closeSync())
    return this.#closing
  }
}
