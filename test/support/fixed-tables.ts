/** Tables over streams of the same name in lower case, for tests of jobs that are not about tables. */
import { ServiceError } from '../../src/service-error.ts'
import { parseTableSchema } from '../../src/sql/table-schema.ts'
import type { NamespaceName } from '../../src/streams/names.ts'
import type { ContactState, ExpressionTyper, Integration, Table } from '../../src/tables/table.ts'
import type { SqlCatalog, TableService } from '../../src/tables/table-service.ts'

type UsersOf = Parameters<TableService['onUseOf']>[0]

export class FixedTables implements TableService {
  readonly #tables: Table[] = []
  usersOf: UsersOf = () => []

  /** Reads and writes the stream of the same name in lower case. */
  async define(
    namespace: NamespaceName,
    name: string,
    schemaSql: string,
    typer: ExpressionTyper,
    isUpsert = false,
  ): Promise<Table> {
    const schema = parseTableSchema(schemaSql)
    const columns = await typer.typesOf(schemaSql, schema)
    const added = this.add(namespace, name)
    const table = { ...added, schemaSql, definitionSql: schemaSql, schema, columns }
    if (isUpsert)
      table.connector = { ...added.connector, kind: 'upsert-topic', keyFormat: 'json' } as Table['connector']
    this.#tables.splice(-1, 1, table)
    return table
  }

  add(namespace: NamespaceName, name: string): Table {
    const number = this.#tables.length + 1
    const table: Table = {
      ...{ id: `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`, namespace, name, number },
      ...{ integrationId: 'streams', schemaSql: 'a INT', definitionSql: 'a INT', createdMs: 0 },
      ...{ likeOptions: undefined, partitionedBy: undefined },
      schema: {
        columns: [{ kind: 'physical', name: 'a', type: { kind: 'INT' } as never, nullable: true }],
        primaryKey: [],
        watermark: undefined,
      },
      columns: [{ name: 'a', type: { kind: 'INT' } as never }] as never,
      connector: {
        ...{ kind: 'topic', topic: name.toLowerCase(), startup: 'earliest', valueFormat: 'json' },
        ...{ keyFormat: undefined, keyFields: [], valueFieldsInclude: 'ALL' },
      },
    }
    this.#tables.push(table)
    return table
  }

  views(): readonly [] {
    return []
  }

  list(namespace: NamespaceName): readonly Table[] {
    return this.#tables.filter((table) => table.namespace === namespace)
  }

  get(namespace: NamespaceName, id: string): Table {
    const found = this.list(namespace).find((table) => table.id === id)
    if (found === undefined) throw new ServiceError('table_not_found', `Table ${id} does not exist`)
    return found
  }

  find(namespace: NamespaceName, name: string): Table | undefined {
    return this.list(namespace).find((table) => table.name === name)
  }

  remove(id: string): void {
    this.#tables.splice(
      this.#tables.findIndex((table) => table.id === id),
      1,
    )
  }

  integration(id: string): Integration {
    if (id === 'streams') return { id, kind: 'stream' } as Integration
    throw new ServiceError('integration_not_found', `Integration ${id} does not exist`)
  }

  access(): { readonly kind: 'stream' } {
    return { kind: 'stream' }
  }

  accessOf(table: Table): { readonly kind: 'stream' } {
    this.integration(table.integrationId)
    return this.access()
  }

  isOverStreams(table: Table): boolean {
    return this.accessOf(table).kind === 'stream'
  }

  readonly sql = { onViewTypes: () => {} } as unknown as SqlCatalog

  onUseOf(usersOf: UsersOf): void {
    this.usersOf = usersOf
  }

  create = unused
  validate = unused
  delete = unused
  integrations = unused
  createIntegration = unused
  updateIntegration = unused
  deleteIntegration = unused
  contact = unused
  /** The outcomes of contacts, in order. */
  readonly contacts: object[] = []

  contacted(id: string, outcome: ContactState): void {
    this.contacts.push({ id, ...outcome })
  }
}

function unused(): never {
  throw new Error('these tables are fixed')
}
