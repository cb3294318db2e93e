/** The tables and views of a namespace for suggestions. */
import type { NamespaceName } from '../streams/names.ts'
import type { TableService } from '../tables/table-service.ts'
import type { CatalogWords } from './suggest.ts'

export function catalogWords(
  tables: Pick<TableService, 'list' | 'find' | 'views' | 'sql'>,
  namespace: NamespaceName,
): CatalogWords {
  return {
    tables: tables.list(namespace).map(({ name }) => name),
    views: tables.views(namespace).map(({ name }) => name),
    columnsOf(name) {
      const columns =
        tables.find(namespace, name)?.columns ?? tables.sql.findView(namespace, name)?.types ?? []
      return columns.map((column) => column.name)
    },
  }
}
