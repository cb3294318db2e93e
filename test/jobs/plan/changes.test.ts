/** Statements whose results change: from their text to the rows of the outbox, and those that are refused. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { InsertPlan } from '../../../src/jobs/plan/job-plan.ts'
import { type InRow, type OutRow, WayBench } from '../../support/way-bench.ts'
import { TestPlanner } from './plan-support.ts'

let planner: TestPlanner
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'changes-'))
  planner = await TestPlanner.open({
    CPU: ['host STRING, `Usage` DOUBLE, n INT, d DECIMAL(10, 2)'],
    OTHER: ['host STRING, n INT'],
    TOTALS: ['host STRING, x BIGINT, PRIMARY KEY (host)', 'upsert-topic'],
    PAIRS: ['host STRING, n INT, x BIGINT, PRIMARY KEY (n, host)', 'upsert-topic'],
    AVERAGES: ['host STRING, a INT, b DECIMAL(38, 6), c DOUBLE, PRIMARY KEY (host)', 'upsert-topic'],
    TEXTS: ['a STRING, b STRING', 'topic', 'debezium-json'],
    PLAIN: ['host STRING, x BIGINT'],
    DB_TOTALS: ['host STRING, x BIGINT, PRIMARY KEY (host)', 'jdbc'],
    DB_PLAIN: ['host STRING, x BIGINT', 'jdbc'],
    ORDERS: ['id INT, region STRING, amount DECIMAL(10, 2), PRIMARY KEY (id)', 'upsert-topic'],
    REGIONS: ['region STRING, tax DECIMAL(4, 2), PRIMARY KEY (region)', 'topic', 'debezium-json'],
    NO_KEY: ['region STRING', 'topic', 'debezium-json'],
    BY_REGION: ['region STRING, x BIGINT, PRIMARY KEY (region)', 'upsert-topic'],
    BY_ID: ['id INT, x DECIMAL(10, 2), PRIMARY KEY (id)', 'upsert-topic'],
  })
})

afterAll(() => {
  planner.close()
  rmSync(folder, { recursive: true })
})

let number = 0

/** The outbox of each tick. Rows are tuples of the decoded columns of the table, by its name. */
async function outcomes(statement: string, ...ticks: readonly InRow[][]): Promise<OutRow[][]> {
  const { sources, inserts } = await planner.plan(statement)
  const bench = await WayBench.open({ path: join(folder, `state-${number++}`), sources, insert: inserts[0]! })
  try {
    const all: OutRow[][] = []
    for (const tick of ticks) {
      const rows = tick.map((row) => ({
        ...row,
        source: sources.find(({ tableName }) => tableName === row.source)!.relation,
      }))
      all.push(await bench.tick(rows))
    }
    return all
  } finally {
    bench.close()
  }
}

const row = (source: string, ...values: string[]): InRow => ({ source, values })
const gone = (source: string, ...values: string[]): InRow => ({ source, op: 'd', values })

describe('running aggregates', () => {
  const two = ["'a'", "'b'", "'a'"].map((host, index) => row('CPU', host, String(index + 1)))
  const CASES: readonly { name: string; sql: string; ticks: readonly InRow[][]; out: OutRow[][] }[] = [
    {
      name: 'SUM of INT',
      sql: 'INSERT INTO TOTALS SELECT host, SUM(n) FROM CPU GROUP BY host',
      ticks: [two, [row('CPU', "'b'", '40')]],
      out: [
        [
          ['c', 'a', '4'],
          ['c', 'b', '2'],
        ],
        [
          ['b', 'b', '2'],
          ['u', 'b', '42'],
        ],
      ],
    },
    {
      name: 'WITH, sub-query, DISTINCT, FILTER, a condition on the groups and case-sensitive names',
      sql: `INSERT INTO TOTALS WITH \`X\` AS (SELECT UPPER(host) AS \`H\`, n + 1 AS m FROM CPU WHERE n < 100)
        SELECT h, c * 10 FROM (SELECT \`H\` AS h, COUNT(DISTINCT m) FILTER (WHERE m > 2) AS c FROM \`X\` GROUP BY \`H\`) WHERE c >= 1`,
      ticks: [two, [row('CPU', "'A'", '3'), row('CPU', "'a'", '7'), row('CPU', "'b'", '100')]],
      out: [
        [
          ['c', 'A', '10'],
          ['c', 'B', '10'],
        ],
        [
          ['b', 'A', '10'],
          ['u', 'A', '20'],
        ],
      ],
    },
    {
      name: 'HAVING',
      sql: 'INSERT INTO TOTALS SELECT host, MAX(n) FROM CPU GROUP BY host HAVING COUNT(*) = 2 AND MIN(n) > 0',
      ticks: [two, [row('CPU', "'a'", '5')]],
      out: [[['c', 'a', '3']], [['d', 'a', '3']]],
    },
    {
      name: 'AVG by the rules of Flink',
      sql: 'INSERT INTO AVERAGES SELECT host, AVG(n), AVG(d), AVG(`Usage`) FROM CPU GROUP BY host',
      ticks: [
        [row('CPU', "'a'", '0.5', '-1', '1.00')],
        [row('CPU', "'a'", '0.25', '-2', '2.01'), row('CPU', "'a'", 'NULL', 'NULL', 'NULL')],
      ],
      out: [
        [['c', 'a', '-1', '1.000000', '0.5']],
        [
          ['b', 'a', '-1', '1.000000', '0.5'],
          ['u', 'a', '-1', '1.505000', '0.375'],
        ],
      ],
    },
    {
      name: 'no GROUP BY, into debezium-json',
      sql: 'INSERT INTO TEXTS SELECT CAST(COUNT(*) AS STRING), MIN(host) FROM CPU',
      ticks: [[], [row('CPU', "'b'")], [row('CPU', "'a'")]],
      out: [
        [],
        [['c', '1', 'b']],
        [
          ['b', '1', 'b'],
          ['u', '2', 'a'],
        ],
      ],
    },
    {
      name: 'UNION ALL of streams',
      sql: 'INSERT INTO TOTALS SELECT host, COUNT(*) FROM (SELECT host FROM CPU UNION ALL SELECT host FROM OTHER) GROUP BY host',
      ticks: [[row('CPU', "'b'"), row('OTHER', "'a'"), row('OTHER', "'b'")]],
      out: [
        [
          ['c', 'b', '2'],
          ['c', 'a', '1'],
        ],
      ],
    },
    {
      name: 'a key of two columns, written in another order',
      sql: 'INSERT INTO PAIRS (x, n, host) SELECT COUNT(*), n, host FROM CPU GROUP BY host, n',
      ticks: [[row('CPU', "'b'", '1')]],
      out: [[['c', 'b', '1', '1']]],
    },
    {
      name: 'an expression as the key',
      sql: 'INSERT INTO PAIRS SELECT host, MOD(n, 2), COUNT(*) FROM CPU GROUP BY host, MOD(n, 2)',
      ticks: [[row('CPU', "'b'", '3'), row('CPU', "'b'", '5')]],
      out: [[['c', 'b', '1', '2']]],
    },
    {
      name: 'GROUP BY without an aggregate',
      sql: 'INSERT INTO TOTALS SELECT host, 1 FROM CPU GROUP BY host',
      ticks: [two, two],
      out: [
        [
          ['c', 'a', '1'],
          ['c', 'b', '1'],
        ],
        [],
      ],
    },
  ]
  test.each(CASES)('$name', async ({ sql, ticks, out }) => {
    // Columns that the statement does not use are not decoded: the rows of the table give those that are.
    const { sources } = await planner.plan(sql)
    const used = (tick: readonly InRow[]) =>
      tick.map(({ source, values }) => {
        const names = source === 'CPU' ? ['host', 'Usage', 'n', 'd'] : ['host', 'n']
        const given = source === 'CPU' && values.length === 2 ? ['host', 'n'] : names
        const { decoded } = sources.find(({ tableName }) => tableName === source)!
        return { source, values: decoded.map(({ name }) => values[given.indexOf(name)] ?? 'NULL') }
      })
    expect(await outcomes(sql, ...ticks.map(used))).toEqual(out)
  })
})

describe('queries over changing tables', () => {
  const CASES: readonly { name: string; sql: string; ticks: readonly InRow[][]; out: OutRow[][] }[] = [
    {
      name: 'aggregate',
      sql: 'INSERT INTO BY_REGION SELECT region, COUNT(*) FROM ORDERS GROUP BY region',
      ticks: [
        [row('ORDERS', '1', "'n'"), row('ORDERS', '2', "'n'"), row('ORDERS', '3', "'s'")],
        [row('ORDERS', '2', "'s'"), gone('ORDERS', '1', 'NULL')],
      ],
      out: [
        [
          ['c', 'n', '2'],
          ['c', 's', '1'],
        ],
        [
          ['d', 'n', '2'],
          ['b', 's', '1'],
          ['u', 's', '2'],
        ],
      ],
    },
    {
      name: 'join of an upsert table and a debezium-json table',
      sql: 'INSERT INTO BY_ID SELECT o.id, o.amount * r.tax FROM ORDERS AS o JOIN REGIONS AS r ON o.region = r.region',
      ticks: [
        [row('ORDERS', '1', "'n'", '10')],
        [row('REGIONS', "'n'", '0.5')],
        [row('REGIONS', "'n'", '0.25')],
        [gone('REGIONS', "'n'", 'NULL')],
      ],
      out: [
        [],
        [['c', '1', '5.00']],
        [
          ['b', '1', '5.00'],
          ['u', '1', '2.50'],
        ],
        [['d', '1', '2.50']],
      ],
    },
    {
      name: 'Top-N',
      sql: `INSERT INTO BY_REGION SELECT region, id FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY region ORDER BY amount DESC) AS place FROM ORDERS) WHERE place = 1`,
      ticks: [
        [row('ORDERS', '1', "'n'", '10'), row('ORDERS', '2', "'n'", '20')],
        [gone('ORDERS', '2', 'NULL', 'NULL')],
      ],
      out: [
        [['c', 'n', '2']],
        [
          ['b', 'n', '2'],
          ['u', 'n', '1'],
        ],
      ],
    },
  ]
  test.each(CASES)('$name', async ({ sql, ticks, out }) => {
    expect(await outcomes(sql, ...ticks)).toEqual(out)
  })

  const SCOPES = [
    {
      name: 'rows by their key',
      sql: 'BY_ID SELECT id, amount FROM ORDERS WHERE amount > 5',
      scope: ['"id"'],
      unique: true,
    },
    {
      name: 'groups',
      sql: 'BY_REGION SELECT region, COUNT(*) FROM ORDERS GROUP BY region HAVING COUNT(*) > 1',
      scope: ['"region"'],
      unique: true,
    },
    {
      name: 'groups of a query of WITH',
      sql: 'BY_REGION WITH x AS (SELECT region AS r, id FROM ORDERS WHERE amount > 1) SELECT r, COUNT(*) FROM x GROUP BY r',
      scope: ['"region"'],
      unique: true,
    },
    {
      name: 'distinct rows',
      sql: 'BY_REGION SELECT DISTINCT region, CAST(1 AS BIGINT) FROM ORDERS',
      scope: ['"region"'],
      unique: false,
    },
    {
      name: 'an expression as the group',
      sql: 'BY_REGION SELECT UPPER(region), COUNT(*) FROM ORDERS GROUP BY UPPER(region)',
      scope: undefined,
      unique: false,
    },
    {
      name: 'two groups',
      sql: 'BY_REGION SELECT region, COUNT(*) FROM ORDERS GROUP BY region, id',
      scope: ['"region"'],
      unique: false,
    },
    {
      name: 'LIMIT',
      sql: 'BY_ID SELECT id, amount FROM ORDERS ORDER BY amount LIMIT 3',
      scope: undefined,
      unique: true,
    },
    {
      name: 'a join',
      sql: 'BY_ID SELECT o.id, r.tax FROM ORDERS o JOIN REGIONS r ON o.region = r.region',
      scope: undefined,
      unique: false,
    },
    {
      name: 'a self-join',
      sql: 'BY_ID SELECT o.id, p.amount FROM ORDERS o JOIN ORDERS p ON o.id = p.id',
      scope: undefined,
      unique: false,
    },
    {
      name: 'a sub-query in an expression',
      sql: 'BY_ID SELECT id, amount FROM ORDERS WHERE amount > (SELECT AVG(amount) FROM ORDERS)',
      scope: undefined,
      unique: false,
    },
    {
      name: 'a union',
      sql: 'BY_ID SELECT id, amount FROM ORDERS UNION ALL SELECT id, amount FROM ORDERS',
      scope: undefined,
      unique: false,
    },
  ]
  test.each(SCOPES)('the scope of $name', async ({ sql, scope, unique }) => {
    const [insert] = (await planner.plan(`INSERT INTO ${sql}`)).inserts as [InsertPlan & { way: 'refresh' }]
    expect([insert.refresh.scope?.keys, insert.refresh.keyIsUnique]).toEqual([scope, unique])
  })
})

describe('refusals', () => {
  const FLINK = '; run this job on a Flink cluster'
  const CASES = [
    {
      sql: 'INSERT INTO TOTALS SELECT host, STDDEV_POP(n) FROM CPU GROUP BY host',
      text: `aggregate STDDEV_POP without a window is not supported at line 1, column 33${FLINK}`,
    },
    {
      sql: 'INSERT INTO TOTALS SELECT host, COUNT(*) FROM CPU\nGROUP BY host, n',
      text: `the PRIMARY KEY of table TOTALS (host) must consist of the columns of GROUP BY at line 2, column 10${FLINK}`,
    },
    {
      sql: 'INSERT INTO TOTALS SELECT UPPER(host), COUNT(*) FROM CPU GROUP BY host',
      text: `the PRIMARY KEY of table TOTALS (host) must consist of the columns of GROUP BY at line 1, column 67${FLINK}`,
    },
    {
      sql: 'INSERT INTO PLAIN SELECT host, COUNT(*) FROM CPU GROUP BY host',
      text: "Table sink 'PLAIN' doesn't support consuming update and delete changes at line 1, column 13",
    },
    {
      sql: 'INSERT INTO DB_PLAIN SELECT host, COUNT(*) FROM CPU GROUP BY host',
      text: "Table sink 'DB_PLAIN' doesn't support consuming update and delete changes at line 1, column 13",
    },
    {
      sql: 'INSERT INTO PLAIN SELECT region, COUNT(*) FROM ORDERS GROUP BY region',
      text: "Table sink 'PLAIN' doesn't support consuming update and delete changes at line 1, column 13",
    },
    {
      sql: 'INSERT INTO TOTALS SELECT host, n FROM CPU GROUP BY host',
      text: "Expression 'n' is not being grouped at line 1, column 33",
    },
    {
      sql: 'INSERT INTO TOTALS SELECT MAX(h), COUNT(*) FROM (SELECT host AS h, COUNT(*) AS c FROM CPU GROUP BY host)',
      text: `an aggregate over the groups of a stream is not supported at line 1, column 27${FLINK}`,
    },
    {
      sql: 'INSERT INTO TOTALS SELECT DISTINCT host, n FROM CPU',
      text: `DISTINCT over a stream is not supported at line 1, column 36${FLINK}`,
    },
    {
      sql: 'INSERT INTO TEXTS SELECT region, region FROM NO_KEY',
      text: 'table NO_KEY needs a PRIMARY KEY, by which its changes are applied at line 1, column 46',
    },
    {
      sql: 'INSERT INTO BY_ID SELECT id, amount FROM ORDERS WHERE CURRENT_TIMESTAMP > NOW() ORDER BY amount LIMIT 1',
      text: `NOW is supported only where each row of one changing table gives its own row of the result at line 1, column 75${FLINK}`,
    },
  ]
  test.each(CASES)('$sql', async ({ sql, text }) => {
    const refusal = await planner.plan(sql).then(
      () => 'accepted',
      (error: Error) => error.message,
    )
    expect(refusal).toBe(text)
  })

  test('a sink in PostgreSQL with a PRIMARY KEY takes a running aggregate', async () => {
    const { inserts } = await planner.plan(
      'INSERT INTO DB_TOTALS SELECT host, COUNT(*) FROM CPU GROUP BY host',
    )
    expect(inserts[0]?.way).toBe('running')
  })
})
