/** Random statements of each way of running a job, with what they must write, worked out record by record. */
import type { SeededRandom } from '../../support/seeded-random.ts'
import { type Aggregate, compared, randomAggregate } from './aggregates.ts'
import { type Expression, Expressions, type Type, type Value } from './expressions.ts'
import { type Arrived, type ChangingName, type Row, type StreamName, timeText } from './input.ts'
import { type Window, type WindowInput, type WindowKind, windowsOf } from './windows.ts'

export type OutRow = readonly Value[]

export interface Statement {
  readonly kind: string
  /** In the order of the statement. */
  readonly sources: readonly (StreamName | ChangingName)[]
  readonly columns: readonly Type[]
  /** Without INSERT INTO. */
  readonly query: string
  /** The part of the query that names the columns which are read of a source; by default the query. */
  readonly partOf?: (source: StreamName | ChangingName) => string
  readonly expected: Expected
}

export type Expected =
  | {
      readonly form: 'rows'
      readonly rows: (input: readonly Arrived[], perTick?: number) => readonly OutRow[]
    }
  /** The result after each event, in any order of rows. */
  | {
      readonly form: 'changes'
      readonly states: (input: readonly Arrived[]) => readonly (readonly OutRow[])[]
    }

export const KINDS: Readonly<Record<string, (random: SeededRandom) => Statement>> = {
  arrival,
  'arrival of two streams': arrivalOfTwo,
  'window aggregate': windowAggregate,
  'window of two streams': (random) => windowAggregate(random, ['A', 'B']),
  'two levels of windows': twoLevels,
  'distinct windows': distinctWindows,
  'Top-N of rows': topRows,
  'Top-N of aggregates': topAggregates,
  'join of windows': joinOfWindows,
  running,
  'running in total': (random) => running(random, true),
  'refresh, rows': refreshRows,
  'refresh, groups': refreshGroups,
  'refresh, join': refreshJoin,
  'refresh, Top-N': refreshTop,
}

function arrival(random: SeededRandom): Statement {
  const list = listOf(random)
  const where = new Expressions(random).condition()
  const table = random.pick<StreamName>(['A', 'B'])
  const query = random.pick([
    `SELECT ${sqlOf(list)} FROM ${table} WHERE ${where.sql}`,
    `SELECT ${list.map((_, i) => `e${i}`).join(', ')} FROM (SELECT ${list.map(({ sql }, i) => `${sql} AS e${i}`).join(', ')} FROM ${table} WHERE ${where.sql}) q`,
    `WITH q AS (SELECT * FROM ${table} WHERE ${where.sql}) SELECT ${sqlOf(list)} FROM q`,
  ])
  const rows = (input: readonly Arrived[]) =>
    rowsOf(input, table)
      .filter((row) => where.of(row) === true)
      .map((row) => list.map(({ of }) => of(row)))
  return {
    kind: 'arrival',
    sources: [table],
    columns: typesOf(list),
    query,
    expected: { form: 'rows', rows },
  }
}

function arrivalOfTwo(random: SeededRandom): Statement {
  const list = listOf(random)
  const where = new Expressions(random).condition()
  const [first, second] = random.pick<[StreamName, StreamName]>([
    ['A', 'B'],
    ['B', 'A'],
  ])
  const parts = {
    [first]: `SELECT ${sqlOf(list)} FROM ${first} WHERE ${where.sql}`,
    [second]: `SELECT ${sqlOf(list)} FROM ${second}`,
  }
  const query = `${parts[first]} UNION ALL ${parts[second]}`
  const rows = (input: readonly Arrived[]) =>
    input
      .filter(({ table }) => table === first || table === second)
      .filter(({ table, row }) => row !== undefined && (table === second || where.of(row) === true))
      .map(({ row }) => list.map(({ of }) => of(row!)))
  return {
    kind: 'arrival of two streams',
    sources: [first, second],
    columns: typesOf(list),
    query,
    partOf: (source) => parts[source]!,
    expected: { form: 'rows', rows },
  }
}

// Windows

interface RandomWindow extends WindowInput {
  readonly table: string
  readonly with: string
}

function randomWindow(random: SeededRandom, sources: readonly StreamName[] = ['A']): RandomWindow {
  const window = random.pick<WindowKind>([
    { kind: 'TUMBLE', sizeMs: 5_000, slideMs: 5_000, offsetMs: 0 },
    { kind: 'TUMBLE', sizeMs: 7_000, slideMs: 7_000, offsetMs: 1_500 },
    { kind: 'HOP', sizeMs: 9_000, slideMs: 3_000, offsetMs: 0 },
    { kind: 'HOP', sizeMs: 6_000, slideMs: 2_000, offsetMs: 700 },
    { kind: 'CUMULATE', sizeMs: 12_000, slideMs: 3_000, offsetMs: 0 },
  ])
  const where = random.next() < 0.4 || sources.length > 1 ? new Expressions(random).condition(1) : undefined
  const from = (source: StreamName) => `SELECT id, k, h, x, y, d, ts FROM ${source} WHERE ${where!.sql}`
  const named = where === undefined ? '' : `WITH q AS (${sources.map(from).join(' UNION ALL ')}) `
  const table = windowSql(window, where === undefined ? sources[0]! : 'q')
  return {
    window,
    sources,
    clocks: sources,
    passes: (row) => where === undefined || where.of(row) === true,
    table,
    with: named,
  }
}

function windowSql({ kind, sizeMs, slideMs, offsetMs }: WindowKind, of: string): string {
  const interval = (ms: number) => `INTERVAL '${ms / 1000}' SECOND`
  const sizes = kind === 'TUMBLE' ? [sizeMs] : [slideMs, sizeMs]
  const all = offsetMs === 0 ? sizes : [...sizes, offsetMs]
  return `TABLE(${kind}(TABLE ${of}, DESCRIPTOR(ts), ${all.map(interval).join(', ')}))`
}

interface Group {
  readonly window: Window
  readonly key: OutRow
  readonly rows: readonly Row[]
}

function groupsOf(windows: readonly Window[], keys: readonly Expression[]): Group[] {
  return windows.flatMap((window) =>
    [...grouped(window.rows, keys)].map(([, { key, rows }]) => ({ window, key, rows })),
  )
}

function grouped(rows: readonly Row[], keys: readonly Expression[]) {
  const groups = new Map<string, { readonly key: OutRow; readonly rows: Row[] }>()
  for (const row of rows) {
    const key = keys.map(({ of }) => of(row))
    const text = JSON.stringify(key)
    if (!groups.has(text)) groups.set(text, { key, rows: [] })
    groups.get(text)!.rows.push(row)
  }
  return groups
}

/** Rows of windows that are closed, in the order of their ends, and of all columns. */
function closed(
  watermark: number,
  rows: readonly { readonly end: number; readonly row: OutRow }[],
): OutRow[] {
  return rows
    .filter(({ end }) => end - 1 <= watermark)
    .sort((a, b) => a.end - b.end || comparedRows(a.row, b.row))
    .map(({ row }) => row)
}

const BOUNDS: readonly Type[] = ['TIMESTAMP(3)', 'TIMESTAMP(3)']
const boundsOf = ({ start, end }: Window): OutRow => [timeText(start), timeText(end)]

function windowAggregate(random: SeededRandom, sources?: readonly StreamName[]): Statement {
  const use = randomWindow(random, sources)
  const keys = keysOf(random, random.whole(0, 2))
  const list = aggregatesOf(random, random.whole(1, 3))
  const having = random.next() < 0.3 ? havingOf(random) : undefined
  const query = `${use.with}SELECT ${['window_start', 'window_end', sqlOf(keys), sqlOf(list)].filter(Boolean).join(', ')}
    FROM ${use.table} GROUP BY ${['window_start', 'window_end', ...keys.map(({ sql }) => sql)].join(', ')}${having === undefined ? '' : ` HAVING ${having.sql}`}`
  const rows = (input: readonly Arrived[], perTick?: number) => {
    const { windows, watermark } = windowsOf(use, input, perTick)
    const found = groupsOf(windows, keys).filter(({ rows }) => having === undefined || having.of(rows))
    return closed(
      watermark,
      found.map(({ window, key, rows }) => ({
        end: window.end,
        row: [...boundsOf(window), ...key, ...list.map(({ of }) => of(rows))],
      })),
    )
  }
  return {
    ...{ kind: 'window aggregate', sources: use.sources, query, expected: { form: 'rows', rows } },
    columns: [...BOUNDS, ...typesOf(keys), ...typesOf(list)],
  }
}

function twoLevels(random: SeededRandom): Statement {
  const use = randomWindow(random)
  const inner = `SELECT window_start, window_end, k, COUNT(*) AS n, SUM(x) AS s FROM ${use.table} GROUP BY window_start, window_end, k`
  const query = `${use.with}SELECT window_start, window_end, COUNT(*), SUM(n), MAX(s) FROM (${inner}) p WHERE n > 1 GROUP BY window_start, window_end`
  const rows = (input: readonly Arrived[], perTick?: number) => {
    const { windows, watermark } = windowsOf(use, input, perTick)
    const out = windows.flatMap((window) => {
      const groups = [...grouped(window.rows, [K]).values()]
        .map(({ rows }) => rows)
        .filter((rows) => rows.length > 1)
      if (groups.length === 0) return []
      const sums = groups.map(sumOfX).filter((sum) => sum !== null)
      const n = groups.reduce((all, rows) => all + rows.length, 0)
      const row: OutRow = [
        ...boundsOf(window),
        groups.length,
        n,
        sums.length === 0 ? null : Math.max(...sums),
      ]
      return [{ end: window.end, row }]
    })
    return closed(watermark, out)
  }
  return {
    ...{ kind: 'two levels of windows', sources: use.sources, query, expected: { form: 'rows', rows } },
    columns: [...BOUNDS, 'BIGINT', 'BIGINT', 'INT'],
  }
}

function distinctWindows(random: SeededRandom): Statement {
  const use = randomWindow(random)
  const keys = keysOf(random, 1)
  const query = `${use.with}SELECT DISTINCT window_start, window_end, ${sqlOf(keys)} FROM ${use.table}`
  const rows = (input: readonly Arrived[], perTick?: number) => {
    const { windows, watermark } = windowsOf(use, input, perTick)
    const out = groupsOf(windows, keys).map(({ window, key }) => ({
      end: window.end,
      row: [...boundsOf(window), ...key],
    }))
    return closed(watermark, out)
  }
  return {
    ...{ kind: 'distinct windows', sources: use.sources, query, expected: { form: 'rows', rows } },
    columns: [...BOUNDS, ...typesOf(keys)],
  }
}

interface Order {
  readonly sql: string
  readonly compare: (a: OutRow, b: OutRow) => number
}

/** By the column at this place, then by the one at `last`, which has no equal values. NULL is first ascending, last descending. */
function orderOf(random: SeededRandom, at: number, name: string, last: number, lastName: string): Order {
  const isDescending = random.next() < 0.5
  const compare = (a: OutRow, b: OutRow) => {
    const [x, y] = [a[at]!, b[at]!]
    const order = x === null || y === null ? Number(y === null) - Number(x === null) : compared(x, y)
    return (isDescending ? -order : order) || compared(a[last]!, b[last]!)
  }
  return { sql: `${name}${isDescending ? ' DESC' : ' ASC'}, ${lastName}`, compare }
}

function topRows(random: SeededRandom): Statement {
  const use = randomWindow(random)
  const n = random.whole(1, 3)
  const byKey = random.next() < 0.5
  const [column, at] = random.pick<[string, number]>([
    ['x', 4],
    ['y', 5],
    ['k', 3],
  ])
  const order = orderOf(random, at, column, 2, 'id')
  const partition = `window_start, window_end${byKey ? ', k' : ''}`
  const query = `${use.with}SELECT window_start, window_end, id, k, x, y, n FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY ${partition} ORDER BY ${order.sql}) AS n FROM ${use.table}) p WHERE n <= ${n}`
  const rows = (input: readonly Arrived[], perTick?: number) => {
    const { windows, watermark } = windowsOf(use, input, perTick)
    const out = groupsOf(windows, byKey ? [K] : []).flatMap(({ window, rows }) => {
      const all = rows.map(({ id, k, x, y }): OutRow => [...boundsOf(window), id, k, x, y])
      return first(all, order, n).map((row) => ({ end: window.end, row }))
    })
    return closed(watermark, out)
  }
  return {
    ...{ kind: 'Top-N of rows', sources: use.sources, query, expected: { form: 'rows', rows } },
    columns: [...BOUNDS, 'INT', 'STRING', 'INT', 'DOUBLE', 'BIGINT'],
  }
}

function first(rows: readonly OutRow[], order: Order, n: number): OutRow[] {
  return [...rows]
    .sort(order.compare)
    .slice(0, n)
    .map((row, i) => [...row, i + 1])
}

function topAggregates(random: SeededRandom): Statement {
  const use = randomWindow(random)
  const n = random.whole(1, 3)
  const one = randomAggregate(random, true)
  const order = orderOf(random, 3, 's', 2, 'key')
  const inner = `SELECT window_start, window_end, COALESCE(k, '-') AS key, ${one.sql} AS s FROM ${use.table} GROUP BY window_start, window_end, COALESCE(k, '-')`
  const query = `${use.with}SELECT window_start, window_end, key, s, n FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY ${order.sql}) AS n FROM (${inner}) a) p WHERE n <= ${n}`
  const key: Expression = { sql: '', type: 'STRING', of: ({ k }) => k ?? '-' }
  const rows = (input: readonly Arrived[], perTick?: number) => {
    const { windows, watermark } = windowsOf(use, input, perTick)
    const out = windows.flatMap((window) => {
      const all = groupsOf([window], [key]).map(
        ({ key, rows }): OutRow => [...boundsOf(window), ...key, one.of(rows)],
      )
      return first(all, order, n).map((row) => ({ end: window.end, row }))
    })
    return closed(watermark, out)
  }
  return {
    ...{ kind: 'Top-N of aggregates', sources: use.sources, query, expected: { form: 'rows', rows } },
    columns: [...BOUNDS, 'STRING', one.type, 'BIGINT'],
  }
}

function joinOfWindows(random: SeededRandom): Statement {
  const source = random.pick<StreamName>(['A', 'B', 'B'])
  const left = { ...randomWindow(random), with: '', passes: () => true, clocks: ['A', source] as const }
  const right = { ...left, sources: [source] }
  const [a, b] = [randomAggregate(random), randomAggregate(random)]
  const side = ({ window, sources }: WindowInput, { sql }: Aggregate) =>
    `(SELECT window_start, window_end, k, ${sql} AS v FROM ${windowSql(window, sources[0]!)} GROUP BY window_start, window_end, k)`
  const join = random.pick(['JOIN', 'LEFT JOIN'])
  const query = `SELECT L.window_start, L.window_end, L.k, L.v, R.v FROM ${side(left, a)} L ${join} ${side(right, b)} R
    ON L.window_start = R.window_start AND L.window_end = R.window_end AND L.k = R.k`
  const rows = (input: readonly Arrived[], perTick?: number) => {
    const [l, r] = [windowsOf(left, input, perTick), windowsOf(right, input, perTick)]
    const partners = groupsOf(r.windows, [K])
    const out = groupsOf(l.windows, [K]).flatMap(({ window, key, rows }) => {
      const partner = partners.find(
        (one) =>
          key[0] !== null &&
          one.key[0] === key[0] &&
          one.window.start === window.start &&
          one.window.end === window.end,
      )
      if (partner === undefined && join === 'JOIN') return []
      const other = partner === undefined ? null : b.of(partner.rows)
      return [{ end: window.end, row: [...boundsOf(window), ...key, a.of(rows), other] }]
    })
    return closed(Math.min(l.watermark, r.watermark), out)
  }
  return {
    ...{ kind: 'join of windows', sources: ['A', source], query, expected: { form: 'rows', rows } },
    columns: [...BOUNDS, 'STRING', a.type, b.type],
  }
}

// Results that change

function running(random: SeededRandom, isTotal = false): Statement {
  const keys = isTotal ? [] : keysOf(random, random.whole(1, 2))
  const list = aggregatesOf(random, random.whole(2, 4))
  const where = random.next() < 0.5 ? new Expressions(random).condition(1) : undefined
  const having = random.next() < 0.6 ? havingOf(random) : undefined
  const grouping = keys.length === 0 ? '' : ` GROUP BY ${keys.map(({ sql }) => sql).join(', ')}`
  const query = `SELECT ${sqlOf([...keys, ...list])} FROM A${where === undefined ? '' : ` WHERE ${where.sql}`}${grouping}${having === undefined ? '' : ` HAVING ${having.sql}`}`
  const states = (input: readonly Arrived[]) => {
    const groups = new Map<string, Row[]>()
    const results = new Map<string, OutRow>()
    return input.map(({ table, row }) => {
      if (table === 'A' && row !== undefined && (where === undefined || where.of(row) === true)) {
        const key = keys.map(({ of }) => of(row))
        const text = JSON.stringify(key)
        const rows = [...(groups.get(text) ?? []), row]
        groups.set(text, rows)
        if (having === undefined || having.of(rows))
          results.set(text, [...key, ...list.map(({ of }) => of(rows))])
        else results.delete(text)
      }
      return [...results.values()]
    })
  }
  return {
    ...{ kind: 'running', sources: ['A'], query, expected: { form: 'changes', states } },
    columns: [...typesOf(keys), ...typesOf(list)],
  }
}

/** Of a query over changing tables, which `result` evaluates afresh, first over no rows: a job may run before the first event. */
function refresh(
  kind: string,
  query: string,
  columns: readonly Type[],
  result: (tables: Readonly<Record<ChangingName, readonly Row[]>>) => readonly OutRow[],
): Statement {
  const states = (input: readonly Arrived[]) => {
    const tables = { U: new Map<number, Row>(), V: new Map<number, Row>() }
    const after = input.map(({ table, row, before }) => {
      if (table === 'U' || table === 'V') {
        if (before !== undefined) tables[table].delete(before.id!)
        if (row !== undefined) tables[table].set(row.id!, row)
      }
      return result({ U: [...tables.U.values()], V: [...tables.V.values()] })
    })
    return [result({ U: [], V: [] }), ...after]
  }
  const sources: readonly ChangingName[] = kind === 'refresh, join' ? ['U', 'V'] : ['U']
  return { kind, sources, columns, query, expected: { form: 'changes', states } }
}

function refreshRows(random: SeededRandom): Statement {
  const list = listOf(random)
  const where = new Expressions(random).condition()
  return refresh(
    'refresh, rows',
    `SELECT id, ${sqlOf(list)} FROM U WHERE ${where.sql}`,
    ['INT', ...typesOf(list)],
    ({ U }) =>
      U.filter((row) => where.of(row) === true).map((row) => [row.id, ...list.map(({ of }) => of(row))]),
  )
}

function refreshGroups(random: SeededRandom): Statement {
  const keys = keysOf(random, random.whole(0, 2))
  const list = aggregatesOf(random, random.whole(1, 3), true)
  const having = keys.length > 0 && random.next() < 0.5 ? havingOf(random) : undefined
  const grouping = keys.length === 0 ? '' : ` GROUP BY ${keys.map(({ sql }) => sql).join(', ')}`
  return refresh(
    'refresh, groups',
    `SELECT ${sqlOf([...keys, ...list])} FROM U${grouping}${having === undefined ? '' : ` HAVING ${having.sql}`}`,
    [...typesOf(keys), ...typesOf(list)],
    ({ U }) => {
      const groups = keys.length === 0 ? [{ key: [], rows: [...U] }] : [...grouped(U, keys).values()]
      return groups
        .filter(({ rows }) => having === undefined || having.of(rows))
        .map(({ key, rows }) => [...key, ...list.map(({ of }) => of(rows))])
    },
  )
}

function refreshJoin(random: SeededRandom): Statement {
  const join = random.pick(['JOIN', 'LEFT JOIN', 'FULL JOIN'])
  return refresh(
    'refresh, join',
    `SELECT a.id, a.k, b.id, b.x FROM U a ${join} V b ON a.h = b.h AND a.id < b.id`,
    ['INT', 'STRING', 'INT', 'INT'],
    ({ U, V }) => {
      const isPair = (a: Row, b: Row) => a.h !== null && a.h === b.h && a.id! < b.id!
      const pairs = U.flatMap((a) => V.filter((b) => isPair(a, b)).map((b): OutRow => [a.id, a.k, b.id, b.x]))
      const left = U.filter((a) => !V.some((b) => isPair(a, b))).map((a): OutRow => [a.id, a.k, null, null])
      const right = V.filter((b) => !U.some((a) => isPair(a, b))).map((b): OutRow => [null, null, b.id, b.x])
      return [...pairs, ...(join === 'JOIN' ? [] : left), ...(join === 'FULL JOIN' ? right : [])]
    },
  )
}

function refreshTop(random: SeededRandom): Statement {
  const n = random.whole(1, 3)
  const order = orderOf(random, 2, 'x', 0, 'id')
  return refresh(
    'refresh, Top-N',
    `SELECT id, h, x, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY h ORDER BY ${order.sql}) AS n FROM U) p WHERE n <= ${n}`,
    ['INT', 'INT', 'INT', 'BIGINT'],
    ({ U }) =>
      [...grouped(U, [{ sql: 'h', type: 'INT', of: ({ h }) => h }]).values()].flatMap(({ rows }) =>
        first(
          rows.map(({ id, h, x }): OutRow => [id, h, x]),
          order,
          n,
        ),
      ),
  )
}

// Parts of statements

const K: Expression = { sql: 'k', type: 'STRING', of: ({ k }) => k }

function listOf(random: SeededRandom): Expression[] {
  const expressions = new Expressions(random)
  return Array.from({ length: random.whole(1, 3) }, () => expressions.any())
}

function keysOf(random: SeededRandom, count: number): Expression[] {
  const expressions = new Expressions(random)
  const all: Expression[] = [
    K,
    { sql: 'h', type: 'INT', of: ({ h }) => h },
    { sql: 'MOD(x, 3)', type: 'INT', of: ({ x }) => (x === null ? null : x % 3 || 0) },
    expressions.text(1),
  ]
  const from = random.whole(0, all.length - 1)
  const keys = Array.from({ length: count }, (_, i) => all[(from + i) % all.length]!)
  return keys.filter(({ sql }, i) => keys.findIndex((other) => other.sql === sql) === i)
}

function aggregatesOf(random: SeededRandom, count: number, exact = false): Aggregate[] {
  return Array.from({ length: count }, () => randomAggregate(random, exact))
}

interface Having {
  readonly sql: string
  readonly of: (rows: readonly Row[]) => boolean
}

function havingOf(random: SeededRandom): Having {
  const n = random.whole(1, 4)
  return random.pick<Having>([
    { sql: `COUNT(*) > ${n}`, of: (rows) => rows.length > n },
    { sql: 'MOD(COUNT(*), 3) <> 1', of: (rows) => rows.length % 3 !== 1 },
    { sql: 'SUM(x) > 0 OR COUNT(x) = 0', of: (rows) => (sumOfX(rows) ?? 1) > 0 },
    {
      sql: 'COUNT(DISTINCT h) > 2',
      of: (rows) => new Set(rows.map(({ h }) => h).filter((h) => h !== null)).size > 2,
    },
  ])
}

function sumOfX(rows: readonly Row[]): number | null {
  const values = rows.map(({ x }) => x).filter((x) => x !== null)
  return values.length === 0 ? null : values.reduce((total, x) => total + x)
}

function rowsOf(input: readonly Arrived[], table: StreamName): Row[] {
  return input.flatMap((one) => (one.table === table && one.row !== undefined ? [one.row] : []))
}

const sqlOf = (list: readonly { readonly sql: string }[]) => list.map(({ sql }) => sql).join(', ')
const typesOf = (list: readonly { readonly type: Type }[]) => list.map(({ type }) => type)

export function comparedRows(a: OutRow, b: OutRow): number {
  for (const [i, value] of a.entries()) {
    const order = compared(value, b[i]!)
    if (order !== 0) return order
  }
  return 0
}
