/** Tables over a store in memory, with a typer that answers from a table of given types. */
import { MemoryLevel } from 'memory-level'
import { type NamespaceName, trustedName } from '../../src/streams/names.ts'
import { DEFAULT_NAMESPACE_PROPERTIES } from '../../src/streams/namespace.ts'
import { Registry } from '../../src/streams/registry.ts'
import { connectorHosts } from '../../src/tables/connector-hosts.ts'
import { parseSources } from '../../src/tables/sources.ts'
import type { DataType, ExpressionTyper } from '../../src/tables/table.ts'
import type { TableRequest } from '../../src/tables/table-service.ts'
import { Tables } from '../../src/tables/tables.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'

export const NOW_MS = 1_700_000_000_000
export const DEMO = trustedName<NamespaceName>('demo_flink')
export const OTHER = trustedName<NamespaceName>('other')

const TYPES: Readonly<Record<string, DataType>> = {
  'PROCTIME()': { kind: 'TIMESTAMP_LTZ', precision: 3 },
  'TO_TIMESTAMP_LTZ(occurred_at, 3)': { kind: 'TIMESTAMP_LTZ', precision: 3 },
  'a + 1': { kind: 'INT' },
  'TO_TIMESTAMP(x)': { kind: 'TIMESTAMP', precision: 6 },
}

export const givenTypes: ExpressionTyper = {
  async typesOf(_, { columns }) {
    return columns.map((column) => {
      if (column.kind !== 'computed')
        return { name: column.name, type: column.type, nullable: column.nullable }
      const type = TYPES[column.expression]
      if (type === undefined) throw new Error(`no type is given for ${column.expression}`)
      return { name: column.name, type, nullable: column.expression !== 'PROCTIME()' }
    })
  },
}

export interface PartsOptions {
  readonly dataFolder?: string
  readonly sources?: string
  readonly hosts?: readonly string[]
  readonly typer?: ExpressionTyper
  readonly storage?: Storage
}

export async function tableParts(options: PartsOptions = {}) {
  const { dataFolder = '/nonexistent', sources = '{}', hosts, typer = givenTypes } = options
  const storage = options.storage ?? (await memoryStorage())
  const registry = await Registry.load(storage.catalog)
  for (const name of [DEMO, OTHER]) {
    if (registry.namespace(name) !== undefined) continue
    await registry.change(() => registry.putNamespace(name, DEFAULT_NAMESPACE_PROPERTIES))
  }
  const reported: string[] = []
  const tables = await Tables.load({
    catalog: storage.catalog,
    registry,
    nowMs: () => NOW_MS,
    dataFolder,
    sources: parseSources('sources.json', sources),
    hosts: connectorHosts(hosts),
    typer,
    report: (problem) => reported.push(problem),
  })
  const [builtIn] = tables.integrations(DEMO)
  const request = (change: Partial<TableRequest> = {}): TableRequest => ({
    name: 'KAlert',
    integrationId: builtIn!.id,
    schemaSql: '`node` INT, `occurred_at` TIMESTAMP_LTZ(3), `cpu_in_mb` FLOAT',
    connector: { kind: 'kafka', options: { topic: 'alert' } },
    ...change,
  })
  return { storage, registry, tables, builtIn: builtIn!, request, reported }
}

async function memoryStorage(): Promise<Storage> {
  const encoding = { storeEncoding: 'buffer', keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
  const db = new MemoryLevel<Buffer, Buffer>(encoding)
  return openStorageOn(db as unknown as Level, { nowMs: () => NOW_MS, sync: true })
}

/** `CODE message`, of any error. */
export async function refusalOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    const { code, name, message } = error as { code?: string; name: string; message: string }
    return `${code ?? name} ${message}`
  }
  return 'accepted'
}
