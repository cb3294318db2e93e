/** Sinks that keep nothing: `print` writes rows as lines, `blackhole` drops them. After a failure rows are not written again. */
import { decimalText } from '../../formats/avro-logical.ts'
import type { Value } from '../../formats/record-reader.ts'
import { TimeTexts } from '../../formats/rows/time-values.ts'
import type { DataType } from '../../sql/data-types.ts'
import type { Emitted, Outbox, RecordedEpoch, RowOp, Sink } from './connector.ts'

export class BlackholeSink implements Sink {
  async recorded(): Promise<RecordedEpoch> {
    return 'unknowable'
  }

  async emit(_epoch: number, { rowCount }: Outbox): Promise<Emitted> {
    return { records: rowCount, bytes: 0 }
  }

  async close(): Promise<void> {}
}

const KINDS: Readonly<Record<RowOp, string>> = { c: '+I', b: '-U', u: '+U', d: '-D' }

/** A line a row, as Flink prints it: `KAlert> +I[1, 2021-10-11T12:53:09, 98.5]`. */
export class PrintSink implements Sink {
  readonly #table: string
  readonly #types: readonly DataType[]
  readonly #print: (text: string) => void
  readonly #texts = new TimeTexts()

  constructor(table: string, types: readonly DataType[], print: (text: string) => void) {
    this.#table = table
    this.#types = types
    this.#print = print
  }

  async recorded(): Promise<RecordedEpoch> {
    return 'unknowable'
  }

  async emit(_epoch: number, outbox: Outbox): Promise<Emitted> {
    let bytes = 0
    for await (const { ops, columns, rowCount } of outbox.chunks()) {
      let text = ''
      for (let row = 0; row < rowCount; row++) {
        const values = this.#types.map((type, column) => this.#text(type, columns[column]![row]!))
        text += `${this.#table}> ${KINDS[ops[row]!]}[${values.join(', ')}]\n`
      }
      bytes += Buffer.byteLength(text)
      this.#print(text)
    }
    return { records: outbox.rowCount, bytes }
  }

  async close(): Promise<void> {}

  #text(type: DataType, value: Value): string {
    if (value === null) return 'null'
    switch (type.kind) {
      case 'FLOAT':
      case 'DOUBLE':
        return Number.isInteger(value) && Math.abs(value as number) < 1e7 ? `${value}.0` : String(value)
      case 'DECIMAL':
        return decimalText(value as number | bigint, type.scale)
      case 'DATE':
        return this.#texts.date(value as number) ?? String(value)
      case 'TIME':
        return this.#texts.time(value as number)
      case 'TIMESTAMP':
      case 'TIMESTAMP_LTZ': {
        const text = this.#texts.timestamp(value as number | bigint, type.precision)?.replace(' ', 'T')
        return `${text ?? value}${type.kind === 'TIMESTAMP_LTZ' ? 'Z' : ''}`
      }
      case 'BYTES':
      case 'BINARY':
      case 'VARBINARY':
        return `[${Int8Array.from(value as Uint8Array).join(', ')}]`
      case 'ARRAY':
        return `[${(value as readonly Value[]).map((item) => this.#text(type.element, item)).join(', ')}]`
      case 'MAP':
        return `{${[...(value as ReadonlyMap<string, Value>)].map(([key, item]) => `${key}=${this.#text(type.value, item)}`).join(', ')}}`
      case 'ROW': {
        const row = value as ReadonlyMap<string, Value>
        return `+I[${type.fields.map((field) => this.#text(field.type, row.get(field.name) ?? null)).join(', ')}]`
      }
      default:
        return String(value)
    }
  }
}
