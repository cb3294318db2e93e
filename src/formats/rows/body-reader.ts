/** Reads rows from bodies, or from bodies and keys. Rejects rows without a value where a column is NOT NULL. */
import { JsonProblem } from '../json-scanner.ts'
import type { EventHeaders, FormatError, Value } from '../record-reader.ts'
import { AvroRowReader } from './avro-row.ts'
import { CsvRowReader } from './csv-row.ts'
import { isTextKey, keyBytes } from './event-key.ts'
import { fieldType, type NamedFields, namedFields } from './field-type.ts'
import { JsonRowScanner } from './json-row-scanner.ts'
import { RawRowReader } from './raw-row.ts'
import type { RowColumn, RowReader } from './row-format.ts'
import type { KeyedRowReader, KeyFormatName, ReadOptions } from './row-options.ts'

export class JsonRowReader implements RowReader {
  readonly #scanner = new JsonRowScanner()
  readonly #fields: NamedFields

  constructor(columns: readonly RowColumn[], wanted: readonly number[]) {
    this.#fields = wantedFields(columns, wanted)
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    _headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    try {
      this.#scanner.body(bytes, start, end, this.#fields, into)
      return undefined
    } catch (problem) {
      if (problem instanceof JsonProblem) return { reason: problem.reason }
      throw problem
    }
  }
}

export function wantedFields(
  columns: readonly RowColumn[],
  wanted: readonly number[],
  isCaptured = false,
): NamedFields {
  return namedFields(
    wanted.map((index) => {
      const { name, type } = columns[index]!
      return { name, type: fieldType(type, name, isCaptured) }
    }),
  )
}

/** `columns` are those that the bytes hold. */
export function bodyReader(
  format: KeyFormatName,
  columns: readonly RowColumn[],
  wanted: readonly number[],
): RowReader {
  switch (format) {
    case 'json':
      return new JsonRowReader(columns, wanted)
    case 'csv':
      return new CsvRowReader(columns, wanted)
    case 'raw':
      return new RawRowReader(columns, wanted)
    case 'avro':
      return new AvroRowReader(columns, wanted)
  }
}

/** Columns of the key in the key's order, and where their values belong. */
export class KeyReader {
  readonly #reader: RowReader
  readonly #isText: boolean
  readonly #slots: readonly number[]
  readonly #values: Value[] = []

  /** `slots[i]` is the index for the value of the i-th key column; -1: it is not wanted. */
  constructor(format: KeyFormatName, columns: readonly RowColumn[], slots: readonly number[]) {
    const wanted = slots.flatMap((slot, index) => (slot < 0 ? [] : [index]))
    this.#reader = bodyReader(format, columns, wanted)
    this.#slots = wanted.map((index) => slots[index]!)
    this.#isText = isTextKey(format, columns)
  }

  /** Without a key all values are null. */
  read(headers: EventHeaders, key: Uint8Array | null | undefined, into: Value[]): FormatError | undefined {
    const bytes = keyBytes(headers, key, this.#isText)
    if (bytes === undefined) {
      for (const slot of this.#slots) into[slot] = null
      return undefined
    }
    const problem = this.#reader.read(bytes, 0, bytes.length, headers, this.#values)
    if (problem !== undefined) return { reason: `the key: ${problem.reason}` }
    for (let index = 0; index < this.#slots.length; index++) into[this.#slots[index]!] = this.#values[index]!
    return undefined
  }
}

/** Reads the body, and the key where the body does not hold its fields. */
export class RowBodyReader implements KeyedRowReader {
  readonly #body: RowReader
  /** Where the values of the body belong; undefined if the body holds all that are wanted. */
  readonly #slots: readonly number[] | undefined
  readonly #values: Value[] = []
  readonly #key: KeyReader | undefined
  readonly #required: readonly { readonly slot: number; readonly name: string }[]

  constructor(options: ReadOptions & { readonly valueFormat: KeyFormatName }) {
    const { columns, wanted, keyFields, keyFormat } = options
    const fromKey = (index: number) =>
      options.valueFieldsInclude === 'EXCEPT_KEY' && keyFields.includes(columns[index]!.name)
    const inBody = columns.flatMap((_, index) => (fromKey(index) ? [] : [index]))
    const slots = wanted.flatMap((index, slot) => (fromKey(index) ? [] : [slot]))
    this.#body = bodyReader(
      options.valueFormat,
      inBody.map((index) => columns[index]!),
      slots.map((slot) => inBody.indexOf(wanted[slot]!)),
    )
    if (slots.length < wanted.length) {
      this.#slots = slots
      this.#key = keyReaderOf(columns, wanted, keyFields, keyFormat!)
    }
    this.#required = wanted.flatMap((index, slot) =>
      columns[index]!.nullable ? [] : [{ slot, name: columns[index]!.name }],
    )
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: Value[],
    key?: Uint8Array | null,
  ): FormatError | undefined {
    const problem =
      this.#slots === undefined
        ? this.#body.read(bytes, start, end, headers, into)
        : (this.#body.read(bytes, start, end, headers, this.#values) ?? this.#key!.read(headers, key, into))
    if (problem !== undefined) return problem
    if (this.#slots !== undefined) {
      for (let index = 0; index < this.#slots.length; index++)
        into[this.#slots[index]!] = this.#values[index]!
    }
    for (let index = 0; index < this.#required.length; index++) {
      const { slot, name } = this.#required[index]!
      if (into[slot] === null) return { reason: `column ${name} has no value, and is NOT NULL` }
    }
    return undefined
  }
}

export function keyReaderOf(
  columns: readonly RowColumn[],
  wanted: readonly number[],
  keyFields: readonly string[],
  format: KeyFormatName,
): KeyReader {
  const indexes = keyFields.map((name) => columns.findIndex((column) => column.name === name))
  return new KeyReader(
    format,
    indexes.map((index) => columns[index]!),
    indexes.map((index) => wanted.indexOf(index)),
  )
}
