/** The rows of a cached result as changes with JSON texts, and the JSON objects of their keys and rows. */

import { resultText } from '../../sql/postgres-results.ts'
import type { DecodedColumn } from '../plan/job-plan.ts'
import type { QueryJobResult, ResultChange } from '../query-result.ts'
import type { Outbox, RowChunk } from './connector.ts'

type Texts = readonly string[]

export class ResultRows {
  readonly #columns: readonly DecodedColumn[]
  readonly #key: readonly { readonly column: number; readonly before: string }[]
  /** What stands before each visible value of a row. */
  readonly #before: readonly string[]

  /** `columns` are those of the sink. */
  constructor(columns: readonly DecodedColumn[], { key, keyIsRow, visibleColumns }: QueryJobResult) {
    this.#columns = columns
    const visible = columns.slice(0, visibleColumns)
    this.#before = visible.map(({ name }, index) => beforeValue(name, index))
    const parts = keyIsRow ? visible.map(({ name }, column) => ({ column, name })) : key
    this.#key = parts.map(({ column, name }, index) => ({ column, before: beforeValue(name, index) }))
  }

  async *changes(outbox: Outbox): AsyncIterable<ResultChange> {
    let before: Texts | undefined
    for await (const chunk of outbox.chunks()) {
      for (let row = 0; row < chunk.rowCount; row++) {
        const texts = this.#texts(chunk, row)
        const op = chunk.ops[row]!
        if (op === 'b') {
          before = texts
          continue
        }
        const key = this.#keyOf(texts)
        if (op === 'd') yield { op, key, before: texts, after: undefined }
        else yield { op, key, before: op === 'u' ? before : undefined, after: texts }
      }
    }
  }

  /** Whether a reader of the visible columns sees the change. */
  isVisible({ before, after }: ResultChange): boolean {
    if (before === undefined || after === undefined) return true
    return this.#before.some((_, column) => before[column] !== after[column])
  }

  /** The visible columns of a row as a JSON object; `null` for none. */
  object(texts: Texts | undefined): string {
    if (texts === undefined) return 'null'
    let json = ''
    for (const [column, before] of this.#before.entries()) json += before + texts[column]!
    return closed(json)
  }

  #keyOf(texts: Texts): string {
    let json = ''
    for (const { column, before } of this.#key) json += before + texts[column]!
    return closed(json)
  }

  #texts({ columns }: RowChunk, row: number): Texts {
    return this.#columns.map(({ type }, index) => resultText(type, columns[index]![row]!))
  }
}

function beforeValue(name: string, index: number): string {
  return `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`
}

function closed(json: string): string {
  return json === '' ? '{}' : `${json}}`
}
