/** Answers of a PostgreSQL server: types, and values as JSON texts in the form of captured events. */
import type pg from 'pg'
import { columnJson } from '../../../src/cdc/events/column-json.ts'
import { columnTypeOf } from '../../../src/cdc/events/column-type.ts'
import { connectedClient } from '../../support/postgres-client.ts'
import type { CorpusTable } from './sample-tables.ts'

export type RecordedAnswer =
  | { readonly sql: string; readonly types: readonly string[]; readonly rows: readonly (readonly string[])[] }
  | { readonly sql: string; readonly error: string }

/** Elements of array types, by their oids. */
const ELEMENTS: ReadonlyMap<number, number> = new Map([
  [1000, 16],
  [1005, 21],
  [1007, 23],
  [1016, 20],
  [1231, 1700],
  [1021, 700],
  [1022, 701],
  [1009, 25],
  [1014, 1042],
  [1015, 1043],
  [1182, 1082],
  [1115, 1114],
  [1185, 1184],
])

/** Type names with their oids: of the columns of samples. */
export const OIDS: Readonly<Record<string, number>> = {
  boolean: 16,
  bytea: 17,
  bigint: 20,
  smallint: 21,
  integer: 23,
  text: 25,
  json: 114,
  real: 700,
  'double precision': 701,
  character: 1042,
  'character varying': 1043,
  date: 1082,
  'time without time zone': 1083,
  'timestamp without time zone': 1114,
  'timestamp with time zone': 1184,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
  'integer[]': 1007,
  'text[]': 1009,
}

export function jsonOf(typeOid: number): (text: string | null) => string {
  const elementOid = ELEMENTS.get(typeOid) ?? 0
  const { kind, isArray } = columnTypeOf({ typeOid, typmod: -1, typtype: 'b', elementOid, formatted: '' })
  const json = columnJson({ kind, isArray, typeOid })
  return (text) => (text === null ? 'null' : json(text))
}

/** JSON texts of the rows of a sample. */
export function sampleRows({ columns, rows }: CorpusTable): (string | null)[][] {
  const writers = columns.map(([, type]) => jsonOf(OIDS[type.replace(/\(.*?\)/, '')]!))
  return rows.map((row) => row.map((value, i) => (value === null ? null : writers[i]!(value))))
}

export async function createSamples(client: pg.Client, tables: readonly CorpusTable[]): Promise<void> {
  for (const { name, columns, rows } of tables) {
    await client.query(
      `CREATE TABLE ${name} (${columns.map(([column, type]) => `${column} ${type}`).join(', ')})`,
    )
    const places = columns.map(([, type], i) => `$${i + 1}::${type}`)
    for (const row of rows) await client.query(`INSERT INTO ${name} VALUES (${places.join(', ')})`, [...row])
  }
}

export async function answerOf(client: pg.Client, sql: string): Promise<RecordedAnswer> {
  try {
    const asText = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig
    const { fields, rows } = await client.query({ text: sql, rowMode: 'array', types: asText })
    const { rows: names } = await client.query({
      text: `SELECT ${fields.map(({ dataTypeID }) => `format_type(${dataTypeID}, -1)`).join(', ')}`,
      rowMode: 'array',
    })
    const writers = fields.map(({ dataTypeID }) => jsonOf(dataTypeID))
    return {
      sql,
      types: (names[0] as string[]).map((name) => name.replace('bpchar', 'character')),
      rows: (rows as (string | null)[][]).map((row) => row.map((value, i) => writers[i]!(value))),
    }
  } catch (error) {
    return { sql, error: (error as Error).message }
  }
}

export async function connected(uri: string): Promise<pg.Client> {
  const client = await connectedClient(uri)
  await client.query(
    "SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET DateStyle = 'ISO'",
  )
  return client
}
