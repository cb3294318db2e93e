/** The sources of a plan: which columns are decoded, the view with computed columns, and the watermark. */
import type { TypedColumn } from '../../sql/data-types.ts'
import { encodedName } from '../../sql/encoded-name.ts'
import type { Node } from '../../sql/tree.ts'
import type { DecodedColumn, SourcePlan } from './job-plan.ts'
import type { PlanEngine } from './plan-engine.ts'
import { encodedColumns, type TableRelation, usedColumns } from './plan-relations.ts'
import { type PlannerTable, relationKind } from './planner-table.ts'
import {
  atItsPlace,
  type NamedColumn,
  type ResolvedExpression,
  resolveExpression,
} from './schema-expressions.ts'
import { baseTable, columnOf, isNode, selectNode } from './tree-nodes.ts'

const ORDER: TypedColumn = { name: '__ord', type: { kind: 'BIGINT' }, nullable: false }
const SEQUENCE: TypedColumn = { name: '__seq', type: { kind: 'BIGINT' }, nullable: false }

/** Declares `in_s0` and `s0`, and `b0` by the caller. The columns that all queries use are known. */
export async function planSource(engine: PlanEngine, source: TableRelation): Promise<SourcePlan> {
  const { relation, table, used } = source
  const { schemaSql, schema } = table
  const isStream = relationKind(table) === 'append'
  for (const name of schema.primaryKey) if (!isStream) used.add(name)
  const { watermark } = schema
  const expression =
    watermark === undefined || !isStream
      ? undefined
      : await resolveExpression(engine, { schemaSql, place: watermark.place }, relation, names(table))
  for (const name of expression?.uses ?? []) used.add(name)
  // A view has a column, also where only the number of rows counts.
  if (used.size === 0) used.add(table.columns[0]!.name)
  const columns = usedColumns(source)
  const { items, decoded, resolved } = await itemsOf(engine, `in_${relation}`, table, columns)
  const stored = decoded.map(({ name, type }) => ({ name, type, nullable: true }))
  await engine.declare(`in_${relation}`, [SEQUENCE, ...encodedColumns(stored)])
  const query = selectNode({ list: items, from: baseTable(`in_${relation}`, '') })
  const view = await withPlaces(resolved, () => printed(engine, query))
  const visible = encodedColumns(columns)
  await engine.declare(relation, [ORDER, ...visible])
  return {
    relation,
    tableId: table.id,
    tableName: table.name,
    decoded,
    view,
    columns: visible.map(({ name, type }) => ({ name, type })),
    watermark: expression === undefined ? undefined : await watermarkOf(engine, relation, expression),
    changeKey: isStream ? [] : schema.primaryKey.map(encodedName),
  }
}

function names(table: PlannerTable): readonly NamedColumn[] {
  return table.columns.map(named)
}

function named({ name }: { readonly name: string }): NamedColumn {
  return { name, sql: encodedName(name) }
}

interface ViewItems {
  readonly items: readonly Node[]
  readonly decoded: readonly DecodedColumn[]
  readonly resolved: readonly ResolvedExpression[]
}

async function itemsOf(
  engine: PlanEngine,
  relation: string,
  table: PlannerTable,
  columns: readonly TypedColumn[],
): Promise<ViewItems> {
  const { schema, schemaSql } = table
  const stored = schema.columns.filter((column) => column.kind !== 'computed').map(named)
  const needed = new Set<string>()
  const items: Node[] = []
  const resolved: ResolvedExpression[] = []
  for (const { name } of columns) {
    const column = schema.columns.find((one) => one.name === name)!
    if (column.kind !== 'computed') {
      needed.add(name)
      items.push(columnOf(relation, encodedName(name), encodedName(name)))
      continue
    }
    const expression = await resolveExpression(engine, { schemaSql, place: column.place }, relation, stored)
    for (const used of expression.uses) needed.add(used)
    resolved.push(expression)
    items.push({ ...expression.node, alias: encodedName(name) })
  }
  const decoded = schema.columns.flatMap((column): DecodedColumn[] => {
    if (column.kind === 'computed' || !needed.has(column.name)) return []
    const { name, type } = column
    return [column.kind === 'metadata' ? { name, type, metadata: column.key } : { name, type }]
  })
  return { items, decoded, resolved }
}

async function withPlaces<T>([first]: readonly ResolvedExpression[], work: () => Promise<T>): Promise<T> {
  return first === undefined ? work() : atItsPlace(first.resolution, work)
}

async function printed(engine: PlanEngine, query: Node): Promise<string> {
  return engine.print((await engine.withMeaning(query)).tree)
}

/** In milliseconds, over columns without the name of their relation. */
async function watermarkOf(
  engine: PlanEngine,
  relation: string,
  expression: ResolvedExpression,
): Promise<string> {
  const query = selectNode({ list: [{ ...expression.node, alias: '' }], from: baseTable(relation, '') })
  const { tree } = await atItsPlace(expression.resolution, () => engine.withMeaning(query))
  const [item] = tree.select_list as readonly [Node]
  const unnamed = { ...tree, select_list: [{ ...item, alias: '' }] }
  const text = await engine.print(unqualified(unnamed, relation) as Node)
  const inner = text.slice('SELECT '.length, text.lastIndexOf(' FROM '))
  return `epoch_ms(${inner})`
}

function unqualified(value: unknown, relation: string): unknown {
  if (Array.isArray(value)) return value.map((one) => unqualified(one, relation))
  if (!isNode(value)) return value
  if (value.class === 'COLUMN_REF') {
    const names = value.column_names as readonly string[]
    return names[0] === relation && names.length > 1 ? { ...value, column_names: names.slice(1) } : value
  }
  return Object.fromEntries(
    Object.entries(value).map(([member, one]) => [member, unqualified(one, relation)]),
  )
}
