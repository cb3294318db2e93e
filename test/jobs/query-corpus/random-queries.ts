/** Random tables and random queries over them, of the functions that cached queries may call. A seed repeats them. */
import type { SeededRandom } from '../../support/seeded-random.ts'
import type { CorpusTable } from './sample-tables.ts'

type Kind = 'int' | 'numeric' | 'double' | 'text' | 'boolean' | 'date' | 'timestamp'

const COLUMNS = [
  ['id', 'integer'],
  ['g', 'text'],
  ['i2', 'smallint'],
  ['i4', 'integer'],
  ['i8', 'bigint'],
  ['n', 'numeric(10,2)'],
  ['m', 'numeric(20,6)'],
  ['x', 'numeric'],
  ['w', 'numeric(65,30)'],
  ['r', 'real'],
  ['d', 'double precision'],
  ['s', 'text'],
  ['v', 'character varying(10)'],
  ['c', 'character(4)'],
  ['b', 'boolean'],
  ['da', 'date'],
  ['ts', 'timestamp without time zone'],
  ['tz', 'timestamp with time zone'],
] as const

const BY_KIND: Readonly<Record<Kind, readonly string[]>> = {
  int: ['id', 'i2', 'i4', 'i8'],
  numeric: ['n', 'm', 'x', 'w'],
  double: ['d', 'd', 'r'],
  text: ['g', 's', 'v', 'c'],
  boolean: ['b'],
  date: ['da'],
  timestamp: ['ts', 'tz'],
}

const TEXTS = ['', 'a', 'A', 'b%', '_x', 'Ünü', 'zz zz', ' p ', '10', '-1.50', 'éa', "q'q", 'a\\b']
const DATES = [
  '2026-11-21',
  '2000-02-29',
  '1999-12-31',
  '1970-01-01',
  '2024-01-31',
  '1900-03-01',
  '0100-05-05',
]
const CLOCKS = ['00:00:00', '23:59:59.999999', '12:30:00.5', '02:52:56.817123', '06:07:08.00001']

export function randomTable(random: SeededRandom, rows: number): CorpusTable {
  const { whole, pick } = random
  const digits = (count: number) => Array.from({ length: whole(1, count) }, () => whole(0, 9)).join('')
  const sign = () => pick(['', '', '-'])
  const number = (before: number, after: number) => {
    const fraction = digits(after).padEnd(after, '0')
    const value = `${sign()}${BigInt(digits(before))}.${fraction}`
    return /^-[0.]+$/.test(value) ? value.slice(1) : value
  }
  const moment = () => `${pick(DATES)} ${pick(CLOCKS).replace(/0+$/, (zeros) => zeros)}`
  const value: Readonly<Record<string, () => string>> = {
    g: () => pick(['p', 'q', 'r', '']),
    i2: () => pick([String(whole(-20, 20)), String(whole(-32768, 32767)), '0', '1']),
    i4: () => pick([String(whole(-50, 50)), String(whole(-2147483648, 2147483647)), '0']),
    i8: () => pick([String(whole(-9, 9)), `${sign()}${whole(1, 9)}${digits(14)}`, '0']),
    n: () => pick([number(3, 2), number(8, 2), '0.00', '1.00']),
    m: () => pick([number(4, 6), number(14, 6), '0.000000']),
    x: () =>
      pick([
        number(5, whole(1, 8)).replace(/0+$/, '').replace(/\.$/, ''),
        number(25, 3).replace(/\.?0+$/, ''),
        '0',
        '7',
      ]),
    w: () => pick([number(6, 30), number(30, 30)]),
    r: () => pick(['0', '1.5', '-0.25', '100', '0.1', '12345.678', '1e-05']),
    d: () => pick([String(whole(-100, 100) / 8), String(random.next() * 1000), '0', '1e+15', '0.1', '1e-07']),
    s: () => pick(TEXTS),
    v: () => pick(TEXTS).slice(0, 10),
    c: () => pick(['a', 'ab', 'éa', '', 'zzzz']).padEnd(4),
    b: () => pick(['t', 'f']),
    da: () => pick(DATES),
    ts: moment,
    tz: () => `${moment()}+00`,
  }
  const makeRow = (id: number) =>
    COLUMNS.map(([name]) => (name === 'id' ? String(id) : whole(0, 7) === 0 ? null : value[name]!()))
  return { name: 'r', columns: COLUMNS, rows: Array.from({ length: rows }, (_, i) => makeRow(i + 1)) }
}

export class RandomQueries {
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
  }

  query(): string {
    const { pick, whole } = this.#random
    const items = (make: () => string) => Array.from({ length: whole(1, 4) }, make).join(', ')
    const where = () => (whole(0, 2) === 0 ? ` where ${this.#of('boolean', 2)}` : '')
    switch (whole(0, 4)) {
      case 0:
      case 1:
        return `select id, ${items(() => this.#of(this.#kind(), 3))} from r${where()} order by id`
      case 2:
        return `select g, ${items(() => this.#aggregate())} from r${where()} group by g order by g`
      case 3: {
        const made = this.#of(pick(['int', 'text', 'boolean', 'date'] as const), 1)
        // Equal values of character(n) may differ in their length: the group shows any of them.
        const key = /\bc\b/.test(made) ? 'c' : made
        return `select ${key}, count(*), ${items(() => this.#aggregate())} from r${where()} group by ${key} order by 1`
      }
      default:
        return `select id, ${items(() => this.#window())} from r order by id`
    }
  }

  #kind(): Kind {
    return this.#random.pick([
      'int',
      'numeric',
      'numeric',
      'double',
      'text',
      'boolean',
      'date',
      'timestamp',
    ] as const)
  }

  #of(kind: Kind, depth: number): string {
    const { pick, whole } = this.#random
    if (depth === 0 || whole(0, 3) === 0)
      return whole(0, 4) === 0 ? this.#constant(kind) : pick(BY_KIND[kind])
    const inner = (of: Kind = kind) => this.#of(of, depth - 1)
    if (whole(0, 5) === 0)
      return pick([
        () => `case when ${inner('boolean')} then ${inner()} else ${inner()} end`,
        () => `coalesce(${inner()}, ${inner()})`,
        () => `nullif(${inner()}, ${inner()})`,
        () => (kind === 'boolean' ? inner() : `greatest(${inner()}, ${inner()})`),
        () => (kind === 'boolean' ? inner() : `least(${inner()}, ${inner()}, ${inner()})`),
      ])()
    const forms: Readonly<Record<Kind, readonly (() => string)[]>> = {
      int: [
        () => `(${inner()} ${pick(['+', '-'])} ${whole(0, 9)})`,
        () => `(${inner()} / nullif(${inner()}, 0))`,
        () => `(${inner()} % nullif(${inner()}, 0))`,
        () => `abs(${inner()} / 2)`,
        () => `length(${inner('text')})`,
        () => `mod(${inner()}, ${whole(2, 9)})`,
        () => `(${inner('date')} - ${inner('date')})`,
        () => `(${inner('boolean')})::integer`,
      ],
      numeric: [
        () => `(${inner()} ${pick(['+', '-', '*'])} ${inner(pick(['numeric', 'int']))})`,
        () => `(${inner()} / nullif(${inner(pick(['numeric', 'int']))}, 0))`,
        () => `(${inner()} % nullif(${inner()}, 0))`,
        () => `round(${inner()}, ${whole(-2, 6)})`,
        () => `round(${inner()})`,
        () => `${pick(['floor', 'ceil', 'abs', '-'])}(${inner()})`,
        () => `(${inner('int')} * 1.5)`,
        () => `(${inner('int')})::numeric`,
        () => `(${inner()})::numeric(60,${whole(0, 6)})`,
        () =>
          `extract(${pick(['year', 'month', 'epoch', 'second', 'dow', 'week'])} from ${inner('timestamp')})`,
        () => `(${pick(['d', 'r'])})::numeric`,
      ],
      double: [
        () => `(${inner()} ${pick(['+', '-', '*'])} ${inner(pick(['double', 'int']))})`,
        () => `(${inner()} / nullif(${inner()}, 0))`,
        () => `${pick(['floor', 'ceil', 'abs', 'round'])}(${inner()})`,
        () => `sqrt(abs(${inner()}))`,
        () => `(${inner(pick(['numeric', 'int']))})::double precision`,
        () => `date_part('${pick(['hour', 'minute', 'epoch', 'doy'])}', ${inner('timestamp')})`,
      ],
      text: [
        () => `(${inner()} || ${inner(pick(['text', 'int', 'numeric']))})`,
        () => `${pick(['upper', 'lower'])}(${inner()})`,
        () => `substring(${inner()}, ${whole(-2, 4)}, ${whole(0, 5)})`,
        () => `substring(${inner()}, ${whole(-2, 4)})`,
        () => `replace(${inner()}, '${pick(['a', 'z', ''])}', '-')`,
        () => `${pick(['trim', 'ltrim', 'rtrim'])}(${inner()})`,
        () => `(${inner(pick(['int', 'numeric', 'boolean', 'date', 'timestamp']))})::text`,
        () => `(${inner()})::varchar(${whole(1, 6)})`,
      ],
      boolean: [
        () => {
          const of = pick(['int', 'numeric', 'double', 'text', 'date', 'timestamp'] as const)
          return `(${inner(of)} ${pick(['<', '<=', '=', '<>', '>', '>='])} ${inner(of)})`
        },
        () => `(${inner('int')} ${pick(['<', '='])} ${inner(pick(['numeric', 'double']))})`,
        () => `(${inner()} ${pick(['and', 'or'])} ${inner()})`,
        () => `(not ${inner()})`,
        () => `(${inner(this.#kind())} is ${pick(['null', 'not null'])})`,
        () => {
          const of = this.#kind()
          return `(${inner(of)} is ${pick(['', 'not '])}distinct from ${inner(of)})`
        },
        () =>
          `(${inner('text')} ${pick(['like', 'ilike', 'not like'])} '${pick(['a%', '%b\\%', '_', '%é_', '\\_x'])}')`,
        () => `(${inner('int')} in (1, 2, ${whole(-5, 5)}))`,
        () => `(${inner('numeric')} between ${inner('int')} and ${inner('numeric')})`,
        () => `(${inner('numeric')} not in (0, 1.50, ${whole(0, 9)}))`,
        () => `(${inner()} is ${pick(['true', 'not false', 'unknown'])})`,
      ],
      date: [
        () => `(${inner()} ${pick(['+', '-'])} ${whole(0, 400)})`,
        () => `(${inner('timestamp')})::date`,
      ],
      timestamp: [
        () =>
          `date_trunc('${pick(['hour', 'day', 'week', 'month', 'quarter', 'year', 'second'])}', ${inner()})`,
        () =>
          `(${inner()} ${pick(['+', '-'])} interval '${pick(['1 day', '2 hours 30 minutes', '1 month', '1 year 3 days'])}')`,
        () => `(${inner('date')})::timestamp`,
        () => `(ts at time zone 'UTC')`,
        () => `(tz at time zone 'UTC')`,
      ],
    }
    return pick(forms[kind])()
  }

  #constant(kind: Kind): string {
    const { pick } = this.#random
    const constants: Readonly<Record<Kind, readonly string[]>> = {
      int: ['0', '1', '-3', '1000', '3000000000'],
      numeric: ['0.5', '1.00', '0', '-2.345', '100.10'],
      double: ['0.1::double precision', '2::float8', "'1e10'::float8"],
      text: ["'a'", "''", "'Zé'", "'a%'"],
      boolean: ['true', 'false', 'null::boolean'],
      date: ["date '2024-02-29'", "'1999-01-01'::date"],
      timestamp: ["timestamp '2024-02-29 12:00:00'", "timestamptz '2000-01-01 00:00:00+00'"],
    }
    return pick(constants[kind])
  }

  /** Minima and maxima of numbers are those of columns: equal ones with differing digits may be either. */
  #aggregate(): string {
    const { pick, whole } = this.#random
    const filter = whole(0, 3) === 0 ? ` filter (where ${this.#of('boolean', 1)})` : ''
    const distinct = whole(0, 4) === 0 ? 'distinct ' : ''
    const made = pick([
      () => `count(${distinct}${this.#of(this.#kind(), 1)})`,
      () => `${pick(['sum', 'avg'])}(${this.#of(pick(['int', 'numeric', 'numeric']), 2)})`,
      () => `${pick(['sum', 'avg'])}(distinct ${pick([...BY_KIND.int, ...BY_KIND.numeric])})`,
      () => `${pick(['sum', 'avg'])}(${this.#of('double', 1)})`,
      () =>
        `${pick(['min', 'max'])}(${pick([...BY_KIND.int, ...BY_KIND.numeric, ...BY_KIND.double, ...BY_KIND.text])})`,
      () => `${pick(['min', 'max'])}(${this.#of(pick(['int', 'text', 'date', 'timestamp']), 2)})`,
      () => `${pick(['bool_and', 'bool_or', 'every'])}(${this.#of('boolean', 2)})`,
      () => `string_agg(${this.#of('text', 1)}, ',' order by id)`,
      () => `array_agg(${pick(BY_KIND[this.#kind()])} order by id)`,
    ])()
    return `${made}${filter}`
  }

  #window(): string {
    const { pick } = this.#random
    const order = pick([
      'order by id',
      'partition by g order by id',
      'order by id rows between 2 preceding and current row',
    ])
    return pick([
      () => `sum(${this.#of(pick(['int', 'numeric']), 1)}) over (${order})`,
      () => `avg(${this.#of('numeric', 1)}) over (${order})`,
      () => `count(*) over (${order})`,
      () => `rank() over (order by ${pick(BY_KIND[this.#kind()])})`,
      () => `lag(${pick(BY_KIND[this.#kind()])}) over (partition by g order by id)`,
      () => `first_value(coalesce(${this.#of(pick(['int', 'numeric', 'date']), 1)}, null)) over (${order})`,
    ])()
  }
}
