/**
 * Differences of a result as rows of its outbox: c (new row), b and u (a row before and after an update), d (row that is
 * gone).
 *
 * The differences are a table with these columns; a difference with both sides is an update:
 *
 *   __place   BIGINT: order of the differences, unique
 *   __had     BOOLEAN: o0, o1, … is a row of the last result
 *   __has     BOOLEAN: c0, c1, … is a row of the new result
 */
import { duckdbType } from '../../sql/data-types.ts'
import { columnsOf, namesOf, textLiteral } from './changes-sql.ts'
import type { JobConnection } from './job-connection.ts'
import type { WayContext } from './way.ts'

/** Where the changes of an insert go, and what its sink demands. */
export interface ChangeTarget {
  /** The table of the outbox as in SQL: op, c0, c1, … */
  readonly outbox: string
  /** Names of the columns of the sink, in order. */
  readonly columns: readonly string[]
  /** Their types in DuckDB. */
  readonly types: readonly string[]
  /** Indexes of the columns that must not be NULL: those of the sink's PRIMARY KEY. */
  readonly notNull: readonly number[]
}

export function changeTarget({ plan, insert, outbox, query }: WayContext): ChangeTarget {
  const sink = plan.inserts[insert]?.sink
  if (sink === undefined) throw new Error(`the plan has no insert ${insert}`)
  const columns = sink.columns.map(({ name }) => name)
  const types = sink.columns.map(({ type }) => duckdbType(type))
  const key = query === undefined ? sink.primaryKey : [] // a group of NULL values is a row of a cached result
  return { outbox, columns, types, notNull: key.map((name) => columns.indexOf(name)) }
}

/** Adds the differences to the outbox and returns the number of rows added. Rejects with a DuckDB error if a key column is NULL. */
export async function addDifferences(
  connection: JobConnection,
  differences: string,
  target: ChangeTarget,
): Promise<number> {
  const count = target.columns.length
  return connection.run(`
    INSERT INTO ${target.outbox}
    SELECT op, ${checked(target)}
    FROM (
      SELECT __place, 0 AS __side, CASE WHEN __has THEN 'b' ELSE 'd' END AS op, ${oldColumns(count)}
      FROM ${differences} WHERE __had
      UNION ALL
      SELECT __place, 1, CASE WHEN __had THEN 'u' ELSE 'c' END, ${columnsOf('c', count)}
      FROM ${differences} WHERE __has
    ) ORDER BY __place, __side`)
}

function oldColumns(count: number): string {
  return namesOf('o', count)
    .map((name, index) => `${name} AS c${index}`)
    .join(', ')
}

/** Columns of the outbox. Without the check a NULL in a key would become an event without a usable key. */
function checked({ columns, notNull }: ChangeTarget): string {
  return columns
    .map((name, index) =>
      notNull.includes(index)
        ? `CASE WHEN c${index} IS NULL THEN error(${textLiteral(nullKeyText(name))}) ELSE c${index} END`
        : `c${index}`,
    )
    .join(', ')
}

function nullKeyText(name: string): string {
  return `Column '${name}' is NOT NULL, however, a null value is being written into it`
}
