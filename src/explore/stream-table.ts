/**
 * Events of a stream, decoded into columns and kept in a table of DuckDB: those of a stretch of time, of some of the fields.
 *
 *   ts BIGINT, bad BOOLEAN, headers?, f<index of the field>, …
 *
 * What is new in the log since is added when somebody asks. An event that cannot be read has its time and headers, `bad`,
 * and no fields; where only some of its fields do not fit, it is `bad`, and those are NULL.
 */
import { setImmediate } from 'node:timers/promises'
import type { EventBlock, LogId } from '../../storage/log.ts'
import type { FormatSpecification } from '../formats/format-specification.ts'
import type { RecordReader, Value } from '../formats/record-reader.ts'
import { openReader, resolveFormat } from '../formats/specification.ts'
import { valueJson } from '../formats/value-json.ts'
import type { RecordSchema } from '../schemas/schema.ts'
import { parseSchemaText } from '../schemas/schema-json.ts'
import type { StreamId } from '../streams/names.ts'
import type { Cursor } from '../streams/streams.ts'
import type { BadEvent } from './bad-events.ts'
import type { TextBuffer } from './column-buffer.ts'
import type { Column, KeptType } from './columns.ts'
import type { Engine } from './engine.ts'
import type { EventSource } from './event-source.ts'
import type { TimeRange } from './statement.ts'
import { TableWriter } from './table-writer.ts'

/** So long is decoded before anybody else is heard, such as who gives a query up. */
const SLICE_MS = 10
/** After so many events it is looked at the clock. */
const SLICE_EVENTS = 32
const REASONS_MAX = 20
const EVENTS_MAX = 2_147_483_647

/** What a query needs of a stream. */
export interface TableRequest {
  readonly id: StreamId
  readonly log: LogId
  readonly format: FormatSpecification
  readonly columns: readonly Column[]
  readonly range: TimeRange
  /** The first so many events are enough; undefined: all. */
  readonly eventsMax: number | undefined
}

export interface StreamTableOptions extends TableRequest {
  readonly name: string
}

/** What there was of a table when a query came to it: what comes later is none of its. */
export interface Extent {
  readonly rows: number
  readonly badEvents: number
  /** The first of them. */
  readonly reasons: readonly BadEvent[]
}

const NOTHING: Extent = { rows: 0, badEvents: 0, reasons: [] }

/** Whoever waits for events to be decoded may give up. */
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
  /** Queries that read it now. */
  leases = 0
  usedAt = 0

  /** Is made in DuckDB meanwhile: `catchUp` waits for it, and tells if it failed. */
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

  /** All events of this stretch are in it, or are not yet. */
  get range(): TimeRange {
    return this.#range
  }

  /** Whether it can answer for this log, format, time and columns. */
  covers({ log, format, range, columns }: TableRequest): boolean {
    return (
      this.isOf(log, format) &&
      this.#range.startMs <= range.startMs &&
      this.#range.endMs >= range.endMs &&
      (this.badEvents === 0 || fieldsOf(columns) === fieldsOf(this.columns)) &&
      columns.every(({ keptAs }) => this.columns.some((column) => column.keptAs === keptAs))
    )
  }

  isOf(log: LogId, format: FormatSpecification): boolean {
    return this.log === log && this.#formatKey === keyOf(format)
  }

  /** What is bad to one who wants these columns is bad here, and nothing else. */
  hasFieldsOf({ columns }: TableRequest): boolean {
    return fieldsOf(columns) === fieldsOf(this.columns)
  }

  /** Adds what is new, one caller after the other. */
  catchUp(cancelSignal: CancelSignal): Promise<Extent> {
    const turn = this.#loading.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      const isThere = cancelSignal.cancelled || (await this.#load(cancelSignal))
      return isThere ? { rows: this.rows, badEvents: this.badEvents, reasons: [...this.#reasons] } : NOTHING
    })
    this.#loading = turn.catch((error: Error) => {
      this.#failure = error
    })
    return turn
  }

  async drop(): Promise<void> {
    await this.#loading
    await this.#engine.run(`DROP TABLE IF EXISTS streams.${this.name}`)
  }

  async #create(): Promise<void> {
    const columns = this.columns
      .filter(({ name }) => name !== 'ts')
      .map(({ keptAs, keptType }) => `, ${keptAs} ${keptType === 'JSON' ? 'VARCHAR' : keptType}`)
    await this.#engine.run(`CREATE TABLE streams.${this.name} (ts BIGINT, bad BOOLEAN${columns.join('')})`)
  }

  /** False if the log is no stream's any more: it was emptied, or is gone, this very moment. */
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
    const types: KeptType[] = ['BIGINT', 'BOOLEAN', ...this.#keptTypes()]
    const writer = await TableWriter.open(this.#engine, this.name, types)
    try {
      const slices = new Slices()
      let isFirst = true
      for await (const block of read.blocks) {
        if (isFirst) this.#noteSkipped(block, read.startMs)
        isFirst = false
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
   * Events that had expired when it was read for them are not in it. With a longer ttl they may be visible again: then this
   * table is not the one to ask.
   */
  #noteSkipped({ firstSequence, runs }: EventBlock, visibleFromMs: number): void {
    const next = this.#after === undefined ? undefined : this.#after.position.sequence + 1
    const isComplete = next === firstSequence + runs[0].begin
    if (isComplete || visibleFromMs <= this.#range.startMs) return
    this.#range = { ...this.#range, startMs: visibleFromMs }
  }

  #addBad(event: BadEvent): void {
    this.badEvents++
    if (this.#reasons.length < REASONS_MAX) this.#reasons.push(event)
  }

  #keptTypes(): KeptType[] {
    return this.columns.filter(({ name }) => name !== 'ts').map(({ keptType }) => keptType)
  }

  async #decode(block: EventBlock, writer: TableWriter, slices: Slices): Promise<void> {
    const { bytes, starts, ends, runs, firstSequence } = block
    const reader = this.#reader
    const values: Value[] = new Array(this.#fieldCount).fill(null)
    const [tsColumn, badColumn, ...others] = writer.columns
    const hasHeaders = this.columns.some(({ keptAs }) => keptAs === 'headers')
    const headersColumn = hasHeaders ? (others[0] as TextBuffer) : undefined
    const fieldColumns = others.slice(hasHeaders ? 1 : 0)
    for (const { begin, end, timestampMs, headers } of runs) {
      const headersJson = headersColumn === undefined ? '' : valueJson(new Map(headers))
      for (let i = begin; i < end; i++) {
        const error = reader?.read(bytes, starts[i], ends[i], headers, values)
        const { row } = writer
        tsColumn.setValue(row, timestampMs)
        badColumn.setValue(row, error !== undefined)
        headersColumn?.setText(row, headersJson)
        if (error === undefined || error.partial === true) {
          for (let field = 0; field < fieldColumns.length; field++)
            fieldColumns[field].set(row, values[field])
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

/** Leaves room for messages. */
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

/** What was checked when it was set, read again. */
export function resolvedFormat({ name, schema, settings }: FormatSpecification) {
  return resolveFormat(name, parseSchemaText(schema), settings)
}

export function schemaOf(format: FormatSpecification): RecordSchema {
  return parseSchemaText(format.schema) as RecordSchema
}
