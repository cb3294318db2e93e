/** The plan of one INSERT INTO, from its resolved query. */
import { duckdbType, type TypedColumn } from '../../sql/data-types.ts'
import { encodedName } from '../../sql/encoded-name.ts'
import type { InsertPlan, LookupPlan, WindowPlan } from './job-plan.ts'
import type { PlanContext, PlanRelation, ResolvedQuery, SinkValue } from './plan-context.ts'
import type { PlanEngine } from './plan-engine.ts'
import { encodedColumns, type PlanRelations, type TableRelation, usedColumns } from './plan-relations.ts'
import { changesTaken } from './planner-table.ts'
import { planRefresh } from './refresh.ts'
import type { LookupUse, Resolution, Resolved, WindowUse } from './resolution.ts'
import type { ResolvedInsert } from './resolved-insert.ts'
import { planRunning } from './running.ts'
import { atItsPlace } from './schema-expressions.ts'
import { type OutputColumn, sinkValues } from './sink-check.ts'
import { baseTable, columnOf, selectNode } from './tree-nodes.ts'

export interface PlannedInsert {
  readonly insert: InsertPlan
  readonly lookups: readonly LookupPlan[]
}

export async function planInsert(
  engine: PlanEngine,
  one: ResolvedInsert,
  relations: PlanRelations,
): Promise<PlannedInsert> {
  const { resolution, resolved, sink } = one
  return atItsPlace(resolution, async () => {
    const lookups: LookupPlan[] = []
    for (const use of resolution.lookups) lookups.push(await planLookup(engine, use))
    switch (resolved.kind) {
      case 'append': {
        const select = await selectOf(engine, one, '__ord')
        return { insert: { sink, way: 'arrival', select }, lookups }
      }
      case 'window': {
        const windows = await planWindows(engine, resolution)
        const select = await selectOf(engine, one, '__end')
        return { insert: { sink, way: 'window', windows, select }, lookups }
      }
      case 'fixed': {
        const select = await selectOf(engine, one, undefined)
        return { insert: { sink, way: 'once', select }, lookups }
      }
      default:
        return { insert: await planChanges(engine, one, relations, lookups), lookups }
    }
  })
}

/** The query with the hidden column first, and the columns of the sink. */
async function selectOf(
  engine: PlanEngine,
  { resolved, table, sink, insert }: ResolvedInsert,
  hidden: '__ord' | '__end' | undefined,
): Promise<string> {
  const { tree, columns } = await engine.withMeaning(resolved.node)
  const outputs = columns.slice(hidden === undefined ? 0 : 1)
  const named = outputColumns(resolved, outputs)
  const values = sinkValues(table, sink, insert, named)
  const inner = await engine.print(tree)
  const names = outputs.map((_, i) => `o${i}`)
  const first = hidden === undefined ? 'row_number() OVER () AS __ord' : `q.${hidden}`
  const all = hidden === undefined ? names : [hidden, ...names]
  const select = `SELECT ${[first, ...sinkColumns(values)].join(', ')} FROM (${inner}) AS q(${all.join(', ')})`
  await engine.bind(select)
  return select
}

/** `columns` are those of the result without the hidden one, in order. */
function outputColumns(
  { columns: names }: Resolved,
  columns: readonly OutputColumn[],
): readonly OutputColumn[] {
  return columns.map((column, i) => ({ ...column, name: names[i]?.name ?? column.name }))
}

function sinkColumns(values: readonly SinkValue[]): readonly string[] {
  return values.map(({ output, cast }, i) => `${cast(`q.o${output}`)} AS c${i}`)
}

export async function planLookup(
  engine: PlanEngine,
  { lookup, keyColumns, keys }: LookupUse,
): Promise<LookupPlan> {
  const { relation, table } = lookup
  const columns = usedColumns(lookup)
  const { tree } = await engine.withMeaning(keys)
  const names = keyColumns.map((_, i) => `k${i}`)
  const found = keyColumns.map((key) => columns.find(({ name }) => encodedName(name) === key)!)
  const casts = found.map(({ type }, i) => `CAST(q.k${i} AS ${duckdbType(type)}) AS k${i}`)
  const select = `SELECT ${casts.join(', ')} FROM (${await engine.print(tree)}) AS q(${names.join(', ')})`
  await engine.bind(select)
  return {
    relation,
    tableId: table.id,
    tableName: table.name,
    columns: columns.map(({ name, type }) => ({ name, type })),
    keyColumns: found.map(({ name }) => name),
    keys: select,
  }
}

/** All windows of a query close together: their watermark is the smallest of all their sources. */
export async function planWindows(
  engine: PlanEngine,
  { windows }: Resolution,
): Promise<readonly WindowPlan[]> {
  const sources = [...new Set(windows.flatMap((use) => [...use.sources]))].sort(bySourceNumber)
  const plans: WindowPlan[] = []
  for (const use of windows) plans.push(await planWindow(engine, use, sources))
  return plans
}

function bySourceNumber(a: string, b: string): number {
  return Number(a.slice(1)) - Number(b.slice(1))
}

const BOUNDS: readonly TypedColumn[] = [
  { name: 'window_start', type: { kind: 'TIMESTAMP', precision: 3 }, nullable: false },
  { name: 'window_end', type: { kind: 'TIMESTAMP', precision: 3 }, nullable: false },
  { name: 'window_time', type: { kind: 'TIMESTAMP', precision: 3 }, nullable: false },
]

async function planWindow(
  engine: PlanEngine,
  use: WindowUse,
  sources: readonly string[],
): Promise<WindowPlan> {
  const { relation, window, from, ctes, used, timeColumn } = use
  const columns = use.columns.filter(({ sql }) => used.has(sql))
  const query = selectNode({
    list: [columnOf(from, '__ord', '__ord'), ...columns.map(({ sql }) => columnOf(from, sql, sql))],
    from: baseTable(from, ''),
    ctes,
  })
  const typed = await engine.withMeaning(query)
  const types = typed.columns
    .slice(1)
    .map(({ type, nullable }, i) => ({ name: columns[i]!.sql, type, nullable }))
  const input = await engine.print(typed.tree)
  await engine.bind(input)
  const time = types.find(({ name }) => name === timeColumn)
  const bounds = BOUNDS.map((bound) =>
    bound.name === 'window_time' && time !== undefined ? { ...bound, type: time.type } : bound,
  )
  const end: TypedColumn = { name: '__end', type: { kind: 'BIGINT' }, nullable: false }
  await engine.declare(relation, [...types, ...bounds, end])
  return {
    relation,
    kind: window.kind,
    sizeMs: window.sizeMs,
    slideMs: window.slideMs,
    offsetMs: window.offsetMs,
    input,
    columns: types.map(({ name, type }) => ({ name, type })),
    timeColumn,
    sources,
  }
}

async function planChanges(
  engine: PlanEngine,
  one: ResolvedInsert,
  relations: PlanRelations,
  lookups: readonly LookupPlan[],
): Promise<InsertPlan> {
  const { resolution, resolved, table, sink, insert } = one
  const { columns } = await engine.withMeaning(resolved.node)
  const named = outputColumns(resolved, columns)
  const taken = changesTaken(table)
  const query: ResolvedQuery = {
    query: resolved.node,
    relations: relationsOf(relations),
    lookups,
    sink,
    sinkTakes: taken === 'none' ? 'inserts' : taken,
    values: sinkValues(table, sink, insert, named),
  }
  const context: PlanContext = {
    withMeaning: (node) => engine.withMeaning(node),
    print: (node) => engine.print(node),
    parse: (sql) => engine.parse(sql),
    problem: (reason, node) => resolution.problem(reason, node),
  }
  if (resolved.kind === 'running') {
    const running = await planRunning(query, context)
    await engine.bind(running.input)
    return { sink, way: 'running', running }
  }
  const refresh = await planRefresh(query, context)
  await engine.bind(refresh.select)
  return { sink, way: 'refresh', refresh }
}

function relationsOf({ sources, bases, fixed, lookups }: PlanRelations): readonly PlanRelation[] {
  const of = (
    list: readonly TableRelation[],
    kind: PlanRelation['kind'],
    source: (one: TableRelation) => string | undefined,
  ) =>
    list.map((one) => ({
      relation: one.relation,
      tableName: one.table.name,
      kind,
      source: source(one),
      columns: encodedColumns(usedColumns(one)),
      primaryKey: one.table.schema.primaryKey.map(encodedName),
    }))
  const changing = new Set(bases.map(({ source }) => source.relation))
  return [
    ...of(
      sources.filter(({ relation }) => !changing.has(relation)),
      'append',
      ({ relation }) => relation,
    ),
    ...bases.flatMap((base) => of([base], 'changing', () => base.source.relation)),
    ...of(fixed, 'fixed', () => undefined),
    ...of(lookups, 'lookup', () => undefined),
  ]
}
