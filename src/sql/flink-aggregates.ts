/**
 * Aggregates of Flink and functions over windows of rows. The parts of an aggregate (distinct, FILTER, OVER) go to each
 * function of DuckDB that stands for it.
 */
import { castTo } from './flink-casts.ts'
import { as, quotientNode } from './flink-operators.ts'
import {
  asDecimal,
  averageType,
  BIGINT,
  DOUBLE,
  decimal,
  type FlinkType,
  isInteger,
  isNumber,
  isText,
  printFlinkType,
  STRING,
  type Typed,
} from './flink-types.ts'
import { call, type Node, operator, TreeProblem } from './tree.ts'

export const AGGREGATES = [
  ...['count', 'count_star', 'sum', 'avg', 'min', 'max', 'listagg'],
  ...['stddev_pop', 'stddev_samp', 'stddev', 'var_pop', 'var_samp', 'variance', 'grouping'],
]
/** Only with OVER. */
export const OVER_ROWS = ['row_number', 'rank', 'dense_rank', 'lag', 'lead', 'first_value', 'last_value']

export const isAggregate = (name: string): boolean => AGGREGATES.includes(name)
export const isOverRows = (name: string): boolean => OVER_ROWS.includes(name)

/** Makes a node that aggregates: the node of the statement with another function and other arguments. */
export type AggregateOf = (name: string, ...args: readonly Node[]) => Node

/** The type of an aggregate over values of this type. */
export function aggregateType(name: string, type: FlinkType | undefined): FlinkType {
  if (name.startsWith('count') || name === 'grouping') return BIGINT
  if (type === undefined) throw new TypeError(`${name} has an argument`)
  if (name === 'sum' && type.kind === 'DECIMAL') return decimal(38, type.scale)
  if (type.kind === 'DECIMAL' && !['min', 'max'].includes(name)) return averageType(type)
  return name === 'listagg' ? STRING : type
}

/** `name(args)` as DuckDB computes it. Arguments already have Flink's meaning. */
export function aggregate(name: string, args: readonly Typed[], of: AggregateOf, place: Node): Typed {
  const [first] = args
  if (name === 'count_star') return { node: of('count_star'), type: BIGINT }
  if (args.length !== 1 && !(name === 'listagg' && args.length === 2) && name !== 'grouping')
    throw new TreeProblem(`${name.toUpperCase()} has one argument here`, place)
  if (name === 'count' || name === 'grouping')
    return { node: castTo(of(name, ...args.map(({ node }) => node)), BIGINT), type: BIGINT }
  const operand =
    first!.type.kind === 'NULL'
      ? { node: as(first!, { kind: 'INT' }), type: { kind: 'INT' } as FlinkType }
      : first!
  const type = aggregateType(name, operand.type)
  if (name === 'min' || name === 'max') return { node: of(name, operand.node), type }
  if (name === 'listagg') return listAgg(operand, args[1], of, place)
  if (!isNumber(operand.type))
    throw new TreeProblem(
      `${name.toUpperCase()} of ${printFlinkType(operand.type)} does not exist; cast it to a number`,
      place,
    )
  if (name === 'sum') return { node: castTo(of('sum', operand.node), type), type }
  if (name === 'avg')
    return { node: average(of('sum', operand.node), of('count', operand.node), operand.type), type }
  return { node: castTo(spread(name, operand, of), type), type }
}

function listAgg(operand: Typed, by: Typed | undefined, of: AggregateOf, place: Node): Typed {
  if (!isText(operand.type)) throw new TreeProblem('LISTAGG needs a text; cast it to STRING', place)
  return { node: of('string_agg', operand.node, ...(by === undefined ? [] : [by.node])), type: STRING }
}

/** AVG of values of `type` from DuckDB's sum and count of them. NULL without values. */
export function average(sum: Node, count: Node, type: FlinkType): Node {
  const counted = call('nullif', count, castTo({ ...ZERO }, BIGINT))
  if (isInteger(type)) return castTo(operator('//', sum, counted), type)
  if (type.kind !== 'DECIMAL')
    return castTo(operator('/', castTo(sum, DOUBLE), castTo(counted, DOUBLE)), type)
  const total = { node: castTo(sum, decimal(38, type.scale)), type: decimal(38, type.scale) }
  return quotientNode(total, { node: counted, type: BIGINT }, averageType(asDecimal(type)))
}

const ZERO: Node = {
  class: 'CONSTANT',
  type: 'VALUE_CONSTANT',
  value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 0 },
}

/**
 * Variance and standard deviation as Flink computes them, from sums of values and squares: whole numbers for whole numbers,
 * so each division is cut.
 */
function spread(name: string, operand: Typed, of: AggregateOf): Node {
  const isDeviation = name.startsWith('stddev')
  const isSample = !name.endsWith('_pop')
  const isWhole = isInteger(operand.type)
  const wide: FlinkType = isWhole ? ({ kind: 'HUGEINT' } as unknown as FlinkType) : DOUBLE
  const value = castTo(operand.node, wide)
  const count = castTo(of('count', operand.node), wide)
  const sum = castTo(of('sum', value), wide)
  const squares = castTo(of('sum', operator('*', value, value)), wide)
  const division = isWhole ? '//' : '/'
  const none = castTo({ ...ZERO }, wide)
  const one = castTo(
    { ...ZERO, value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 1 } },
    wide,
  )
  const divisor = isSample ? operator('-', count, one) : count
  const variance = operator(
    division,
    operator('-', squares, operator(division, operator('*', sum, sum), call('nullif', count, none))),
    call('nullif', divisor, none),
  )
  if (!isDeviation) return variance
  const root = call('flink_sqrt', castTo(variance, DOUBLE))
  return isWhole ? call('trunc', root) : root
}
