/**
 * Random SELECT statements over two tables, written in many of the ways in which SQL names columns. Most can be bound; the
 * others are there for the refusals.
 */
import type { SeededRandom } from './seeded-random.ts'

export const TABLES = {
  stream_p: ['ts', 'headers', 'id', 'name', 'city', 'amount', 'n', 'flag', 'tags', 'r', 'm', 'Two Words'],
  stream_q: ['ts', 'headers', 'id', 'name', 'score', 'a', 'stream_p'],
} as const
type Table = keyof typeof TABLES

/** Columns of whole numbers and of texts. */
const NUMBERS: Readonly<Record<Table, readonly string[]>> = {
  stream_p: ['ts', 'id', 'n', '"Two Words"', 'r.x', "m['k']", 'len(tags)', 'MAIN.stream_p.id', 'stream_p.n'],
  stream_q: ['ts', 'id', 'score', 'SCORE', 'stream_q.score', 'headers.nope'],
}
const TEXTS: Readonly<Record<Table, readonly string[]>> = {
  stream_p: ['name', 'city', '"City"', 'r.y', "headers['content.type']", 'tags[1]', 'stream_p."name"'],
  stream_q: ['name', 'a', 'stream_q.name', 'stream_p'],
}

export interface RandomStatement {
  readonly sql: string
  /** Its rows have an order of which nothing is open. */
  readonly isOrdered: boolean
}

export function randomStatement(random: SeededRandom): RandomStatement {
  return new Writer(random).statement()
}

class Writer {
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
  }

  statement(): RandomStatement {
    const { pick, whole } = this.#random
    const isOrdered = this.#chance(0.2)
    const order = isOrdered ? ` ORDER BY ALL${this.#chance(0.5) ? ` LIMIT ${whole(0, 5)}` : ''}` : ''
    const kinds: (() => string)[] = [
      () => this.#select(order),
      () => this.#select(order),
      () => this.#select(order),
      () => this.#select(order),
      () => this.#with(order),
      () => this.#with(order),
      () =>
        `${this.#select('')} ${pick(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} ${this.#select('')}${order}`,
      () => `${this.#select('')} UNION ALL BY NAME ${this.#select('')}${order}`,
      () => `SELECT ${pick(['*', '#1', 'count(*)', 'x.*'])} FROM (${this.#select('')}) x${order}`,
      () =>
        `SELECT * FROM (PIVOT stream_p ON city IN ('Lyon', 'Bern') USING sum(${this.#number('stream_p')}))${order}`,
      () =>
        `SELECT ${pick(['*', 'v', 'k, id'])} FROM (UNPIVOT stream_p ON name, city INTO NAME k VALUE v)${order}`,
    ]
    return { sql: pick(kinds)(), isOrdered }
  }

  #select(order: string): string {
    const { pick } = this.#random
    const table = this.#table()
    const from = this.#from(table)
    const where = this.#chance(0.3) ? ` WHERE ${this.#condition(table)}` : ''
    if (this.#chance(0.15)) {
      const keys = pick([this.#text(table), this.#number(table)])
      const having = this.#chance(0.3) ? ` HAVING max(${this.#number(table)}) > 1` : ''
      const list = [keys, this.#aggregate(table), this.#aggregate(table)].join(', ')
      return `SELECT ${list} FROM ${from}${where} GROUP BY ${pick(['ALL', '1', keys])}${having}${order}`
    }
    if (this.#chance(0.15))
      return `SELECT ${this.#aggregate(table)}, ${this.#aggregate(table)} FROM ${from}${where}${order}`
    if (this.#chance(0.1)) return `FROM ${from}${where}${order}`
    if (this.#chance(0.1)) return `FROM ${from} SELECT ${this.#list(table)}${where}${order}`
    const distinct = this.#chance(0.1) ? 'DISTINCT ' : ''
    const isQualified = distinct === '' && this.#chance(0.1)
    const qualify = isQualified
      ? ` QUALIFY row_number() OVER (PARTITION BY ${this.#text(table)} ORDER BY ${this.#number(table)}, id, n, score) = 1`
      : ''
    return `SELECT ${distinct}${this.#list(table)} FROM ${from}${where}${qualify}${order}`
  }

  #with(order: string): string {
    const { pick } = this.#random
    const names = pick(['w', 'w', 'w(c1, c2)', 'stream_p', 'stream_q'])
    const name = names.replace(/\(.*/, '')
    const columns = names.includes('(')
      ? 'c2, w.*'
      : pick(['*', `${name}.*`, '#1', 'count(*)', name, 'id', 'COLUMNS(*)'])
    const materialized = pick(['', ' MATERIALIZED', ' NOT MATERIALIZED'])
    const join = pick(['', '', ', stream_q q2', ` JOIN ${name} b USING (id)`])
    return `WITH ${names} AS${materialized} (${this.#select('')}) SELECT ${columns} FROM ${name}${join}${order}`
  }

  #table(): Table {
    return this.#chance(0.7) ? 'stream_p' : 'stream_q'
  }

  #from(table: Table): string {
    const { pick } = this.#random
    const other: Table = table === 'stream_p' ? 'stream_q' : 'stream_p'
    return pick([
      table,
      table,
      table,
      table.toUpperCase(),
      `${table} AS a`,
      `${table} t(c1, c2, c3)`,
      `${table} AS a(ts, "b", id, city)`,
      `(SELECT * FROM ${table}) s`,
      `(FROM ${table}) AS a`,
      `(SELECT *, id + 1 AS plus FROM ${table}) s`,
      `${table} a JOIN ${other} b USING (id)`,
      `${table} a JOIN ${other} b ON a.id = b.id`,
      `${table} LEFT JOIN ${other} USING (id, name)`,
      `${table} NATURAL JOIN ${other}`,
      `${table}, ${other}`,
      `${table} POSITIONAL JOIN ${other}`,
      `${table} a SEMI JOIN ${other} b ON a.id = b.id`,
      `${table} a ANTI JOIN ${other} USING (name)`,
      `${table} a ASOF JOIN ${other} b ON a.name = b.name AND a.id >= b.id`,
      `${table} a FULL JOIN ${table} b ON a.id = b.id`,
      `${table} a, LATERAL (SELECT a.id + 1 AS next, a.name) l`,
      `stream_p, unnest(tags) u(tag)`,
      `${table} CROSS JOIN (VALUES (1, 'x'), (2, 'y')) v(one, two)`,
    ])
  }

  #list(table: Table): string {
    const items = Array.from({ length: this.#random.whole(1, 3) }, () => this.#item(table))
    return items.join(', ')
  }

  #item(table: Table): string {
    const { pick, whole } = this.#random
    const columns: readonly string[] = TABLES[table]
    const plain = () => quoted(pick(columns))
    return pick<() => string>([
      plain,
      plain,
      () => pick(['a.', `${table}.`, `main.${table}.`, `temp.main.${table}.`, 's.']) + plain(),
      () => `#${whole(1, columns.length + 1)}`,
      () => `#${whole(1, 5)} AS nth`,
      () => '*',
      () => pick(['a.*', `${table}.*`, 'b.*', 's.*', 'r.*', `main.${table}.*`]),
      () => `* EXCLUDE (${plain()}, ${plain()})`,
      () => `* EXCLUDE ${plain()}`,
      () => `* REPLACE (${this.#number(table)} + 1 AS ${plain()})`,
      () => `* RENAME (${plain()} AS renamed)`,
      () => `* LIKE '%${pick(['a', 'n', 'i', 's'])}%'`,
      () => `COLUMNS('${pick(['n.*', '.*', 'c|i', '^t', '(i)d', 'Two'])}')`,
      () => `COLUMNS(* EXCLUDE (${plain()}))`,
      () => `COLUMNS(lambda c: c LIKE '%${pick(['a', 't', 'd'])}%')`,
      () => `COLUMNS(['id', '${pick(columns)}'])`,
      () => pick([table, 'a', `main.${table}`, `temp.main.${table}`, 's', 't', 'r']),
      () => `to_json(${pick([table, 'a', 'r', 'm'])})`,
      () => `${pick([table, 'a', 's'])}::VARCHAR AS text`,
      () => `struct_pack(x := ${plain()}, y := ${plain()})`,
      () => `unnest(${pick(['r', 'tags'])})`,
      () => `list_transform(tags, lambda x: x || ${this.#text(table)})`,
      () => `CASE WHEN ${this.#condition(table)} THEN ${this.#text(table)} END`,
      () => `${this.#number(table)} + ${this.#number(table)} AS plus`,
      () => `${this.#text(table)} || ${this.#text(table)}`,
      () => `sum(${this.#number(table)}) OVER (PARTITION BY ${this.#text(table)})`,
      () => `(SELECT max(z.${pick(['id', 'ts'])}) FROM stream_q z WHERE z.id = ${table}.id)`,
      () => `(SELECT count(*) FROM stream_p z WHERE z.name = ${pick(['a', table])}.name)`,
      () => `EXISTS (SELECT ${plain()} FROM stream_q z WHERE z.id > ${table}.id)`,
      () => `${pick(['x', 'id', 'name'])}: ${this.#number(table)}`,
      () => `coalesce(NULL, ${plain()})`,
    ])()
  }

  #aggregate(table: Table): string {
    const { pick } = this.#random
    return pick<() => string>([
      () => 'count(*)',
      () => `count(${this.#text(table)})`,
      () => `sum(${this.#number(table)})`,
      () => `min(${this.#text(table)})`,
      () => `max(${this.#number(table)}) FILTER (WHERE ${this.#condition(table)})`,
      () => `arg_min(${this.#text(table)}, id)`,
      () => `string_agg(${this.#text(table)}, ',' ORDER BY ALL)`,
      () => `count(DISTINCT ${pick([table, ...TABLES[table].map(quoted)])})`,
      () => 'max(COLUMNS(* EXCLUDE (headers, m)))',
      () => 'sum(#1)',
    ])()
  }

  #condition(table: Table): string {
    const { pick, whole } = this.#random
    return pick<() => string>([
      () => `${this.#number(table)} > ${whole(0, 4)}`,
      () => `${this.#text(table)} IS NOT NULL`,
      () => `${this.#text(table)} < ${this.#text(table)}`,
      () => `ts >= ${pick([1000, 1001, 2000, 9000])}`,
      () => `${table}.ts = 2000 AND ${this.#number(table)} < 3`,
      () => `id IN (SELECT id FROM stream_q WHERE ${pick(['score > 10', 'ts < 2000', `name <> ''`])})`,
      () => 'false',
      () => `NOT ${this.#number(table)} = 1 OR ${this.#text(table)} LIKE 'L%'`,
      () => `${pick([table, 'a'])} IS NOT NULL`,
      () => `COLUMNS('id|ts') > ${whole(0, 3)}`,
    ])()
  }

  #number(table: Table): string {
    return this.#random.pick(NUMBERS[table])
  }

  #text(table: Table): string {
    return this.#random.pick(TEXTS[table])
  }

  #chance(share: number): boolean {
    return this.#random.next() < share
  }
}

function quoted(name: string): string {
  return /^\w+$/.test(name) ? name : `"${name}"`
}
