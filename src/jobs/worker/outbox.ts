/** The rows of the last commit for one sink, in the order in which they are written. */
import type { Bindings } from '../../duckdb/column-buffer.ts'
import type { Outbox, RowChunk, RowOp } from '../connectors/connector.ts'
import type { DecodedColumn } from '../plan/job-plan.ts'
import type { JobConnection } from './job-connection.ts'
import { columnValues } from './result-columns.ts'

/** Larger outboxes are not materialised once more by the engine. */
const MATERIALISED_ROWS_MAX = 100_000

export class StoredOutbox implements Outbox {
  readonly rowCount: number
  readonly columns: readonly DecodedColumn[]
  readonly #bindings: Bindings
  readonly #connection: JobConnection
  readonly #select: string

  constructor(
    bindings: Bindings,
    connection: JobConnection,
    table: string,
    columns: readonly DecodedColumn[],
    rowCount: number,
  ) {
    this.#bindings = bindings
    this.#connection = connection
    this.columns = columns
    this.rowCount = rowCount
    this.#select = `SELECT op${columns.map((_, index) => `, c${index}`).join('')} FROM ${table}`
  }

  async *chunks(): AsyncIterable<RowChunk> {
    const result =
      this.rowCount > MATERIALISED_ROWS_MAX
        ? await this.#connection.stream(this.#select)
        : await this.#connection.result(this.#select)
    for (;;) {
      const chunk = await result.fetchChunk()
      if (chunk === null || chunk.rowCount === 0) return
      const { rowCount } = chunk
      const ops = columnValues(this.#bindings, chunk, 0, { kind: 'STRING' }) as readonly RowOp[]
      const columns = this.columns.map(({ type }, index) =>
        columnValues(this.#bindings, chunk, index + 1, type),
      )
      yield { ops, columns, rowCount }
    }
  }
}
