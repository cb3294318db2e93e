/**
 * Registers functions that JavaScript computes (sql/postgres-scalars.ts). They run on the main thread of the process while the
 * statement runs on a thread of the engine, so a statement that calls them must not be run synchronously: it would wait for itself.
 * An argument that is NULL gives NULL.
 */
import type { DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import type { ScalarKind, ScalarValue, SqlScalar } from '../sql/postgres-scalars.ts'

/** For all connections of the instance. */
export function registerScalars(
  duckdb: typeof import('@duckdb/node-api'),
  connection: DuckDBConnection,
  scalars: readonly SqlScalar[],
): void {
  const types: Readonly<Record<ScalarKind, DuckDBType>> = {
    text: duckdb.VARCHAR,
    integer: duckdb.INTEGER,
    double: duckdb.DOUBLE,
    float: duckdb.FLOAT,
  }
  for (const { name, parameters, returns, compute } of scalars) {
    const computeRow = compute as (...values: DuckDBValue[]) => ScalarValue | null
    connection.registerScalarFunction(
      duckdb.DuckDBScalarFunction.create({
        name,
        parameterTypes: parameters.map((kind) => types[kind]),
        returnType: types[returns],
        mainFunction: (_info, input, output) => {
          const columns = parameters.map((_, index) => input.getColumnVector(index))
          const { rowCount } = input
          for (let row = 0; row < rowCount; row++) {
            const values = columns.map((column) => column.getItem(row))
            output.setItem(row, values.includes(null) ? null : computeRow(...values))
          }
          output.flush()
        },
      }),
    )
  }
}
