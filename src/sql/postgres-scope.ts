/** Columns that an expression can name, with their types: the relations of FROM, and those of the query around it. */
import type { PgType, Typed } from './postgres-types.ts'
import { type Node, TreeProblem } from './tree.ts'

export interface PgScopeColumn {
  readonly name: string
  readonly type: PgType
  readonly nullable: boolean
}

export interface PgRelation {
  readonly alias: string
  readonly columns: readonly PgScopeColumn[]
}

export class PgScope {
  readonly relations: readonly PgRelation[]
  readonly #outer: PgScope | undefined

  constructor(relations: readonly PgRelation[], outer: PgScope | undefined) {
    this.relations = relations
    this.#outer = outer
  }

  /** `names` are an alias and a column; fields of columns do not exist here. */
  column(reference: Node): Typed {
    const names = reference.column_names as readonly string[]
    for (let scope: PgScope | undefined = this; scope !== undefined; scope = scope.#outer) {
      const found = scope.#find(names)
      if (found !== undefined) return { node: reference, type: found.type, nullable: found.nullable }
    }
    throw new TreeProblem(`column ${names.join('.')} does not exist`, reference)
  }

  #find(names: readonly string[]): PgScopeColumn | undefined {
    const [first, second] = names
    const relations =
      second === undefined ? this.relations : this.relations.filter(({ alias }) => alias === first)
    const name = second ?? first
    return relations.flatMap(({ columns }) => columns).find((column) => column.name === name)
  }
}

/** All columns may be NULL: those of the outer side of a join. */
export function nullableRelations(relations: readonly PgRelation[]): PgRelation[] {
  return relations.map(({ alias, columns }) => ({
    alias,
    columns: columns.map((column) => ({ ...column, nullable: true })),
  }))
}
