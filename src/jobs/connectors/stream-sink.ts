/**
 * Writes rows to a stream of this service: one event for a row. The service appends the events of an emission and records
 * the epoch in one write, so a row is in the stream exactly once.
 *
 *   headers   content.type; key, the key of the row, if the table has one; tombstone: true for a deleted row; then the
 *             column of the metadata `headers`
 */
import type { Value } from '../../formats/record-reader.ts'
import {
  FormatProblem,
  type KeyWriter,
  openChangeWriter,
  openKeyWriter,
  openRowWriter,
  type RowOptions,
} from '../../formats/rows/index.ts'
import type { TopicConnector, UpsertTopicConnector } from '../../tables/table.ts'
import type { SinkPlan } from '../plan/job-plan.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'
import {
  ConnectorError,
  type Emitted,
  type Outbox,
  type RecordedEpoch,
  type RowOp,
  type Sink,
} from './connector.ts'
import type { ConnectorContext } from './connector-context.ts'
import { type Headers, SinkPart } from './sink-part.ts'

/** Undefined: the row has no event of its own. */
type WriteBody = (op: RowOp, values: readonly Value[]) => Uint8Array | undefined

const EMPTY = new Uint8Array(0)

export class StreamSink implements Sink {
  readonly #table: ConnectedTable
  readonly #sink: number
  readonly #context: ConnectorContext
  readonly #body: WriteBody
  readonly #key: KeyWriter | undefined
  readonly #contentType: string
  /** For each column of the table its column in the outbox. */
  readonly #physical: readonly number[]
  readonly #headersColumn: number
  readonly #isUpsert: boolean

  constructor(table: ConnectedTable, plan: SinkPlan, sink: number, context: ConnectorContext) {
    this.#table = table
    this.#sink = sink
    this.#context = context
    const connector = table.connector as TopicConnector | UpsertTopicConnector
    this.#isUpsert = connector.kind === 'upsert-topic'
    const { valueFormat, keyFormat, keyFields, valueFieldsInclude } = connector
    const options: RowOptions = {
      valueFormat,
      keyFormat,
      keyFields: this.#isUpsert ? table.primaryKey : keyFields,
      valueFieldsInclude,
      columns: table.physical,
    }
    this.#key = openKeyWriter(options)
    this.#physical = table.physical.map(({ name }) =>
      plan.columns.findIndex((column) => column.metadata === undefined && column.name === name),
    )
    this.#headersColumn = plan.columns.findIndex(({ metadata }) => metadata === 'headers')
    const writer = valueFormat === 'debezium-json' ? openChangeWriter(options) : openRowWriter(options)
    this.#contentType = writer.contentType
    this.#body =
      valueFormat === 'debezium-json'
        ? (op, values) => (writer as ReturnType<typeof openChangeWriter>).write(op, values)
        : (op, values) => {
            if (op === 'b') return undefined
            return op === 'd' ? EMPTY : (writer as ReturnType<typeof openRowWriter>).write(values)
          }
  }

  async recorded(): Promise<RecordedEpoch> {
    return (await this.#context.service.recorded(this.#context.jid, this.#sink)) ?? 'none'
  }

  async emit(epoch: number, outbox: Outbox): Promise<Emitted> {
    const { jid, service } = this.#context
    const part = new SinkPart()
    const emitted = await this.#encode(outbox, (body, op, values, more) => {
      part.add(body, this.#headers(op, values, more))
      return part.isFull ? service.stage(jid, this.#sink, epoch, this.#table.id, part.take()) : undefined
    })
    await service.append(jid, this.#sink, epoch, this.#table.id, part.take())
    return emitted
  }

  sizeOf(outbox: Outbox): Promise<Emitted> {
    return this.#encode(outbox, () => undefined)
  }

  async close(): Promise<void> {}

  /** Calls `take` with the body of each event, with its row and with the column of the metadata `headers`. */
  async #encode(
    outbox: Outbox,
    take: (body: Uint8Array, op: RowOp, values: readonly Value[], more?: Value) => Promise<void> | undefined,
  ): Promise<Emitted> {
    let records = 0
    let bytes = 0
    const values: Value[] = new Array(this.#physical.length).fill(null)
    for await (const { ops, columns, rowCount } of outbox.chunks()) {
      for (let row = 0; row < rowCount; row++) {
        for (const [index, from] of this.#physical.entries())
          values[index] = from === -1 ? null : columns[from]![row]!
        const body = this.#written(() => this.#body(ops[row]!, values))
        if (body === undefined) continue
        records++
        bytes += body.length
        const taken = take(body, ops[row]!, values, columns[this.#headersColumn]?.[row])
        if (taken !== undefined) await taken
      }
    }
    return { records, bytes }
  }

  #headers(op: RowOp, values: readonly Value[], more: Value | undefined): Headers {
    const headers: [string, string][] = [['content.type', this.#contentType]]
    if (this.#key !== undefined) headers.push(['key', this.#written(() => this.#key!.headerText(values))])
    if (this.#isUpsert && op === 'd') headers.push(['tombstone', 'true'])
    if (more instanceof Map) {
      for (const [name, value] of more as ReadonlyMap<string, Value>) {
        if (!headers.some(([known]) => known === name)) headers.push([name, headerText(value)])
      }
    }
    return headers
  }

  #written<T>(write: () => T): T {
    try {
      return write()
    } catch (error) {
      if (!(error instanceof FormatProblem)) throw error
      throw new ConnectorError(
        `a row cannot be written to table ${this.#table.name}: ${error.message}`,
        false,
        {
          cause: error,
        },
      )
    }
  }
}

function headerText(value: Value): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value ?? '')
}
