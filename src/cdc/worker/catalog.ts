/**
 * Tables as the catalog of PostgreSQL has them, and whether they can be captured.
 *
 * PostgreSQL refuses UPDATE and DELETE on a published table that has no replica identity. So a table is captured only if its identity
 * is its primary key (DEFAULT), an index (USING INDEX: that index is the key), or FULL with a primary key. Of a partitioned table all
 * partitions must have one, too.
 */
import type { CaptureErrorCode, DescribedTable } from '../capture-service.ts'
import { type CapturedColumn, type CapturedTable, printedTable, type TableName } from '../captured-table.ts'
import { columnTypeOf } from '../events/column-type.ts'
import { type DatabaseSession, quotedIdentifier, type TextRow } from './database-session.ts'

/** Partitioned tables can be published under their own name from this version on. */
const PARTITIONED_VERSION = 130_000

interface TableFacts extends TableName {
  readonly oid: number
  /** pg_class.relkind: r table, p partitioned table. */
  readonly kind: string
  readonly persistence: string
  readonly isPartition: boolean
  readonly identity: string
  readonly key: readonly string[]
  /** The first partition whose changes PostgreSQL would refuse. */
  readonly badPartition: string | undefined
}

/**
 * The tables of these names; `*`: all that can be captured. Names that do not exist are missing. Rejects with CaptureProblem.
 * Call it in a transaction where the answer must still hold at its end.
 */
export async function describeTables(
  session: DatabaseSession,
  names: '*' | readonly TableName[],
): Promise<readonly DescribedTable[]> {
  const [server] = await session.query(
    `SELECT current_setting('server_version_num'), datcollate FROM pg_database WHERE datname = current_database()`,
  )
  const version = Number(server![0])
  const collation = server![1] ?? ''
  const tables: DescribedTable[] = []
  const facts = await factsOf(session, names)
  const columns = await columnsOf(
    session,
    facts.map(({ oid }) => oid),
  )
  for (const fact of facts) {
    const { oid, schema, table, key } = fact
    const problem = problemWith(fact, version)
    if (problem !== undefined && names === '*') continue
    const captured: CapturedTable | undefined =
      problem === undefined ? { schema, table, oid, columns: columns.get(oid) ?? [], key } : undefined
    tables.push({ schema, table, captured, problem, collation })
  }
  return tables
}

function problemWith(
  { schema, table, kind, persistence, isPartition, identity, key, badPartition }: TableFacts,
  version: number,
): { readonly code: CaptureErrorCode; readonly message: string } | undefined {
  const name = printedTable({ schema, table })
  const mismatch = (message: string) => ({ code: 'schema_mismatch' as const, message })
  if (kind !== 'r' && kind !== 'p') {
    return mismatch(`${name} is a ${KINDS[kind] ?? 'relation of another kind'}; only tables can be captured`)
  }
  if (persistence === 't')
    return mismatch(`table ${name} is temporary; only permanent tables can be captured`)
  if (persistence === 'u') {
    return mismatch(
      `table ${name} is unlogged, so PostgreSQL does not send its changes; run ALTER TABLE ${name} SET LOGGED`,
    )
  }
  if (/^(pg_.*|information_schema)$/.test(schema)) {
    return mismatch(`table ${name} belongs to the system; only tables of users can be captured`)
  }
  if (isPartition) {
    return mismatch(`table ${name} is a partition; its changes come under the name of its parent, use that`)
  }
  if (kind === 'p' && version < PARTITIONED_VERSION) {
    return mismatch(`table ${name} is partitioned; this needs PostgreSQL 13 or later`)
  }
  if (badPartition !== undefined) return noKey(badPartition)
  if (key.length > 0) return undefined
  if (identity === 'n') {
    return {
      code: 'no_primary_key',
      message: `table ${name} has REPLICA IDENTITY NOTHING; publishing it would make its UPDATEs fail. Run ALTER TABLE ${name} REPLICA IDENTITY DEFAULT, if it has a primary key`,
    }
  }
  return noKey(name)
}

function noKey(name: string) {
  return {
    code: 'no_primary_key' as const,
    message: `table ${name} has no primary key; publishing it would make its UPDATEs fail. Add one, or run ALTER TABLE ${name} REPLICA IDENTITY USING INDEX …`,
  }
}

const KINDS: Readonly<Record<string, string>> = {
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
  S: 'sequence',
  i: 'index',
  I: 'index',
  c: 'composite type',
}

/** Index columns of the identity in their order. An index that is checked late is no identity. */
const KEY = `
  SELECT array_agg(a.attname ORDER BY k.n)
  FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n), pg_attribute a
  WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND k.n <= i.indnkeyatts
    AND a.attrelid = c.oid AND a.attnum = k.attnum
    AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'n' THEN false ELSE i.indisprimary END`

const BAD_PARTITION = `
  SELECT pn.nspname || '.' || p.relname
  FROM pg_partition_tree(c.oid) t JOIN pg_class p ON p.oid = t.relid JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE c.relkind = 'p' AND t.isleaf AND p.relkind <> 'p' AND NOT (p.relreplident = 'f' OR EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = p.oid AND i.indisvalid AND i.indimmediate
      AND CASE p.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary ELSE false END))
  ORDER BY 1 LIMIT 1`

async function factsOf(
  session: DatabaseSession,
  names: '*' | readonly TableName[],
): Promise<readonly TableFacts[]> {
  const which =
    names === '*'
      ? `c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
         AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`
      : '(n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))'
  const rows = await session.query(
    `SELECT n.nspname, c.relname, c.oid, c.relkind, c.relpersistence, c.relispartition, c.relreplident,
       to_json((${KEY})), (${BAD_PARTITION})
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${which} ORDER BY 1, 2`,
    names === '*' ? [] : [names.map(({ schema }) => schema), names.map(({ table }) => table)],
  )
  return rows.map(([schema, table, oid, kind, persistence, isPartition, identity, key, badPartition]) => ({
    schema: schema!,
    table: table!,
    oid: Number(oid),
    kind: kind!,
    persistence: persistence!,
    isPartition: isPartition === 't',
    identity: identity!,
    key: typeof key === 'string' ? (JSON.parse(key) as string[]) : [],
    badPartition: badPartition ?? undefined,
  }))
}

/** The last base type of a domain, with the modifier that the domain gives. */
const BASE_TYPE = `
  WITH RECURSIVE base(oid, typmod) AS (
    SELECT a.type_oid, a.typmod
    UNION ALL
    SELECT t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
  SELECT b.oid, b.typmod, t.typtype, t.typelem FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype <> 'd'`

/** Published columns: those that are not dropped and not generated. */
async function columnsOf(
  session: DatabaseSession,
  oids: readonly number[],
): Promise<ReadonlyMap<number, readonly CapturedColumn[]>> {
  const rows = await session.query(
    `SELECT a.attrelid, a.attname, a.type_oid, format_type(a.type_oid, a.typmod), a.attnotnull, base.*
     FROM (SELECT attrelid, attnum, attname, atttypid AS type_oid, atttypmod AS typmod, attnotnull FROM pg_attribute
           WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped AND attgenerated = '') a,
       LATERAL (${BASE_TYPE}) base
     ORDER BY a.attrelid, a.attnum`,
    [oids.map(String)],
  )
  const columns = new Map<number, CapturedColumn[]>()
  for (const [relation, name, typeOid, formatted, notNull, ...base] of rows) {
    const oid = Number(relation)
    if (!columns.has(oid)) columns.set(oid, [])
    columns.get(oid)!.push({
      name: name!,
      databaseType: formatted!,
      typeOid: Number(typeOid),
      ...columnTypeOf(databaseType(base, formatted!)),
      nullable: notNull !== 't',
    })
  }
  return columns
}

/** Columns of these types, as a message of the stream names them: a message has no more. They may be null. */
export async function columnsOfTypes(
  session: DatabaseSession,
  columns: readonly { readonly name: string; readonly typeOid: number; readonly typmod: number }[],
): Promise<readonly CapturedColumn[]> {
  const rows = await session.query(
    `SELECT format_type(a.type_oid, a.typmod), base.*
     FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS a(type_oid, typmod, n), LATERAL (${BASE_TYPE}) base ORDER BY a.n`,
    [columns.map(({ typeOid }) => String(typeOid)), columns.map(({ typmod }) => String(typmod))],
  )
  if (rows.length !== columns.length) throw new Error('the database does not know a type of its own message')
  return columns.map(({ name, typeOid }, i) => {
    const [formatted, ...base] = rows[i]!
    return {
      name,
      databaseType: formatted!,
      typeOid,
      ...columnTypeOf(databaseType(base, formatted!)),
      nullable: true,
    }
  })
}

function databaseType(base: TextRow, formatted: string) {
  const [typeOid, typmod, typtype, elementOid] = base
  return {
    typeOid: Number(typeOid),
    typmod: Number(typmod),
    typtype: typtype!,
    elementOid: Number(elementOid),
    formatted,
  }
}

/** `public.orders` as a statement names it. */
export function quotedTable({ schema, table }: TableName): string {
  return `${quotedIdentifier(schema)}.${quotedIdentifier(table)}`
}
