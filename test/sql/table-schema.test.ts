import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { printType } from '../../src/sql/data-types.ts'
import { printFlinkTable, printSchema } from '../../src/sql/flink-ddl.ts'
import { SqlProblem } from '../../src/sql/sql-problem.ts'
import { parseTableSchema, type TableSchema } from '../../src/sql/table-schema.ts'
import { parseTypeText } from '../../src/sql/type-parser.ts'

/** A schema without its places. */
function content({ columns, primaryKey, watermark }: TableSchema): unknown {
  const { columnPlace: _column, place: _place, ...mark } = watermark ?? {}
  const all = columns.map(({ ...column }) => ({ ...column, place: undefined }))
  return { columns: all, primaryKey, watermark: watermark && mark }
}

const physical = (name: string, kind: 'INT' | 'STRING' | 'DOUBLE' | 'BIGINT', nullable = true) => ({
  kind: 'physical',
  name,
  type: { kind },
  nullable,
})

describe('accepted schemas', () => {
  test('the columns of the cheat sheet', () => {
    const schema = parseTableSchema('`node` INT, `occurred_at` TIMESTAMP_LTZ(3), `cpu_in_mb` FLOAT')
    expect(schema).toEqual({
      columns: [
        physical('node', 'INT'),
        {
          kind: 'physical',
          name: 'occurred_at',
          type: { kind: 'TIMESTAMP_LTZ', precision: 3 },
          nullable: true,
        },
        { kind: 'physical', name: 'cpu_in_mb', type: { kind: 'FLOAT' }, nullable: true },
      ],
      primaryKey: [],
      watermark: undefined,
    })
  })

  test('the tutorial’s table with computed columns and a watermark, over several lines', () => {
    const schema = parseTableSchema(`hostname STRING, cpu STRING, usage DOUBLE, occurred_at BIGINT,
      proctime AS PROCTIME(),
      time_ltz AS TO_TIMESTAMP_LTZ(occurred_at, 3), -- from milliseconds
      WATERMARK FOR time_ltz AS time_ltz - INTERVAL '10' SECOND`)
    expect(schema.columns.slice(0, 4)).toEqual([
      physical('hostname', 'STRING'),
      physical('cpu', 'STRING'),
      physical('usage', 'DOUBLE'),
      physical('occurred_at', 'BIGINT'),
    ])
    expect(schema.columns.slice(4)).toEqual([
      {
        kind: 'computed',
        name: 'proctime',
        expression: 'PROCTIME()',
        place: { line: 2, column: 19, endLine: 2, endColumn: 28 },
      },
      {
        kind: 'computed',
        name: 'time_ltz',
        expression: 'TO_TIMESTAMP_LTZ(occurred_at, 3)',
        place: { line: 3, column: 19, endLine: 3, endColumn: 50 },
      },
    ])
    expect(schema.watermark).toEqual({
      column: 'time_ltz',
      columnPlace: { line: 4, column: 21, endLine: 4, endColumn: 28 },
      expression: "time_ltz - INTERVAL '10' SECOND",
      place: { line: 4, column: 33, endLine: 4, endColumn: 63 },
    })
  })

  test('metadata columns with key, VIRTUAL and comment', () => {
    const { columns } = parseTableSchema(
      "a INT COMMENT 'it''s a', `timestamp` TIMESTAMP_LTZ(3) METADATA, o BIGINT NOT NULL METADATA FROM 'offset' VIRTUAL COMMENT 'o', headers MAP<STRING, BYTES> METADATA",
    )
    expect(columns).toEqual([
      { ...physical('a', 'INT'), comment: "it's a" },
      {
        kind: 'metadata',
        name: 'timestamp',
        type: { kind: 'TIMESTAMP_LTZ', precision: 3 },
        nullable: true,
        key: 'timestamp',
        isVirtual: false,
      },
      {
        kind: 'metadata',
        name: 'o',
        type: { kind: 'BIGINT' },
        nullable: false,
        key: 'offset',
        isVirtual: true,
        comment: 'o',
      },
      {
        kind: 'metadata',
        name: 'headers',
        type: { kind: 'MAP', key: { kind: 'STRING' }, value: { kind: 'BYTES' } },
        nullable: true,
        key: 'headers',
        isVirtual: false,
      },
    ])
  })

  const keys: readonly (readonly [string, readonly string[]])[] = [
    ['a INT PRIMARY KEY, b STRING', ['a']],
    ['a INT PRIMARY KEY NOT ENFORCED, b STRING', ['a']],
    ['a INT NOT NULL PRIMARY KEY NOT ENFORCED, b STRING', ['a']],
    ["a INT PRIMARY KEY NOT ENFORCED COMMENT 'k', b STRING", ['a']],
    ['a INT, b STRING, PRIMARY KEY (a)', ['a']],
    ['a INT, b STRING, PRIMARY KEY (b, a) NOT ENFORCED', ['b', 'a']],
    ['PRIMARY KEY (a), a INT', ['a']],
    ['a INT, CONSTRAINT pk PRIMARY KEY (a) NOT ENFORCED', ['a']],
    ['a INT, constraint `p k` primary key (a) not enforced', ['a']],
  ]
  test.each(keys)('the primary key of %s', (sql, key) => {
    const { columns, primaryKey } = parseTableSchema(sql)
    expect(primaryKey).toEqual(key)
    const required = columns.filter((column) => column.kind === 'physical' && !column.nullable)
    expect(required.map(({ name }) => name).sort()).toEqual([...key].sort())
  })

  const others: readonly (readonly [string, readonly string[]])[] = [
    [
      'usage INT, data INT, type INT, name INT, key INT, source INT, state INT, level INT',
      ['usage', 'data', 'type', 'name', 'key', 'source', 'state', 'level'],
    ],
    [
      'version INT, size INT, description INT, session INT, label INT, metadata INT',
      ['version', 'size', 'description', 'session', 'label', 'metadata'],
    ],
    ['usage INT, USAGE INT', ['usage', 'USAGE']],
    ['`timestamp` INT, `a``b` INT, `x y` INT', ['timestamp', 'a`b', 'x y']],
    ['a INT, b AS (a + 1) * 2, c AS CASE WHEN a > 1 THEN 1 ELSE 2 END', ['a', 'b', 'c']],
    ["a STRING, b AS CONCAT(a, ',', `a`) COMMENT 'two'", ['a', 'b']],
    ['a INT /* , b INT */, -- c INT,\n d INT', ['a', 'd']],
    ['größe INT', ['größe']],
    ['a INT NULL', ['a']],
  ]
  test.each(others)('%s', (sql, names) => {
    expect(parseTableSchema(sql).columns.map(({ name }) => name)).toEqual(names)
  })
})

describe('types', () => {
  const accepted = [
    ['BOOLEAN', 'BOOLEAN'],
    ['tinyint', 'TINYINT'],
    ['SMALLINT', 'SMALLINT'],
    ['INT', 'INT'],
    ['INTEGER', 'INT'],
    ['BIGINT', 'BIGINT'],
    ['FLOAT', 'FLOAT'],
    ['DOUBLE', 'DOUBLE'],
    ['DOUBLE PRECISION', 'DOUBLE'],
    ['DECIMAL', 'DECIMAL(10, 0)'],
    ['DEC(5)', 'DECIMAL(5, 0)'],
    ['NUMERIC(38, 38)', 'DECIMAL(38, 38)'],
    ['CHAR', 'CHAR(1)'],
    ['CHARACTER(3)', 'CHAR(3)'],
    ['CHARACTER VARYING(3)', 'VARCHAR(3)'],
    ['VARCHAR', 'STRING'],
    ['VARCHAR(2147483647)', 'STRING'],
    ['VARCHAR(20)', 'VARCHAR(20)'],
    ['STRING', 'STRING'],
    ['BINARY', 'BINARY(1)'],
    ['BINARY VARYING(4)', 'VARBINARY(4)'],
    ['VARBINARY', 'BYTES'],
    ['VARBINARY(9)', 'VARBINARY(9)'],
    ['BYTES', 'BYTES'],
    ['DATE', 'DATE'],
    ['TIME', 'TIME(0)'],
    ['TIME(0) WITHOUT TIME ZONE', 'TIME(0)'],
    ['TIMESTAMP', 'TIMESTAMP(6)'],
    ['TIMESTAMP(0)', 'TIMESTAMP(0)'],
    ['TIMESTAMP(3) WITHOUT TIME ZONE', 'TIMESTAMP(3)'],
    ['TIMESTAMP(3) WITH LOCAL TIME ZONE', 'TIMESTAMP_LTZ(3)'],
    ['TIMESTAMP_LTZ', 'TIMESTAMP_LTZ(6)'],
    ['ARRAY<INT>', 'ARRAY<INT>'],
    ['INT ARRAY', 'ARRAY<INT>'],
    ['INT ARRAY ARRAY', 'ARRAY<ARRAY<INT>>'],
    ['ARRAY<ARRAY<INT NOT NULL> NULL>', 'ARRAY<ARRAY<INT>>'],
    ['MAP<STRING, ARRAY<DEC(4, 2)>>', 'MAP<STRING, ARRAY<DECIMAL(4, 2)>>'],
    ['ROW<a INT>', 'ROW<`a` INT>'],
    ["ROW(a INT 'why', `b c` ROW<d DATE> NOT NULL)", 'ROW<`a` INT, `b c` ROW<`d` DATE>>'],
  ] as const
  test.each(accepted)('%s is %s', (text, printed) => {
    const type = parseTypeText(text)
    expect(printType(type)).toBe(printed)
    expect(parseTypeText(printed)).toEqual(type)
    expect(parseTableSchema(`c ${text}`).columns).toEqual([
      { kind: 'physical', name: 'c', type, nullable: true },
    ])
  })
})

const nested = (levels: number) => `${'ARRAY<'.repeat(levels)}INT${'>'.repeat(levels)}`

const refused = [
  { sql: '`node` INTT', text: "unknown type 'INTT' at line 1, column 8" },
  { sql: 'a INT,\n  b INTT', text: "unknown type 'INTT' at line 2, column 5" },
  { sql: 'a `INT`', text: "unknown type '`INT`' at line 1, column 3" },
  { sql: '', text: 'the name of a column is missing at the end at line 1, column 1' },
  { sql: 'a', text: 'a type is missing at the end at line 1, column 1' },
  { sql: 'a INT,', text: 'the name of a column is missing at the end at line 1, column 6' },
  { sql: 'a INT b INT', text: "unexpected 'b'; ',' or the end is wanted at line 1, column 7" },
  { sql: 'a INT;', text: "unexpected ';'; ',' or the end is wanted at line 1, column 6" },
  { sql: 'a INT)', text: "unexpected ')'; ',' or the end is wanted at line 1, column 6" },
  { sql: "'a' INT", text: "unexpected 'a'; the name of a column is wanted at line 1, column 1" },
  { sql: '1 INT', text: "unexpected '1'; the name of a column is wanted at line 1, column 1" },
  {
    sql: 'timestamp INT',
    text: "'timestamp' is a reserved word; write `timestamp` in back-ticks at line 1, column 1",
  },
  {
    sql: 'a INT, Value INT',
    text: "'Value' is a reserved word; write `Value` in back-ticks at line 1, column 8",
  },
  {
    sql: 'watermark INT',
    text: "'watermark' is a reserved word; write `watermark` in back-ticks at line 1, column 1",
  },
  {
    sql: 'a INT, Constraint STRING',
    text: "'Constraint' is a reserved word; write `Constraint` in back-ticks at line 1, column 8",
  },
  {
    sql: 'a INT, primary AS a',
    text: "'primary' is a reserved word; write `primary` in back-ticks at line 1, column 8",
  },
  { sql: 'a INT, PRIMARY (a)', text: "unexpected '('; KEY is wanted at line 1, column 16" },
  {
    sql: 't TIMESTAMP(3), WATERMARK t AS t',
    text: "unexpected 't'; FOR is wanted at line 1, column 27",
  },
  { sql: '"a" INT', text: 'use back-ticks for names and single quotes for texts at line 1, column 1' },
  {
    sql: 'a INT, b AS "a" + 1',
    text: 'use back-ticks for names and single quotes for texts at line 1, column 13',
  },
  { sql: 'a INT /*+ x */', text: 'hints are not supported here; remove it at line 1, column 7' },
  { sql: 'a INT, a STRING', text: "column 'a' is there twice at line 1, column 8" },
  { sql: 'a MULTISET<INT>', text: 'type MULTISET is not supported in a column at line 1, column 3' },
  { sql: 'a INT MULTISET', text: 'type MULTISET is not supported in a column at line 1, column 3' },
  { sql: "a RAW('x', 'y')", text: 'type RAW is not supported in a column at line 1, column 3' },
  { sql: 'a INTERVAL DAY', text: 'type INTERVAL is not supported in a column at line 1, column 3' },
  {
    sql: 'a TIMESTAMP(3) WITH TIME ZONE',
    text: 'WITH TIME ZONE is not supported; use WITH LOCAL TIME ZONE at line 1, column 16',
  },
  { sql: 'a TIMESTAMP(7)', text: 'the precision of TIMESTAMP must be 0 to 6 at line 1, column 13' },
  { sql: 'a TIMESTAMP_LTZ(9)', text: 'the precision of TIMESTAMP must be 0 to 6 at line 1, column 17' },
  { sql: 'a TIME(3)', text: 'the precision of TIME must be 0 at line 1, column 8' },
  { sql: 'a DECIMAL(39)', text: 'the precision of DECIMAL must be 1 to 38 at line 1, column 11' },
  { sql: 'a DECIMAL(0)', text: 'the precision of DECIMAL must be 1 to 38 at line 1, column 11' },
  { sql: 'a DECIMAL(4, 5)', text: 'the scale of DECIMAL must be 0 to 4 at line 1, column 14' },
  { sql: 'a DECIMAL(-1)', text: 'the precision of DECIMAL must be 1 to 38 at line 1, column 11' },
  { sql: 'a DECIMAL(1.5)', text: 'the precision of DECIMAL must be 1 to 38 at line 1, column 11' },
  { sql: 'a DECIMAL(x)', text: "unexpected 'x'; the precision of DECIMAL is wanted at line 1, column 11" },
  { sql: 'a DECIMAL(4', text: "')' is missing at the end at line 1, column 11" },
  { sql: 'a VARCHAR(0)', text: 'the length of VARCHAR must be 1 to 2147483647 at line 1, column 11' },
  {
    sql: 'a VARCHAR(2147483648)',
    text: 'the length of VARCHAR must be 1 to 2147483647 at line 1, column 11',
  },
  { sql: 'a MAP<INT, INT>', text: 'keys of a MAP must be STRING at line 1, column 7' },
  { sql: 'a MAP<STRING>', text: "unexpected '>'; ',' is wanted at line 1, column 13" },
  { sql: 'a ARRAY', text: "'<' is missing at the end at line 1, column 7" },
  { sql: 'a ROW<b INT, b INT>', text: "field 'b' is there twice at line 1, column 14" },
  { sql: 'a ROW<>', text: "unexpected '<>'; '<' is wanted at line 1, column 6" },
  { sql: 'a ROW(b INT>', text: "unexpected '>'; ')' is wanted at line 1, column 12" },
  { sql: `a ${nested(33)}`, text: 'the type has more than 32 levels at line 1, column 200' },
  { sql: `a INT${' ARRAY'.repeat(40)}`, text: 'the type has more than 32 levels at line 1, column 199' },
  {
    sql: 'a INT, PRIMARY KEY (a), PRIMARY KEY (a)',
    text: 'a table has at most one PRIMARY KEY at line 1, column 25',
  },
  {
    sql: 'a INT PRIMARY KEY, b INT PRIMARY KEY',
    text: 'a table has at most one PRIMARY KEY at line 1, column 26',
  },
  {
    sql: 'a INT PRIMARY KEY ENFORCED',
    text: 'ENFORCED is not supported; use NOT ENFORCED at line 1, column 19',
  },
  {
    sql: 'a INT, PRIMARY KEY (a) ENFORCED',
    text: 'ENFORCED is not supported; use NOT ENFORCED at line 1, column 24',
  },
  { sql: 'a INT, PRIMARY KEY (a) NOT', text: 'ENFORCED is missing at the end at line 1, column 26' },
  { sql: 'a INT, PRIMARY KEY (b)', text: "unknown column 'b' at line 1, column 21" },
  { sql: 'a INT, PRIMARY KEY (a, a)', text: "column 'a' is in the PRIMARY KEY twice at line 1, column 24" },
  {
    sql: 'a INT, PRIMARY KEY ()',
    text: "unexpected ')'; the name of a column is wanted at line 1, column 21",
  },
  { sql: 'a INT, PRIMARY (a)', text: "unexpected '('; KEY is wanted at line 1, column 16" },
  {
    sql: 'a INT, b AS a, PRIMARY KEY (b)',
    text: "column 'b' of the PRIMARY KEY is not physical; use a column with a type alone at line 1, column 29",
  },
  {
    sql: 'a INT, `offset` BIGINT METADATA, PRIMARY KEY (`offset`)',
    text: "column 'offset' of the PRIMARY KEY is not physical; use a column with a type alone at line 1, column 47",
  },
  {
    sql: 'a INT, CONSTRAINT c UNIQUE (a)',
    text: "unexpected 'UNIQUE'; PRIMARY KEY is wanted at line 1, column 21",
  },
  { sql: 'a INT, UNIQUE (a)', text: 'UNIQUE is not supported; remove it at line 1, column 8' },
  { sql: 'PRIMARY KEY (a)', text: 'there is no column at line 1, column 15' },
  {
    sql: 't BIGINT, WATERMARK FOR t AS t',
    text: "WATERMARK column 't' is of type BIGINT; use TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3 at line 1, column 25",
  },
  {
    sql: 't TIMESTAMP, WATERMARK FOR t AS t',
    text: "WATERMARK column 't' is of type TIMESTAMP(6); use TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3 at line 1, column 28",
  },
  {
    sql: 'a INT, p AS proctime( ), WATERMARK FOR p AS p',
    text: "WATERMARK column 'p' is the time of processing; use an event time at line 1, column 40",
  },
  { sql: 't TIMESTAMP(3), WATERMARK FOR u AS t', text: "unknown column 'u' at line 1, column 31" },
  {
    sql: 't TIMESTAMP(3), WATERMARK FOR t AS',
    text: 'an expression is missing at the end at line 1, column 34',
  },
  {
    sql: 't TIMESTAMP(3), WATERMARK FOR t AS t, WATERMARK FOR t AS t',
    text: 'a table has at most one WATERMARK at line 1, column 39',
  },
  { sql: 't TIMESTAMP(3), WATERMARK t AS t', text: "unexpected 't'; FOR is wanted at line 1, column 27" },
  {
    sql: 'a INT METADATA',
    text: "unknown metadata key 'a'; use one of topic, partition, offset, timestamp, timestamp-type, leader-epoch, headers at line 1, column 1",
  },
  {
    sql: "a INT METADATA FROM 'b'",
    text: "unknown metadata key 'b'; use one of topic, partition, offset, timestamp, timestamp-type, leader-epoch, headers at line 1, column 21",
  },
  {
    sql: 'a INT METADATA FROM b',
    text: "unexpected 'b'; the metadata key in single quotes is wanted at line 1, column 21",
  },
  {
    sql: "a INT METADATA FROM 'offset'",
    text: "metadata 'offset' is of type BIGINT, not INT at line 1, column 3",
  },
  {
    sql: "a INT METADATA FROM 'topic'",
    text: "metadata 'topic' is of type STRING, not INT at line 1, column 3",
  },
  {
    sql: 'a INT COMMENT b',
    text: "unexpected 'b'; the comment in single quotes is wanted at line 1, column 15",
  },
  { sql: 'a INT, b AS', text: 'an expression is missing at the end at line 1, column 11' },
  { sql: 'a INT, b AS , c INT', text: "unexpected ','; an expression is wanted at line 1, column 13" },
  { sql: 'a INT, b AS (a', text: "'(' is not closed at line 1, column 13" },
  { sql: 'a INT, b AS a)', text: "')' closes nothing at line 1, column 14" },
  { sql: 'a INT, b AS (a]', text: "']' closes nothing at line 1, column 15" },
  { sql: 'a INT, b AS a; DROP TABLE x', text: "unexpected ';' in an expression at line 1, column 14" },
  { sql: "a INT, b AS 'x", text: "the text does not end; close it with ' at line 1, column 13" },
  { sql: '`a\u0007` INT', text: 'a name has a control character; remove it at line 1, column 1' },
  {
    sql: `\`${'a'.repeat(257)}\` INT`,
    text: 'a name has 257 characters; use at most 256 at line 1, column 1',
  },
  { sql: ' '.repeat(131_073), text: 'the text has 131073 characters; use at most 131072' },
  {
    sql: Array.from({ length: 1001 }, (_, n) => `c${n} INT`).join(','),
    text: 'the table has more than 1000 columns at line 1, column 8891',
  },
]

describe('refused schemas', () => {
  test.each(refused)('$text', ({ sql, text }) => {
    expect(() => parseTableSchema(sql)).toThrow(
      expect.objectContaining({ name: 'SqlProblem', message: text }),
    )
  })

  test('a place ends with the last character of what is wrong', () => {
    try {
      parseTableSchema('`node` INTT')
      expect.unreachable()
    } catch (error) {
      expect((error as SqlProblem).place).toEqual({ line: 1, column: 8, endLine: 1, endColumn: 11 })
    }
  })
})

test('Flink DDL for a cluster says NOT ENFORCED', () => {
  const schema = parseTableSchema(
    "node INT PRIMARY KEY COMMENT 'it''s', t TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL, b AS node + 1, WATERMARK FOR t AS t",
  )
  expect(printFlinkTable(['a`b'], schema, { connector: 'kafka', 'x.y': "it's" })).toBe(
    `CREATE TABLE \`a\`\`b\` (
  \`node\` INT NOT NULL COMMENT 'it''s',
  \`t\` TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL,
  \`b\` AS node + 1,
  WATERMARK FOR \`t\` AS t,
  PRIMARY KEY (\`node\`) NOT ENFORCED
) WITH (
  'connector' = 'kafka',
  'x.y' = 'it''s'
)`,
  )
})

describe('any text', () => {
  const word = fc.constantFrom(
    ...[
      'a',
      '`b``c`',
      'INT',
      'STRING',
      'ROW',
      'MAP',
      'ARRAY',
      '<',
      '>',
      '(',
      ')',
      ',',
      ',',
      'NOT',
      'NULL',
      'AS',
    ],
    ...[
      'METADATA',
      'FROM',
      "'offset'",
      'VIRTUAL',
      'COMMENT',
      'WATERMARK',
      'FOR',
      'PRIMARY KEY',
      'ENFORCED',
      '3',
    ],
    ...[
      'TIMESTAMP(3)',
      'CONSTRAINT',
      '-- x\n',
      '/* */',
      '"',
      ';',
      'timestamp',
      'DECIMAL',
      "U&'",
      '`',
      '\u0000',
    ],
  )
  const anySchema = fc
    .array(fc.oneof(word, fc.string({ maxLength: 5 })), { maxLength: 25 })
    .map((all) => all.join(' '))

  test('is a schema or a SqlProblem; a schema is equal when printed and parsed again', () => {
    fc.assert(
      fc.property(anySchema, (sql) => {
        let schema: TableSchema
        try {
          schema = parseTableSchema(sql)
        } catch (error) {
          expect(error).toBeInstanceOf(SqlProblem)
          return
        }
        expect(content(parseTableSchema(printSchema(schema)))).toEqual(content(schema))
      }),
      { numRuns: 2_000 },
    )
  })

  const name = fc
    .oneof(fc.constantFrom('a', 'timestamp', 'x y', '`', "it's"), fc.string({ minLength: 1, maxLength: 8 }))
    .filter((text) => !/\p{Cc}/u.test(text))
  const quoted = name.map((text) => `\`${text.replaceAll('`', '``')}\``)
  const { type } = fc.letrec<{ type: string }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(
        'INT',
        'STRING',
        'DECIMAL(5, 2)',
        'TIMESTAMP_LTZ(3)',
        'VARBINARY(3)',
        'TIME',
        'DOUBLE PRECISION',
      ),
      tie('type').map((inner) => `ARRAY<${inner}>`),
      tie('type').map((inner) => (`${inner} NOT NULL`.startsWith('INTERVAL') ? inner : `${inner} ARRAY`)),
      tie('type').map((inner) => `MAP<STRING, ${inner} NOT NULL>`),
      fc.tuple(quoted, tie('type')).map(([field, inner]) => `ROW<${field} ${inner}>`),
    ),
  }))
  const column = fc.record({
    type,
    tail: fc.constantFrom('', ' NOT NULL', ' NULL', " COMMENT 'it''s'", " NOT NULL COMMENT ''"),
  })
  const whole = fc
    .uniqueArray(fc.tuple(quoted, column), { minLength: 1, maxLength: 8, selector: ([one]) => one })
    .map((all) => ({
      names: all.map(([one]) => one),
      sql: all.map(([one, { type: text, tail }]) => `${one} ${text}${tail}`),
    }))

  test('valid schemas are accepted and are equal when printed and parsed again', () => {
    fc.assert(
      fc.property(whole, fc.boolean(), ({ names, sql }, withKey) => {
        const text = [
          ...sql,
          ...(withKey ? [`PRIMARY KEY (${names[0]})`] : []),
          '`computed !` AS f(1, [2])',
        ].join(',\n')
        const schema = parseTableSchema(text)
        expect(schema.columns).toHaveLength(names.length + 1)
        expect(content(parseTableSchema(printSchema(schema)))).toEqual(content(schema))
      }),
      { numRuns: 300 },
    )
  })

  const part = (unit: string) => unit.repeat(Math.floor(131_072 / unit.length))
  test.each([
    ['opening angles', `a ${part('ARRAY<').slice(2)}`],
    ['opening parentheses', `a AS ${part('(').slice(5)}`],
    ['postfix arrays', `a INT${part(' ARRAY').slice(5)}`],
    ['line ends', part('\n')],
    ['small columns', part('a INT,')],
    [
      '1,000 computed columns among line ends',
      `${Array.from({ length: 999 }, (_, n) => `c${n} AS 1`).join(`,${'\n'.repeat(110)}`)}, d INT`,
    ],
    ['a row of 10,000 fields', `r ROW<${Array.from({ length: 10_000 }, (_, n) => `f${n} INT`).join(',')}>`],
    ['one long expression', `a AS ${part('1+').slice(6)}1`],
  ])('%s are parsed or refused quickly', (_, sql) => {
    const start = performance.now()
    try {
      parseTableSchema(sql)
    } catch (error) {
      expect(error).toBeInstanceOf(SqlProblem)
    }
    expect(performance.now() - start).toBeLessThan(2_000)
  })
})
