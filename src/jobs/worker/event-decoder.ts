/**
 * Decodes events of a source into its table in_s<k>: physical columns with the format of the table, metadata columns from
 * the block. Events that cannot be read have no row; those of a captured table have one with op 'x', their key and the reason, because
 * a row of the table is missing then.
 */
import { setImmediate } from 'node:timers/promises'
import type { EventHeaders } from '../../../storage/log.ts'
import type { FormatError, Value } from '../../formats/record-reader.ts'
import {
  type ChangeReader,
  type KeyedRowReader,
  openChangeReader,
  openRowReader,
  type RowOptions,
} from '../../formats/rows/index.ts'
import type { RowChange } from '../../formats/rows/row-format.ts'
import type { DataType } from '../../sql/data-types.ts'
import type { TopicConnector, UpsertTopicConnector } from '../../tables/table.ts'
import type { SourceBlock } from '../connectors/connector.ts'
import { DATAGEN_FORMAT } from '../connectors/datagen-source.ts'
import type { DecodedColumn, SourcePlan } from '../plan/job-plan.ts'
import type { BufferedTable } from './buffered-table.ts'
import { JobError } from './job-error.ts'
import type { ConnectedTable } from './job-worker-protocol.ts'
import type { EventOrders, Span } from './merged-order.ts'

/** After this time, decoding lets the process handle messages. */
const SLICE_MS = 10
/** Check the clock once per this many events. */
const SLICE_EVENTS = 256

export interface Unfit {
  readonly order: bigint
  readonly bytes: number
  readonly reason: string
}

/** What a source has given in one tick. */
export interface DecodedEvents {
  readonly spans: Span[]
  readonly unfit: Unfit[]
}

type Reader =
  | { readonly kind: 'rows'; readonly reader: KeyedRowReader }
  | { readonly kind: 'changes'; readonly reader: ChangeReader }

export class EventDecoder {
  readonly #source: number
  readonly #table: BufferedTable
  readonly #reader: Reader
  readonly #isChanges: boolean
  /** The table has a column for the reason why an event cannot be read. */
  readonly keepsUnfit: boolean
  /** MAP<STRING, BYTES>, not MAP<STRING, STRING>. */
  readonly #headersAsBytes: boolean
  readonly #topic: string
  readonly #values: Value[]
  readonly #changes: RowChange[] = []
  /** For each decoded column: index into the values of the reader, or the metadata. */
  readonly #columns: readonly (number | NonNullable<DecodedColumn['metadata']>)[]
  #sliceEndsMs = 0

  constructor(source: number, plan: SourcePlan, connected: ConnectedTable, table: BufferedTable) {
    this.#source = source
    this.#table = table
    const { connector } = connected
    this.#topic = 'topic' in connector ? connector.topic : connected.name
    const physical = plan.decoded.filter(({ metadata }) => metadata === undefined)
    const wanted = physical.map(({ name }) => indexOfColumn(connected, name))
    let next = 0
    this.#columns = plan.decoded.map(({ metadata }) => metadata ?? next++)
    this.#values = new Array(wanted.length).fill(null)
    const headers = plan.decoded.find(({ metadata }) => metadata === 'headers')?.type
    this.#headersAsBytes = headers?.kind === 'MAP' && BYTES.has(headers.value.kind)
    this.#isChanges = plan.changeKey.length > 0
    this.keepsUnfit = keepsUnfit(plan, connected)
    const options = { ...sourceOptions(connected), wanted, isCaptured: connected.isCaptured === true }
    this.#reader = this.#isChanges
      ? {
          kind: 'changes',
          reader: openChangeReader({ ...options, primaryKey: connected.primaryKey }),
        }
      : { kind: 'rows', reader: openRowReader(options) }
  }

  async decode(
    { block, partition, keys, timestampsMs }: SourceBlock,
    order: EventOrders,
    into: DecodedEvents,
  ): Promise<void> {
    const { starts, ends, firstSequence } = block
    const stride = this.#reader.kind === 'rows' ? 1 : CHANGES_MAX
    for (const { begin, end, timestampMs, headers } of block.runs) {
      const firstOrder = order.take(this.#source, timestampMs, (end - begin) * stride)
      const span = {
        firstOrder,
        events: end - begin,
        stride,
        partition,
        firstSequence: firstSequence + begin,
        timestampMs,
        bytes: 0,
      }
      into.spans.push(span)
      const run: Run = { partition, timestampMs, headers, headersValue: undefined }
      // Small orders are numbers: a bigint for each event would cost more than decoding a small body.
      const plain = firstOrder < SAFE ? Number(firstOrder) : undefined
      for (let i = begin; i < end; i++) {
        if (timestampsMs !== undefined) run.timestampMs = timestampsMs[i]!
        span.bytes += ends[i]! - starts[i]! // there may be other bytes between two bodies
        const at =
          plain === undefined ? firstOrder + BigInt((i - begin) * stride) : plain + (i - begin) * stride
        const error = this.#decodeEvent(
          block.bytes,
          starts[i]!,
          ends[i]!,
          keys?.[i],
          run,
          at,
          firstSequence + i,
        )
        if (error !== undefined) {
          const bytes = ends[i]! - starts[i]!
          into.unfit.push({ order: BigInt(at), bytes, reason: error.reason })
        }
        if (i % SLICE_EVENTS === 0 && performance.now() > this.#sliceEndsMs) await this.#slice()
      }
    }
  }

  #decodeEvent(
    bytes: Uint8Array,
    start: number,
    end: number,
    key: Uint8Array | null | undefined,
    run: Run,
    order: number | bigint,
    sequence: number,
  ): FormatError | undefined {
    const reader = this.#reader
    if (reader.kind === 'rows') {
      const error = reader.reader.read(bytes, start, end, run.headers, this.#values, key)
      if (error === undefined) this.#addRow(order, undefined, this.#values, run, sequence)
      return error
    }
    const changes = this.#changes
    changes.length = 0
    const error = reader.reader.read(bytes, start, end, run.headers, changes, key)
    if (error !== undefined) {
      if (this.keepsUnfit) {
        const values = reader.reader.keyOfUnfit?.(bytes, start, end) ?? []
        this.#addRow(order, 'x', values, run, sequence, `event ${sequence}: ${error.reason}`)
      }
      return error
    }
    for (const [index, { op, values }] of changes.entries()) {
      const place = typeof order === 'number' ? order + index : order + BigInt(index)
      this.#addRow(place, OPS[op], values, run, sequence)
    }
    return undefined
  }

  #addRow(
    order: number | bigint,
    op: string | undefined,
    values: readonly Value[],
    run: Run,
    sequence: number,
    reason: string | null = null,
  ): void {
    const table = this.#table
    table.set(0, order)
    let column = 1
    if (op !== undefined) table.set(column++, op)
    for (const from of this.#columns) {
      const value = typeof from === 'number' ? (values[from] ?? null) : this.#metadata(from, run, sequence)
      table.set(column++, value)
    }
    if (this.keepsUnfit) table.set(column, reason)
    table.endRow()
  }

  #metadata(key: NonNullable<DecodedColumn['metadata']>, run: Run, sequence: number): Value {
    switch (key) {
      case 'topic':
        return this.#topic
      case 'partition':
        return run.partition
      case 'offset':
        return sequence
      case 'timestamp':
        return run.timestampMs * 1000
      case 'timestamp-type':
        return 'LogAppendTime'
      case 'headers':
        run.headersValue ??= headersMap(run.headers, this.#headersAsBytes)
        return run.headersValue
      default:
        return null
    }
  }

  async #slice(): Promise<void> {
    await setImmediate()
    this.#sliceEndsMs = performance.now() + SLICE_MS
  }
}

interface Run {
  readonly partition: number
  timestampMs: number
  readonly headers: EventHeaders
  headersValue: ReadonlyMap<string, Value> | undefined
}

const SAFE = BigInt(Number.MAX_SAFE_INTEGER) - 262_144n
/** Of one event: a row whose key changes is deleted and added. */
const CHANGES_MAX = 2

const BYTES: ReadonlySet<DataType['kind']> = new Set(['BYTES', 'BINARY', 'VARBINARY'])

function headersMap(headers: EventHeaders, asBytes: boolean): ReadonlyMap<string, Value> {
  return new Map(headers.map(([name, value]) => [name, asBytes ? Buffer.from(value) : value]))
}

const OPS = { upsert: 'u', delete: 'd', clear: 'c' } as const

/** Whether unfit events of the source are rows. */
export function keepsUnfit({ changeKey }: SourcePlan, { isCaptured }: ConnectedTable): boolean {
  return isCaptured === true && changeKey.length > 0
}

function sourceOptions(connected: ConnectedTable): RowOptions {
  const { connector, physical } = connected
  if (connector.kind === 'datagen') return { ...DATAGEN_FORMAT, columns: physical }
  return rowOptions(connected, connector as TopicConnector | UpsertTopicConnector)
}

export function rowOptions(
  { physical }: ConnectedTable,
  connector: TopicConnector | UpsertTopicConnector,
): RowOptions {
  const { valueFormat, keyFormat, keyFields, valueFieldsInclude } = connector
  return { valueFormat, keyFormat, keyFields, valueFieldsInclude, columns: physical }
}

function indexOfColumn({ physical, name: table }: ConnectedTable, name: string): number {
  const index = physical.findIndex((column) => column.name === name)
  if (index === -1) throw new JobError(`table ${table} has no column ${name}`, 'lasting')
  return index
}
