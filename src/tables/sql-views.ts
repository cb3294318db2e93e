/**
 * Views of SQL: queries under a name. They have no data; jobs take the query in place of the name.
 *
 *   catalog:  sql-views/<namespace>:<name>   {"id", "query", "columns"?, "types", "comment"?, "createdMs", "number"}
 *
 * Views are removed with their namespace, in the same commit.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import { type NamespaceName, trustedName } from '../streams/names.ts'
import { idFrom } from './id.ts'
import { invalid } from './refusal.ts'
import type { SqlView } from './sql-view.ts'

const COLLECTION = 'sql-views'
/** Of one namespace. */
const VIEWS_MAX = 1000
/** Of all views of the service: they are in memory. */
const CHARACTERS_ALL_MAX = 16 * 1024 * 1024

type NewView = Omit<SqlView, 'id' | 'createdMs' | 'number'>

interface ViewDocument
  extends Omit<SqlView, 'namespace' | 'name' | 'columns' | 'comment'>,
    Partial<Pick<SqlView, 'columns' | 'comment'>> {}

export class SqlViews {
  readonly #catalog: Catalog
  readonly #byName = new Map<NamespaceName, Map<string, SqlView>>()
  #lastNumber = 0
  #characters = 0

  private constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  static async load(catalog: Catalog): Promise<SqlViews> {
    const views = new SqlViews(catalog)
    const stored: SqlView[] = []
    await catalog.each(COLLECTION, (key, document) => {
      stored.push(decoded(key, document as ViewDocument))
    })
    for (const view of stored.sort((one, other) => one.number - other.number)) views.#put(view)
    return views
  }

  /** In order of creation. */
  of(namespace: NamespaceName): readonly SqlView[] {
    return [...(this.#byName.get(namespace)?.values() ?? [])]
  }

  find(namespace: NamespaceName, name: string): SqlView | undefined {
    return this.#byName.get(namespace)?.get(name)
  }

  /** The name is free. Only inside `registry.change`. Rejects with ServiceError 'invalid_table'. */
  async add(added: NewView, createdMs: number): Promise<SqlView> {
    if (this.of(added.namespace).length >= VIEWS_MAX)
      throw invalid(`there are ${VIEWS_MAX} views; drop one first`)
    if (this.#characters + sizeOf(added) > CHARACTERS_ALL_MAX)
      throw invalid('the queries of all views take too much memory; drop some views first')
    const number = this.#lastNumber + 1
    const view = {
      ...added,
      id: idFrom('view', added.namespace, added.name, createdMs, number),
      createdMs,
      number,
    }
    const { namespace: _namespace, name: _name, columns, comment, ...rest } = view
    const document = { ...rest, ...(columns && { columns }), ...(comment !== undefined && { comment }) }
    await this.#catalog.commit([viewChange(view, document)])
    this.#put(view)
    return view
  }

  /** Only inside `registry.change`. */
  async drop(view: SqlView): Promise<void> {
    await this.#catalog.commit([viewChange(view, undefined)])
    this.#remove(view)
  }

  removalOf(namespace: NamespaceName): readonly CatalogChange[] {
    return this.of(namespace).map((view) => viewChange(view, undefined))
  }

  removed(namespace: NamespaceName): void {
    for (const view of this.of(namespace)) this.#remove(view)
  }

  #put(view: SqlView): void {
    const others = this.#byName.get(view.namespace)
    if (others === undefined) this.#byName.set(view.namespace, new Map([[view.name, view]]))
    else others.set(view.name, view)
    this.#lastNumber = Math.max(this.#lastNumber, view.number)
    this.#characters += sizeOf(view)
  }

  #remove(view: SqlView): void {
    const others = this.#byName.get(view.namespace)
    if (!others?.delete(view.name)) return
    this.#characters -= sizeOf(view)
    if (others.size === 0) this.#byName.delete(view.namespace)
  }
}

function sizeOf({ query, comment = '', types }: NewView): number {
  return query.length + comment.length + types.length * 100
}

function decoded(key: string, document: ViewDocument): SqlView {
  const colon = key.indexOf(':')
  const { columns, comment, ...rest } = document
  const namespace = trustedName<NamespaceName>(key.slice(0, colon))
  return { ...rest, namespace, name: key.slice(colon + 1), columns, comment }
}

function viewChange({ namespace, name }: SqlView, document: unknown): CatalogChange {
  return { collection: COLLECTION, id: `${namespace}:${name}`, document }
}
