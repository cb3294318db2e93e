/**
 * Events as changes of a table.
 *
 * Upsert: an event with a body is the last row of its key; an empty body deletes the key.
 *
 * Debezium: the body is an envelope {before, after, op}, perhaps as the `payload` beside its `schema`. op r and c insert
 * `after`; u replaces `before` by `after`; d deletes `before`; t empties the table. Without `before`, u is an insert or
 * update of the key of `after`, and d needs the key of the event. An empty body, which follows a delete, changes nothing.
 */
import { CLOSE_OBJECT, COLON, JsonProblem, JsonScanner, OPEN_OBJECT, QUOTE } from '../json-scanner.ts'
import { type EventHeaders, type FormatError, quoted, type Value } from '../record-reader.ts'
import { type KeyReader, keyReaderOf, RowBodyReader, wantedFields } from './body-reader.ts'
import type { NamedFields } from './field-type.ts'
import { JsonRowScanner } from './json-row-scanner.ts'
import type { RowChange, RowColumn } from './row-format.ts'
import type { ChangeReader, ChangeReadOptions, KeyedRowReader, KeyFormatName } from './row-options.ts'

/** Slots of the key among the wanted values, to check and to compare keys. */
interface KeySlot {
  readonly slot: number
  readonly name: string
}

function keySlots({ columns, wanted, primaryKey }: ChangeReadOptions): KeySlot[] {
  return primaryKey.flatMap((name) => {
    const slot = wanted.indexOf(columns.findIndex((column) => column.name === name))
    return slot < 0 ? [] : [{ slot, name }]
  })
}

function keyMissing(slots: readonly KeySlot[], values: readonly Value[]): FormatError | undefined {
  const missing = slots.find(({ slot }) => values[slot] === null)
  return missing && { reason: `column ${missing.name} has no value, and is part of the primary key` }
}

export class UpsertReader implements ChangeReader {
  readonly #rows: KeyedRowReader
  readonly #key: KeyReader
  readonly #count: number
  readonly #keySlots: readonly KeySlot[]

  constructor(options: ChangeReadOptions & { readonly valueFormat: KeyFormatName }) {
    this.#rows = new RowBodyReader(options)
    this.#key = keyReaderOf(options.columns, options.wanted, options.primaryKey, options.keyFormat ?? 'json')
    this.#count = options.wanted.length
    this.#keySlots = keySlots(options)
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: RowChange[],
    key?: Uint8Array | null,
  ): FormatError | undefined {
    const values: Value[] = new Array(this.#count).fill(null)
    const isDelete = start === end
    const problem = isDelete
      ? this.#key.read(headers, key, values)
      : this.#rows.read(bytes, start, end, headers, values, key)
    const wrong = problem ?? keyMissing(this.#keySlots, values)
    if (wrong !== undefined) return wrong
    into.push({ op: isDelete ? 'delete' : 'upsert', values })
    return undefined
  }
}

export class DebeziumReader implements ChangeReader {
  readonly #envelope = new EnvelopeScanner()
  readonly #row = new JsonRowScanner()
  readonly #fields: NamedFields
  readonly #columns: readonly RowColumn[]
  readonly #keySlots: readonly KeySlot[]
  readonly #key: KeyReader
  /** Of a captured table, in the order of `#keySlots`: a row that goes is known by its key, whatever its other values are. */
  readonly #keyFields: NamedFields | undefined

  constructor(options: ChangeReadOptions) {
    const { columns, wanted, isCaptured } = options
    this.#fields = wantedFields(columns, wanted, options.isCaptured)
    this.#columns = wanted.map((index) => columns[index]!)
    this.#keySlots = keySlots(options)
    this.#key = keyReaderOf(columns, wanted, options.primaryKey, options.keyFormat ?? 'json')
    if (isCaptured) {
      const keyColumns = this.#keySlots.map(({ slot }) => wanted[slot]!)
      this.#keyFields = wantedFields(columns, keyColumns, isCaptured)
    }
  }

  keyOfUnfit(bytes: Uint8Array, start: number, end: number): readonly Value[] {
    try {
      const { before, after } = this.#envelope.parts(bytes, start, end)
      const row = after ?? before
      if (row !== undefined) return this.#keyOf(bytes, row)
    } catch (problem) {
      if (!(problem instanceof JsonProblem)) throw problem
    }
    return new Array(this.#columns.length).fill(null)
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: RowChange[],
    key?: Uint8Array | null,
  ): FormatError | undefined {
    if (start === end) return undefined
    const first = into.length
    try {
      this.#changes(bytes, start, end, headers, key, into)
      return undefined
    } catch (problem) {
      into.length = first
      if (problem instanceof JsonProblem) return { reason: problem.reason }
      throw problem
    }
  }

  #changes(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    key: Uint8Array | null | undefined,
    into: RowChange[],
  ): void {
    const { op, before, after } = this.#envelope.parts(bytes, start, end)
    switch (op) {
      case 'r':
      case 'c':
        into.push({ op: 'upsert', values: this.#values(bytes, after, 'after') })
        return
      case 'u': {
        const values = this.#values(bytes, after, 'after')
        const old = before && this.#keyOf(bytes, before)
        if (old !== undefined && this.#isOtherKey(old, values)) into.push({ op: 'delete', values: old })
        into.push({ op: 'upsert', values })
        return
      }
      case 'd':
        into.push({
          op: 'delete',
          values: before ? this.#keyOf(bytes, before) : this.#eventKey(headers, key),
        })
        return
      case 't':
        into.push({ op: 'clear', values: [] })
        return
      default:
        throw new JsonProblem(
          op === undefined
            ? 'the envelope has no op'
            : `the envelope has op ${quoted(op)}; use r, c, u, d or t`,
        )
    }
  }

  #values(bytes: Uint8Array, span: Span | undefined, member: string): Value[] {
    if (span === undefined) throw new JsonProblem(`the envelope has no ${member}`)
    const values: Value[] = []
    this.#row.body(bytes, span.start, span.end, this.#fields, values)
    this.#withKey(values)
    for (let slot = 0; slot < values.length; slot++) {
      const { name, nullable } = this.#columns[slot]!
      if (values[slot] === null && !nullable)
        throw new JsonProblem(`column ${name} has no value, and is NOT NULL`)
    }
    return values
  }

  /** A row whose columns outside of the key may lack their values. */
  #keyOf(bytes: Uint8Array, { start, end }: Span): Value[] {
    const values: Value[] = []
    if (this.#keyFields === undefined) {
      this.#row.body(bytes, start, end, this.#fields, values)
      return this.#withKey(values)
    }
    this.#row.body(bytes, start, end, this.#keyFields, values)
    const row: Value[] = new Array(this.#columns.length).fill(null)
    for (const [i, { slot }] of this.#keySlots.entries()) row[slot] = values[i]!
    return this.#withKey(row)
  }

  #eventKey(headers: EventHeaders, key: Uint8Array | null | undefined): Value[] {
    const values: Value[] = new Array(this.#columns.length).fill(null)
    const problem = this.#key.read(headers, key, values)
    if (problem !== undefined) throw new JsonProblem(problem.reason)
    return this.#withKey(values)
  }

  #withKey(values: Value[]): Value[] {
    const problem = keyMissing(this.#keySlots, values)
    if (problem !== undefined) throw new JsonProblem(problem.reason)
    return values
  }

  #isOtherKey(old: readonly Value[], values: readonly Value[]): boolean {
    return this.#keySlots.some(({ slot }) => !isSameKey(old[slot]!, values[slot]!))
  }
}

function isSameKey(one: Value, other: Value): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0
  return one === other
}

interface Span {
  readonly start: number
  readonly end: number
}

interface Envelope {
  readonly op: string | undefined
  /** Undefined for null, too. */
  readonly before: Span | undefined
  readonly after: Span | undefined
}

/** Finds the parts of an envelope. */
class EnvelopeScanner extends JsonScanner {
  parts(bytes: Uint8Array, start: number, end: number): Envelope {
    this.open(bytes, start, end)
    if (this.peek() !== OPEN_OBJECT) throw new JsonProblem('the body is not a JSON object')
    const { payload, ...envelope } = this.#members()
    if (this.peek() !== -1) throw this.unexpected()
    if (payload === undefined || envelope.op !== undefined) return envelope
    this.at = payload.start
    return this.#members()
  }

  #members(): Envelope & { readonly payload: Span | undefined } {
    const spans = new Map<string, Span>()
    let op: string | undefined
    this.enter()
    if (this.peek() === CLOSE_OBJECT) {
      this.at++
    } else {
      do {
        if (this.peek() !== QUOTE) throw this.unexpected()
        const name = this.string()
        if (this.peek() !== COLON) throw this.unexpected()
        this.at++
        const byte = this.peek()
        const start = this.at
        if (name === 'op' && byte === QUOTE) op = this.string()
        else this.skip()
        if (byte === OPEN_OBJECT) spans.set(name, { start, end: this.at })
        else spans.delete(name)
      } while (this.another(CLOSE_OBJECT))
    }
    this.depth--
    return { op, before: spans.get('before'), after: spans.get('after'), payload: spans.get('payload') }
  }
}
