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
  widestType,
} from './flink-types.ts'
import { call, constantOf, isConstant, type Node, operator, TreeProblem, text } from './tree.ts'

const DIGITS_MAX = 38

/** The value as this type, by a cast that loses nothing or that Flink makes itself. */
export function as({ node, type }: Typed, to: FlinkType): Node {
  if (engineType(type) === engineType(to) && type.kind !== 'NULL') return node
  return castTo(node, to)
}

/** Casts all values to the type they have in common. */
export function unified(
  values: readonly Typed[],
  place: Node,
  typeOf: typeof commonType = commonType,
): { nodes: readonly Node[]; type: FlinkType } {
  const type = typeOf(values.map((value) => value.type))
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
  return isSum ? decimalSum(name, a, b) : product(a, b)
}

/** Where DuckDB would compute in 64 bits and fail, it computes in 128. */
const BITS_64_DIGITS = 18

function wide(type: DecimalType, digits: number): DecimalType {
  const isShort = digits > BITS_64_DIGITS && type.precision <= BITS_64_DIGITS
  return isShort ? decimal(BITS_64_DIGITS + 1, type.scale) : type
}

/** NULL where the result has more than 38 digits, as in Flink. */
function decimalSum(name: string, a: Typed, b: Typed): Typed {
  const [da, db] = [asDecimal(a.type), asDecimal(b.type)]
  const type = sumType(da, db)
  const sum = (left: Node, right: Node) => castTo(operator(name, left, right), type)
  const [left, right] = [as(a, wide(da, type.precision)), as(b, wide(db, type.precision))]
  if (Math.max(da.precision, db.precision) < DIGITS_MAX) return { node: sum(left, right), type }
  return { node: boundOnce([left, right], ([l, r]) => tried(sum(l!, r!))), type }
}

/** The product of two DECIMAL: exact where it fits in 38 digits, else through DOUBLE; NULL where the result does not fit. */
function product(a: Typed, b: Typed): Typed {
  const [da, db] = [asDecimal(a.type), asDecimal(b.type)]
  const type = productType(da, db)
  const digits = da.precision + db.precision
  const exact = (left: Node, right: Node) => castTo(operator('*', left, right), type)
  const [left, right] = [as(a, wide(da, digits)), as(b, wide(db, digits))]
  if (digits <= DIGITS_MAX) return { node: exact(left, right), type }
  const inDouble = (l: Node, r: Node) => rounded(operator('*', castTo(l, DOUBLE), castTo(r, DOUBLE)), type)
  const scale = da.scale + db.scale
  if (scale > DIGITS_MAX) return { node: inDouble(left, right), type }
  const node = boundOnce([left, right], ([l, r]) =>
    scale === type.scale ? tried(exact(l!, r!)) : either(tried(exact(l!, r!)), inDouble(l!, r!)),
  )
  return { node, type }
}

/** NULL where it fails. Its operands must be bound, or their failures would be lost. */
const tried = (node: Node): Node => ({ class: 'OPERATOR', type: 'OPERATOR_TRY', children: [node] })
const either = (...children: Node[]): Node => ({ class: 'OPERATOR', type: 'OPERATOR_COALESCE', children })

/** A DOUBLE as DECIMAL, rounded as it is shown; NULL if it is too large. */
const rounded = (value: Node, type: DecimalType): Node => castNode(value, explicitCast(DOUBLE, type, false)!)

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
  const point = type.scale + 1
  const [left, right] = [as(a, da), as(b, db)]
  const inDouble = (l: Node, r: Node) => rounded(operator('/', castTo(l, DOUBLE), castTo(r, DOUBLE)), type)
  if (shift < 0 || shift > DIGITS_MAX || point > DIGITS_MAX) return inDouble(left, right)
  const up = castTo(text(`1${'0'.repeat(shift)}`), HUGEINT)
  const down = castTo(text(`0.${'0'.repeat(point - 1)}1`), decimal(point, point))
  const isShort =
    da.precision + Math.max(da.scale + 1, shift) <= DIGITS_MAX && db.precision + db.scale < DIGITS_MAX
  if (isShort) {
    const dividend = as({ node: left, type: da }, wide(da, da.precision + da.scale + 1))
    const divisor = as({ node: right, type: db }, wide(db, db.precision + db.scale + 1))
    const [wa, wb] = [powerOfTen(da.scale), powerOfTen(db.scale)]
    return castTo(call('flink_quotient', dividend, divisor, wa, wb, up, down), type)
  }
  return boundOnce([left, right], ([l, r]) =>
    either(tried(castTo(call('flink_long_quotient', l!, r!, up, down), type)), inDouble(l!, r!)),
  )
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
  const isWhole = da.scale === 0 && db.scale === 0
  const type = isWhole ? b.type : remainderType(da, db)
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
      const type = widestType([a, b])!
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
