/**
 * Writes the changes of a cached result to its stream, as Debezium does for a table: one envelope for a change, and a
 * tombstone after that of a deleted row. Rows have the visible columns of the result. The service appends the events of an
 * emission and records the epoch in one write.
 *
 *   headers   content.type, key: the key of the row as JSON; of a tombstone also tombstone: true
 */
import { FormatProblem } from '../../formats/rows/index.ts'
import type { SinkPlan } from '../plan/job-plan.ts'
import type { QueryJobResult, ResultMoment } from '../query-result.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'
import { ConnectorError, type Emitted, type Outbox, type RecordedEpoch, type Sink } from './connector.ts'
import type { ConnectorContext } from './connector-context.ts'
import { ResultRows } from './result-rows.ts'
import { type Headers, SinkPart } from './sink-part.ts'

const CONTENT_TYPE = ['content.type', 'application/json'] as const
const TOMBSTONE = ['tombstone', 'true'] as const
const EMPTY = new Uint8Array(0)

export class ResultSink implements Sink {
  readonly #table: ConnectedTable
  readonly #sink: number
  readonly #context: ConnectorContext
  readonly #rows: ResultRows
  readonly #source: QueryJobResult['source']
  readonly #moment: () => ResultMoment

  /** `moment`: of the rows in the outbox. */
  constructor(
    table: ConnectedTable,
    plan: SinkPlan,
    sink: number,
    context: ConnectorContext,
    result: QueryJobResult,
    moment: () => ResultMoment,
  ) {
    this.#table = table
    this.#sink = sink
    this.#context = context
    this.#rows = new ResultRows(plan.columns, result)
    this.#source = result.source
    this.#moment = moment
  }

  async recorded(): Promise<RecordedEpoch> {
    return (await this.#context.service.recorded(this.#context.jid, this.#sink)) ?? 'none'
  }

  async emit(epoch: number, outbox: Outbox): Promise<Emitted> {
    const { jid, service } = this.#context
    const part = new SinkPart()
    const emitted = await this.#encode(outbox, (body, headers) => {
      part.add(body, headers)
      return part.isFull ? service.stage(jid, this.#sink, epoch, this.#table.id, part.take()) : undefined
    })
    await service.append(jid, this.#sink, epoch, this.#table.id, part.take())
    return emitted
  }

  sizeOf(outbox: Outbox): Promise<Emitted> {
    return this.#encode(outbox, () => undefined)
  }

  async close(): Promise<void> {}

  async #encode(
    outbox: Outbox,
    take: (body: Uint8Array, headers: Headers) => Promise<void> | undefined,
  ): Promise<Emitted> {
    const source = sourceText(this.#source, this.#moment())
    const times = timeTexts(this.#context.nowMs())
    let records = 0
    let bytes = 0
    try {
      for await (const change of this.#rows.changes(outbox)) {
        if (!this.#rows.isVisible(change)) continue
        const { op, key, before, after } = change
        const rows = `"before":${this.#rows.object(before)},"after":${this.#rows.object(after)}`
        const text = `{${rows},"source":${source},"transaction":null,"op":"${op}",${times}}`
        const body = Buffer.from(text, 'utf8')
        const headers = [CONTENT_TYPE, ['key', key]] as const
        records++
        bytes += body.length
        await take(body, headers)
        if (op !== 'd') continue
        records++
        await take(EMPTY, [...headers, TOMBSTONE])
      }
    } catch (error) {
      if (!(error instanceof FormatProblem)) throw error
      throw new ConnectorError(`a row of the result cannot be written: ${error.message}`, false, {
        cause: error,
      })
    }
    return { records, bytes }
  }
}

/** The member `source` of the envelopes. Times of moments are whole milliseconds. */
function sourceText(
  { environment, database, query, version }: QueryJobResult['source'],
  { lsn, txId, timestampMs }: ResultMoment,
): string {
  const { ms, us, ns } = timesOf(timestampMs)
  return (
    `{"version":${JSON.stringify(version)},"connector":"millrace","name":${JSON.stringify(environment)},"ts_ms":${ms},` +
    `"snapshot":"false","db":${JSON.stringify(database)},"sequence":null,"ts_us":${us},"ts_ns":${ns},"schema":"cached",` +
    `"table":${JSON.stringify(query)},"txId":${txId ?? null},"lsn":${lsn},"xmin":null,"origin":null,"origin_lsn":null}`
  )
}

function timeTexts(atMs: number): string {
  const { ms, us, ns } = timesOf(atMs)
  return `"ts_ms":${ms},"ts_us":${us},"ts_ns":${ns}`
}

/** Nanoseconds are beyond the numbers that JavaScript has exactly. */
function timesOf(atMs: number): { readonly ms: bigint; readonly us: bigint; readonly ns: bigint } {
  const ms = BigInt(Math.trunc(atMs))
  return { ms, us: ms * 1_000n, ns: ms * 1_000_000n }
}
