/** Columns that an expression can name, with their types: the relations of FROM, and those of the query around it. */
import type { TypedColumn } from './data-types.ts'
import type { FlinkType } from './flink-types.ts'
import { type Node, TreeProblem } from './tree.ts'

export interface ScopeColumn {
  readonly name: string
  readonly type: FlinkType
}

export interface ScopeRelation {
  /** Its alias; empty if it has none. */
  readonly name: string
  readonly columns: readonly ScopeColumn[]
}

export class Scope {
  readonly relations: readonly ScopeRelation[]
  /** Columns of USING and NATURAL joins: they stand for one column of each side. */
  readonly #merged: ReadonlySet<string>
  readonly #outer: Scope | undefined

  constructor(
    relations: readonly ScopeRelation[],
    outer: Scope | undefined,
    merged: ReadonlySet<string> = new Set(),
  ) {
    this.relations = relations
    this.#outer = outer
    this.#merged = merged
  }

  /** The scope of a join of both. */
  joined(other: Scope, using: readonly string[]): Scope {
    const merged = new Set([...this.#merged, ...other.#merged, ...using])
    return new Scope([...this.relations, ...other.relations], this.#outer, merged)
  }

  /** The type of a column, or of a field inside of one. */
  typeOf(reference: Node): FlinkType {
    const names = reference.column_names as readonly string[]
    const found = this.#find(names, reference)
    if (found !== undefined) return found
    const [name] = names.slice(-1)
    const similar = this.#columns().find((column) => column.toLowerCase() === name!.toLowerCase())
    const hint = similar === undefined || similar === name ? '' : `; did you mean '${similar}'?`
    throw new TreeProblem(`Column '${names.join('.')}' not found in any table${hint}`, reference)
  }

  /** Whether the name is a column. */
  has(name: string): boolean {
    return this.#columns().includes(name)
  }

  /** The columns of `*` or of `relation.*`, as references. */
  expanded(star: Node): { readonly node: Node; readonly column: ScopeColumn }[] {
    const relation = String(star.relation_name ?? '')
    const found = relation === '' ? this.relations : this.relations.filter(({ name }) => name === relation)
    if (found.length === 0) throw new TreeProblem(`Table '${relation}' not found`, star)
    const seen = new Set<string>()
    return found.flatMap(({ name, columns }) =>
      columns.flatMap((column) => {
        const isSecond = this.#merged.has(column.name) && seen.has(column.name)
        if (relation === '' && isSecond) return []
        seen.add(column.name)
        const isBare = name === '' || (relation === '' && this.#merged.has(column.name))
        const column_names = isBare ? [column.name] : [name, column.name]
        return [{ node: { class: 'COLUMN_REF', type: 'COLUMN_REF', column_names }, column }]
      }),
    )
  }

  #columns(): string[] {
    const own = this.relations.flatMap(({ columns }) => columns.map(({ name }) => name))
    return [...own, ...(this.#outer === undefined ? [] : this.#outer.#columns())]
  }

  #find(names: readonly string[], reference: Node): FlinkType | undefined {
    const [first, ...rest] = names as [string, ...string[]]
    if (rest.length > 0) {
      const relation = this.relations.find(({ name }) => name === first)
      const column = relation?.columns.find(({ name }) => name === rest[0])
      if (column !== undefined) return fieldOf(column.type, rest.slice(1), reference)
    }
    const columns = this.relations.flatMap((relation) =>
      relation.columns.filter(({ name }) => name === first),
    )
    if (columns.length > 1 && !this.#merged.has(first))
      throw new TreeProblem(`Column '${first}' is ambiguous`, reference)
    if (columns.length > 0) return fieldOf(columns[0]!.type, rest, reference)
    return this.#outer === undefined ? undefined : this.#outer.#find(names, reference)
  }
}

function fieldOf(type: FlinkType, names: readonly string[], reference: Node): FlinkType {
  return names.reduce<FlinkType>((inner, name) => {
    const field = inner.kind === 'ROW' ? inner.fields.find((one) => one.name === name) : undefined
    if (field === undefined) throw new TreeProblem(`there is no field '${name}'`, reference)
    return field.type
  }, type)
}

export function scopeColumns(columns: readonly TypedColumn[]): ScopeColumn[] {
  return columns.map(({ name, type }) => ({ name, type }))
}
