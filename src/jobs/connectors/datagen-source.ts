/**
 * Makes events with rows: `datagen` of Flink. The values of a row depend only on the seed, the number of the row and the field, so a
 * restart makes the same rows again. Times are those at which a row is made.
 *
 *   position { made, sinceMs }    rows made so far, and the time from which the rate counts
 *
 * A field of kind sequence ends the source after its last number, as Flink does.
 */
import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { EventBlock } from '../../../storage/log.ts'
import type { Value } from '../../formats/record-reader.ts'
import { openRowWriter } from '../../formats/rows/index.ts'
import type { RowWriter } from '../../formats/rows/row-format.ts'
import type { DataType, TypedColumn } from '../../sql/data-types.ts'
import type { DatagenConnector } from '../../tables/table.ts'
import {
  ConnectorError,
  type ReadLimits,
  type Source,
  type SourceBatch,
  type SourcePosition,
} from './connector.ts'

/** A source that is late makes up for this long at most. */
const BEHIND_MAX_MS = 1_000
/** Rows are made in groups: this much time passes between two. */
const PAUSE_MS = 50
const DAY_MS = 86_400_000
const TEXT_LENGTH = 100
const TEXT_LENGTH_MAX = 100_000
const NESTED_ITEMS = 3

/** The value of a row; `random` is new for each row and field, `nowMs` the time of the row. */
type Generator = (row: number, random: Random, nowMs: number) => Value

export interface DatagenOptions {
  readonly connector: DatagenConnector
  /** Of the bodies, which are JSON. */
  readonly columns: readonly TypedColumn[]
  /** The rows of two sources with one seed are equal. */
  readonly seed: string
  readonly nowMs: () => number
}

/** How the bodies of the made events are read. */
export const DATAGEN_FORMAT = {
  valueFormat: 'json',
  keyFormat: undefined,
  keyFields: [],
  valueFieldsInclude: 'ALL',
} as const

interface Place {
  /** Rows made so far. */
  readonly made: number
  /** The rate counts from this time. */
  readonly sinceMs: number
}

export class DatagenSource implements Source {
  readonly #generators: readonly Generator[]
  readonly #writer: RowWriter
  readonly #seed: number
  readonly #nowMs: () => number
  readonly #rowsPerSecond: number
  readonly #rowsMax: number
  #isFinished = false
  #lastMs = 0

  /** Throws ConnectorError if an option of a field cannot be used. */
  constructor({ connector, columns, seed, nowMs }: DatagenOptions) {
    const fields = columns.map((column) => fieldOf(column, connector.fields[column.name] ?? {}))
    this.#generators = fields.map(({ generator }) => generator)
    this.#writer = openRowWriter({ ...DATAGEN_FORMAT, columns })
    this.#seed = createHash('sha256').update(seed).digest().readUInt32LE()
    this.#nowMs = nowMs
    this.#rowsPerSecond = connector.rowsPerSecond
    this.#rowsMax = Math.min(
      connector.rowsMax ?? Number.POSITIVE_INFINITY,
      ...fields.map(({ rowsMax }) => rowsMax),
    )
  }

  get isBounded(): boolean {
    return this.#isFinished
  }

  async start(): Promise<SourcePosition> {
    return { made: 0, sinceMs: this.#nowMs() }
  }

  async read(
    position: SourcePosition,
    { eventsMax, bytesMax }: ReadLimits,
  ): Promise<SourceBatch | undefined> {
    const nowMs = this.#nowMs()
    this.#lastMs = Math.max(this.#lastMs, nowMs)
    const { made, sinceMs } = caughtUp(position, nowMs)
    const due = Math.min(Math.floor(((nowMs - sinceMs) * this.#rowsPerSecond) / 1_000), this.#rowsMax - made)
    const bodies: Uint8Array[] = []
    let bytes = 0
    while (bodies.length < due && bodies.length < eventsMax && bytes < bytesMax) {
      const body = this.#writer.write(this.#row(made + bodies.length, nowMs))
      bodies.push(body)
      bytes += body.length
    }
    const count = bodies.length
    this.#isFinished = made + count >= this.#rowsMax
    if (count === 0) return undefined
    // The rate counts on from the time of the last row, so that no fraction of a row is lost.
    const until = { made: made + count, sinceMs: sinceMs + (count * 1_000) / this.#rowsPerSecond }
    const block = blockOf(made, bodies, this.#lastMs)
    return {
      blocks: (async function* () {
        yield { block, partition: 0 }
      })(),
      position: () => until,
      hasMore: () => count < due,
    }
  }

  async grown(position: SourcePosition, signal: AbortSignal): Promise<void> {
    const nowMs = this.#nowMs()
    const { sinceMs } = caughtUp(position, nowMs)
    const dueMs = sinceMs + 1_000 / this.#rowsPerSecond - nowMs
    await setTimeout(Math.max(dueMs, PAUSE_MS), undefined, { signal }).catch(() => undefined)
  }

  async lag(): Promise<undefined> {
    return undefined
  }

  async close(): Promise<void> {}

  #row(row: number, nowMs: number): Value[] {
    return this.#generators.map((generator, field) =>
      generator(row, new Random(this.#seed, row, field), nowMs),
    )
  }
}

function caughtUp(position: SourcePosition, nowMs: number): Place {
  const { made, sinceMs } = position as unknown as Place
  return { made, sinceMs: Math.min(Math.max(sinceMs, nowMs - BEHIND_MAX_MS), nowMs) }
}

function blockOf(firstSequence: number, bodies: readonly Uint8Array[], timestampMs: number): EventBlock {
  const ends = new Uint32Array(bodies.length)
  const starts = new Uint32Array(bodies.length)
  let at = 0
  for (const [index, body] of bodies.entries()) {
    starts[index] = at
    at += body.length
    ends[index] = at
  }
  const runs = [{ begin: 0, end: bodies.length, timestampMs, headers: [] }]
  return { firstSequence, bytes: Buffer.concat(bodies), starts, ends, runs }
}

/** Random numbers of one value: a counter, mixed as in murmur3. */
class Random {
  #state: number

  constructor(seed: number, row: number, field: number) {
    const low = Math.imul(seed ^ row, 0x9e3779b1) ^ Math.imul(Math.floor(row / 2 ** 32) + 1, 0x85ebca6b)
    this.#state = (low ^ Math.imul(field + 1, 0xc2b2ae35)) | 0
  }

  /** 32 bits. */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }

  /** In [0, 1), with 53 bits. */
  fraction(): number {
    return ((this.bits() >>> 5) * 0x4000000 + (this.bits() >>> 6)) / 2 ** 53
  }

  /** A whole number in [min, max]. */
  whole(min: bigint, max: bigint): bigint {
    let bits = 0n
    for (let part = 0; part < 6; part++) bits = (bits << 32n) | BigInt(this.bits())
    return min + (bits % (max - min + 1n))
  }
}

type FieldOptions = Readonly<Record<string, string>>

function fieldOf(
  { name, type }: TypedColumn,
  options: FieldOptions,
): { readonly generator: Generator; readonly rowsMax: number } {
  const kind = options.kind ?? 'random'
  if (kind === 'random')
    return { generator: randomOf(name, type, options), rowsMax: Number.POSITIVE_INFINITY }
  if (kind !== 'sequence') throw unusable(name, 'kind', kind, 'random or sequence')
  const start = wholeOption(name, options, 'start')
  const end = wholeOption(name, options, 'end')
  if (start === undefined || end === undefined || end < start)
    throw unusable(
      name,
      'start and end',
      `${options.start} and ${options.end}`,
      'two whole numbers, ascending',
    )
  const [, scale] = wholeRange(type) ?? [undefined, undefined]
  if (scale === undefined && type.kind !== 'STRING' && type.kind !== 'DOUBLE' && type.kind !== 'FLOAT')
    throw unusable(name, 'kind', kind, `random: ${type.kind} has no sequence`)
  const generator: Generator = (row) => {
    const value = start + BigInt(row)
    return type.kind === 'STRING' ? String(value) : exact(value * 10n ** BigInt(scale ?? 0))
  }
  return { generator, rowsMax: Number(end - start) + 1 }
}

/** Smallest value, digits after the point, and largest value of a type of whole or decimal numbers. */
function wholeRange(type: DataType): readonly [min: bigint, scale: number, max: bigint] | undefined {
  const bits = { TINYINT: 8, SMALLINT: 16, INT: 32, BIGINT: 64 }[type.kind as 'INT']
  if (bits !== undefined) return [-(1n << BigInt(bits - 1)), 0, (1n << BigInt(bits - 1)) - 1n]
  if (type.kind !== 'DECIMAL') return undefined
  const limit = 10n ** BigInt(type.precision) - 1n
  return [-limit, type.scale, limit]
}

function randomOf(name: string, type: DataType, options: FieldOptions): Generator {
  const range = wholeRange(type)
  if (range !== undefined) {
    const [least, scale, most] = range
    const unit = 10n ** BigInt(scale)
    const min = scaled(wholeOption(name, options, 'min'), unit) ?? least
    const max = scaled(wholeOption(name, options, 'max'), unit) ?? most
    if (min > max || min < least || max > most)
      throw unusable(name, 'min and max', `${min} and ${max}`, `numbers of ${type.kind}, ascending`)
    return (_, random) => exact(random.whole(min, max))
  }
  switch (type.kind) {
    case 'BOOLEAN':
      return (_, random) => random.bits() >= 0x80000000
    case 'FLOAT':
    case 'DOUBLE': {
      const min = numberOption(name, options, 'min') ?? 0
      const max = numberOption(name, options, 'max') ?? (type.kind === 'FLOAT' ? 3.4e38 : Number.MAX_VALUE)
      if (min > max) throw unusable(name, 'min and max', `${min} and ${max}`, 'numbers, ascending')
      const value = (random: Random) => min + random.fraction() * (max - min)
      return (_, random) => (type.kind === 'FLOAT' ? Math.fround(value(random)) : value(random))
    }
    case 'DATE':
      return (_row, _random, nowMs) => Math.floor(nowMs / DAY_MS)
    case 'TIME':
      return (_row, _random, nowMs) => Math.floor((nowMs % DAY_MS) / 1_000) * 1_000_000
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ': {
      const unitMs = 10 ** Math.max(0, 3 - type.precision)
      return (_row, _random, nowMs) => Math.floor(nowMs / unitMs) * unitMs * 1_000
    }
    case 'ARRAY': {
      const item = randomOf(name, type.element, options)
      return (row, random, nowMs) => Array.from({ length: NESTED_ITEMS }, () => item(row, random, nowMs))
    }
    case 'MAP': {
      const item = randomOf(name, type.value, options)
      return (row, random, nowMs) =>
        new Map(Array.from({ length: NESTED_ITEMS }, () => [hexText(random, 8), item(row, random, nowMs)]))
    }
    case 'ROW': {
      const fields = type.fields.map((field) => [field.name, randomOf(name, field.type, {})] as const)
      return (row, random, nowMs) => new Map(fields.map(([key, field]) => [key, field(row, random, nowMs)]))
    }
    default: {
      const length = Number(wholeOption(name, options, 'length') ?? BigInt(TEXT_LENGTH))
      if (length < 0 || length > TEXT_LENGTH_MAX)
        throw unusable(name, 'length', String(length), `at most ${TEXT_LENGTH_MAX}`)
      if (type.kind === 'BYTES' || type.kind === 'BINARY' || type.kind === 'VARBINARY')
        return (_, random) => Uint8Array.from({ length }, () => random.bits() & 0xff)
      return (_, random) => hexText(random, length)
    }
  }
}

function hexText(random: Random, length: number): string {
  let text = ''
  while (text.length < length) text += random.bits().toString(16).padStart(8, '0')
  return text.slice(0, length)
}

function exact(value: bigint): number | bigint {
  const near = Number(value)
  return Number.isSafeInteger(near) ? near : value
}

function scaled(value: bigint | undefined, unit: bigint): bigint | undefined {
  return value === undefined ? undefined : value * unit
}

function wholeOption(field: string, options: FieldOptions, option: string): bigint | undefined {
  const text = options[option]
  if (text === undefined) return undefined
  if (!/^[+-]?[0-9]{1,19}$/.test(text)) throw unusable(field, option, text, 'a whole number')
  return BigInt(text)
}

function numberOption(field: string, options: FieldOptions, option: string): number | undefined {
  const text = options[option]
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw unusable(field, option, text, 'a number')
  return value
}

function unusable(field: string, option: string, value: string, wanted: string): ConnectorError {
  return new ConnectorError(`fields.${field}.${option} is ${value}; use ${wanted}`, false)
}
