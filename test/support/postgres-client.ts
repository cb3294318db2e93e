/**
 * Clients of PostgreSQL for tests. A server that crashes or stops ends the connections of all clients; without a listener for
 * errors such a client would end the test run, also between two statements and after `end`.
 */
import pg, { type ClientConfig } from 'pg'

/** A connected client. Statements on a connection that was lost reject. End it with `end`. */
export async function connectedClient(config: string | ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config)
  client.on('error', () => {}) // the statement that runs, or the next one, rejects
  try {
    await client.connect()
    return client
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}
