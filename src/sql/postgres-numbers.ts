/** Numbers in their forms: changes between the forms of numeric, and arithmetic. Operands already have PostgreSQL's meaning. */
import { engineCast } from './engine-cast.ts'
import {
  DIGITS_MAX,
  EXACT,
  engineType,
  FLOAT8,
  fixed,
  integerDigits,
  integerRank,
  isExactNumber,
  isFloat,
  isInteger,
  isNumber,
  isNumeric,
  type PgNumeric,
  type PgType,
  printPgType,
  type Typed,
} from './postgres-types.ts'
import { call, constantOf, integer, isConstant, type Node, operator, TreeProblem, text } from './tree.ts'

/** A numeric whose values are held as DECIMAL. */
type Decimal = Typed & { readonly type: PgNumeric & { precision: number; scale: number } }

/** An integer or numeric as numeric. An integer has no digits after the point. */
export function asNumeric(value: Typed): Typed {
  if (!isInteger(value.type)) return value
  const constant = isConstant(value.node) ? constantOf(value.node) : undefined
  const digits = typeof constant === 'number' ? String(Math.abs(constant)).length : integerDigits(value.type)
  const type = fixed(digits, 0)
  return { ...value, node: engineCast(value.node, engineType(type)), type }
}

export const isDecimal = (value: Typed): value is Decimal =>
  value.type.kind === 'numeric' && value.type.form !== 'exact'

/** The digits after the point that the values of a DECIMAL show. */
export const scaleNode = (value: Decimal): Node => value.scale ?? integer(value.type.scale)

/** The value of a DECIMAL with other digits; it must fit. */
export function decimalAs({ node, type }: Decimal, precision: number, scale: number): Node {
  const target = engineType(fixed(precision, scale))
  return engineType(type) === target ? node : engineCast(node, target)
}

/** A number as the text that PostgreSQL prints. */
export function numberText(value: Typed): Node {
  const { node, type } = value
  if (type.kind === 'float8') return call('postgres_double_text', node)
  if (type.kind === 'float4') return call('postgres_float_text', node)
  if (!isDecimal(value)) return isNumeric(type) ? node : engineCast(node, 'VARCHAR')
  // Without a digit before the point, DuckDB prints .50
  const isShort = value.type.precision <= value.type.scale && value.type.scale < DIGITS_MAX
  const printed = engineCast(
    isShort ? decimalAs(value, value.type.scale + 1, value.type.scale) : node,
    'VARCHAR',
  )
  const whole = value.type.scale === DIGITS_MAX ? call('postgres_leading_zero', printed) : printed
  if (value.scale === undefined || value.type.scale === 0) return whole
  return call('postgres_cut_scale', whole, value.scale, integer(value.type.scale))
}

/** Any exact number as a numeric of the form `exact`. */
export function asExact(value: Typed): Typed {
  if (isNumeric(value.type) && value.type.form === 'exact') return value
  const sameScale = !isDecimal(value) || value.scale === undefined
  return { node: numberText(value), type: { ...EXACT, sameScale }, nullable: value.nullable }
}

/** What is equal for equal numbers, and sorts as they do. */
export function numberKey(value: Typed): Node {
  const { type } = value
  return isNumeric(type) && type.form === 'exact' ? call('postgres_key', value.node) : value.node
}

export function asDouble(value: Typed): Node {
  if (value.type.kind === 'float8') return value.node
  return engineCast(isNumeric(value.type) ? numberText(value) : value.node, 'DOUBLE')
}

function refused(name: string, left: Typed, right: Typed, place: Node): TreeProblem {
  const types = `${printPgType(left.type)} ${name} ${printPgType(right.type)}`
  return new TreeProblem(`operator does not exist: ${types}; cast one of the operands`, place)
}

/** The type of arithmetic over integers and floats: the larger one, double precision where integers and floats meet. */
function commonNumber(a: PgType, b: PgType): PgType {
  if (isInteger(a) && isInteger(b)) return integerRank(a) >= integerRank(b) ? a : b
  return a.kind === 'float4' && b.kind === 'float4' ? a : FLOAT8
}

const EXACT_NAMES: Readonly<Record<string, string>> = {
  '+': 'postgres_add',
  '-': 'postgres_subtract',
  '*': 'postgres_multiply',
  '/': 'postgres_divide',
  '%': 'postgres_remainder',
}

/** `left name right` for + - * / %. */
export function arithmetic(name: string, left: Typed, right: Typed, place: Node): Typed {
  if (!isNumber(left.type) || !isNumber(right.type)) throw refused(name, left, right, place)
  const nullable = left.nullable || right.nullable
  if (isFloat(left.type) || isFloat(right.type)) return floatArithmetic(name, left, right, nullable, place)
  if (isInteger(left.type) && isInteger(right.type)) return integerArithmetic(name, left, right, nullable)
  return numericArithmetic(name, asNumeric(left), asNumeric(right), nullable)
}

function integerArithmetic(name: string, left: Typed, right: Typed, nullable: boolean): Typed {
  const type = commonNumber(left.type, right.type)
  const cast = ({ node, type: from }: Typed) =>
    from.kind === type.kind && !isConstant(node) ? node : engineCast(node, engineType(type))
  const [a, b] = [cast(left), cast(right)]
  if (name === '+' || name === '-' || name === '*') return { node: operator(name, a, b), type, nullable }
  const divisor = nonzero(b, right.node)
  if (name === '%') return { node: call('postgres_modulo', a, divisor), type, nullable }
  return { node: engineCast(operator('//', a, divisor), engineType(type)), type, nullable }
}

/** The divisor, which fails the statement where it is 0. */
function nonzero(node: Node, written: Node): Node {
  const constant = isConstant(written) ? constantOf(written) : undefined
  return constant !== undefined && constant !== 0 ? node : call('postgres_nonzero', node)
}

function floatArithmetic(name: string, left: Typed, right: Typed, nullable: boolean, place: Node): Typed {
  if (name === '%') throw refused(name, left, right, place)
  const type = commonNumber(left.type, right.type)
  const cast = (value: Typed) => (type.kind === 'float4' ? value.node : asDouble(value))
  const [a, b] = [cast(left), cast(right)]
  if (name === '/') {
    const quotient = call('postgres_float_quotient', a, nonzero(b, right.node))
    return { node: engineCast(quotient, engineType(type)), type, nullable }
  }
  const names: Readonly<Record<string, string>> = { '+': 'sum', '-': 'difference', '*': 'product' }
  return { node: call(`postgres_float_${names[name]}`, a, b), type, nullable }
}

function numericArithmetic(name: string, left: Typed, right: Typed, nullable: boolean): Typed {
  if (name !== '/' && isDecimal(left) && isDecimal(right)) {
    const found = decimalArithmetic(name, left, right, nullable)
    if (found !== undefined) return found
  }
  const [a, b] = [asExact(left), asExact(right)]
  return { node: call(EXACT_NAMES[name]!, a.node, b.node), type: EXACT, nullable }
}

/** Where DuckDB would compute in 64 bits and fail, it computes in 128. */
const BITS_64_DIGITS = 18

/** Undefined where DECIMAL has too few digits after the point. */
function decimalArithmetic(
  name: string,
  left: Decimal,
  right: Decimal,
  nullable: boolean,
): Typed | undefined {
  const [a, b] = [left.type, right.type]
  const wholes = [a.precision - a.scale, b.precision - b.scale] as const
  const isProduct = name === '*'
  const scale = isProduct ? a.scale + b.scale : Math.max(a.scale, b.scale)
  const whole = isProduct
    ? wholes[0] + wholes[1]
    : name === '%'
      ? Math.max(...wholes)
      : Math.max(...wholes) + 1
  if (scale > DIGITS_MAX || (name === '%' && whole + scale > DIGITS_MAX)) return undefined
  const type = fixed(whole + scale, scale)
  const width = (precision: number) =>
    whole + scale > BITS_64_DIGITS ? Math.max(precision, BITS_64_DIGITS + 1) : precision
  const nodes = isProduct
    ? [decimalAs(left, width(a.precision), a.scale), decimalAs(right, width(b.precision), b.scale)]
    : [left, right].map((one) => decimalAs(one, name === '%' ? whole + scale : type.precision, scale))
  const [x, y] = nodes as [Node, Node]
  const node =
    name === '%'
      ? call('postgres_modulo', x, nonzero(y, right.node))
      : engineCast(operator(name, x, y), engineType(type))
  const scaleOf = scaleOfResult(left, right, isProduct)
  return scaleOf === undefined
    ? { node, type, nullable }
    : { node, type: { ...type, form: 'scaled' }, scale: scaleOf, nullable }
}

function scaleOfResult(left: Decimal, right: Decimal, isProduct: boolean): Node | undefined {
  if (left.scale === undefined && right.scale === undefined) return undefined
  const scales = [scaleNode(left), scaleNode(right)] as const
  return isProduct ? operator('+', ...scales) : call('greatest', ...scales)
}

/** -x and +x. */
export function signed(name: string, value: Typed, place: Node): Typed {
  const { node, type } = value
  if (!isNumber(type)) throw new TreeProblem(`operator does not exist: ${name} ${printPgType(type)}`, place)
  if (name === '+') return value
  if (isNumeric(type) && type.form === 'exact') return { ...value, node: call('postgres_negate', node) }
  return { ...value, node: engineCast(operator('-', node), engineType(type)) }
}

/** floor, ceil, round and abs of a numeric. */
export function roundedTo(value: Typed, digits: number): Typed {
  const kept = Math.max(digits, 0)
  if (!isDecimal(value) || digits < 0) return exactCall('postgres_round', value, integer(digits))
  const { precision, scale } = value.type
  const whole = precision - scale + 1
  if (whole + kept > DIGITS_MAX) return exactCall('postgres_round', value, integer(digits))
  const type = fixed(whole + kept, kept)
  if (scale <= kept || value.scale === undefined)
    return { node: decimalAs(value, type.precision, kept), type, nullable: value.nullable }
  return { node: decimalAs(value, type.precision, kept), type, nullable: value.nullable }
}

export function exactCall(name: string, value: Typed, ...others: Node[]): Typed {
  return {
    node: call(name, asExact(value).node, ...others),
    type: EXACT,
    nullable: value.nullable,
  }
}

/** floor or ceil. */
export function wholeNumber(name: 'floor' | 'ceil', value: Typed): Typed {
  if (!isDecimal(value)) return exactCall(`postgres_${name}`, value)
  const { precision, scale } = value.type
  const type = fixed(precision - scale + 1, 0)
  if (precision - scale + 1 > DIGITS_MAX) return exactCall(`postgres_${name}`, value)
  return { node: engineCast(call(name, value.node), engineType(type)), type, nullable: value.nullable }
}

/** A constant number as text. */
export const constantText = (value: string): Node => text(value)

export const isComputable = (type: PgType): boolean => isExactNumber(type) || isFloat(type)
