/**
 * Events of a stream in a time range, decoded into columns of a DuckDB table.
 *
 *   ts BIGINT, bad BOOLEAN, headers?, f<index of the field>, …
 *
 * `catchUp` adds the events that have been appended to the log since. For an event that cannot be read, `bad` is true
 * and all fields are NULL. If only some fields do not fit, `bad` is true and these fields are NULL.
 */
import { setImmediate } from 'node:timers/promises'
import type { EventBlock, LogId } from '../../storage/log.ts'
import type { ColumnBuffer, TextBuffer } from '../duckdb/column-buffer.ts'
import { type ColumnType, storedName } from '../duckdb/column-types.ts'
import { TableWriter } from '../duckdb/table-writer.ts'
import type { FormatSpecification } from '../formats/format-specification.ts'
import type { RecordReader, Value } from '../formats/record-reader.ts'
import { openReader, resolveFormat } from '../formats/specification.ts'
import { valueJson } from '../formats/value-json.ts'
import type { RecordSchema } from '../schemas/schema.ts'
import { parseSchemaText } from '../schemas/schema-json.ts'
import type { StreamId } from '../streams/names.ts'
import type { Cursor } from '../streams/streams.ts'
import type { EventSource } from '../worker/event-source.ts'
import type { BadEvent } from './bad-events.ts'
import type { Column } from './columns.ts'
import type { Engine } from './engine.ts'
import type { TimeRange } from './statement.ts'

/** After this time, decoding lets the process handle other work, for example the message that cancels a query. */
const SLICE_MS = 10
/** Check the clock once per this many events. */
const SLICE_EVENTS = 32
const REASONS_MAX = 20
const EVENTS_MAX = 2_147_483_647

/** The part of a stream that a query needs. */
export interface TableRequest {
  readonly id: StreamId
  readonly log: LogId
  readonly format: FormatSpecification
  readonly columns: readonly Column[]
  readonly range: TimeRange
  /** The query needs only the first events, this many; undefined means all. */
  readonly eventsMax: number | undefined
}

export interface StreamTableOptions extends TableRequest {
  readonly name: string
}

/** The part of a table that existed when a query took its lease. The query does not see later additions. */
export interface Extent {
  readonly rows: number
  readonly badEvents: number
  /** The reasons of the first bad events. */
  readonly reasons: readonly BadEvent[]
}

const NOTHING: Extent = { rows: 0, badEvents: 0, reasons: [] }

/** Whether the query that waits for the events has been cancelled. */
export interface CancelSignal {
  readonly cancelled: boolean
}

export class StreamTable {
  readonly name: string
  readonly id: StreamId
  readonly log: LogId
  readonly columns: readonly Column[]
  readonly #formatKey: string
  readonly #engine: Engine
  readonly #source: EventSource
  readonly #reader: RecordReader | undefined
  readonly #fieldCount: number
  readonly #eventsMax: number | undefined
  #range: TimeRange
  #after: Cursor | undefined
  #loading: Promise<unknown>
  #failure: Error | undefined
  rows = 0
  bytes = 0
  badEvents = 0
  readonly #reasons: BadEvent[] = []
  /** The number of queries that use the table now. */
  leases = 0
  usedAt = 0

  /** Starts to create the table in DuckDB. `catchUp` waits for that, and rejects if it failed. */
  constructor(engine: Engine, source: EventSource, options: StreamTableOptions) {
    this.#engine = engine
    this.#source = source
    this.name = options.name
    this.id = options.id
    this.log = options.log
    this.columns = options.columns
    this.#range = options.range
    this.#eventsMax = options.eventsMax
    this.#formatKey = keyOf(options.format)
    const fields = options.columns.flatMap(({ field }) => (field === undefined ? [] : [field]))
    this.#fieldCount = fields.length
    this.#reader = fields.length === 0 ? undefined : openReader(resolvedFormat(options.format), fields)
    this.#loading = this.#create().catch((error: Error) => {
      this.#failure = error
    })
  }

  /** Whether a query can read this table instead of its own: the rule of table-cache.ts. */
  covers(request: TableRequest): boolean {
    const { log, format, range, columns } = request
    return (
      this.log === log &&
      this.#formatKey === keyOf(format) &&
      this.#range.startMs <= range.startMs &&
      this.#range.endMs >= range.endMs &&
      columns.every(({ keptAs }) => this.columns.some((column) => column.keptAs === keptAs)) &&
      (this.badEvents === 0 || this.hasFieldsOf(request))
    )
  }

  /** If so, the same events are bad for the request and for this table. */
  hasFieldsOf({ columns }: TableRequest): boolean {
    return fieldsOf(columns) === fieldsOf(this.columns)
  }

  /** Adds the new events. Concurrent callers run one after another. */
  catchUp(cancelSignal: CancelSignal): Promise<Extent> {
    const loaded = this.#loading.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      const exists = cancelSignal.cancelled || (await this.#load(cancelSignal))
      return exists ? { rows: this.rows, badEvents: this.badEvents, reasons: [...this.#reasons] } : NOTHING
    })
    this.#loading = loaded.catch((error: Error) => {
      this.#failure = error
    })
    return loaded
  }

  async drop(): Promise<void> {
    await this.#loading
    await this.#engine.run(`DROP TABLE IF EXISTS streams.${this.name}`)
  }

  async #create(): Promise<void> {
    const columns = this.columns
      .filter(({ name }) => name !== 'ts')
      .map(({ keptAs, keptType }) => `, ${keptAs} ${storedName(keptType)}`)
    await this.#engine.run(`CREATE TABLE streams.${this.name} (ts BIGINT, bad BOOLEAN${columns.join('')})`)
  }

  /** Resolves with false if the stream has another log now, because it was truncated or deleted. */
  async #load(cancelSignal: CancelSignal): Promise<boolean> {
    const after = this.#after
    const read = await this.#source.read(this.id, {
      ...this.#range,
      limit: this.#eventsMax ?? EVENTS_MAX,
      ...(after && { after }),
    })
    if (read === undefined) return true
    if (read.log !== this.log) {
      await read.blocks.return?.()
      return false
    }
    this.#excludeExpired(read.startMs)
    const types: ColumnType[] = ['BIGINT', 'BOOLEAN', ...this.#keptTypes()]
    const writer = await TableWriter.open(this.#engine, { schema: 'streams', table: this.name }, types)
    try {
      const slices = new Slices()
      for await (const block of read.blocks) {
        await this.#decode(block, writer, slices)
        if (cancelSignal.cancelled) break
      }
      writer.flush()
    } finally {
      this.bytes += writer.bytes
      writer.close()
    }
    return true
  }

  /**
   * The read omits expired events. If some of them may lie after the last event of the table, the table's range is
   * moved to begin after them. With a longer TTL they would be visible again, but this table does not have them.
   */
  #excludeExpired(visibleFromMs: number): void {
    const decodedUntilMs = this.#after?.position.timestampMs ?? this.#range.startMs
    if (visibleFromMs <= decodedUntilMs) return
    this.#range = { ...this.#range, startMs: Math.max(this.#range.startMs, visibleFromMs) }
  }

  #addBad(event: BadEvent): void {
    this.badEvents++
    if (this.#reasons.length < REASONS_MAX) this.#reasons.push(event)
  }

  #keptTypes(): ColumnType[] {
    return this.columns.filter(({ name }) => name !== 'ts').map(({ keptType }) => keptType)
  }

  async #decode(block: EventBlock, writer: TableWriter, slices: Slices): Promise<void> {
    // Indexes below are asserted with `!`: a run lies inside its block, and there is one value per field column.
    const { bytes, starts, ends, runs, firstSequence } = block
    const reader = this.#reader
    const values: Value[] = new Array(this.#fieldCount).fill(null)
    const [tsColumn, badColumn, ...others] = writer.columns as [ColumnBuffer, ColumnBuffer, ...ColumnBuffer[]]
    const hasHeaders = this.columns.some(({ keptAs }) => keptAs === 'headers')
    const headersColumn = hasHeaders ? (others[0] as TextBuffer) : undefined
    const fieldColumns = others.slice(hasHeaders ? 1 : 0)
    for (const { begin, end, timestampMs, headers } of runs) {
      const headersJson = headersColumn === undefined ? '' : valueJson(new Map(headers))
      for (let i = begin; i < end; i++) {
        const error = reader?.read(bytes, starts[i]!, ends[i]!, headers, values)
        const { row } = writer
        tsColumn.setValue(row, timestampMs)
        badColumn.setValue(row, error !== undefined)
        headersColumn?.setText(row, headersJson)
        if (error === undefined || error.partial === true) {
          for (let field = 0; field < fieldColumns.length; field++)
            fieldColumns[field]!.set(row, values[field]!)
        } else {
          for (const column of fieldColumns) column.setNull(row)
        }
        if (error !== undefined)
          this.#addBad({ timestampMs, sequence: firstSequence + i, reason: error.reason })
        writer.endRow()
        if (i % SLICE_EVENTS === 0 && slices.isOver()) await slices.next()
      }
      this.rows += end - begin
      this.#after = { log: this.log, position: { timestampMs, sequence: firstSequence + end - 1 } }
    }
  }
}

/** Divides decoding into slices. Between slices the process handles messages. */
class Slices {
  #endsAt = performance.now() + SLICE_MS

  isOver(): boolean {
    return performance.now() > this.#endsAt
  }

  async next(): Promise<void> {
    await setImmediate()
    this.#endsAt = performance.now() + SLICE_MS
  }
}

function fieldsOf(columns: readonly Column[]): string {
  return columns.flatMap(({ field }) => (field === undefined ? [] : [field])).join()
}

function keyOf({ name, schema, settings }: FormatSpecification): string {
  return JSON.stringify([name.toLowerCase(), schema, [...settings]])
}

/** The format was checked when it was set, so this does not throw. */
export function resolvedFormat({ name, schema, settings }: FormatSpecification) {
  return resolveFormat(name, parseSchemaText(schema), settings)
}

export function schemaOf(format: FormatSpecification): RecordSchema {
  return parseSchemaText(format.schema) as RecordSchema
}
