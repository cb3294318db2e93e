/**
 * Running aggregates: each tick adds its new rows to the groups that they belong to, and writes one change for each group
 * whose result differs. Tables in the state, for the insert k of a job:
 *
 *   groups_<k>          g0, g1, …, n, and the parts of each aggregate (running-parts.ts)
 *   distinct_<k>_<v>    g0, g1, …, v: the values of operand v that a group has seen
 *
 * They have no index: a tick finds its groups by one scan with a hash join over its keys. The caller has a transaction open.
 */
import type { RunningPlan } from '../plan/running-plan.ts'
import { addDifferences, type ChangeTarget, changeTarget } from './changes-outbox.ts'
import { differentValues, listOf, namesOf, sameValues, stateColumn } from './changes-sql.ts'
import type { JobConnection } from './job-connection.ts'
import { finished, type Part, partsOf } from './running-parts.ts'
import type { Way, WayContext, WayResult, WayTick } from './way.ts'

export class RunningWay implements Way {
  readonly #connection: JobConnection
  readonly #plan: RunningPlan
  readonly #target: ChangeTarget
  readonly #state: string
  readonly #insert: number
  /** Known after `prepare`. */
  #parts: readonly Part[] = []
  readonly #groupNames: readonly string[]
  /** Operands of aggregates of distinct values. */
  readonly #distinct: readonly number[]

  readonly runsWithoutEvents = false
  readonly probes: readonly string[]

  constructor(context: WayContext) {
    const insert = context.plan.inserts[context.insert]
    if (insert?.way !== 'running') throw new Error(`insert ${context.insert} is no running aggregate`)
    const plan = insert.running
    this.#connection = context.connection
    this.#state = context.state
    this.#insert = context.insert
    this.#plan = plan
    this.probes = [plan.input]
    this.#target = changeTarget(context)
    this.#groupNames = namesOf('g', plan.groups)
    const distinct = plan.aggregates.filter(
      ({ kind, isDistinct }) => isDistinct && kind !== 'min' && kind !== 'max',
    )
    this.#distinct = [...new Set(distinct.flatMap(({ value }) => (value === undefined ? [] : [value])))]
  }

  async prepare(): Promise<void> {
    const described = await this.#connection.once(`DESCRIBE ${this.#plan.input}`)
    const types = described.slice(1).map(([, type]) => String(type))
    const values = types.slice(this.#plan.groups)
    this.#parts = partsOf(this.#plan.aggregates, values)
    const keys = this.#groupNames.map((name, index) => stateColumn(name, types[index]!))
    const parts = this.#parts.map(({ name, type }) => stateColumn(name, type))
    await this.#run(
      `CREATE TABLE IF NOT EXISTS ${this.#groups} (${[...keys, 'n BIGINT', ...parts].join(', ')})`,
    )
    for (const value of this.#distinct) {
      const columns = [...keys, stateColumn('v', values[value]!)]
      await this.#run(`CREATE TABLE IF NOT EXISTS ${this.#seen(value)} (${columns.join(', ')})`)
    }
  }

  /** Adds the rows of the plan's input to the groups, and the changes of the result to the outbox. */
  async run(_tick: WayTick): Promise<WayResult> {
    await this.#make('rows', this.#plan.input)
    for (const value of this.#distinct) await this.#findNewValues(value)
    await this.#findGroups()
    await this.#merge()
    await this.#store()
    await this.#compare()
    const rows = await addDifferences(this.#connection, this.#temp('changed'), this.#target)
    await this.#clear()
    return { rows, late: 0 }
  }

  /** Values that a group has not seen before, at the place of their first row. */
  async #findNewValues(value: number): Promise<void> {
    const columns = [...this.#groupNames, `v${value}`]
    const list = columns.join(', ')
    const known = sameValues(
      columns.map((name) => `r.${name}`),
      [...namesOf('g', this.#groupNames.length, 'd'), 'd.v'],
    )
    await this.#make(
      `new_${value}`,
      `SELECT r.* FROM (
         SELECT min(__ord) AS __ord, ${list} FROM ${this.#temp('rows')}
         WHERE v${value} IS NOT NULL GROUP BY ${list}
       ) r ANTI JOIN ${this.#seen(value)} d ON ${known}`,
    )
    await this.#run(
      `INSERT INTO ${this.#seen(value)} SELECT ${list} FROM ${this.#temp(`new_${value}`)} ORDER BY __ord, ${list}`,
    )
  }

  /** The stored groups to which rows of this tick belong. */
  #findGroups(): Promise<void> {
    return this.#make(
      'old',
      `SELECT s.rowid AS __row, s.* FROM ${this.#groups} s SEMI JOIN ${this.#temp('rows')} r ON ${this.#sameGroup('s', 'r')}`,
    )
  }

  /** Groups after this tick, numbered in the order of their first row in it. */
  #merge(): Promise<void> {
    const groups = this.#groupNames.join(', ')
    const branches = [
      this.#branch('rows', '__ord', '1', undefined),
      ...this.#distinct.map((value) => this.#branch(`new_${value}`, '__ord', '0', value)),
      `SELECT ${listOf('CAST(NULL AS BIGINT) AS __ord', groups, 'n', ...this.#parts.map(({ name }) => name))} FROM ${this.#temp('old')}`,
    ]
    const merged = [
      'CAST(sum(n) AS BIGINT) AS n',
      ...this.#parts.map(({ name, merge }) => `${merge} AS ${name}`),
    ]
    const grouping = groups === '' ? 'HAVING count(*) > 0' : `GROUP BY ${groups}`
    return this.#make(
      'new',
      `SELECT row_number() OVER (ORDER BY ${listOf('__first', groups)}) AS __k, * EXCLUDE (__first) FROM (
         SELECT ${listOf('min(__ord) AS __first', groups, ...merged)}
         FROM (${branches.join('\n UNION ALL ')}) ${grouping}
       )`,
    )
  }

  /** Rows of one temporary table as parts. `value`: the table holds the new distinct values of this operand. */
  #branch(table: string, place: string, rows: string, value: number | undefined): string {
    const parts = this.#parts.map(
      ({ name, ofRow, ofNone, distinctValue }) => `${distinctValue === value ? ofRow : ofNone} AS ${name}`,
    )
    return `SELECT ${listOf(place, ...this.#groupNames, `${rows} AS n`, ...parts)} FROM ${this.#temp(table)}`
  }

  async #store(): Promise<void> {
    await this.#run(`DELETE FROM ${this.#groups} WHERE rowid IN (SELECT __row FROM ${this.#temp('old')})`)
    await this.#run(
      `INSERT INTO ${this.#groups} SELECT * EXCLUDE (__k) FROM ${this.#temp('new')} ORDER BY __k`,
    )
  }

  /** Runs the select list and HAVING over the groups before (even keys) and after (odd keys), and pairs the results. */
  async #compare(): Promise<void> {
    const columns = listOf(
      ...this.#groupNames,
      ...this.#plan.aggregates.map((aggregate, index) => `${finished(aggregate, index)} AS a${index}`),
    )
    const before = `SELECT w.__k, s.* FROM ${this.#temp('old')} s JOIN ${this.#temp('new')} w ON ${this.#sameGroup('s', 'w')}`
    await this.#make(
      'results',
      `WITH merged AS (
         SELECT ${listOf('2 * __k AS __key', columns)} FROM (${before})
         UNION ALL SELECT ${listOf('2 * __k + 1', columns)} FROM ${this.#temp('new')}
       ) SELECT * FROM (${this.#plan.select})`,
    )
    const count = this.#target.columns.length
    const side = (odd: 0 | 1) =>
      `(SELECT __key // 2 AS __k, * FROM ${this.#temp('results')} WHERE __key % 2 = ${odd})`
    const old = namesOf('c', count, 'o')
    const now = namesOf('c', count, 'w')
    await this.#make(
      'changed',
      `SELECT coalesce(o.__k, w.__k) AS __place, o.__k IS NOT NULL AS __had, w.__k IS NOT NULL AS __has,
         ${old.map((name, index) => `${name} AS o${index}`).join(', ')}, ${now.join(', ')}
       FROM ${side(0)} o FULL JOIN ${side(1)} w ON o.__k = w.__k
       WHERE o.__k IS NULL OR w.__k IS NULL OR ${differentValues(old, now)}`,
    )
  }

  async #clear(): Promise<void> {
    const tables = [
      'rows',
      'old',
      'new',
      'results',
      'changed',
      ...this.#distinct.map((value) => `new_${value}`),
    ]
    for (const table of tables) await this.#run(`DROP TABLE ${this.#temp(table)}`)
  }

  get #groups(): string {
    return `${this.#state}.groups_${this.#insert}`
  }

  #seen(value: number): string {
    return `${this.#state}.distinct_${this.#insert}_${value}`
  }

  #temp(table: string): string {
    return `temp.run_${this.#insert}_${table}`
  }

  #sameGroup(left: string, right: string): string {
    const count = this.#groupNames.length
    return sameValues(namesOf('g', count, left), namesOf('g', count, right))
  }

  async #make(table: string, select: string): Promise<void> {
    await this.#run(`CREATE OR REPLACE TEMP TABLE run_${this.#insert}_${table} AS ${select}`)
  }

  async #run(sql: string): Promise<void> {
    await this.#connection.once(sql)
  }
}
