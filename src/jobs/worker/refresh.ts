/**
 * Queries over changing tables: after the bases (refresh-base.ts) have the changes of a tick, the query runs again, and
 * the difference to the last result goes to the outbox and into `result_<insert>` of the state. If the query has a scope,
 * only the part of the result is computed that the changed rows can affect.
 *
 * Bases and the tables of the job are views and temporary tables with the names that the plan uses; the caller has a
 * transaction open.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import type { RefreshPlan, RefreshScope } from '../plan/refresh-plan.ts'
import { addDifferences, type ChangeTarget } from './changes-outbox.ts'
import { allOf, columnsOf, differentValues, namesOf, sameValues } from './changes-sql.ts'
import type { Base } from './refresh-base.ts'
import type { StatePlace } from './running.ts'

/** The query gives two rows for one row of the sink. */
export class DuplicateKey extends Error {
  override readonly name = 'DuplicateKey'
}

export class Refresh {
  readonly #connection: DuckDBConnection
  readonly #plan: RefreshPlan
  readonly #target: ChangeTarget
  readonly #bases: readonly Base[]
  readonly #insert: number
  readonly #result: string
  readonly #columns: readonly string[]

  /** `bases` are those of the job. */
  constructor(place: StatePlace, plan: RefreshPlan, bases: readonly Base[], target: ChangeTarget) {
    this.#connection = place.connection
    this.#plan = plan
    this.#target = target
    this.#insert = place.insert
    this.#result = `${place.schema}.result_${place.insert}`
    this.#columns = namesOf('c', target.columns.length)
    this.#bases = plan.bases.map(({ source }) => {
      const base = bases.find((candidate) => candidate.source === source)
      if (base === undefined) throw new Error(`source ${source} has no base`)
      return base
    })
  }

  /** Creates the views of the bases, and the table of the result if it is missing. The bases must be open. */
  async open(): Promise<void> {
    for (const [index, { relation }] of this.#plan.bases.entries())
      await this.#run(`CREATE OR REPLACE TEMP VIEW ${relation} AS SELECT * FROM ${this.#bases[index]!.table}`)
    await this.#run(
      `CREATE TABLE IF NOT EXISTS ${this.#result} AS SELECT ${this.#columns.join(', ')} FROM (${this.#plan.select}) LIMIT 0`,
    )
  }

  /** Adds the changes of the result to the empty outbox. Rejects with DuplicateKey. */
  async tick(): Promise<void> {
    if (!(await this.#isFirst()) && this.#bases.every(({ change }) => change === 'none')) return
    const scope = await this.#usableScope()
    const select = scope === undefined ? this.#plan.select : this.#scopedSelect(scope)
    await this.#make('now', `SELECT ${this.#columns.join(', ')} FROM (${select})`)
    const last =
      scope === undefined
        ? `(SELECT rowid AS __row, * FROM ${this.#result})`
        : `(SELECT r.rowid AS __row, r.* FROM ${this.#result} r SEMI JOIN ${this.#temp('scope')} k ON ${sameValues(
            scope.columns.map((column) => `r.c${column}`),
            namesOf('k', scope.columns.length, 'k'),
          )})`
    if (this.#plan.key.length > 0) await this.#compareByKey(last)
    else await this.#compareWhole(last)
    await this.#store()
    await addDifferences(this.#connection, this.#temp('changed'), this.#target)
    for (const table of ['scope', 'now', 'changed']) await this.#run(`DROP TABLE IF EXISTS ${this.#temp(table)}`)
  }

  /** An aggregate over all rows has a row before the first change. */
  async #isFirst(): Promise<boolean> {
    return (await this.#number(`SELECT count(*) FROM ${this.#result}`)) === 0
  }

  /** The scope, if only its base has changed and it is a small part of the result. Makes the table of its keys. */
  async #usableScope(): Promise<RefreshScope | undefined> {
    const { scope, bases } = this.#plan
    if (scope === undefined) return undefined
    const at = bases.findIndex(({ relation }) => relation === scope.relation)
    const base = this.#bases[at]!
    if (base.change !== 'rows') return undefined
    // A source with two bases in the query changes both.
    if (this.#bases.some(({ change }, index) => index !== at && change !== 'none')) return undefined
    const keys = scope.keys.map((expression, index) => `${expression} AS k${index}`).join(', ')
    await this.#make('scope', `SELECT ${keys} FROM ${base.gone} UNION SELECT ${keys} FROM ${base.come}`)
    const [affected, all] = [
      await this.#number(`SELECT count(*) FROM ${this.#temp('scope')}`),
      await this.#number(`SELECT count(*) FROM ${this.#result}`),
    ]
    return affected * SCOPE_SHARE <= all ? scope : undefined
  }

  /** The query over the rows of the base that have keys of the scope: a CTE of the same name hides the base. */
  #scopedSelect({ relation, keys }: RefreshScope): string {
    const base = this.#bases[this.#plan.bases.findIndex((candidate) => candidate.relation === relation)]!
    const same = sameValues(
      keys.map((expression) => `(${expression})`),
      namesOf('k', keys.length, '__scope'),
    )
    return `WITH ${relation} AS (SELECT * FROM ${base.table} WHERE EXISTS (FROM ${this.#temp('scope')} __scope WHERE ${same})) SELECT * FROM (${this.#plan.select})`
  }

  async #compareByKey(last: string): Promise<void> {
    const key = this.#plan.key.map((index) => `c${index}`)
    if (!this.#plan.keyIsUnique) await this.#refuseDuplicates(key)
    const count = this.#columns.length
    const [old, now] = [namesOf('c', count, 'o'), namesOf('c', count, 'w')]
    const sameKey = allOf(key.map((name) => `o.${name} = w.${name}`))
    const places = `ORDER BY w.__has IS NOT NULL, ${key.map((name) => `coalesce(o.${name}, w.${name})`).join(', ')}`
    await this.#make(
      'changed',
      `SELECT row_number() OVER (${places}) AS __place, o.__row, o.__row IS NOT NULL AS __had, w.__has IS NOT NULL AS __has,
         ${old.map((name, index) => `${name} AS o${index}`).join(', ')}, ${now.join(', ')}
       FROM ${last} o FULL JOIN (SELECT TRUE AS __has, * FROM ${this.#temp('now')}) w ON ${sameKey}
       WHERE o.__row IS NULL OR w.__has IS NULL OR ${differentValues(old, now)}`,
    )
  }

  async #refuseDuplicates(key: readonly string[]): Promise<void> {
    const reader = await this.#connection.runAndReadAll(
      `SELECT CAST(struct_pack(${key.map((name) => `${name} := ${name}`).join(', ')}) AS VARCHAR), ${key.map((name) => `CAST(${name} AS VARCHAR)`).join(', ')}
       FROM ${this.#temp('now')} GROUP BY ${key.join(', ')} HAVING count(*) > 1 ORDER BY ${key.join(', ')} LIMIT 1`,
    )
    const row = reader.getRows()[0]
    if (row === undefined) return
    const names = this.#plan.key.map((index) => this.#target.columns[index]!)
    const values = names.map((name, index) => `${name} = ${String(row[index + 1])}`).join(', ')
    throw new DuplicateKey(
      `the query returns more than one row for the primary key (${values}) of the sink; group or filter the rows so that one remains`,
    )
  }

  /** Rows without a key: a row is in the result more or fewer times than before. Equal rows are interchangeable. */
  async #compareWhole(last: string): Promise<void> {
    const count = this.#columns.length
    const columns = this.#columns.join(', ')
    const numbered = `row_number() OVER (PARTITION BY ${columns}) AS __copy`
    const [old, now] = [namesOf('c', count, 'o'), namesOf('c', count, 'w')]
    await this.#make(
      'changed',
      `WITH counted AS (
         SELECT ${columns}, sum(__sign) AS __more FROM (
           SELECT 1 AS __sign, * FROM ${this.#temp('now')}
           UNION ALL SELECT -1, * EXCLUDE (__row) FROM ${last} o
         ) GROUP BY ${columns} HAVING sum(__sign) <> 0
       ), lost AS (
         SELECT o.*, ${numbered} FROM ${last} o JOIN counted w ON w.__more < 0 AND ${sameValues(old, now)}
       )
       SELECT row_number() OVER (ORDER BY __has, ${columnsOf('c', count)}) AS __place, * FROM (
         SELECT o.__row, TRUE AS __had, FALSE AS __has, ${this.#columns.map((name, index) => `o.${name} AS o${index}`).join(', ')}, ${old.join(', ')}
         FROM lost o JOIN counted w ON w.__more < 0 AND ${sameValues(old, now)} AND o.__copy <= -w.__more
         UNION ALL
         SELECT NULL, FALSE, TRUE, ${now.map((name, index) => `${name} AS o${index}`).join(', ')}, ${now.join(', ')}
         FROM (SELECT *, unnest(range(__more)) FROM counted WHERE __more > 0) w
       )`,
    )
  }

  /** Only the rows that differ are written. */
  async #store(): Promise<void> {
    const changed = this.#temp('changed')
    await this.#run(
      `DELETE FROM ${this.#result} WHERE rowid IN (SELECT __row FROM ${changed} WHERE __had)`,
    )
    await this.#run(
      `INSERT INTO ${this.#result} SELECT ${this.#columns.join(', ')} FROM ${changed} WHERE __has ORDER BY __place`,
    )
  }

  #temp(table: string): string {
    return `temp.refresh_${this.#insert}_${table}`
  }

  async #make(table: string, select: string): Promise<void> {
    await this.#run(`CREATE OR REPLACE TEMP TABLE refresh_${this.#insert}_${table} AS ${select}`)
  }

  async #number(sql: string): Promise<number> {
    return Number((await this.#connection.runAndReadAll(sql)).getRows()[0]?.[0])
  }

  async #run(sql: string): Promise<void> {
    await this.#connection.run(sql)
  }
}

/** The scope is used if it is at most this part of the result; else one run over all rows costs less. */
const SCOPE_SHARE = 4
