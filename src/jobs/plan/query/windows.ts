/** Windows of OVER and of the clause WINDOW. */

import { partsOf, type Resolved } from './query-scope.ts'
import type { Resolving } from './resolving.ts'
import { listed, orderSql, type Sql } from './sql-pieces.ts'
import type { Expression, Frame, FrameBound, Name, Span, Window } from './syntax.ts'

export interface ResolvedWindow {
  readonly key: string
  /** ` OVER (…)` */
  readonly sql: Sql
  readonly parts: readonly Resolved[]
}

/** `any-order`: equal rows may be in any order. So they may where a frame counts rows. */
export function resolveWindow(
  expressions: Resolving,
  window: Window,
  kind: 'any-order' | 'other',
): ResolvedWindow {
  const { named, ties: identifying } = expressions.windows()
  const { partitionBy, orderBy, frame } = withBase(expressions, window, named)
  const partitions = partitionBy.map((one) => clause(expressions, one))
  const orders = orderBy.map((order) => ({ ...order, resolved: clause(expressions, order.of) }))
  const isRows = frame?.mode === 'ROWS'
  const ties = kind === 'any-order' || isRows ? identifying : []
  const added = ties.filter(({ id }) => !orders.some(({ resolved }) => resolved.id === id))
  const items = [
    ...orders.map((order) => orderSql(order.resolved.sql, order)),
    ...added.map(({ sql }) => orderSql(sql)),
  ]
  const bounds = frame === undefined ? '' : frameSql(expressions, frame, orders.length, window)
  const sql: Sql = [
    ' OVER (',
    partitions.length === 0 ? '' : ['PARTITION BY ', listed(partitions.map((one) => one.sql))],
    items.length === 0 ? '' : [' ORDER BY ', listed(items)],
    bounds,
    ')',
  ]
  const form = orders.map((order) => `${order.isDescending}${order.nullsFirst}`).join()
  const key = `${partitions.length}:${form}:${typeof bounds === 'string' ? bounds : window.start}`
  return { key, sql, parts: [...partitions, ...orders.map(({ resolved }) => resolved)] }
}

function clause(expressions: Resolving, expression: Expression): Resolved {
  const resolved = expressions.resolve(expression)
  for (const part of partsOf(resolved)) {
    if (part.kind === 'window')
      throw expressions.context.invalid('window functions are not allowed in window definitions', part)
  }
  // A number here is a value; only a constant order can be left out.
  if (resolved.kind === 'constant')
    throw expressions.context.unsupported('a constant is not supported in a window; leave it out', expression)
  return resolved
}

function withBase(
  { context }: Resolving,
  window: Window,
  named: ReadonlyMap<string, Window>,
): Pick<Window, 'partitionBy' | 'orderBy' | 'frame'> {
  if (window.base === undefined) return window
  const base = named.get(window.base.value)
  if (base === undefined) throw context.invalid(`window "${window.base.value}" does not exist`, window.base)
  const isName = window.start === window.base.start
  if (isName) return base
  if (window.partitionBy.length > 0)
    throw context.invalid(`cannot override PARTITION BY clause of window "${window.base.value}"`, window)
  if (window.orderBy.length > 0 && base.orderBy.length > 0)
    throw context.invalid(`cannot override ORDER BY clause of window "${window.base.value}"`, window)
  if (base.frame !== undefined)
    throw context.invalid(`cannot copy window "${window.base.value}" because it has a frame clause`, window)
  return {
    partitionBy: base.partitionBy,
    orderBy: window.orderBy.length > 0 ? window.orderBy : base.orderBy,
    frame: window.frame,
  }
}

/** The windows of the clause WINDOW, in which later ones may name earlier ones. */
export function namedWindows(
  expressions: Resolving,
  windows: readonly { readonly name: Name; readonly window: Window }[],
): ReadonlyMap<string, Window> {
  const { context } = expressions
  const named = new Map<string, Window>()
  for (const { name, window } of windows) {
    if (named.has(name.value)) throw context.invalid(`window "${name.value}" is already defined`, name)
    named.set(name.value, { ...window, ...withBase(expressions, window, named), base: undefined })
  }
  return named
}

function frameSql(expressions: Resolving, frame: Frame, orders: number, window: Span): Sql {
  const { context } = expressions
  const hasOffset = frame.from.offset !== undefined || frame.to.offset !== undefined
  if (frame.mode === 'GROUPS' && orders === 0)
    throw context.invalid('GROUPS mode requires an ORDER BY clause', window)
  if (frame.mode === 'RANGE' && hasOffset && orders !== 1)
    throw context.invalid(
      'RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column',
      window,
    )
  const [from, to] = [frame.from, frame.to].map((bound) => boundSql(expressions, frame, bound))
  const exclude = frame.exclude === undefined ? '' : ` EXCLUDE ${frame.exclude}`
  return [` ${frame.mode} BETWEEN `, from!, ' AND ', to!, exclude]
}

function boundSql(expressions: Resolving, { mode }: Frame, { kind, offset }: FrameBound): Sql {
  if (offset === undefined) return kind
  const { context } = expressions
  const resolved = expressions.resolve(offset)
  for (const part of partsOf(resolved)) {
    if (part.kind === 'column') throw context.invalid(`argument of ${mode} must not contain variables`, part)
    if (part.kind === 'aggregate')
      throw context.invalid(`aggregate functions are not allowed in window ${mode}`, part)
    if (part.kind === 'window')
      throw context.invalid(`window functions are not allowed in window ${mode}`, part)
  }
  if (mode !== 'RANGE' && !(offset.kind === 'number' && /^[0-9]{1,9}$/.test(offset.value)))
    throw context.unsupported(`${mode} takes a whole number`, offset)
  if (resolved.kind !== 'constant') throw context.unsupported(`${mode} takes a constant`, offset)
  return [resolved.sql, ` ${kind}`]
}
