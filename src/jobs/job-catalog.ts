/**
 * The tables and views that a job sees: those of its namespace, and its temporary ones, which hide those of the same names. A temporary
 * table is not in the catalog: it is made from its definition each time. Its id depends on the namespace and its name alone.
 */
import { ServiceError } from '../service-error.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Table } from '../tables/table.ts'
import type { TableService } from '../tables/table-service.ts'
import type { PlannedView } from './plan/job-plan.ts'
import type { TemporaryDefinition, TemporaryTable } from './temporary-definition.ts'

export class JobCatalog {
  readonly #tables: TableService
  readonly #namespace: NamespaceName
  /** By name. */
  readonly #temporary = new Map<string, Table>()
  readonly #views: readonly PlannedView[]
  /** Names of temporary tables and views. */
  readonly #hidden: ReadonlySet<string>

  /** Throws SqlProblem for a temporary table. */
  constructor(
    tables: TableService,
    namespace: NamespaceName,
    definitions: readonly TemporaryDefinition[] = [],
  ) {
    this.#tables = tables
    this.#namespace = namespace
    this.#hidden = new Set(definitions.map(({ name }) => name))
    for (const definition of definitions)
      if (definition.kind === 'table')
        this.#temporary.set(definition.name, temporaryTable(tables, namespace, definition))
    this.#views = definitions.flatMap((definition) => {
      if (definition.kind !== 'view') return []
      const { name, columns, query, isOfCatalog = false } = definition
      return [{ name, columns, query, isTemporary: !isOfCatalog }]
    })
  }

  /** The temporary tables, then those of the namespace that they do not hide. */
  list(): readonly Table[] {
    const others = this.#tables.list(this.#namespace).filter(({ name }) => !this.#hidden.has(name))
    return [...this.#temporary.values(), ...others]
  }

  /** Throws ServiceError 'table_not_found'. */
  get(id: string): Table {
    for (const table of this.#temporary.values()) if (table.id === id) return table
    return this.#tables.get(this.#namespace, id)
  }

  /** In the order of `ids`, each once. Throws ServiceError 'table_not_found'. */
  tablesOf(ids: readonly string[]): readonly Table[] {
    return [...new Set(ids)].map((id) => this.get(id))
  }

  /** As `tablesOf`, without those that are gone. */
  present(ids: readonly string[]): readonly Table[] {
    const wanted = new Set(ids)
    return this.list().filter(({ id }) => wanted.has(id))
  }

  views(): readonly PlannedView[] {
    const others = this.#tables.views(this.#namespace).filter(({ name }) => !this.#hidden.has(name))
    return [...this.#views, ...others.map(({ name, columns, query }) => ({ name, columns, query }))]
  }

  /** Definitions of the views of the namespace among these: a job keeps them as they were when it was created. */
  kept(names: readonly string[]): readonly TemporaryDefinition[] {
    const wanted = new Set(names.filter((name) => !this.#hidden.has(name)))
    const views = this.#tables.views(this.#namespace).filter(({ name }) => wanted.has(name))
    return views.map(({ name, columns, query }) => ({
      ...{ kind: 'view', name, ...(columns && { columns }), query, isOfCatalog: true },
    }))
  }
}

function temporaryTable(tables: TableService, namespace: NamespaceName, definition: TemporaryTable): Table {
  const { name } = definition
  try {
    return tables.sql.temporary(namespace, definition)
  } catch (error) {
    if (error instanceof SqlProblem) throw error.of(name)
    if (!(error instanceof ServiceError) || error.code === 'unsupported') throw error
    throw new SqlProblem(`table ${name}: ${error.message}`, undefined, { definition: name, cause: error })
  }
}
