/** The API of Aiven for Flink and streams of one started service, as the proofs of jobs use them. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { proofFailure } from '../../support/proven.ts'
import { type ReadEvent, readBack } from '../writers/read-back.ts'

const PROJECT = '/v1/project/proofs'
const FLINK = `${PROJECT}/service/default/flink`

export interface TableBody {
  readonly name: string
  readonly schema_sql: string
  readonly kafka_topic?: string
  readonly kafka_connector_type?: 'upsert-kafka'
  readonly kafka_startup_mode?: 'latest-offset'
  readonly kafka_value_format?: string
  readonly jdbc_table?: string
}

export interface JobSeen {
  readonly state: string
  /** Sentence of the last error; empty if there was none. */
  readonly error: string
  readonly recordsIn: number
  readonly restarts: number
}

export class FlinkClient {
  /** Of the service that runs now; a proof that starts another one sets it. */
  port: number

  constructor(port: number) {
    this.port = port
  }

  /** Throws if the answer is not 200. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      ...(body !== undefined && {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  async createStream(name: string): Promise<void> {
    await this.call('PUT', streamPath(name))
  }

  /** The status, or undefined if the connection ended without an answer. */
  async post(stream: string, lines: readonly string[]): Promise<number | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.port}${streamPath(stream)}/batch`, {
        method: 'POST',
        headers: { 'Content-Type': 'text/plain' },
        body: lines.join('\n'),
      })
      await response.arrayBuffer()
      return response.status
    } catch {
      return undefined
    }
  }

  /** All events of the stream, whose order and wholeness are checked. */
  async events(stream: string): Promise<readonly ReadEvent[]> {
    const events: ReadEvent[] = []
    const problems = await readBack(this.port, 'default', stream, (event) => events.push(event))
    expect(problems).toEqual([])
    return events
  }

  async builtIn(): Promise<string> {
    const found = (await this.call('GET', `${PROJECT}/service/default/integration`)) as {
      service_integrations: { service_integration_id: string }[]
    }
    return found.service_integrations[0]!.service_integration_id
  }

  async postgres(connection_uri: string): Promise<string> {
    const created = (await this.call('POST', `${PROJECT}/integration`, {
      source_service: 'database',
      dest_service: 'default',
      integration_type: 'flink',
      user_config: { connection_uri },
      source_endpoint_id: null,
      dest_endpoint_id: null,
    })) as { service_integration: { service_integration_id: string } }
    return created.service_integration.service_integration_id
  }

  async table(integration_id: string, table: TableBody): Promise<void> {
    await this.call('POST', `${FLINK}/table`, { integration_id, ...table })
  }

  /** Returns its id. */
  async job(job_name: string, statement: string): Promise<string> {
    const created = await this.call('POST', `${FLINK}/job`, { job_name, statement, table_ids: [] })
    return (created as { job_id: string }).job_id
  }

  async seen(jid: string): Promise<JobSeen> {
    const detail = (await this.call('GET', `${FLINK}/job/${jid}`)) as JobDetail
    const { exceptions, recordsIn, restarts } = detail.millrace
    return { state: detail.state, error: exceptions[0]?.message ?? '', recordsIn, restarts }
  }

  /** Resolves when the job is in this state. Fails early if it has ended in another. */
  async until(jid: string, state: string, timeoutMs = 180_000): Promise<JobSeen> {
    const endMs = Date.now() + timeoutMs
    for (;;) {
      const seen = await this.seen(jid)
      if (seen.state === state) return seen
      const problem = new Error(`job ${jid} is ${seen.state} and not ${state}: ${seen.error}`)
      if (seen.state === 'FAILED') throw proofFailure(problem)
      if (Date.now() > endMs) throw problem
      await delay(20)
    }
  }
}

interface JobDetail {
  readonly state: string
  readonly millrace: {
    readonly recordsIn: number
    readonly restarts: number
    /** The newest first. */
    readonly exceptions: readonly { readonly message: string }[]
  }
}

export function streamPath(name: string): string {
  return `/v3/namespaces/default/streams/${name}`
}
