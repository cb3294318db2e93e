/** The rules between the columns of a table and its connector. */
import { rowOptionsProblem } from '../formats/rows/index.ts'
import type { SchemaColumn, TableSchema } from '../sql/table-schema.ts'
import { invalid, shown } from './refusal.ts'
import type { Connector, TopicConnector, UpsertTopicConnector } from './table.ts'

/** `schema_sql`, and members of the connector, as the client knows them. */
export interface ColumnNaming {
  readonly schema: string
  readonly keyFields: string
  readonly datagenFields: string
}

const AIVEN: ColumnNaming = {
  schema: 'schema_sql',
  keyFields: 'key_fields',
  datagenFields: 'datagen.fields',
}

/** Returns the connector with the key that its columns give. Throws ServiceError 'invalid_table'. */
export function connectorWithColumns(
  connector: Connector,
  schema: TableSchema,
  named: ColumnNaming = AIVEN,
): Connector {
  if (connector.kind !== 'topic' && connector.kind !== 'upsert-topic') {
    assertNoMetadata(connector, schema)
    if (connector.kind === 'datagen')
      assertPhysical(Object.keys(connector.fields), schema, named.datagenFields)
    return connector
  }
  if (connector.valueFormat === 'raw') assertOneColumn(connector, schema)
  if (connector.kind === 'topic') {
    assertPhysical(connector.keyFields, schema, named.keyFields)
    assertFormats(connector, connector.keyFields, schema)
    return connector
  }
  if (schema.primaryKey.length === 0) throw invalid(`an upsert table needs a PRIMARY KEY in ${named.schema}`)
  if (connector.keyFields.length > 0) {
    assertPhysical(connector.keyFields, schema, named.keyFields)
    const isKey =
      connector.keyFields.length === schema.primaryKey.length &&
      connector.keyFields.every((field) => schema.primaryKey.includes(field))
    if (!isKey) {
      throw invalid(
        `${named.keyFields} of an upsert table is its PRIMARY KEY (${schema.primaryKey.join(', ')}); leave it out`,
      )
    }
  }
  assertFormats(connector, schema.primaryKey, schema)
  return { ...connector, keyFields: schema.primaryKey }
}

/** The formats of the body and of the key can hold the columns. */
function assertFormats(
  { valueFormat, keyFormat, valueFieldsInclude }: TopicConnector | UpsertTopicConnector,
  keyFields: readonly string[],
  schema: TableSchema,
): void {
  const columns = schema.columns.filter((column) => column.kind === 'physical')
  const problem = rowOptionsProblem({ valueFormat, keyFormat, keyFields, valueFieldsInclude, columns })
  if (problem !== undefined) throw invalid(problem)
}

function assertPhysical(names: readonly string[], { columns }: TableSchema, member: string): void {
  const byName = new Map<string, SchemaColumn>(columns.map((column) => [column.name, column]))
  for (const name of names) {
    const column = byName.get(name)
    if (column === undefined) throw invalid(`${member}: unknown column ${shown(name)}`)
    if (column.kind !== 'physical') throw invalid(`${member}: column ${shown(name)} is not physical`)
  }
}

function assertNoMetadata({ kind }: Connector, { columns }: TableSchema): void {
  const metadata = columns.find((column) => column.kind === 'metadata')
  if (metadata !== undefined) {
    throw invalid(`column ${shown(metadata.name)} is METADATA, which a ${kind} table does not have`)
  }
}

function assertOneColumn(
  connector: Connector & { readonly keyFields: readonly string[] },
  schema: TableSchema,
): void {
  const inValue = schema.columns.filter(({ kind }) => kind === 'physical')
  const isExcept = 'valueFieldsInclude' in connector && connector.valueFieldsInclude === 'EXCEPT_KEY'
  const keys = connector.kind === 'upsert-topic' ? schema.primaryKey : connector.keyFields
  const count = isExcept ? inValue.filter(({ name }) => !keys.includes(name)).length : inValue.length
  if (count !== 1)
    throw invalid(`format raw needs exactly one physical column in the value, and there are ${count}`)
}
