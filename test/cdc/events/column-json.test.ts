/** Values of every type of PostgreSQL: their SQL types, and their JSON in events. A real server prints the texts. */
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { columnJson } from '../../../src/cdc/events/column-json.ts'
import { columnTypeOf } from '../../../src/cdc/events/column-type.ts'
import { SESSION_SETTINGS } from '../../../src/cdc/events/session-settings.ts'
import { printType } from '../../../src/sql/data-types.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { connectedClient } from '../../support/postgres-client.ts'

interface Case {
  readonly type: string
  /** Printed type in SQL. */
  readonly sql: string
  /** Expression of PostgreSQL -> JSON text. */
  readonly values: readonly (readonly [expression: string, json: string])[]
}

const CASES: readonly Case[] = [
  {
    type: 'smallint',
    sql: 'SMALLINT',
    values: [
      ['-32768', '-32768'],
      ['0', '0'],
    ],
  },
  { type: 'integer', sql: 'INT', values: [['2147483647', '2147483647']] },
  {
    type: 'bigint',
    sql: 'BIGINT',
    values: [
      ['9223372036854775807', '9223372036854775807'],
      ["'-9223372036854775808'", '-9223372036854775808'],
    ],
  },
  { type: 'oid', sql: 'BIGINT', values: [['4294967295', '4294967295']] },
  {
    type: 'real',
    sql: 'FLOAT',
    values: [
      ['1.5', '1.5'],
      ["'NaN'", '"NaN"'],
      ["'-Infinity'", '"-Infinity"'],
      ['1e20', '1e+20'],
    ],
  },
  {
    type: 'double precision',
    sql: 'DOUBLE',
    values: [
      ['0.1::float8 + 0.2::float8', '0.30000000000000004'],
      ["'-0'", '-0'],
      ['1e-7', '1e-07'],
      ["'Infinity'", '"Infinity"'],
      ["'NaN'", '"NaN"'],
      ["'1.7976931348623157e308'", '1.7976931348623157e+308'],
    ],
  },
  {
    type: 'numeric(10,2)',
    sql: 'DECIMAL(10, 2)',
    values: [
      ['20', '"20.00"'],
      ["'NaN'", '"NaN"'],
      ['-0.5', '"-0.50"'],
    ],
  },
  { type: 'numeric(38,10)', sql: 'DECIMAL(38, 10)', values: [['1', '"1.0000000000"']] },
  {
    type: 'numeric(65,30)',
    sql: 'STRING',
    values: [['1', '"1.000000000000000000000000000000"']],
  },
  {
    type: 'numeric',
    sql: 'STRING',
    values: [
      ['123456789012345678901234567890123456789012.5', '"123456789012345678901234567890123456789012.5"'],
      ["'Infinity'", '"Infinity"'],
    ],
  },
  { type: 'numeric(3,-2)', sql: 'DECIMAL(5, 0)', values: [['12345', '"12300"']] },
  { type: 'numeric(2,5)', sql: 'DECIMAL(5, 5)', values: [['0.00012', '"0.00012"']] },
  {
    type: 'money',
    sql: 'DECIMAL(19, 2)',
    values: [
      ["'1234567.5'", '"1234567.50"'],
      ["'-0.05'", '"-0.05"'],
      ["'0'", '"0.00"'],
    ],
  },
  {
    type: 'boolean',
    sql: 'BOOLEAN',
    values: [
      ['true', 'true'],
      ['false', 'false'],
    ],
  },
  {
    type: 'text',
    sql: 'STRING',
    values: [
      ["''", '""'],
      [String.raw`E'a"b\\c\n\t\x01\u00e9\U0001F600'`, String.raw`"a\"b\\c\n\t\u0001é😀"`],
      ["'NULL'", '"NULL"'],
    ],
  },
  { type: 'varchar(10)', sql: 'STRING', values: [["'a'", '"a"']] },
  { type: 'character(4)', sql: 'STRING', values: [["'a'", '"a   "']] },
  { type: '"char"', sql: 'STRING', values: [["'x'", '"x"']] },
  { type: 'name', sql: 'STRING', values: [["'pg_class'", '"pg_class"']] },
  {
    type: 'uuid',
    sql: 'STRING',
    values: [["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"']],
  },
  { type: 'xml', sql: 'STRING', values: [[`'<a b="c"/>'`, String.raw`"<a b=\"c\"/>"`]] },
  { type: 'inet', sql: 'STRING', values: [["'192.168.0.1/24'", '"192.168.0.1/24"']] },
  { type: 'cidr', sql: 'STRING', values: [["'10.0.0.0/8'", '"10.0.0.0/8"']] },
  { type: 'macaddr', sql: 'STRING', values: [["'08:00:2b:01:02:03'", '"08:00:2b:01:02:03"']] },
  { type: 'bit(3)', sql: 'STRING', values: [["B'101'", '"101"']] },
  { type: 'bit varying(8)', sql: 'STRING', values: [["B'0110'", '"0110"']] },
  {
    type: 'timestamp(3) without time zone',
    sql: 'TIMESTAMP(3)',
    values: [["'2026-11-21 02:52:56.8171'", '"2026-11-21T02:52:56.817"']],
  },
  { type: 'timestamp(0)', sql: 'TIMESTAMP(0)', values: [["'2026-11-21'", '"2026-11-21T00:00:00"']] },
  {
    type: 'timestamp',
    sql: 'TIMESTAMP(6)',
    values: [
      ["'2026-11-21 02:52:56.817123'", '"2026-11-21T02:52:56.817123"'],
      ["'2026-11-21 02:52:56.5'", '"2026-11-21T02:52:56.5"'],
      ["'infinity'", '"infinity"'],
      ["'-infinity'", '"-infinity"'],
      ["'0044-03-15 12:00:00 BC'", '"-0043-03-15T12:00:00"'],
      ["'0001-01-01 00:00:00 BC'", '"0000-01-01T00:00:00"'],
      ["'0001-01-01 00:00:00'", '"0001-01-01T00:00:00"'],
      ["'12026-11-21 01:02:03.5'", '"+12026-11-21T01:02:03.5"'],
      ["'294276-12-31 23:59:59'", '"+294276-12-31T23:59:59"'],
      ["'4713-01-01 00:00:00 BC'", '"-4712-01-01T00:00:00"'],
    ],
  },
  {
    type: 'timestamp(6) with time zone',
    sql: 'TIMESTAMP_LTZ(6)',
    values: [
      ["'2026-11-21 02:52:56.817123Z'", '"2026-11-21T02:52:56.817123Z"'],
      ["'2026-01-01 00:30:00+02'", '"2025-12-31T22:30:00Z"'],
      ["'infinity'", '"infinity"'],
      ["'-infinity'", '"-infinity"'],
      ["'0044-03-15 12:00:00+00 BC'", '"-0043-03-15T12:00:00Z"'],
      ["'12026-11-21 01:02:03.5+00'", '"+12026-11-21T01:02:03.5Z"'],
    ],
  },
  {
    type: 'date',
    sql: 'DATE',
    values: [
      ["'2026-11-21'", '"2026-11-21"'],
      ["'0044-03-15 BC'", '"-0043-03-15"'],
      ["'12026-01-02'", '"+12026-01-02"'],
      ["'infinity'", '"infinity"'],
    ],
  },
  {
    type: 'time(3) without time zone',
    sql: 'TIME(0)',
    values: [
      ["'02:52:56.8171'", '"02:52:56.817"'],
      ["'24:00:00'", '"24:00:00"'],
    ],
  },
  { type: 'time with time zone', sql: 'STRING', values: [["'02:52:56.5+05:30'", '"02:52:56.5+05:30"']] },
  {
    type: 'interval',
    sql: 'STRING',
    values: [["'1 year 2 mons -3 days 04:05:06.5'", '"1 year 2 mons -3 days +04:05:06.5"']],
  },
  { type: 'json', sql: 'STRING', values: [[`'{"a": [1, null]}'`, String.raw`"{\"a\": [1, null]}"`]] },
  { type: 'jsonb', sql: 'STRING', values: [[`'{"b":1,"a":"é"}'`, String.raw`"{\"a\": \"é\", \"b\": 1}"`]] },
  {
    type: 'bytea',
    sql: 'BYTES',
    values: [
      [String.raw`'\x00ff10'`, '"AP8Q"'],
      ["''", '""'],
    ],
  },
  { type: 'mood', sql: 'STRING', values: [[`'so "so"'`, String.raw`"so \"so\""`]] },
  { type: 'int4range', sql: 'STRING', values: [["'[1,3]'", '"[1,4)"']] },
  { type: 'nummultirange', sql: 'STRING', values: [["'{[1,2),[3,4)}'", '"{[1,2),[3,4)}"']] },
  { type: 'pair', sql: 'STRING', values: [[`ROW(1,'a "b"')`, String.raw`"(1,\"a \"\"b\"\"\")"`]] },
  { type: 'point', sql: 'STRING', values: [["'(1,2)'", '"(1,2)"']] },
  { type: 'box', sql: 'STRING', values: [["'(3,4),(1,2)'", '"(3,4),(1,2)"']] },
  { type: 'int2vector', sql: 'STRING', values: [["'1 2'", '"1 2"']] },
  { type: 'tsvector', sql: 'STRING', values: [["'a b'", `"'a' 'b'"`]] },
  {
    type: 'integer[]',
    sql: 'ARRAY<INT>',
    values: [
      ["'{1,NULL,3}'", '[1,null,3]'],
      ["'{}'", '[]'],
      ["'{{1,2},{3,4}}'", '[[1,2],[3,4]]'],
      ["'[0:1]={5,6}'", '[5,6]'],
      ["'[-1:-1][2:3]={{7,8}}'", '[[7,8]]'],
    ],
  },
  { type: 'bigint[]', sql: 'ARRAY<BIGINT>', values: [["'{9223372036854775807}'", '[9223372036854775807]']] },
  {
    type: 'double precision[]',
    sql: 'ARRAY<DOUBLE>',
    values: [["'{NaN,1.5,-Infinity}'", '["NaN",1.5,"-Infinity"]']],
  },
  { type: 'numeric(10,2)[]', sql: 'ARRAY<DECIMAL(10, 2)>', values: [["'{1,2.5}'", '["1.00","2.50"]']] },
  { type: 'money[]', sql: 'ARRAY<DECIMAL(19, 2)>', values: [['\'{"1,234.5",2}\'', '["1234.50","2.00"]']] },
  { type: 'boolean[]', sql: 'ARRAY<BOOLEAN>', values: [["'{t,f,NULL}'", '[true,false,null]']] },
  {
    type: 'text[]',
    sql: 'ARRAY<STRING>',
    values: [
      [
        String.raw`ARRAY['a','b c','d"e','f\g','NULL',NULL,'','{x}','h,i',E'j\nk','é😀']`,
        String.raw`["a","b c","d\"e","f\\g","NULL",null,"","{x}","h,i","j\nk","é😀"]`,
      ],
      [`ARRAY[['a','b'],[NULL,'"']]`, String.raw`[["a","b"],[null,"\""]]`],
    ],
  },
  {
    type: 'timestamp with time zone[]',
    sql: 'ARRAY<TIMESTAMP_LTZ(6)>',
    values: [
      ["ARRAY['2026-11-21 02:52:56+00'::timestamptz, 'infinity']", '["2026-11-21T02:52:56Z","infinity"]'],
    ],
  },
  {
    type: 'timestamp(3)[]',
    sql: 'ARRAY<TIMESTAMP(3)>',
    values: [["ARRAY['2026-11-21 02:52:56.5'::timestamp]", '["2026-11-21T02:52:56.5"]']],
  },
  { type: 'date[]', sql: 'ARRAY<DATE>', values: [["'{2026-11-21,NULL}'", '["2026-11-21",null]']] },
  {
    type: 'bytea[]',
    sql: 'ARRAY<BYTES>',
    values: [[String.raw`ARRAY['\x00ff'::bytea, NULL, '']`, '["AP8=",null,""]']],
  },
  {
    type: 'jsonb[]',
    sql: 'ARRAY<STRING>',
    values: [[`ARRAY['{"a": "b,}"}'::jsonb]`, String.raw`["{\"a\": \"b,}\"}"]`]],
  },
  {
    type: 'mood[]',
    sql: 'ARRAY<STRING>',
    values: [[`ARRAY['ok','so "so"']::mood[]`, String.raw`["ok","so \"so\""]`]],
  },
  {
    type: 'uuid[]',
    sql: 'ARRAY<STRING>',
    values: [["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'", '["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]']],
  },
  {
    type: 'int4range[]',
    sql: 'ARRAY<STRING>',
    values: [[`ARRAY['[1,3)'::int4range, 'empty']`, '["[1,3)","empty"]']],
  },
  {
    type: 'box[]',
    sql: 'ARRAY<STRING>',
    values: [["ARRAY['(3,4),(1,2)'::box, '(1,1),(0,0)'::box]", '["(3,4),(1,2)","(1,1),(0,0)"]']],
  },
  {
    type: 'pair[]',
    sql: 'ARRAY<STRING>',
    values: [[`ARRAY[ROW(1,'x,y')::pair]`, String.raw`["(1,\"x,y\")"]`]],
  },
  { type: 'positive', sql: 'INT', values: [['5', '5']] },
  { type: 'price', sql: 'DECIMAL(12, 4)', values: [['5', '"5.0000"']] },
  { type: 'tags', sql: 'ARRAY<STRING>', values: [["'{a,NULL}'", '["a",null]']] },
  { type: 'positive[]', sql: 'ARRAY<INT>', values: [["'{1,2}'", '[1,2]']] },
]

const TYPES = `
create type mood as enum ('ok', 'so "so"');
create type pair as (a int, b text);
create domain positive as int check (value > 0);
create domain price as numeric(12,4);
create domain tags as text[];`

/** The facts of a column; those of a domain and of elements that are a domain are its base type's. */
const FACTS = `
with recursive base as (
  select a.attname, a.atttypid as oid, a.atttypmod as typmod from pg_attribute a where a.attrelid = 't'::regclass and a.attnum > 0
  union all
  select base.attname, t.typbasetype, case when base.typmod >= 0 then base.typmod else t.typtypmod end
    from base join pg_type t on t.oid = base.oid where t.typtype = 'd')
select t.oid::int8 as "typeOid", base.typmod, t.typtype,
    coalesce(nullif(e.typbasetype, 0), t.typelem)::int8 as "elementOid", format_type(t.oid, base.typmod) as formatted
  from base join pg_type t on t.oid = base.oid and t.typtype <> 'd' left join pg_type e on e.oid = t.typelem`

describe.skipIf(NO_POSTGRES !== undefined)('values of PostgreSQL', () => {
  let server: TestPostgres
  let client: pg.Client

  beforeAll(async () => {
    server = await TestPostgres.start()
    const options = Object.entries(SESSION_SETTINGS).map(([name, value]) => `-c ${name}=${value}`)
    client = await connectedClient({
      connectionString: server.uri(),
      options: options.join(' '),
      types: { getTypeParser: () => (text: unknown) => text } as pg.CustomTypesConfig,
    })
    await client.query(TYPES)
  }, 30_000)

  afterAll(async () => {
    await client?.end()
    await server?.remove()
  })

  test.each(CASES)('$type is $sql', async ({ type, sql, values }) => {
    await client.query(`drop table if exists t; create table t(v ${type})`)
    const facts = (await client.query(FACTS)).rows[0] as Record<string, string>
    const typeOid = Number(facts.typeOid)
    const column = columnTypeOf({
      typeOid,
      typmod: Number(facts.typmod),
      typtype: facts.typtype!,
      elementOid: Number(facts.elementOid),
      formatted: facts.formatted!,
    })
    const json = columnJson({ ...column, typeOid })
    const written = []
    for (const [expression] of values) {
      const { rows } = await client
        .query(`truncate t; insert into t values (${expression}); select v from t`)
        .then((results) => (results as unknown as pg.QueryResult[]).at(-1)!)
      written.push([expression, json(rows[0].v)])
    }
    expect([printType(column.type), written]).toEqual([sql, values])
    for (const [, text] of values) JSON.parse(text)
  })
})
