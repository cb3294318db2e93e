/**
 * The groups of an aggregate that is kept up to date by the changes of its tables (plan/increment.ts): `groups_<insert>` in the
 * state.
 *
 *   k0, k1, …   the groups
 *   n           number of rows
 *   a0, a1, …   values of the functions; of a sum, 0 where there is no value
 *   n0, n1, …   of a sum the number of its values; of an extreme how many rows have it, NULL: not counted
 *
 * `increment_<insert>` has one row: the plan of the groups, and whether they show the bases. Groups of another plan are made anew.
 *
 * An extreme whose last row has gone, or whose rows are not counted, is computed again from the tables, for its group.
 */

import { type Node, parseTree, printTree } from '../../sql/tree.ts'
import { GROUPS, type IncrementFunction, incrementOf, signOf } from '../plan/increment.ts'
import type { RefreshPlan } from '../plan/refresh-plan.ts'
import { listOf, namesOf, sameValues, stateColumn, textLiteral } from './changes-sql.ts'
import type { JobConnection } from './job-connection.ts'
import type { Base } from './refresh-base.ts'
import { PLANNED_ROWS_MAX, TickTable } from './tick-table.ts'

export interface IncrementContext {
  readonly connection: JobConnection
  readonly plan: RefreshPlan
  /** Schema of the state. */
  readonly state: string
  readonly insert: number
  readonly baseOf: (relation: string) => Base
}

interface Increment {
  readonly linear: readonly string[]
  readonly groups: number
  readonly functions: readonly IncrementFunction[]
  readonly rows: string
  readonly result: string
}

/** More changed rows than this part of the tables: reading these again costs less. */
const CHANGED_SHARE = 8
/** Sums of these types do not depend on the order of their values. */
const EXACT = /^(HUGEINT|DECIMAL)/

export class Increments {
  readonly #context: IncrementContext
  readonly #plan: Increment
  readonly #table: string
  readonly #keys: readonly string[]
  readonly #merged: TickTable
  /** The groups show the bases. */
  #isComplete = false

  private constructor(context: IncrementContext, plan: Increment) {
    this.#context = context
    this.#plan = plan
    this.#table = `${context.state}.groups_${context.insert}`
    this.#keys = namesOf('k', plan.groups)
    this.#merged = new TickTable(context.connection, `increment_${context.insert}_merged`)
  }

  /** Creates the table of the groups. Undefined if the result cannot be kept in this way. */
  static async open(context: IncrementContext): Promise<Increments | undefined> {
    const plan = await planOf(context)
    const increments = plan && new Increments(context, plan)
    if (await increments?.create()) return increments
    await context.connection.script(dropsOf(context))
    return undefined
  }

  /** Whether the groups can follow the changes of these bases. */
  canFollow(changed: readonly Base[]): boolean {
    const { baseOf } = this.#context
    if (!this.#isComplete) return false
    const linear = new Set(this.#plan.linear.map(baseOf))
    if (changed.some((base) => !linear.has(base) || base.change !== 'rows')) return false
    return changed.every(({ rows, changedRows }) => changedRows * CHANGED_SHARE <= rows)
  }

  /** The result over the groups: c0, c1, … */
  get result(): string {
    const { functions, result } = this.#plan
    const values = functions.map(({ kind }, index) => `${valueSql(kind, index)} AS a${index}`)
    const groups = this.#keys.map((key, index) => `${key} AS g${index}`)
    const rows = `SELECT ${listOf(...groups, ...values, 'n')} FROM ${this.#table}`
    return `WITH ${[`${GROUPS} AS (${rows})`, ...this.#bases(() => undefined)].join(', ')} SELECT * FROM (${result})`
  }

  /** Computes all groups from the tables. */
  async rebuild(): Promise<void> {
    await this.#context.connection.script([
      `DELETE FROM ${this.#table}`,
      `INSERT INTO ${this.#table} ${this.#whole(this.#rows(() => undefined))}`,
      ...(this.#isComplete
        ? []
        : [`UPDATE ${this.#context.state}.increment_${this.#context.insert} SET is_complete = TRUE`]),
    ])
    this.#isComplete = true
  }

  /** Applies the changes of these bases. Returns whether any group has changed. */
  async follow(changed: readonly Base[]): Promise<boolean> {
    const isSmall = changed.every(({ changedRows }) => changedRows <= PLANNED_ROWS_MAX)
    const groups = await this.#merge(changed, isSmall)
    await this.#merged.clear()
    return groups > 0
  }

  /** The rows that come and go, each as often as more of them come than go, or the other way round. */
  #changes(changed: readonly Base[]): string {
    const columns = [...this.#keys, ...this.#plan.functions.map((_, index) => `x${index}`)]
    const select = listOf(...columns)
    const group = columns.length > 0 ? `GROUP BY ${select}` : ''
    return `SELECT ${listOf(select, 'CAST(sign(more) AS INTEGER) AS __sign')}, unnest(range(abs(more))) AS __copy FROM (
         SELECT ${listOf(select, 'CAST(sum(__sign) AS BIGINT) AS more')} FROM (${this.#changedRows(changed)})
         ${group} HAVING sum(__sign) <> 0)`
  }

  /** Returns the number of groups that have changed. */
  async #merge(changed: readonly Base[], isSmall: boolean): Promise<number> {
    const { functions } = this.#plan
    const keys = this.#keys.map((key) => `p.${key}`)
    const values = functions.flatMap(({ kind }, index) => mergedValues(kind, index))
    const same = sameValues(
      keys,
      this.#keys.map((key) => `g.${key}`),
    )
    const merged = this.#merged.table
    const { connection } = this.#context
    const groups = await this.#merged.fill(
      `WITH delta AS (${this.#changes(changed)}), part AS (${this.#parts()})
       SELECT ${listOf('g.rowid AS __row', ...keys, 'coalesce(g.n, 0) + p.n AS n', ...values)}
       FROM part p LEFT JOIN ${this.#table} g ON ${same}`,
      isSmall,
    )
    if (groups === 0) return 0
    await this.#computeExtremes()
    const isKept = this.#keys.length === 0 ? '' : 'WHERE n > 0'
    await connection.run(`DELETE FROM ${this.#table} g USING ${merged} m WHERE g.rowid = m.__row`)
    await connection.run(
      `INSERT INTO ${this.#table} SELECT ${this.#columns().join(', ')} FROM ${merged} ${isKept}`,
    )
    return groups
  }

  /** Those that are not known: a row with them has gone, and no other is known to have them. */
  async #computeExtremes(): Promise<void> {
    const extremes = this.#plan.functions.flatMap(({ kind }, index) =>
      kind === 'min' || kind === 'max' ? [{ kind, index }] : [],
    )
    if (extremes.length === 0) return
    const counts = extremes.map(({ index }) => `coalesce(bool_or(r${index}), FALSE)`)
    const [row = []] = await this.#context.connection.rows(
      `SELECT ${counts.join(', ')} FROM ${this.#merged.table}`,
    )
    for (const [at, { kind, index }] of extremes.entries())
      if (row[at] === true) await this.#computeAgain(kind, index)
  }

  /** What the changes do to each group. Extremes of rows that come and of rows that go, with their numbers of rows. */
  #parts(): string {
    const { functions } = this.#plan
    const by = this.#keys.length > 0 ? `PARTITION BY ${this.#keys.join(', ')}` : ''
    const extremes = functions.flatMap(({ kind }, index) =>
      kind === 'min' || kind === 'max'
        ? [
            `${kind}(x${index}) FILTER (WHERE __sign > 0) OVER (${by}) AS p${index}`,
            `${kind}(x${index}) FILTER (WHERE __sign < 0) OVER (${by}) AS m${index}`,
          ]
        : [],
    )
    const parts = functions.flatMap(({ kind }, index): string[] => {
      const x = `x${index}`
      const counted = `CAST(coalesce(sum(__sign) FILTER (WHERE ${x} IS NOT NULL), 0) AS BIGINT)`
      switch (kind) {
        case 'rows':
          return []
        case 'count':
          return [`${counted} AS a${index}`]
        case 'sum':
          return [
            `sum(${x}) FILTER (WHERE __sign > 0) AS p${index}`,
            `sum(${x}) FILTER (WHERE __sign < 0) AS m${index}`,
            `${counted} AS n${index}`,
          ]
        default:
          return ['p', 'm'].flatMap((side) => [
            `any_value(${side}${index}) AS ${side}${index}`,
            `count(*) FILTER (WHERE __sign ${side === 'p' ? '>' : '<'} 0 AND ${x} = ${side}${index}) AS ${side}n${index}`,
          ])
      }
    })
    const rows = `SELECT ${listOf('*', ...extremes)} FROM delta`
    const group = this.#keys.length > 0 ? `GROUP BY ${this.#keys.join(', ')}` : 'HAVING count(*) > 0'
    return `SELECT ${listOf(...this.#keys, 'CAST(sum(__sign) AS BIGINT) AS n', ...parts)} FROM (${rows}) ${group}`
  }

  async #computeAgain(kind: 'min' | 'max', index: number): Promise<void> {
    const merged = this.#merged.table
    const rows = namesOf('k', this.#keys.length, 'r')
    const same = sameValues(rows, namesOf('k', this.#keys.length, 'm'))
    const x = `x${index}`
    const group = rows.length > 0 ? `GROUP BY ${listOf(...this.#keys)}` : ''
    const found = sameValues(namesOf('k', this.#keys.length, 'again'), namesOf('k', this.#keys.length, 'm'))
    const again = `SELECT ${listOf(...this.#keys, `${kind}(${x}) AS a`, `arg_${kind}(rows, ${x}) AS rows`)} FROM (
        SELECT ${listOf(...rows, `r.${x}`, 'count(*) AS rows')} FROM (${this.#rows(() => undefined)}) r
        SEMI JOIN (SELECT * FROM ${merged} m WHERE m.r${index} AND m.n > 0) m ON ${same}
        WHERE r.${x} IS NOT NULL GROUP BY ${listOf(...rows, `r.${x}`)}
      ) ${group}`
    await this.#context.connection.script([
      `UPDATE ${merged} SET a${index} = NULL, n${index} = 0 WHERE r${index}`,
      `UPDATE ${merged} m SET a${index} = again.a, n${index} = coalesce(again.rows, 0)
       FROM (${again}) again WHERE m.r${index} AND ${found}`,
    ])
  }

  /** The groups of these rows, whose signs are all 1. */
  #whole(rows: string): string {
    const values = this.#plan.functions.flatMap(({ kind }, index): string[] => {
      const x = `x${index}`
      switch (kind) {
        case 'rows':
          return []
        case 'count':
          return [`count(${x})`]
        case 'sum':
          return [`coalesce(sum(${x}), 0)`, `count(${x})`]
        default:
          return [`${kind}(${x})`, 'CAST(NULL AS BIGINT)']
      }
    })
    const group = this.#keys.length > 0 ? `GROUP BY ${this.#keys.join(', ')}` : ''
    return `SELECT ${listOf(...this.#keys, 'count(*)', ...values)} FROM (${rows}) ${group}`
  }

  /** Names of the columns of the table. */
  #columns(): string[] {
    const values = this.#plan.functions.flatMap(({ kind }, index) => {
      if (kind === 'rows') return []
      return kind === 'count' ? [`a${index}`] : [`a${index}`, `n${index}`]
    })
    return [...this.#keys, 'n', ...values]
  }

  /** The rows that came, with the sign 1, and those that went, with -1. Other bases that changed are new before, and old behind. */
  #changedRows(changed: readonly Base[]): string {
    return changed
      .map((base, at) => {
        const later = new Set(changed.slice(at + 1))
        return this.#rows((other) => (other === base ? 'changes' : later.has(other) ? 'old' : undefined))
      })
      .join(' UNION ALL ')
  }

  #rows(partOf: (base: Base) => 'changes' | 'old' | undefined): string {
    return `SELECT * FROM (WITH ${this.#bases(partOf).join(', ')} ${this.#plan.rows})`
  }

  #bases(partOf: (base: Base) => 'changes' | 'old' | undefined): string[] {
    const { plan, baseOf } = this.#context
    return plan.bases.map(({ relation }) => {
      const base = baseOf(relation)
      if (!this.#plan.linear.includes(relation))
        return `${relation} AS NOT MATERIALIZED (SELECT * FROM ${base.table})`
      const sign = `"${signOf(relation)}"`
      const whole = `SELECT *, 1 AS ${sign} FROM ${base.table}`
      const [came, went] = [
        (value: number) => `SELECT *, ${value} AS ${sign} FROM ${base.come}`,
        (value: number) => `SELECT *, ${value} AS ${sign} FROM ${base.gone}`,
      ]
      const rows = {
        whole,
        changes: `${came(1)} UNION ALL ${went(-1)}`,
        old: `${whole} UNION ALL ${went(1)} UNION ALL ${came(-1)}`,
      }[partOf(base) ?? 'whole']
      return `${relation} AS NOT MATERIALIZED (${rows})`
    })
  }

  /** Returns whether all sums are exact: then the tables exist. */
  async create(): Promise<boolean> {
    const types = await this.#run(`DESCRIBE ${this.#whole(this.#rows(() => undefined))}`)
    const columns = this.#columns()
    const typeOf = (column: string) => String(types[columns.indexOf(column)]?.[1])
    const sums = this.#plan.functions.flatMap(({ kind }, index) => (kind === 'sum' ? [`a${index}`] : []))
    if (!sums.every((column) => EXACT.test(typeOf(column)))) return false
    const { connection, state, insert } = this.#context
    const definitions = columns.map((column) => stateColumn(column, typeOf(column)))
    const plan = JSON.stringify([this.#plan, definitions])
    await this.#run(
      `CREATE TABLE IF NOT EXISTS ${state}.increment_${insert} (plan VARCHAR, is_complete BOOLEAN)`,
    )
    const [row] = await this.#run(`SELECT plan, is_complete FROM ${state}.increment_${insert}`)
    this.#isComplete = row?.[0] === plan && row[1] === true
    if (this.#isComplete) return true
    await connection.script([
      `DELETE FROM ${state}.increment_${insert}`,
      `INSERT INTO ${state}.increment_${insert} VALUES (${textLiteral(plan)}, FALSE)`,
      `DROP TABLE IF EXISTS ${this.#table}`,
      `CREATE TABLE ${this.#table} (${definitions.join(', ')})`,
    ])
    return true
  }

  #run(sql: string): Promise<readonly (readonly unknown[])[]> {
    return this.#context.connection.once(sql)
  }
}

/** Groups that nothing keeps up to date would be wrong later. */
function dropsOf({ state, insert }: IncrementContext): readonly string[] {
  return ['groups', 'increment'].map((name) => `DROP TABLE IF EXISTS ${state}.${name}_${insert}`)
}

function valueSql(kind: IncrementFunction['kind'], index: number): string {
  if (kind === 'rows') return 'n'
  return kind === 'sum' ? `CASE WHEN n${index} = 0 THEN NULL ELSE a${index} END` : `a${index}`
}

/** Values of a group after its changes; of extremes also r<index>: it is to be computed again. */
function mergedValues(kind: IncrementFunction['kind'], index: number): string[] {
  const [a, n] = [`a${index}`, `n${index}`]
  switch (kind) {
    case 'rows':
      return []
    case 'count':
      return [`coalesce(g.${a}, 0) + p.${a} AS ${a}`]
    case 'sum':
      return [
        `coalesce(g.${a}, 0) + coalesce(p.p${index}, 0) - coalesce(p.m${index}, 0) AS ${a}`,
        `coalesce(g.${n}, 0) + p.${n} AS ${n}`,
      ]
    default: {
      const value = `${kind === 'min' ? 'least' : 'greatest'}(g.${a}, p.p${index})`
      // NULL: the rows that have the extreme were not counted.
      const before = `CASE WHEN g.${a} IS NULL OR g.${a} <> ${value} THEN 0 ELSE g.${n} END`
      const came = `CASE WHEN p.p${index} = ${value} THEN p.pn${index} ELSE 0 END`
      const went = `CASE WHEN p.m${index} = ${value} THEN p.mn${index} ELSE 0 END`
      const rows = `${before} + ${came} - ${went}`
      return [
        `${value} AS ${a}`,
        `${rows} AS ${n}`,
        `coalesce(p.m${index} = ${value}, FALSE) AND coalesce(${rows} <= 0, TRUE) AS r${index}`,
      ]
    }
  }
}

async function planOf({ connection, plan }: IncrementContext): Promise<Increment | undefined> {
  const [json] = await connection.rows('SELECT CAST(json_serialize_sql($1::VARCHAR) AS VARCHAR)', plan.select)
  const { statements } = parseTree(String(json?.[0])) as unknown as {
    readonly statements?: readonly { readonly node: Node }[]
  }
  const names = await connection.rows(
    "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'",
  )
  const aggregates = new Set(names.map(([name]) => String(name)))
  const relations = plan.bases.map(({ relation }) => relation)
  const query = statements?.[0]?.node
  const nodes = query && incrementOf(query, relations, aggregates)
  if (nodes === undefined) return undefined
  const print = async (node: Node) => {
    const [row] = await connection.rows('SELECT json_deserialize_sql($1::JSON)', printTree(node))
    return String(row?.[0])
  }
  return { ...nodes, rows: await print(nodes.rows), result: await print(nodes.result) }
}
