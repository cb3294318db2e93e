/** What the parts of resolving a query share: its text and tables, numbers for names, and refusals with their place. */
import { placeOf } from '../../../sql/sql-problem.ts'
import { QueryProblem, type QuerySource, type QueryTable } from '../query-plan.ts'
import type { Level, Resolved } from './query-scope.ts'
import type { Sql } from './sql-pieces.ts'
import type { Span } from './syntax.ts'

/** A table that the query reads: `b0` over the source `s0`. */
export interface UsedTable {
  readonly table: QueryTable
  readonly base: string
  readonly source: string
  /** Names of columns. */
  readonly columns: Set<string>
}

/** Of a query in which the queries of WITH stand in place of their names. */
const EXPANDED_MAX = 20_000

export class QueryContext {
  readonly source: QuerySource
  readonly used: UsedTable[] = []
  readonly #ids = new Map<string, number>()
  readonly #numbers = new Map<string, number>()
  #size = 0

  constructor(source: QuerySource) {
    this.source = source
  }

  invalid(reason: string, at: Span): QueryProblem {
    return this.#problem('invalid_sql', reason, at)
  }

  unsupported(reason: string, at: Span): QueryProblem {
    return this.#problem('unsupported_sql', reason, at)
  }

  #problem(code: QueryProblem['code'], reason: string, { start, end }: Span): QueryProblem {
    return new QueryProblem(code, reason, placeOf(this.source.sql, start, Math.max(end, start + 1)))
  }

  /** `r0`, `r1`, … */
  name(letter: string): string {
    const number = this.#numbers.get(letter) ?? 0
    this.#numbers.set(letter, number + 1)
    return `${letter}${number}`
  }

  newLevel(depth: number): Level {
    return { depth }
  }

  use(table: QueryTable): UsedTable {
    const known = this.used.find((one) => one.table === table)
    if (known !== undefined) return known
    const number = this.used.length
    const added = { table, base: `b${number}`, source: `s${number}`, columns: new Set(table.key) }
    this.used.push(added)
    return added
  }

  /** Two expressions are the same if they have the same key and the same parts in order. */
  resolved(
    key: string,
    sql: Sql,
    parts: readonly Resolved[],
    at: Span,
    more: Partial<Pick<Resolved, 'kind' | 'use'>> = {},
  ): Resolved {
    this.#size++
    const full = `${key}(${parts.map(({ id }) => id).join(',')})`
    const id = this.#ids.get(full) ?? this.#ids.size
    this.#ids.set(full, id)
    return { id, sql, parts, kind: 'other', ...more, start: at.start, end: at.end }
  }

  get size(): number {
    return this.#size
  }

  /** Counts a reference to a query of WITH, which the engine may plan again. */
  countReference(size: number, at: Span): void {
    this.#size += size
    if (this.#size > EXPANDED_MAX)
      throw this.unsupported(
        'the queries of WITH are too large with all their references; make the query simpler',
        at,
      )
  }
}
