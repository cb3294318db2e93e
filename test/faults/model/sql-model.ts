/**
 * What SQL over streams promises, computed row by row over the events of a list: fields of csv as a reader of the documents
 * would take them, a bad one among those a query names NULL, and its event counted.
 */
import type { ModelStream } from './service-model.ts'

export type FieldType = 'string' | 'int' | 'long' | 'double' | 'boolean'

export interface ModelField {
  readonly name: string
  readonly type: FieldType
  readonly nullable: boolean
}

export interface ModelFormat {
  readonly name: 'text' | 'csv'
  readonly fields: readonly ModelField[]
}

const field = (name: string, type: FieldType, nullable: boolean): ModelField => ({ name, type, nullable })

/** Names are the same everywhere, so that a query can be asked of every table; `body` is the first of text. */
export const FORMATS: readonly ModelFormat[] = [
  {
    name: 'csv',
    fields: [
      field('k', 'string', false),
      field('n', 'int', false),
      field('d', 'double', false),
      field('l', 'long', false),
      field('b', 'boolean', false),
    ],
  },
  {
    name: 'csv',
    fields: [
      field('k', 'string', true),
      field('n', 'int', true),
      field('d', 'double', true),
      field('l', 'long', true),
      field('b', 'boolean', true),
    ],
  },
  { name: 'csv', fields: [field('k', 'string', false), field('n', 'string', true), field('d', 'int', true)] },
  { name: 'text', fields: [field('k', 'string', false)] },
]

export function formatJson({ name, fields }: ModelFormat): unknown {
  const schema = {
    type: 'record',
    name: 'event',
    fields: fields.map(({ name: of, type, nullable }) => ({
      name: of,
      type: nullable ? [type, 'null'] : type,
    })),
  }
  return { name, schema }
}

export type Cell = string | number | bigint | boolean | null

/** Undefined: it is bad. */
function cellOf({ type, nullable }: ModelField, text: string | undefined): Cell | undefined {
  if (text === undefined || text === '')
    return nullable ? null : type === 'string' && text === '' ? '' : undefined
  switch (type) {
    case 'string':
      return text
    case 'boolean':
      return text.toLowerCase() === 'true'
    case 'double':
      return /^-?\d+(\.\d+)?(e\d+)?$/.test(text) ? Number(text) : undefined
    default: {
      if (!/^-?\d+$/.test(text)) return undefined
      const bits = type === 'int' ? 32 : 64
      const value = BigInt(text)
      return value === BigInt.asIntN(bits, value) ? value : undefined
    }
  }
}

export interface ModelRow {
  readonly sequence: number
  readonly ts: number
  readonly headers: Readonly<Record<string, string>>
  readonly bad: boolean
  readonly cells: ReadonlyMap<string, Cell>
}

export interface RowsRequested {
  /** Fields that the query names. */
  readonly named: readonly string[]
  readonly startMs: number
  readonly endMs: number
  /** The first so many are looked at. */
  readonly eventsMax: number
}

/** Of the first `count` events the visible ones in range, each with the fields that are named. */
export function rowsOf(
  stream: ModelStream,
  format: ModelFormat,
  nowMs: number,
  count: number,
  { named, startMs, endMs, eventsMax }: RowsRequested,
): ModelRow[] {
  return stream
    .inRange({ startMs, endMs, afterIndex: -1, limit: Number.MAX_SAFE_INTEGER }, nowMs)
    .filter((index) => index < count)
    .slice(0, eventsMax)
    .map((index) => {
      const { timestampMs, headers, body } = stream.events[index]!
      const text = body.toString('utf8')
      const texts = format.name === 'text' ? [text] : text.split(',')
      const values = format.fields.flatMap((one, i) =>
        named.includes(one.name) ? [[one.name, cellOf(one, texts[i])] as const] : [],
      )
      const bad = values.some(([, value]) => value === undefined)
      const cells = new Map(values.map(([name, value]) => [name, value ?? null]))
      return { sequence: index, ts: timestampMs, headers, bad, cells }
    })
}

/** As an answer has it. */
export function cellText(value: Cell): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
