/**
 * Aggregates of PostgreSQL and functions over windows of rows. The parts of an aggregate (distinct, FILTER, OVER) go to each
 * function of DuckDB that stands for it.
 */
import { engineCast } from './engine-cast.ts'
import { orText, resolved, textOf } from './postgres-casts.ts'
import { asColumn, asFloat8, keyOf } from './postgres-common.ts'
import { asExact, isDecimal, numberKey, numberText } from './postgres-numbers.ts'
import { SUM_FRACTION_DIGITS } from './postgres-scalars.ts'
import {
  BOOLEAN,
  DIGITS_MAX,
  EXACT,
  engineType,
  FLOAT8,
  fixed,
  INT8,
  isFloat,
  isInteger,
  isJson,
  isNumber,
  isNumeric,
  isText,
  type PgType,
  printPgType,
  TEXT,
  type Typed,
} from './postgres-types.ts'
import {
  call,
  constantOf,
  integer,
  isConstant,
  type Node,
  TreeProblem,
  text,
  UnsupportedTree,
} from './tree.ts'

/** Makes a node that aggregates: the node of the statement with another function and other arguments. */
export type AggregateOf = (name: string, ...args: readonly Node[]) => Node

export interface AggregateForm {
  readonly of: AggregateOf
  readonly isDistinct: boolean
}

/** `name(args)` as DuckDB computes it. Arguments already have PostgreSQL's meaning. */
export function aggregate(name: string, args: readonly Typed[], form: AggregateForm, place: Node): Typed {
  const { of } = form
  if (name === 'count_star' || (name === 'count' && args.length === 0))
    return { node: of('count_star'), type: INT8, nullable: false }
  const first = orText(args[0]!, place)
  switch (name) {
    case 'count':
      return { node: of('count', form.isDistinct ? keyOf(first) : first.node), type: INT8, nullable: false }
    case 'sum':
      return sum(first, form, place)
    case 'avg':
      return average(first, form, place)
    case 'min':
    case 'max':
      return extreme(name, first, of, place)
    case 'bool_and':
    case 'bool_or':
    case 'every':
      return ofBooleans(name, resolved(args[0]!, BOOLEAN, place), of, place)
    case 'string_agg':
      return joined(first, args[1]!, of, place)
    case 'array_agg': {
      if (args[0]!.type.kind === 'unknown')
        throw new TreeProblem('array_agg of a constant needs a cast, for example to text', place)
      const item = asColumn(first, place)
      if (item.type.kind === 'array')
        throw new UnsupportedTree('array_agg of arrays is not supported here', place)
      return { node: of('array_agg', item.node), type: { kind: 'array', element: item.type }, nullable: true }
    }
    default:
      throw new UnsupportedTree(`the aggregate ${name} is not supported here`, place)
  }
}

function missing(name: string, type: PgType, place: Node): TreeProblem {
  return new TreeProblem(`function ${name}(${printPgType(type)}) does not exist; cast the argument`, place)
}

function sum(value: Typed, form: AggregateForm, place: Node): Typed {
  const { type, node } = value
  const { of } = form
  if (isFloat(type)) return { node: engineCast(of('sum', node), engineType(type)), type, nullable: true }
  if (type.kind === 'int8')
    return { node: engineCast(of('sum', node), wide), type: fixed(DIGITS_MAX, 0), nullable: true }
  if (isInteger(type)) return { node: engineCast(of('sum', node), 'BIGINT'), type: INT8, nullable: true }
  if (type.kind === 'interval') return { node: of('sum', node), type, nullable: true }
  if (!isNumeric(type)) throw missing('sum', type, place)
  if (!isDecimal(value)) return exactSum(value, form)
  const { scale } = value.type
  const sumType = fixed(DIGITS_MAX, scale)
  const total = of('sum', node)
  if (value.scale === undefined) return { node: total, type: sumType, nullable: true }
  return {
    node: total,
    type: { ...sumType, form: 'scaled' },
    scale: of('max', shownScale(value)),
    nullable: true,
  }
}

const wide = `DECIMAL(${DIGITS_MAX},0)`

/** The digits that a value shows; NULL for NULL. */
function shownScale({ node, scale }: Typed): Node {
  return {
    class: 'CASE',
    type: 'CASE_EXPR',
    case_checks: [
      { when_expr: { class: 'OPERATOR', type: 'OPERATOR_IS_NOT_NULL', children: [node] }, then_expr: scale! },
    ],
    else_expr: engineCast(
      {
        class: 'CONSTANT',
        type: 'VALUE_CONSTANT',
        value: { type: { id: 'NULL', type_info: null }, is_null: true },
      },
      'INTEGER',
    ),
  }
}

/** Whole numbers and digits after the point are added separately, in 128 bits each. */
function exactSum(value: Typed, { of, isDistinct }: AggregateForm): Typed {
  const { node } = value
  if (isDistinct)
    return {
      node: call('postgres_sum_distinct', of('string_agg', node, text(' '))),
      type: EXACT,
      nullable: true,
    }
  const part = (argument: Node) => engineCast(of('sum', argument), 'VARCHAR')
  const parts = [
    part(call('postgres_whole', node)),
    part(call('postgres_fraction', node, integer(1))),
    part(call('postgres_fraction', node, integer(1 + SUM_FRACTION_DIGITS))),
    engineCast(of('max', call('postgres_scale', node)), 'INTEGER'),
    engineCast(of('bit_or', call('postgres_special', node)), 'INTEGER'),
  ]
  return { node: call('postgres_sum_parts', ...parts), type: EXACT, nullable: true }
}

function average(value: Typed, form: AggregateForm, place: Node): Typed {
  const { of, isDistinct } = form
  if (isFloat(value.type)) return { node: of('avg', asFloat8(value).node), type: FLOAT8, nullable: true }
  if (!isNumber(value.type)) throw missing('avg', value.type, place)
  const total = sum(isInteger(value.type) ? wideInteger(value) : value, form, place)
  const count = engineCast(of('count', isDistinct ? keyOf(value) : value.node), 'VARCHAR')
  return { node: call('postgres_average', numberText(total), count), type: EXACT, nullable: true }
}

const wideInteger = (value: Typed): Typed => ({
  ...value,
  node: engineCast(value.node, 'BIGINT'),
  type: INT8,
})

function extreme(name: 'min' | 'max', value: Typed, of: AggregateOf, place: Node): Typed {
  const { type, node } = value
  if (type.kind === 'boolean' || type.kind === 'bytea' || isJson(type)) throw missing(name, type, place)
  const pick = name === 'min' ? 'arg_min' : 'arg_max'
  if (isNumeric(type) && type.form === 'exact')
    return { node: of(pick, node, numberKey(value)), type, nullable: true }
  if (type.kind === 'bpchar') return { node: of(pick, node, keyOf(value)), type, nullable: true }
  if (value.scale === undefined) return { node: of(name, node), type: outside(type), nullable: true }
  return { node: of(name, node), type, scale: of(pick, value.scale, node), nullable: true }
}

/** The result of min and max over character varying is text. */
const outside = (type: PgType): PgType => (type.kind === 'varchar' ? TEXT : type)

function ofBooleans(name: string, value: Typed, of: AggregateOf, place: Node): Typed {
  if (value.type.kind !== 'boolean') throw missing(name, value.type, place)
  return { node: of(name === 'every' ? 'bool_and' : name, value.node), type: BOOLEAN, nullable: true }
}

function joined(value: Typed, delimiter: Typed, of: AggregateOf, place: Node): Typed {
  if (!isText(value.type)) throw missing('string_agg', value.type, place)
  const between = isConstant(delimiter.node) ? constantOf(delimiter.node) : undefined
  if (!isConstant(delimiter.node))
    throw new UnsupportedTree('the delimiter of string_agg must be a constant here', place)
  return {
    node: of('string_agg', textOf(value, place), text(String(between ?? ''))),
    type: TEXT,
    nullable: true,
  }
}

/** A function of one row that an aggregate needs: the exact form of a sum. */
export const exactOf = asExact
