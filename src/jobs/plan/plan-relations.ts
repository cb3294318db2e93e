/** The relations of a job: its sources, lookups, fixed and changing tables, and the columns of them that its queries use. */
import type { TypedColumn } from '../../sql/data-types.ts'
import { encodedName } from '../../sql/encoded-name.ts'
import type { PlannerTable } from './planner-table.ts'
import { relationKind } from './planner-table.ts'
import type { ScopeColumn } from './scope.ts'

export interface TableRelation {
  /** s0, l0, f0, b0 */
  readonly relation: string
  readonly table: PlannerTable
  /** Names of columns, as in the table. */
  readonly used: Set<string>
}

/** A changing table in one query: its rows are those of a source after the changes of a tick. */
export interface BaseRelation extends TableRelation {
  readonly source: TableRelation
}

export class PlanRelations {
  readonly sources: TableRelation[] = []
  readonly lookups: TableRelation[] = []
  readonly fixed: TableRelation[] = []
  readonly bases: BaseRelation[] = []

  source(table: PlannerTable): TableRelation {
    return found(this.sources, table) ?? added(this.sources, 's', table)
  }

  fixedTable(table: PlannerTable): TableRelation {
    return found(this.fixed, table) ?? added(this.fixed, 'f', table)
  }

  lookup(table: PlannerTable): TableRelation {
    return added(this.lookups, 'l', table)
  }

  base(table: PlannerTable): BaseRelation {
    const source = this.source(table)
    const known = found(this.bases, table)
    if (known !== undefined) return known as BaseRelation
    const base = { relation: `b${this.bases.length}`, table, used: source.used, source }
    this.bases.push(base)
    return base
  }
}

function found<T extends TableRelation>(relations: readonly T[], table: PlannerTable): T | undefined {
  return relations.find((one) => one.table.id === table.id)
}

function added(relations: TableRelation[], letter: string, table: PlannerTable): TableRelation {
  const relation = { relation: `${letter}${relations.length}`, table, used: new Set<string>() }
  relations.push(relation)
  return relation
}

/** The columns of a table as a query sees them. */
export function columnsOf({ table, used }: TableRelation): ScopeColumn[] {
  return table.columns.map(({ name }) => ({
    name: encodedName(name),
    sql: encodedName(name),
    time: timeOf(table, name),
    use: () => void used.add(name),
  }))
}

const PROCTIME = /^\s*PROCTIME\s*\(\s*\)\s*$/i

function timeOf(table: PlannerTable, name: string): ScopeColumn['time'] {
  const column = table.schema.columns.find((one) => one.name === name)
  if (column?.kind === 'computed' && PROCTIME.test(column.expression)) return 'proctime'
  if (relationKind(table) === 'append' && table.schema.watermark?.column === name) return 'rowtime'
  return undefined
}

/** Those that the query uses, in the order of the table, under its names. */
export function usedColumns({ table, used }: TableRelation): TypedColumn[] {
  return table.columns.filter(({ name }) => used.has(name))
}

/** Columns of a table as relations of the engine have them. */
export function encodedColumns(columns: readonly TypedColumn[]): TypedColumn[] {
  return columns.map((column) => ({ ...column, name: encodedName(column.name) }))
}
