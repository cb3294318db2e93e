/** Arithmetic and comparison with Flink's types and results. Operands are typed and already have Flink's meaning. */
import { castNode, castTo, explicitCast } from './flink-casts.ts'
import {
  asDecimal,
  BOOLEAN,
  commonNumber,
  commonType,
  DATE,
  type DecimalType,
  DOUBLE,
  decimal,
  engineType,
  type FlinkType,
  isExact,
  isFloat,
  isInteger,
  isNumber,
  isTemporal,
  isText,
  isTimestamp,
  printFlinkType,
  productType,
  quotientType,
  remainderType,
  sumType,
  type Typed,
} from './flink-types.ts'
import { call, constantOf, isConstant, type Node, operator, TreeProblem, text } from './tree.ts'

const DIGITS_MAX = 38

/** The value as this type, by a cast that loses nothing or that Flink makes itself. */
export function as({ node, type }: Typed, to: FlinkType): Node {
  if (engineType(type) === engineType(to) && type.kind !== 'NULL') return node
  return castTo(node, to)
}

/** Casts all values to the type they have in common. */
export function unified(values: readonly Typed[], place: Node): { nodes: readonly Node[]; type: FlinkType } {
  const type = commonType(values.map((value) => value.type))
  if (type === undefined) {
    const names = [...new Set(values.map((value) => printFlinkType(value.type)))].join(' and ')
    throw new TreeProblem(`${names} have no type in common; cast them to one type`, place)
  }
  return { nodes: values.map((value) => as(value, type)), type }
}

/** `left name right` for + - * / %. */
export function arithmetic(name: string, left: Typed, right: Typed, place: Node): Typed {
  const isSum = name === '+' || name === '-'
  if (isSum && (left.type.kind === 'INTERVAL' || right.type.kind === 'INTERVAL'))
    return shifted(name, left, right, place)
  const [a, b] = [numberOf(left, right), numberOf(right, left)]
  if (!isNumber(a.type) || !isNumber(b.type))
    throw new TreeProblem(
      `Cannot apply '${name}' to ${printFlinkType(left.type)} and ${printFlinkType(right.type)}`,
      place,
    )
  if (name === '/') return quotient(a, b)
  if (name === '%') return remainder(a, b)
  if (!isExact(a.type) || !isExact(b.type) || (isInteger(a.type) && isInteger(b.type))) {
    const type = commonNumber(a.type, b.type)
    return { node: operator(name, as(a, type), as(b, type)), type }
  }
  const [da, db] = [asDecimal(a.type), asDecimal(b.type)]
  if (!isSum) return product(a, b)
  const type = sumType(da, db)
  return { node: castTo(operator(name, as(a, da), as(b, db)), type), type }
}

/** The product of two DECIMAL: exact where it fits in 38 digits, else through DOUBLE. */
function product(a: Typed, b: Typed): Typed {
  const [da, db] = [asDecimal(a.type), asDecimal(b.type)]
  const type = productType(da, db)
  const exact = (left: Node, right: Node) => castTo(operator('*', left, right), type)
  const [left, right] = [as(a, da), as(b, db)]
  if (da.precision + db.precision <= DIGITS_MAX) return { node: exact(left, right), type }
  const inDouble = (l: Node, r: Node) => rounded(operator('*', castTo(l, DOUBLE), castTo(r, DOUBLE)), type)
  if (da.scale + db.scale > DIGITS_MAX) return { node: inDouble(left, right), type }
  return { node: boundOnce([left, right], ([l, r]) => ifFits(exact(l!, r!), inDouble(l!, r!))), type }
}

const ifFits = (exact: Node, other: Node): Node => ({
  class: 'OPERATOR',
  type: 'OPERATOR_COALESCE',
  children: [{ class: 'OPERATOR', type: 'OPERATOR_TRY', children: [exact] }, other],
})

/** A DOUBLE as DECIMAL, rounded as it is shown; NULL if it is too large. */
const rounded = (value: Node, type: DecimalType): Node =>
  castTo(castTo(value, { kind: 'STRING' }), type, true)

/** NULL takes the type of the other operand. */
function numberOf({ node, type }: Typed, other: Typed): Typed {
  if (type.kind !== 'NULL') return { node, type }
  const known: FlinkType = other.type.kind === 'NULL' ? { kind: 'INT' } : other.type
  return { node: castTo(node, known), type: known }
}

function quotient(a: Typed, b: Typed): Typed {
  if (isExact(a.type) && isExact(b.type)) {
    const divisor = { node: nonzero(b), type: b.type }
    if (!isInteger(a.type) || !isInteger(b.type)) return decimalQuotient(a, divisor)
    const type = commonNumber(a.type, b.type)
    return { node: castTo(operator('//', as(a, type), as(divisor, type)), type), type }
  }
  const type = commonNumber(a.type, b.type)
  return { node: operator('/', as(a, type), as(b, type)), type }
}

function decimalQuotient(a: Typed, b: Typed): Typed {
  const type = quotientType(asDecimal(a.type), asDecimal(b.type))
  return { node: quotientNode(a, b, type), type }
}

/**
 * a / b as DECIMAL of this type, rounded half up: exact where the numerator, brought to the digits of the result, is below
 * 10^38, else through DOUBLE. `b` is not 0.
 */
export function quotientNode(a: Typed, b: Typed, type: DecimalType): Node {
  const [da, db] = [asDecimal(a.type), asDecimal(b.type)]
  const shift = type.scale + 1 + db.scale - da.scale
  const exactOf = (left: Node, right: Node) => {
    const up = castTo(text(`1${'0'.repeat(Math.max(0, Math.min(DIGITS_MAX, shift)))}`), HUGEINT)
    const point = type.scale + 1
    const down = castTo(text(`0.${'0'.repeat(point - 1)}1`), decimal(point, point))
    return call('flink_quotient', left, right, powerOfTen(da.scale), powerOfTen(db.scale), up, down)
  }
  const [left, right] = [as(a, da), as(b, db)]
  const fits =
    shift >= 0 &&
    shift <= DIGITS_MAX &&
    type.scale < DIGITS_MAX &&
    da.precision + Math.max(da.scale + 1, shift) <= DIGITS_MAX &&
    db.precision + db.scale < DIGITS_MAX
  if (fits) return castTo(exactOf(left, right), type)
  const inDouble = (l: Node, r: Node) => rounded(operator('/', castTo(l, DOUBLE), castTo(r, DOUBLE)), type)
  if (shift < 0 || shift > DIGITS_MAX || type.scale >= DIGITS_MAX) return inDouble(left, right)
  return boundOnce([left, right], ([l, r]) => ifFits(castTo(exactOf(l!, r!), type), inDouble(l!, r!)))
}

const HUGEINT = { kind: 'HUGEINT' } as unknown as FlinkType

function powerOfTen(digits: number): Node {
  return castTo(text(`1${'0'.repeat(digits)}`), decimal(Math.min(DIGITS_MAX, digits + 1), 0))
}

/** `body` over values that are computed once however often it names them. */
export function boundOnce(values: readonly Node[], body: (bound: readonly Node[]) => Node): Node {
  const row = call('row', ...values)
  const bound = values.map((_, index) =>
    element({ class: 'COLUMN_REF', type: 'COLUMN_REF', column_names: ['v'] }, index + 1),
  )
  const lambda: Node = {
    class: 'LAMBDA',
    type: 'LAMBDA',
    lhs: { class: 'COLUMN_REF', type: 'COLUMN_REF', column_names: ['v'] },
    expr: body(bound),
    syntax_type: 'LAMBDA_KEYWORD',
  }
  return element(call('list_transform', call('list_value', row), lambda), 1)
}

export function element(of: Node, index: number): Node {
  const constant: Node = {
    class: 'CONSTANT',
    type: 'VALUE_CONSTANT',
    value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: index },
  }
  return { class: 'OPERATOR', type: 'ARRAY_EXTRACT', children: [of, constant] }
}

function remainder(a: Typed, b: Typed): Typed {
  if (!isExact(a.type) || !isExact(b.type)) {
    const type = commonNumber(a.type, b.type)
    return { node: operator('%', as(a, type), as(b, type)), type }
  }
  const divisor = { node: nonzero(b), type: b.type }
  if (isInteger(a.type) && isInteger(b.type)) {
    const wide = commonNumber(a.type, b.type)
    return { node: castTo(operator('%', as(a, wide), as(divisor, wide)), b.type), type: b.type }
  }
  const [da, db] = [asDecimal(a.type), asDecimal(b.type)]
  const type = remainderType(da, db)
  return { node: castTo(operator('%', as(a, da), as(divisor, db)), type), type }
}

/** The divisor, which fails the query where it is 0. */
function nonzero({ node }: Typed): Node {
  const constant = isConstant(node) ? constantOf(node) : undefined
  if (constant !== undefined && constant !== 0) return node
  return call('flink_nonzero', node)
}

/** A time plus or minus an interval. */
function shifted(name: string, left: Typed, right: Typed, place: Node): Typed {
  const [time, interval] = left.type.kind === 'INTERVAL' ? [right, left] : [left, right]
  const isRefused = !isTemporal(time.type) || (name === '-' && left.type.kind === 'INTERVAL')
  if (interval.type.kind !== 'INTERVAL' || isRefused)
    throw new TreeProblem(
      `Cannot apply '${name}' to ${printFlinkType(left.type)} and ${printFlinkType(right.type)}`,
      place,
    )
  return { node: castTo(operator(name, time.node, interval.node), time.type), type: time.type }
}

/** Both operands of a comparison, cast so that DuckDB compares as Flink does. */
export function comparable(left: Typed, right: Typed, place: Node): readonly [Node, Node] {
  const [a, b] = [left.type, right.type]
  if (a.kind === 'NULL' || b.kind === 'NULL') return [left.node, right.node]
  if (isNumber(a) && isNumber(b)) {
    // DuckDB would compare FLOAT with DECIMAL as FLOAT, and BIGINT with DECIMAL as a DECIMAL that may be too short.
    if (isFloat(a) || isFloat(b)) {
      const type = commonNumber(a, b)
      return [as(left, type), as(right, type)]
    }
    return [left.node, right.node]
  }
  if (isText(a) && isTemporal(b)) return [textAs(left, b, place), right.node]
  if (isText(b) && isTemporal(a)) return [left.node, textAs(right, a, place)]
  if (isTimestamp(a) && isTimestamp(b)) {
    const { nodes } = unified([left, right], place)
    return [nodes[0]!, nodes[1]!]
  }
  if (engineType(a) !== engineType(b))
    throw new TreeProblem(
      `${printFlinkType(a)} and ${printFlinkType(b)} cannot be compared; cast one of them`,
      place,
    )
  return [left.node, right.node]
}

function textAs(value: Typed, type: FlinkType, place: Node): Node {
  const target = isTimestamp(type) ? { ...type, precision: 6 } : type.kind === 'DATE' ? DATE : type
  const steps = explicitCast(value.type, target as FlinkType, false)
  if (steps === undefined)
    throw new TreeProblem(`a text cannot be compared with ${printFlinkType(type)}`, place)
  return castNode(value.node, steps)
}

export function comparison(node: Node, left: Typed, right: Typed): Typed {
  const [a, b] = comparable(left, right, node)
  return { node: { ...node, left: a, right: b }, type: BOOLEAN }
}

/** -x and +x. */
export function signed(name: string, { node, type }: Typed, place: Node): Typed {
  if (!isNumber(type)) throw new TreeProblem(`Cannot apply '${name}' to ${printFlinkType(type)}`, place)
  return name === '+' ? { node, type } : { node: castTo(operator('-', node), type), type }
}

/** The unit of an interval that DuckDB's parser made of INTERVAL '5' MINUTE; undefined for other functions. */
export function intervalUnit(name: string): 'MONTH' | 'SECOND' | undefined {
  if (/^to_(?:years|months|quarters)$/.test(name)) return 'MONTH'
  return /^to_(?:weeks|days|hours|minutes|seconds|milliseconds)$/.test(name) ? 'SECOND' : undefined
}
