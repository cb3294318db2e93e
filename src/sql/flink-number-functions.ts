/** Functions of Flink over numbers, and those that choose among values. Names are those of DuckDB's parser, in lower case. */
import { castTo } from './flink-casts.ts'
import { constantInteger, type FlinkFunction, type FlinkFunctions, numberOf } from './flink-function.ts'
import { arithmetic, as, boundOnce, comparable, signed, unified } from './flink-operators.ts'
import {
  asDecimal,
  commonNumber,
  DOUBLE,
  decimal,
  INT,
  isInteger,
  isNumber,
  roundedType,
  type Typed,
  widestType,
} from './flink-types.ts'
import { call, caseWhen, integer, type Node, NULL } from './tree.ts'

const ARGUMENTS_MAX = 1000

const binary = (name: string): FlinkFunction => ({
  arity: [1, 2],
  rewrite: ([left, right], place) =>
    right === undefined ? signed(name, left!, place) : arithmetic(name, left!, right, place),
})

/** ABS and SIGN: the type of the argument. */
const sameType = (name: string): FlinkFunction => ({
  arity: [1, 1],
  rewrite: ([of], place) => {
    const { node, type } = numberOf(of!, place)
    return { node: castTo(call(name, node), type), type }
  },
})

/** CEIL and FLOOR: DECIMAL loses its digits after the point. */
const rounding = (name: string): FlinkFunction => ({
  arity: [1, 1],
  rewrite: ([of], place) => {
    const { node, type } = numberOf(of!, place)
    if (isInteger(type)) return { node, type }
    const result = type.kind === 'DECIMAL' ? decimal(type.precision, 0) : type
    return { node: castTo(call(name, node), result), type: result }
  },
})

/** ROUND and TRUNCATE, to a constant number of digits. */
const digitsOf = (name: string): FlinkFunction => ({
  arity: [1, 2],
  rewrite: ([of, digits], place) => {
    const { node, type } = numberOf(of!, place)
    const count = digits === undefined ? 0 : constantInteger(digits, 'number of digits', place)
    if (isInteger(type) && count >= 0) return { node, type }
    if (type.kind === 'DECIMAL' && count >= type.scale) return { node, type }
    const result = type.kind === 'DECIMAL' ? roundedType(asDecimal(type), count) : type
    return { node: castTo(call(name, node, integer(count)), result), type: result }
  },
})

const ofDouble = (name: string, count = 1): FlinkFunction => ({
  arity: [count, count],
  rewrite: (args, place) => ({
    node: call(name, ...args.map((arg) => as(numberOf(arg, place), DOUBLE))),
    type: DOUBLE,
  }),
})

const extreme = (name: string): FlinkFunction => ({
  arity: [1, ARGUMENTS_MAX],
  rewrite: (args, place) => {
    const { nodes, type } = unified(args, place, widestType)
    return { node: call(name, call('list_value', ...nodes)), type }
  },
})

function nullIf(left: Typed, right: Typed, place: Node): Typed {
  if (isNumber(left.type) && isNumber(right.type)) {
    const wide = commonNumber(left.type, right.type)
    return { node: castTo(nullIfEqual(as(left, wide), as(right, wide)), left.type), type: left.type }
  }
  const [a, b] = comparable(left, right, place)
  return { node: nullIfEqual(a, b), type: left.type }
}

/** DuckDB's own nullif names its first argument twice, so that nested calls double the query with each level. */
function nullIfEqual(left: Node, right: Node): Node {
  return boundOnce([left, right], ([a, b]) =>
    caseWhen({ class: 'COMPARISON', type: 'COMPARE_EQUAL', left: a!, right: b! }, NULL, a!),
  )
}

export function coalesce(args: readonly Typed[], place: Node): Typed {
  const { nodes, type } = unified(args, place, widestType)
  return { node: { class: 'OPERATOR', type: 'OPERATOR_COALESCE', children: nodes }, type }
}

export const NUMBER_FUNCTIONS: FlinkFunctions = {
  '+': binary('+'),
  '-': binary('-'),
  '*': binary('*'),
  '/': binary('/'),
  '%': binary('%'),
  mod: { arity: [2, 2], rewrite: ([left, right], place) => arithmetic('%', left!, right!, place) },
  abs: sameType('abs'),
  sign: sameType('sign'),
  ceil: rounding('ceil'),
  ceiling: rounding('ceil'),
  floor: rounding('floor'),
  round: digitsOf('round'),
  truncate: digitsOf('trunc'),
  power: ofDouble('pow', 2),
  sqrt: ofDouble('flink_sqrt'),
  ln: ofDouble('flink_ln'),
  log10: ofDouble('flink_log10'),
  log2: ofDouble('flink_log2'),
  exp: ofDouble('exp'),
  pi: { arity: [0, 0], rewrite: () => ({ node: call('pi'), type: DOUBLE }) },
  greatest: extreme('flink_greatest'),
  least: extreme('flink_least'),
  nullif: { arity: [2, 2], rewrite: ([left, right], place) => nullIf(left!, right!, place) },
  ifnull: { arity: [2, 2], rewrite: coalesce },
  cardinality: {
    arity: [1, 1],
    rewrite: ([of]) => ({
      node: castTo(call(of!.type.kind === 'MAP' ? 'cardinality' : 'len', of!.node), INT),
      type: INT,
    }),
  },
}
