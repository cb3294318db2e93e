/**
 * The plan of a GROUP BY without a window over a stream. The query is a chain of SELECTs: one groups, and those around it
 * project and filter its groups. The rows below the grouping become the input of the plan. Its select list and HAVING, with
 * aggregates and group keys replaced by columns of `merged`, and the SELECTs around it become the plan's select.
 */
import { printType } from '../../sql/data-types.ts'
import { ON_FLINK } from '../../sql/sql-problem.ts'
import type { Node } from '../../sql/tree.ts'
import type { PlanContext, ResolvedQuery } from './plan-context.ts'
import { RunningExpressions, textOf } from './running-expressions.ts'
import type { RunningPlan } from './running-plan.ts'
import {
  baseTable,
  type CteNode,
  columnOf,
  isNode,
  neededCtes,
  outputColumn,
  selectNode,
} from './tree-nodes.ts'

/** Rejects with SqlProblem. */
export async function planRunning(resolved: ResolvedQuery, context: PlanContext): Promise<RunningPlan> {
  const asWritten = chainOf(resolved.query, context)
  checkGrouping(asWritten, context)
  checkKey(asWritten, resolved, context)
  const chain = chainOf((await context.withMeaning(resolved.query)).tree, context)
  const { grouping, ctes } = chain
  const expressions = new RunningExpressions(grouping.group_expressions as readonly Node[], context)
  const items = (grouping.select_list as readonly Node[]).map((item) => expressions.replaced(item))
  const having = grouping.having === null ? null : expressions.replaced(grouping.having as Node)
  const list = [{ ...outputColumn('__ord'), alias: '__ord' }, ...expressions.input]
  const input = selectNode({
    list,
    from: grouping.from_table as Node,
    where: grouping.where_clause as Node | null,
  })
  const select = around(
    chain,
    selectNode({
      list: [{ ...outputColumn('__key'), alias: '__key' }, ...items],
      from: baseTable('merged', ''),
      where: having,
    }),
  )
  const outputs = items.length === 0 ? [] : (chain.levels[0] ?? grouping).select_list
  const names = (outputs as readonly Node[]).map((_, index) => `o${index}`)
  const columns = resolved.values.map(({ output, cast }, index) => `${cast(`q.o${output}`)} AS c${index}`)
  return {
    input: await context.print({ ...input, cte_map: { map: neededCtes(ctes, input) } }),
    groups: (grouping.group_expressions as readonly Node[]).length,
    values: expressions.valueCount,
    aggregates: expressions.aggregates,
    select: `SELECT ${['q.__key', ...columns].join(', ')} FROM (${await context.print(select)}) AS q(${['__key', ...names].join(', ')})`,
  }
}

interface Chain {
  /** The SELECTs around the grouping, from the outside. Each reads the next one, under an alias. */
  readonly levels: readonly Node[]
  readonly grouping: Node
  /** All definitions of WITH, in the order of their use. */
  readonly ctes: readonly CteNode[]
}

function chainOf(query: Node, context: PlanContext): Chain {
  const levels: Node[] = []
  const ctes: CteNode[] = []
  let node = query
  for (;;) {
    ctes.push(...((node.cte_map as { readonly map?: readonly CteNode[] } | undefined)?.map ?? []))
    if (isGrouping(node)) return { levels, grouping: node, ctes }
    const inner = node.type === 'SELECT_NODE' ? innerQuery(node.from_table as Node, ctes) : undefined
    if (inner === undefined)
      throw context.problem(
        `only columns and conditions may stand around a GROUP BY without window${ON_FLINK}`,
        node,
      )
    levels.push(node)
    node = inner
  }
}

function isGrouping(node: Node): boolean {
  if (node.type !== 'SELECT_NODE') return false
  const groups = node.group_expressions as readonly Node[]
  const clauses = [...(node.select_list as readonly Node[]), ...(isNode(node.having) ? [node.having] : [])]
  return groups.length > 0 || isNode(node.having) || clauses.some((one) => aggregatesIn(one).length > 0)
}

function innerQuery(from: Node, ctes: readonly CteNode[]): Node | undefined {
  if (from.type === 'SUBQUERY') return (from.subquery as { readonly node: Node }).node
  if (from.type !== 'BASE_TABLE') return undefined
  const definition = ctes.findLast(({ key }) => key === from.table_name)
  return (definition?.value.query as { readonly node: Node } | undefined)?.node
}

/** The levels around `inner`, each with __key first. Its rows keep the key of their group. */
function around({ levels }: Chain, inner: Node): Node {
  return levels.reduceRight((query, level) => {
    const from = level.from_table as Node
    const alias =
      from.alias === undefined || from.alias === '' ? String(from.table_name ?? '__groups') : from.alias
    const subquery: Node = {
      type: 'SUBQUERY',
      alias,
      sample: null,
      subquery: { node: query, named_param_map: [] },
      column_name_alias: hiddenFirst(from.column_name_alias as readonly string[] | undefined),
    }
    const list = [columnOf(alias, '__key', '__key'), ...(level.select_list as readonly Node[])]
    return { ...level, cte_map: { map: [] }, select_list: list, from_table: subquery }
  }, inner)
}

function hiddenFirst(names: readonly string[] | undefined): readonly string[] {
  return names === undefined || names.length === 0 ? [] : ['__key', ...names]
}

const RUNNING: ReadonlySet<string> = new Set(['count', 'count_star', 'sum', 'avg', 'min', 'max'])
const OTHERS: ReadonlySet<string> = new Set(
  `stddev_pop stddev_samp stddev var_pop var_samp variance listagg string_agg first_value last_value collect any_value
  grouping grouping_id array_agg json_objectagg json_arrayagg`.split(/\s+/),
)

/** Calls of aggregates, without those of sub-queries. */
function aggregatesIn(node: Node): readonly Node[] {
  if (node.class === 'SUBQUERY') return []
  const own = node.class === 'FUNCTION' && isAggregateName(nameOf(node)) ? [node] : []
  const children = Object.values(node).flatMap((value) => (Array.isArray(value) ? value : [value]))
  return [...own, ...children.filter(isNode).flatMap(aggregatesIn)]
}

function isAggregateName(name: string): boolean {
  return RUNNING.has(name) || OTHERS.has(name)
}

function nameOf(node: Node): string {
  return String(node.function_name).toLowerCase()
}

function checkGrouping({ grouping }: Chain, context: PlanContext): void {
  const clauses = [
    ...(grouping.select_list as readonly Node[]),
    ...(isNode(grouping.having) ? [grouping.having] : []),
  ]
  for (const call of clauses.flatMap(aggregatesIn)) {
    const name = nameOf(call)
    if (!RUNNING.has(name))
      throw context.problem(
        `aggregate ${name.toUpperCase()} without a window is not supported${ON_FLINK}`,
        call,
      )
    if ((call.children as readonly Node[]).length > 1)
      throw context.problem(`${name.toUpperCase()} of several values is not supported${ON_FLINK}`, call)
  }
  const groups = grouping.group_expressions as readonly Node[]
  const sets = grouping.group_sets as readonly (readonly number[])[]
  if (sets.length > 1 || sets.some((set) => set.length !== groups.length))
    throw context.problem(
      `GROUPING SETS, ROLLUP and CUBE over a stream are not supported${ON_FLINK}`,
      groups[0],
    )
}

/** A sink of upserts needs the group keys as its PRIMARY KEY, so that each group has a row of its own. */
function checkKey(chain: Chain, { sink, sinkTakes, values }: ResolvedQuery, context: PlanContext): void {
  if (sinkTakes === 'retractions' && sink.primaryKey.length === 0) return
  const groups = chain.grouping.group_expressions as readonly Node[]
  const found = sink.primaryKey.map((name) => {
    const column = sink.columns.findIndex((one) => one.name === name)
    const value = values[column]
    const isSame =
      value?.type !== undefined && keepsValues(printType(value.type), printType(sink.columns[column]!.type))
    return value?.output === undefined || !isSame ? -1 : groupOf(chain, value.output)
  })
  if (groups.length === found.length && groups.every((_, index) => found.includes(index))) return
  throw context.problem(
    `the PRIMARY KEY of table ${sink.tableName} (${sink.primaryKey.join(', ')}) must consist of the columns of GROUP BY${ON_FLINK}`,
    groups[0],
  )
}

const INTEGERS = ['TINYINT', 'SMALLINT', 'INT', 'BIGINT']

/** Different values stay different in the type of the sink. */
function keepsValues(from: string, to: string): boolean {
  if (from === to) return true
  const isText = (type: string) => /^(STRING|CHAR|VARCHAR)/.test(type)
  if (isText(from) && isText(to)) return true
  if (INTEGERS.includes(from)) return INTEGERS.indexOf(to) >= INTEGERS.indexOf(from)
  const [, kind, precision] = /^(TIMESTAMP|TIMESTAMP_LTZ)\((\d)\)$/.exec(from) ?? []
  const [, other, otherPrecision] = /^(TIMESTAMP|TIMESTAMP_LTZ)\((\d)\)$/.exec(to) ?? []
  return kind !== undefined && other !== undefined && Number(otherPrecision) >= Number(precision)
}

/** The group key that an output of the query passes on unchanged; -1: none. */
function groupOf({ levels, grouping }: Chain, output: number): number {
  let index = output
  for (const [depth, level] of levels.entries()) {
    const item = (level.select_list as readonly Node[])[index]
    if (item?.class !== 'COLUMN_REF') return -1
    const name = (item.column_names as readonly string[]).at(-1)
    const inner = levels[depth + 1] ?? grouping
    index = (inner.select_list as readonly Node[]).findIndex(({ alias }) => alias === name)
  }
  const item = (grouping.select_list as readonly Node[])[index]
  const groups = grouping.group_expressions as readonly Node[]
  return item === undefined ? -1 : groups.findIndex((group) => textOf(group) === textOf(item))
}
