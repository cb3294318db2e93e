/** Connections and cached queries of a running service. */
import { setTimeout as delay } from 'node:timers/promises'
import { FlinkClient } from '../jobs/flink-client.ts'
import { type ReadEvent, readBack } from '../writers/read-back.ts'

interface Connection {
  readonly id: number
  readonly status: string
  readonly connector: {
    readonly lsn: string | null
    readonly error: string | null
    readonly snapshot: { readonly done: boolean }
  }
}

export interface QueryRows {
  readonly rows: readonly (readonly unknown[])[]
}

export class CachedClient extends FlinkClient {
  /** One of the four POSTs of cached queries. */
  async create(path: string, body: Readonly<Record<string, string>>): Promise<{ readonly id: number }> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (response.status !== 201) throw new Error(`POST ${path}: ${response.status} ${text}`)
    return JSON.parse(text) as { readonly id: number }
  }

  /** All events of the stream of a table. Bodies are as they were written. */
  async changes(
    stream: string,
  ): Promise<{ readonly events: readonly ReadEvent[]; readonly problems: readonly string[] }> {
    const events: ReadEvent[] = []
    const problems = await readBack(
      this.port,
      'default',
      stream,
      (event) => events.push(event),
      'whole',
      'utf8',
    )
    return { events, problems }
  }

  connection(id: number): Promise<Connection> {
    return this.call('GET', `/connections/${id}`) as Promise<Connection>
  }

  /** Resolves when the connection runs, its snapshots are complete, and everything up to the position is captured. */
  async captured(id: number, lsn: bigint, timeoutMs: number): Promise<void> {
    const endMs = Date.now() + timeoutMs
    for (;;) {
      const { status, connector } = await this.connection(id)
      const at = connector.lsn === null ? -1n : lsnOf(connector.lsn)
      if (status === 'running' && connector.snapshot.done && at >= lsn) return
      if (status === 'failed' || Date.now() > endMs)
        throw new Error(
          `connection ${id} is ${status} at ${connector.lsn}, wanted ${lsn}: ${connector.error}`,
        )
      await delay(50)
    }
  }

  async rows(id: number, lsn: bigint, timeoutMs: number): Promise<QueryRows> {
    const endMs = Date.now() + timeoutMs
    for (;;) {
      try {
        return (await this.call(
          'GET',
          `/queries/${id}/rows?limit=100000&atLeast=${printLsn(lsn)}`,
        )) as QueryRows
      } catch (error) {
        if (Date.now() > endMs || !/: 50[34] /.test(String(error))) throw error
        await delay(200)
      }
    }
  }
}

/** `0/256E898` */
export function lsnOf(text: string): bigint {
  const [high, low] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}

export function printLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase()
}
