/**
 * Queries over changing tables: after the bases (refresh-base.ts) have the changes of a tick, the query runs again, and
 * the difference to the last result goes to the outbox and into `result_<insert>` of the state. If the query has a scope,
 * only the part of the result is computed that the changed rows can affect.
 *
 * Bases and the tables of the job are views and temporary tables with the names that the plan uses; the caller has a
 * transaction open.
 */
import { SqlError } from '../../duckdb/sql-error.ts'
import type { RefreshPlan, RefreshScope } from '../plan/refresh-plan.ts'
import { addDifferences, type ChangeTarget, changeTarget } from './changes-outbox.ts'
import { columnsOf, differentValues, listOf, namesOf, sameValues, stateColumn } from './changes-sql.ts'
import { type IncrementContext, Increments } from './increment.ts'
import type { JobConnection } from './job-connection.ts'
import { Base } from './refresh-base.ts'
import { RefreshMoment } from './refresh-moment.ts'
import type { Refreshed } from './result-publisher.ts'
import { TickTable } from './tick-table.ts'
import type { Way, WayContext, WayResult, WayTick } from './way.ts'

export class RefreshWay implements Way {
  readonly #connection: JobConnection
  readonly #plan: RefreshPlan
  readonly #target: ChangeTarget
  /** One for each source. */
  readonly #bases: ReadonlyMap<string, Base>
  readonly #insert: number
  readonly #changed: TickTable
  readonly #result: string
  readonly #columns: readonly string[]
  readonly #comparison: 'key' | 'row' | 'whole'
  /** Of the job of a cached query. */
  readonly #moment: RefreshMoment | undefined
  /** Undefined: the whole query runs after each change. */
  #increments: Increments | undefined
  readonly #state: string
  readonly probes: readonly string[] = []
  readonly runsWithoutEvents = true

  constructor(context: WayContext) {
    const insert = context.plan.inserts[context.insert]
    if (insert?.way !== 'refresh') throw new Error(`insert ${context.insert} is no refresh`)
    this.#connection = context.connection
    this.#plan = insert.refresh
    this.#target = changeTarget(context)
    this.#insert = context.insert
    this.#changed = new TickTable(context.connection, `refresh_${context.insert}_changed`)
    this.#state = context.state
    this.#result = `${context.state}.result_${context.insert}`
    this.#columns = namesOf('c', this.#target.columns.length)
    this.#comparison = comparisonOf(this.#plan, context.query)
    this.#moment = context.query && new RefreshMoment(context)
    const names = new Set(this.#plan.bases.map(({ source }) => source))
    this.#bases = new Map(
      context.plan.sources
        .filter(({ relation }) => names.has(relation))
        .map((source) => [
          source.relation,
          new Base(context.connection, context.state, context.insert, source, context.query !== undefined),
        ]),
    )
  }

  async prepare(): Promise<void> {
    for (const base of this.#bases.values()) await base.open()
    const columns = this.#target.types.map((type, index) => stateColumn(`c${index}`, type))
    await this.#run(`CREATE TABLE IF NOT EXISTS ${this.#result} (${columns.join(', ')})`)
    await this.#moment?.open()
    if (this.#moment !== undefined) this.#increments = await Increments.open(this.#incrementContext())
  }

  #incrementContext(): IncrementContext {
    const baseOf = (relation: string) => this.#baseOf(relation)
    return {
      connection: this.#connection,
      plan: this.#plan,
      state: this.#state,
      insert: this.#insert,
      baseOf,
    }
  }

  get isBehind(): boolean {
    return this.#moment?.isBehind ?? false
  }

  /** The table of the last result: c0, c1, … */
  get result(): string {
    return this.#result
  }

  /** Of the job of a cached query; undefined before the first refresh. */
  get refreshed(): Refreshed | undefined {
    return this.#moment?.last
  }

  /** Applies the changes of the tick, and adds those of the result to the outbox. */
  async run(tick: WayTick): Promise<WayResult> {
    const { grown, isFirst, isRestored } = tick
    for (const base of this.#bases.values()) {
      if (grown.has(base.source)) await base.apply()
    }
    const hasChanged = isFirst || isRestored || this.#hasChanged()
    const rows =
      this.#moment === undefined
        ? hasChanged
          ? await this.#refresh()
          : 0
        : await this.#refreshAt(this.#moment, hasChanged, tick.moment)
    for (const base of this.#bases.values()) {
      if (grown.has(base.source)) await base.clear()
    }
    return { rows, late: 0 }
  }

  #hasChanged(): boolean {
    return [...this.#bases.values()].some(({ change }) => change !== 'none')
  }

  /** A tick that has not reached a moment changes the bases alone, and the next one that does computes the result. */
  async #refreshAt(stored: RefreshMoment, hasChanged: boolean, moment: WayTick['moment']): Promise<number> {
    if (moment === undefined) {
      if (hasChanged) await stored.behind()
      return 0
    }
    for (const base of this.#bases.values()) await base.refuseUnfit()
    const startMs = performance.now()
    const rows = hasChanged || stored.isBehind ? await this.#refresh(stored.isBehind) : 0
    await stored.reached(moment, performance.now() - startMs)
    return rows
  }

  /** `isBehind`: changes of earlier ticks are not in the result. */
  async #refresh(isBehind = false): Promise<number> {
    if (this.#increments !== undefined) return this.#refreshGroups(this.#increments, isBehind)
    const scope = isBehind ? undefined : await this.#usableScope()
    return this.#compare(this.#select(scope), scope)
  }

  async #refreshGroups(increments: Increments, isBehind: boolean): Promise<number> {
    const changed = [...this.#bases.values()].filter(({ change }) => change !== 'none')
    if (isBehind || !increments.canFollow(changed)) await increments.rebuild()
    else if (!(await increments.follow(changed))) return 0
    return this.#compare(increments.result)
  }

  /** Compares the new result with the last one, and stores it. */
  async #compare(select: string, scope?: RefreshScope): Promise<number> {
    const key = this.#plan.key.map((index) => `c${index}`)
    let now = `(SELECT ${this.#columns.join(', ')} FROM (${select}))`
    const isChecked = this.#comparison === 'key' && !this.#plan.keyIsUnique && key.length > 0
    if (isChecked) {
      await this.#run(this.#create('now', now))
      now = this.#temp('now')
      await this.#refuseDuplicates(key)
    }
    const last = this.#last(scope)
    const compared =
      this.#comparison === 'whole' ? this.#comparedWhole(now, last) : this.#comparedByKey(key, now, last)
    const changes = await this.#changed.fill(compared, false)
    const rows = changes === 0 ? 0 : await this.#store()
    await this.#changed.clear()
    const made = [...(isChecked ? ['now'] : []), ...(scope === undefined ? [] : ['scope'])]
    if (made.length > 0) await this.#connection.script(made.map((table) => `DROP TABLE ${this.#temp(table)}`))
    return rows
  }

  /** The part of the last result that the new one is compared with. */
  #last(scope: RefreshScope | undefined): string {
    if (scope === undefined) return `(SELECT rowid AS __row, * FROM ${this.#result})`
    const same = sameValues(
      scope.columns.map((column) => `r.c${column}`),
      namesOf('k', scope.columns.length, 'k'),
    )
    return `(SELECT r.rowid AS __row, r.* FROM ${this.#result} r SEMI JOIN ${this.#temp('scope')} k ON ${same})`
  }

  /** The scope, if only its base has changed and it is a small part of the result. Makes the table of its keys. */
  async #usableScope(): Promise<RefreshScope | undefined> {
    const { scope } = this.#plan
    if (scope === undefined) return undefined
    const base = this.#baseOf(scope.relation)
    if (base.change !== 'rows') return undefined
    if ([...this.#bases.values()].some((other) => other !== base && other.change !== 'none')) return undefined
    const keys = scope.keys.map((expression, index) => `${expression} AS k${index}`).join(', ')
    await this.#run(
      this.#create('scope', `SELECT ${keys} FROM ${base.gone} UNION SELECT ${keys} FROM ${base.come}`),
    )
    if (scope.isRequired) return scope
    const affected = await this.#number(`SELECT count(*) FROM ${this.#temp('scope')}`)
    const all = await this.#number(`SELECT count(*) FROM ${this.#result}`)
    return affected * SCOPE_SHARE <= all ? scope : undefined
  }

  /** The query over the bases, or over the rows of one base that have keys of the scope. */
  #select(scope?: RefreshScope): string {
    const bases = this.#plan.bases.map(({ relation }) => {
      const rows = `SELECT * FROM ${this.#baseOf(relation).table} b`
      if (relation !== scope?.relation) return `${relation} AS NOT MATERIALIZED (${rows})`
      // The rows with changed keys are the new ones, if the keys of the scope identify rows.
      if (this.#baseOf(relation).isKey(scope.keys))
        return `${relation} AS (SELECT * FROM ${this.#baseOf(relation).come})`
      const keys = scope.keys.map((expression) => `(${expression})`)
      const same = sameValues(keys, namesOf('k', keys.length, '__scope'))
      return `${relation} AS (${rows} WHERE EXISTS (SELECT 1 FROM ${this.#temp('scope')} __scope WHERE ${same}))`
    })
    return `WITH ${bases.join(', ')} SELECT * FROM (${this.#plan.select})`
  }

  #baseOf(relation: string): Base {
    const source = this.#plan.bases.find((base) => base.relation === relation)?.source
    const base = source === undefined ? undefined : this.#bases.get(source)
    if (base === undefined) throw new Error(`no base ${relation}`)
    return base
  }

  #comparedByKey(key: readonly string[], now: string, last: string): string {
    const count = this.#columns.length
    const [old, fresh] = [namesOf('c', count, 'o'), namesOf('c', count, 'w')]
    const sameKey = sameValues(
      key.map((name) => `o.${name}`),
      key.map((name) => `w.${name}`),
    )
    const places = `ORDER BY ${listOf('w.__has IS NOT NULL', ...key.map((name) => `coalesce(o.${name}, w.${name})`))}`
    return `SELECT row_number() OVER (${places}) AS __place, o.__row, o.__row IS NOT NULL AS __had, w.__has IS NOT NULL AS __has,
        ${old.map((name, index) => `${name} AS o${index}`).join(', ')}, ${fresh.join(', ')}
      FROM ${last} o FULL JOIN (SELECT TRUE AS __has, * FROM ${now}) w ON ${sameKey}
      WHERE o.__row IS NULL OR w.__has IS NULL OR ${differentValues(old, fresh)}`
  }

  async #refuseDuplicates(key: readonly string[]): Promise<void> {
    const list = key.join(', ')
    const [row] = await this.#connection.once(
      `SELECT ${key.map((name) => `CAST(${name} AS VARCHAR)`).join(', ')} FROM ${this.#temp('now')}
       GROUP BY ${list} HAVING count(*) > 1 ORDER BY ${list} LIMIT 1`,
    )
    if (row === undefined) return
    const names = this.#plan.key.map((index) => this.#target.columns[index]!)
    const values = names.map((name, index) => `${name} = ${String(row[index])}`).join(', ')
    throw new SqlError(
      '22000',
      `the query returns more than one row for the primary key (${values}) of the sink; group or filter the rows so that one remains`,
    )
  }

  /** Rows without a key: a row is in the result more or fewer times than before. Equal rows are interchangeable. */
  #comparedWhole(now: string, last: string): string {
    const count = this.#columns.length
    const columns = this.#columns.join(', ')
    const [old, fresh] = [namesOf('c', count, 'o'), namesOf('c', count, 'w')]
    const numbered = `row_number() OVER (PARTITION BY ${old.join(', ')}) AS __copy`
    return `WITH counted AS (
         SELECT ${columns}, CAST(sum(__sign) AS BIGINT) AS __more FROM (
           SELECT 1 AS __sign, * FROM ${now}
           UNION ALL SELECT -1, * EXCLUDE (__row) FROM ${last} o
         ) GROUP BY ${columns} HAVING sum(__sign) <> 0
       ), lost AS (
         SELECT o.*, ${numbered} FROM ${last} o JOIN counted w ON w.__more < 0 AND ${sameValues(old, fresh)}
       )
       SELECT row_number() OVER (ORDER BY __has, ${columnsOf('c', count)}) AS __place, * FROM (
         SELECT o.__row, TRUE AS __had, FALSE AS __has, ${this.#columns.map((name, index) => `o.${name} AS o${index}`).join(', ')}, ${old.join(', ')}
         FROM lost o JOIN counted w ON w.__more < 0 AND ${sameValues(old, fresh)} AND o.__copy <= -w.__more
         UNION ALL
         SELECT NULL, FALSE, TRUE, ${fresh.map((name, index) => `${name} AS o${index}`).join(', ')}, ${fresh.join(', ')}
         FROM (SELECT *, unnest(range(__more)) FROM counted WHERE __more > 0) w
       )`
  }

  /** Only the rows that differ are written. Returns the number of rows added to the outbox. */
  async #store(): Promise<number> {
    const changed = this.#changed.table
    await this.#connection.run(
      `DELETE FROM ${this.#result} r USING ${changed} c WHERE r.rowid = c.__row AND c.__had`,
    )
    await this.#connection.run(
      `INSERT INTO ${this.#result} SELECT ${this.#columns.join(', ')} FROM ${changed} WHERE __has ORDER BY __place`,
    )
    return addDifferences(this.#connection, changed, this.#target)
  }

  #temp(table: string): string {
    return `temp.refresh_${this.#insert}_${table}`
  }

  #create(table: string, select: string): string {
    return `CREATE OR REPLACE TEMP TABLE refresh_${this.#insert}_${table} AS ${select}`
  }

  async #number(sql: string): Promise<number> {
    return Number((await this.#connection.once(sql))[0]?.[0])
  }

  async #run(sql: string): Promise<void> {
    await this.#connection.once(sql)
  }
}

/** How the rows of two results belong together: a result without a key that is not a set of rows has one row. */
function comparisonOf({ key }: RefreshPlan, query: WayContext['query']): 'key' | 'row' | 'whole' {
  if (key.length > 0) return 'key'
  return query !== undefined && query.key.length === 0 && !query.keyIsRow ? 'row' : 'whole'
}

/** The scope is used if it is at most this part of the result; else one run over all rows costs less. */
const SCOPE_SHARE = 4
