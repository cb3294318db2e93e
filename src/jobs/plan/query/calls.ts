/** Resolves calls: the functions of sql/postgres-functions.ts, aggregates and window functions. */
import { postgresFunction } from '../../../sql/postgres-functions.ts'
import { partsOf, type Resolved } from './query-scope.ts'
import { refusalOf } from './refused-functions.ts'
import type { Resolving } from './resolving.ts'
import { listed, orderSql, placed, quoted, type Sql } from './sql-pieces.ts'
import type { CallExpression, Order } from './syntax.ts'
import { resolveWindow } from './windows.ts'

export function resolveCall(expressions: Resolving, call: CallExpression): Resolved {
  const { context } = expressions
  const names = call.names.map(({ value }) => value)
  const name = names.at(-1)!
  if (names.length > 1 && !(names.length === 2 && names[0] === 'pg_catalog'))
    throw context.unsupported('functions of a schema are not supported', call.names[0]!)
  const known = name === 'count_star' ? undefined : postgresFunction(name)
  if (known === undefined) throw refusalOf(context, name, call.names.at(-1)!)
  const isAggregate = known.kind === 'aggregate'
  checkForm(expressions, call, name, known.kind)
  const args = call.args.map(expressions.resolve)
  const [, time] = call.args
  if (OF_TIMES.has(name) && (time?.kind === 'text' || time?.kind === 'null'))
    throw context.invalid(`function ${name}(unknown, unknown) is not unique; cast the argument`, call)
  const count = args.length
  if (!call.isStar && (count < known.least || count > known.most)) {
    if (count === 0 && name === 'count')
      throw context.invalid('count(*) must be used to call a parameterless aggregate function', call)
    throw context.invalid(`function ${name} does not exist with ${argumentsOf(count)}`, call)
  }
  if (!isAggregate && call.over === undefined) {
    const sql = [placed(`${quoted(name)}(`, call), listed(args.map(({ sql: one }) => one)), ')']
    return context.resolved(`call:${name}`, sql, args, call)
  }
  return isAggregate ? aggregate(expressions, call, name, args) : overRows(expressions, call, name, args)
}

/** The type of their argument decides what they do. */
const OF_TIMES = new Set(['date_trunc', 'date_part', 'extract'])

function argumentsOf(count: number): string {
  return count === 1 ? '1 argument' : `${count} arguments`
}

function checkForm(
  { context }: Resolving,
  call: CallExpression,
  name: string,
  kind: 'scalar' | 'aggregate' | 'window',
): void {
  const { isStar, isDistinct, orderBy, filter, over } = call
  if (kind !== 'aggregate') {
    const specified = isStar
      ? `${name}(*)`
      : isDistinct
        ? 'DISTINCT'
        : orderBy.length > 0
          ? 'ORDER BY'
          : undefined
    if (specified !== undefined)
      throw context.invalid(`${specified} specified, but ${name} is not an aggregate function`, call)
    if (filter !== undefined && (kind === 'scalar' || over === undefined))
      throw context.invalid(`FILTER specified, but ${name} is not an aggregate function`, call)
    if (filter !== undefined)
      throw context.invalid('FILTER is not implemented for non-aggregate window functions', call)
  }
  if (kind === 'scalar' && over !== undefined)
    throw context.invalid(
      `OVER specified, but ${name} is not a window function nor an aggregate function`,
      call,
    )
  if (kind === 'window' && over === undefined)
    throw context.invalid(`window function ${name} requires an OVER clause`, call)
  if (isStar && name !== 'count') throw context.invalid(`function ${name}() does not exist`, call)
  if (kind !== 'aggregate') return
  if (over !== undefined && isDistinct)
    throw context.invalid('DISTINCT is not implemented for window functions', call)
  if (over !== undefined && orderBy.length > 0)
    throw context.invalid('aggregate ORDER BY is not implemented for window functions', call)
  if ((name === 'string_agg' || name === 'array_agg') && orderBy.length === 0 && over === undefined)
    throw context.unsupported(
      `${name} needs ORDER BY inside, so that its result does not depend on the order of rows`,
      call,
    )
}

function aggregate(
  expressions: Resolving,
  call: CallExpression,
  name: string,
  args: readonly Resolved[],
): Resolved {
  const { context } = expressions
  const orders = call.orderBy.map((order) => ({ ...order, resolved: constantOrder(expressions, order) }))
  const filter = call.filter === undefined ? undefined : expressions.resolve(call.filter)
  const inside = [...args, ...orders.map(({ resolved }) => resolved)]
  for (const part of inside.flatMap((one) => [...partsOf(one)])) {
    if (call.over === undefined && part.kind === 'aggregate')
      throw context.invalid('aggregate function calls cannot be nested', part)
    if (part.kind === 'window')
      throw context.invalid(
        call.over === undefined
          ? 'aggregate function calls cannot contain window function calls'
          : 'window function calls cannot be nested',
        part,
      )
  }
  if (filter !== undefined) {
    for (const part of partsOf(filter)) {
      if (part.kind === 'aggregate' && call.over === undefined)
        throw context.invalid('aggregate functions are not allowed in FILTER', part)
      if (part.kind === 'window') throw context.invalid('window functions are not allowed in FILTER', part)
    }
  }
  if (call.over === undefined)
    checkLevel(expressions, call, [...inside, ...(filter === undefined ? [] : [filter])])
  if (call.isDistinct) {
    for (const { resolved } of orders) {
      if (!args.some(({ id }) => id === resolved.id))
        throw context.invalid(
          'in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list',
          resolved,
        )
    }
  }
  // The order of equal values is given by the argument, so that the result does not depend on the order of rows.
  const ties = call.isDistinct || orders.length === 0 ? [] : [args[0]!]
  const printed: Sql[] = [
    ...orders.map((order) => orderSql(order.resolved.sql, order)),
    ...ties
      .filter(({ id }) => !orders.some(({ resolved }) => resolved.id === id))
      .map(({ sql }) => orderSql(sql)),
  ]
  const body: Sql = call.isStar
    ? [placed('count(', call), '*)']
    : [
        placed(`${quoted(name)}(`, call),
        call.isDistinct ? 'DISTINCT ' : '',
        listed(args.map(({ sql }) => sql)),
        printed.length === 0 ? '' : [' ORDER BY ', listed(printed)],
        ')',
      ]
  const sql = [body, filter === undefined ? '' : [' FILTER (WHERE ', filter.sql, ')']]
  const parts = [...inside, ...(filter === undefined ? [] : [filter])]
  const form = orders.map((order) => `${order.isDescending}${order.nullsFirst}`).join()
  const key = `${name}:${call.isStar}:${call.isDistinct}:${args.length}:${form}:${filter !== undefined}`
  if (call.over === undefined)
    return context.resolved(`aggregate:${key}`, sql, parts, call, { kind: 'aggregate' })
  const over = resolveWindow(expressions, call.over, 'other')
  return context.resolved(`over:${key}:${over.key}`, [sql, over.sql], [...parts, ...over.parts], call, {
    kind: 'window',
  })
}

/** In an aggregate a number is a value, not a place in the select list; DuckDB's parser takes it for one. */
function constantOrder(expressions: Resolving, order: Order): Resolved {
  const resolved = expressions.resolve(order.of)
  if (resolved.kind === 'constant')
    throw expressions.context.unsupported('ORDER BY a constant is not supported in an aggregate', order.of)
  return resolved
}

/** An aggregate whose columns are all of a query around belongs to that one. */
function checkLevel({ context, scope }: Resolving, call: CallExpression, inside: readonly Resolved[]): void {
  const uses = inside
    .flatMap((one) => [...partsOf(one)])
    .flatMap(({ use }) => (use === undefined ? [] : [use]))
  if (uses.length > 0 && uses.every(({ level }) => level !== scope.level))
    throw context.unsupported(
      'an aggregate over columns of the outer query alone is not supported in a sub-query',
      call,
    )
}

/** Their result does not depend on which rows are equal in the order, so that more columns may sort them. */
const ANY_ORDER = new Set(['row_number', 'ntile', 'lag', 'lead', 'first_value'])

function overRows(
  expressions: Resolving,
  call: CallExpression,
  name: string,
  args: readonly Resolved[],
): Resolved {
  const { context } = expressions
  for (const part of args.flatMap((one) => [...partsOf(one)])) {
    if (part.kind === 'window') throw context.invalid('window function calls cannot be nested', part)
  }
  const over = resolveWindow(expressions, call.over!, ANY_ORDER.has(name) ? 'any-order' : 'other')
  const sql = [placed(`${quoted(name)}(`, call), listed(args.map((one) => one.sql)), ')', over.sql]
  return context.resolved(`over:${name}:${args.length}:${over.key}`, sql, [...args, ...over.parts], call, {
    kind: 'window',
  })
}
