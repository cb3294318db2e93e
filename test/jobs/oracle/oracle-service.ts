/** The built service with tables A, B, U and V: statements run as jobs over its HTTP API, and their sinks are read. */
import { setTimeout as delay } from 'node:timers/promises'
import { FlinkClient, streamPath } from '../../faults/jobs/flink-client.ts'
import type { SeededRandom } from '../../support/seeded-random.ts'
import { listening, type ServiceProcess, spawnCli, temporaryFolder } from '../../support/service-process.ts'
import { type Arrived, arrived, type ChangingName, SCHEMAS, type StreamName } from './input.ts'
import type { Statement } from './statements.ts'

type Name = StreamName | ChangingName
const NAMES: readonly Name[] = ['A', 'B', 'U', 'V']
const STREAMS: Readonly<Record<Name, string>> = { A: 'a', B: 'b', U: 'u', V: 'v' }
const READY_MS = 120_000
const SETTLE_MS = 300_000

export interface SinkEvent {
  readonly timestampMs: number
  readonly body: string
}

/** A statement that runs into a sink of its own. */
export interface Running {
  readonly statement: Statement
  readonly jid: string
  readonly sink: string
}

interface Placed extends Arrived {
  readonly timestampMs: number
}

export class OracleService {
  readonly client = new FlinkClient(0)
  readonly #folder: string
  readonly #cli: string | undefined
  #tickEvents: number
  #process: ServiceProcess | undefined
  #integration = ''
  #sinks = 0

  private constructor(folder: string, tickEvents: number, cli: string | undefined) {
    this.#folder = folder
    this.#tickEvents = tickEvents
    this.#cli = cli
  }

  static async open(tickEvents: number, cli?: string): Promise<OracleService> {
    const service = new OracleService(await temporaryFolder(), tickEvents, cli)
    await service.#start()
    service.#integration = await service.client.builtIn()
    for (const name of NAMES) {
      await service.client.createStream(STREAMS[name])
      const isChanging = name === 'U' || name === 'V'
      await service.#table(name, STREAMS[name], SCHEMAS[name], isChanging)
    }
    return service
  }

  /** Stops the service and starts it again, perhaps with another size of ticks. */
  async reopen(tickEvents = this.#tickEvents): Promise<void> {
    await this.close()
    this.#tickEvents = tickEvents
    await this.#start()
  }

  async close(): Promise<void> {
    const { code } = (await this.#process?.stop()) ?? {}
    if (code !== 0) throw new Error(`the service ended with ${code}: ${this.#process?.stderr}`)
  }

  async append(name: Name, bodies: readonly string[]): Promise<void> {
    if (bodies.length === 0) return
    const status = await this.client.post(STREAMS[name], bodies)
    if (status !== 200) throw new Error(`a batch was answered ${status}`)
  }

  async create(statement: Statement): Promise<Running> {
    const sink = `out${++this.#sinks}`
    const columns = statement.columns.map((type, i) => `c${i} ${type}`).join(', ')
    await this.#table(sink, sink, columns, statement.expected.form === 'changes')
    const jid = await this.client.job(statement.kind, `INSERT INTO ${sink} ${statement.query}`)
    return { statement, jid, sink }
  }

  async cancel({ jid }: Running): Promise<void> {
    await this.client.call('POST', `/v1/project/proofs/service/default/flink/job/${jid}/cancel`)
    await this.client.until(jid, 'CANCELED')
  }

  /** Resolves when the job has read all events of its sources. */
  async read({ jid, statement }: Running, events: number): Promise<void> {
    for (const endMs = Date.now() + SETTLE_MS; ; await delay(50)) {
      const { state, error, recordsIn } = await this.client.seen(jid)
      if (recordsIn === events) return
      if (error !== '' || Date.now() > endMs)
        throw new Error(
          `${statement.query}\nhas read ${recordsIn} of ${events} events and is ${state}: ${error}`,
        )
    }
  }

  sink({ sink }: Running): Promise<SinkEvent[]> {
    return this.#events(sink)
  }

  /** What the log has of the sources, in the order in which a job takes it. */
  async input({ sources, query, partOf = () => query }: Statement): Promise<Arrived[]> {
    const all: Placed[] = []
    for (const name of new Set(sources)) {
      const part = partOf(name)
      const uses = (column: string) => new RegExp(`SELECT \\*|\\b${column}\\b`).test(part)
      for (const { body, timestampMs } of await this.#events(STREAMS[name]))
        all.push({ ...arrived(name, body, uses), timestampMs })
    }
    return all.sort((a, b) => a.timestampMs - b.timestampMs) // stable: by source within a millisecond
  }

  /** None if the stream does not exist yet. */
  async #events(stream: string): Promise<SinkEvent[]> {
    const path = `${streamPath(stream)}/events?encoding=utf8`
    const headers = { Accept: 'application/x-ndjson' }
    const response = await fetch(`http://127.0.0.1:${this.client.port}${path}`, { headers })
    const text = await response.text()
    if (response.status === 204 || response.status === 404) return []
    if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${text}`)
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { timestamp, body } = JSON.parse(line) as { readonly timestamp: number; readonly body: string }
        return { timestampMs: timestamp, body }
      })
  }

  async #start(): Promise<void> {
    const args = ['--port', '0', '--data', this.#folder, '--max-job-tick-events', String(this.#tickEvents)]
    this.#process = await listening(spawnCli({ args }, this.#cli), READY_MS)
    this.client.port = this.#process.port
  }

  #table(name: string, kafka_topic: string, schema_sql: string, isChanging: boolean): Promise<void> {
    const format = isChanging ? { kafka_value_format: 'debezium-json' } : {}
    return this.client.table(this.#integration, { name, kafka_topic, schema_sql, ...format })
  }
}

/** Random bodies appended in pieces of random sizes, with pauses; `between` is called now and then. */
export async function appendInPieces(
  service: OracleService,
  random: SeededRandom,
  bodies: ReadonlyMap<Name, readonly string[]>,
  between: () => Promise<void> = async () => {},
): Promise<void> {
  const left = new Map([...bodies].map(([name, all]) => [name, [...all]]))
  for (let piece = 0; [...left.values()].some((rest) => rest.length > 0); piece++) {
    const name = random.pick([...left.keys()].filter((one) => left.get(one)!.length > 0))
    await service.append(name, left.get(name)!.splice(0, random.pick([1, 3, 20, 90, 300])))
    if (random.next() < 0.3) await delay(random.whole(1, 120))
    if (piece % 30 === 14) await between()
  }
}
