/** The rows of the last commit for one sink, in the order in which they are written. */
import type { Bindings } from '../../duckdb/column-buffer.ts'
import { chunkValues } from '../../duckdb/vector-values.ts'
import type { DataType } from '../../sql/data-types.ts'
import type { Outbox, RowChunk, RowOp } from '../connectors/connector.ts'
import type { DecodedColumn } from '../plan/job-plan.ts'
import type { JobConnection } from './job-connection.ts'

/** Larger outboxes are not materialised once more by the engine. */
const MATERIALISED_ROWS_MAX = 100_000

/** `op`: the column of the operation, or one operation for all rows as SQL. */
export class StoredOutbox implements Outbox {
  readonly rowCount: number
  readonly columns: readonly DecodedColumn[]
  readonly #bindings: Bindings
  readonly #connection: JobConnection
  readonly #select: string
  readonly #types: readonly DataType[]

  constructor(
    bindings: Bindings,
    connection: JobConnection,
    table: string,
    columns: readonly DecodedColumn[],
    rowCount: number,
    op = 'op',
  ) {
    this.#bindings = bindings
    this.#connection = connection
    this.columns = columns
    this.rowCount = rowCount
    this.#types = [{ kind: 'STRING' }, ...columns.map(({ type }) => type)]
    this.#select = `SELECT ${op}${columns.map((_, index) => `, c${index}`).join('')} FROM ${table}`
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
      const [ops, ...columns] = chunkValues(this.#bindings, chunk, this.#types)
      yield { ops: ops as readonly RowOp[], columns, rowCount }
    }
  }
}
