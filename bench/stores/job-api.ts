/** Tables and SQL jobs of a running service, through its API. */
import { setTimeout as sleep } from 'node:timers/promises'
import { streamPath } from '../events/streams.ts'
import { send } from './http-client.ts'

const SERVICE = '/v1/project/bench/service/default'
const POLL_MS = 100
/** A job that has done nothing for so long is stuck. */
const STUCK_MS = 60_000

/** The part of a job's detail that is read here. */
export interface JobDetail {
  readonly state: string
  readonly millrace: {
    readonly recordsIn: number
    readonly recordsOut: number
    readonly recordsBad: number
    readonly lastCheckpoint: { readonly id: number } | null
    readonly exceptions: readonly { readonly message: string }[]
  }
}

interface Integration {
  readonly service_integration_id: string
  readonly integration_type?: string
  readonly source_service?: string
}

export class JobApi {
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  async #json<T>(method: string, path: string, body?: object): Promise<T> {
    const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const headers: Record<string, string> = sent === undefined ? {} : { 'content-type': 'application/json' }
    return JSON.parse(await send(method, `${this.#base}${path}`, sent, headers)) as T
  }

  /** Of the streams of the service. */
  async streamIntegration(): Promise<string> {
    const { service_integrations: all } = await this.#json<{ service_integrations: readonly Integration[] }>(
      'GET',
      `${SERVICE}/integration`,
    )
    return all[0]!.service_integration_id
  }

  async postgresIntegration(uri: string): Promise<string> {
    const { service_integration: made } = await this.#json<{ service_integration: Integration }>(
      'POST',
      '/v1/project/bench/integration',
      {
        source_service: 'bench-postgres',
        dest_service: 'default',
        integration_type: 'flink',
        user_config: { connection_uri: uri },
      },
    )
    return made.service_integration_id
  }

  /** `connector`: members of the request that say where the rows are. */
  async createTable(name: string, schema: string, connector: object): Promise<string> {
    const made = await this.#json<{ table_id: string }>('POST', `${SERVICE}/flink/table`, {
      name,
      schema_sql: schema,
      ...connector,
    })
    return made.table_id
  }

  async createJob(name: string, statement: string): Promise<string> {
    const made = await this.#json<{ job_id: string }>('POST', `${SERVICE}/flink/job`, {
      job_name: name,
      statement,
      table_ids: [],
    })
    return made.job_id
  }

  job(id: string): Promise<JobDetail> {
    return this.#json('GET', `${SERVICE}/flink/job/${id}`)
  }

  /** Resolves when `done` is true. Rejects if the job ends or restarts, or does nothing for a long time. */
  async until(id: string, done: (detail: JobDetail) => boolean): Promise<JobDetail> {
    let before = ''
    let changedMs = Date.now()
    for (;;) {
      const detail = await this.job(id)
      if (done(detail)) return detail
      const { recordsIn, exceptions } = detail.millrace
      if (exceptions.length > 0) throw new Error(`a job is ${detail.state}: ${exceptions[0]!.message}`)
      const now = `${detail.state} ${recordsIn}`
      if (now !== before) changedMs = Date.now()
      if (Date.now() - changedMs > STUCK_MS)
        throw new Error(`a job is ${detail.state} and has read ${recordsIn} events for a long time`)
      before = now
      await sleep(POLL_MS)
    }
  }

  /** Events of a stream as texts. */
  async bodies(stream: string, limit: number): Promise<readonly string[]> {
    const text = await send('GET', `${this.#base}${streamPath(stream)}/events?limit=${limit}`)
    if (text === '') return []
    return (JSON.parse(text) as readonly { readonly body: string }[]).map(({ body }) => body)
  }

  async createStream(stream: string): Promise<void> {
    await send('PUT', `${this.#base}${streamPath(stream)}`)
  }

  async upload(stream: string, lines: Buffer): Promise<void> {
    await send('POST', `${this.#base}${streamPath(stream)}/batch`, lines, { 'content-type': 'text/plain' })
  }

  async post(stream: string, body: string): Promise<void> {
    await send('POST', `${this.#base}${streamPath(stream)}`, Buffer.from(body))
  }
}
