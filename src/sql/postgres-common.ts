/** Values of one expression that must have a type in common: of CASE, COALESCE, UNION, and the sides of a comparison. */
import { engineCast } from './engine-cast.ts'
import { castTo, orText, resolved } from './postgres-casts.ts'
import {
  asDouble,
  asExact,
  asNumeric,
  decimalAs,
  isDecimal,
  numberKey,
  scaleNode,
} from './postgres-numbers.ts'
import {
  BOOLEAN,
  DIGITS_MAX,
  engineType,
  FLOAT8,
  fixed,
  isFloat,
  isInteger,
  isNumber,
  isNumeric,
  isPoint,
  isText,
  type PgNumeric,
  type PgType,
  printPgType,
  TEXT,
  type Typed,
  timestamp,
  timestamptz,
} from './postgres-types.ts'
import { call, caseWhen, type Node, TreeProblem, text } from './tree.ts'

/** Types of one category: of two, the later one is the common type. */
const PROMOTIONS: readonly (readonly string[])[] = [
  ['int2', 'int4', 'int8', 'numeric', 'float4', 'float8'],
  ['date', 'timestamp', 'timestamptz'],
]

/** As PostgreSQL chooses the type of CASE, from left to right. Undefined: there is none. */
function commonType(a: PgType, b: PgType): PgType | undefined {
  if (a.kind === 'unknown') return b
  if (b.kind === 'unknown') return a
  if (a.kind === b.kind) {
    if (a.kind === 'array' || a.kind === 'other') return engineType(a) === engineType(b) ? a : undefined
    return a
  }
  if (isText(a) && isText(b)) return a
  const order = PROMOTIONS.find((kinds) => kinds.includes(a.kind) && kinds.includes(b.kind))
  if (order === undefined) return undefined
  return order.indexOf(a.kind) >= order.indexOf(b.kind) ? a : b
}

export interface Unified {
  readonly values: readonly Typed[]
  readonly type: PgType
}

/** The values as values of one type, which have the same form. */
export function unified(given: readonly Typed[], place: Node): Unified {
  const type = given.reduce<PgType | undefined>((common, value) => common && commonType(common, value.type), {
    kind: 'unknown',
  })
  if (type === undefined) {
    const names = [...new Set(given.map((value) => printPgType(value.type)))].join(' and ')
    throw new TreeProblem(`types ${names} cannot be matched; cast them to one type`, place)
  }
  const target = type.kind === 'unknown' ? TEXT : type
  const values = given.map((value) => resolved(value, target, place))
  if (target.kind === 'numeric') return unifiedNumerics(values.map((value) => numericOf(value)))
  return { values: values.map((value) => as(value, target, place)), type: target }
}

const numericOf = (value: Typed): Typed => asNumeric(value)

/** A value of another type of the same category. */
export function as(value: Typed, type: PgType, place: Node): Typed {
  if (engineType(value.type) === engineType(type) && value.type.kind === type.kind) return value
  if (isText(type) && isText(value.type)) return castTo(value, { type, modifiers: [] }, place)
  if (isFloat(type) || isInteger(type) || isPoint(type)) return castTo(value, { type, modifiers: [] }, place)
  return { ...value, type }
}

/** Numerics in one form: DECIMAL where all of them are, with the digits that each one shows where they differ. */
function unifiedNumerics(values: readonly Typed[]): Unified {
  if (!values.every(isDecimal)) return exactNumerics(values)
  const scale = Math.max(...values.map(({ type }) => type.scale))
  const whole = Math.max(...values.map(({ type }) => type.precision - type.scale))
  if (whole + scale > DIGITS_MAX) return exactNumerics(values)
  const isFixed = values.every((value) => value.scale === undefined && value.type.scale === scale)
  const type: PgNumeric = { ...fixed(whole + scale, scale), form: isFixed ? 'fixed' : 'scaled' } as PgNumeric
  const cast = values.map((value) => {
    const node = decimalAs(value, whole + scale, scale)
    return { node, type, nullable: value.nullable, ...(isFixed ? {} : { scale: scaleNode(value) }) }
  })
  return { values: cast, type }
}

function exactNumerics(values: readonly Typed[]): Unified {
  const exact = values.map(asExact)
  const type: PgNumeric = { kind: 'numeric', form: 'exact', sameScale: false }
  return { values: exact.map((value) => ({ ...value, type })), type }
}

/** Both sides so that DuckDB compares them as PostgreSQL does. */
export function comparable(left: Typed, right: Typed, place: Node): readonly [Node, Node] {
  const isUntyped = left.type.kind === 'unknown' && right.type.kind === 'unknown'
  const a = isUntyped ? orText(left, place) : resolved(left, right.type, place)
  const b = isUntyped ? orText(right, place) : resolved(right, left.type, place)
  const [x, y] = [a.type, b.type]
  if (isNumber(x) && isNumber(y)) return comparableNumbers(a, b)
  if (isText(x) && isText(y)) {
    const cut = ({ node, type }: Typed) => (type.kind === 'bpchar' ? call('rtrim', node, text(' ')) : node)
    return [cut(a), cut(b)]
  }
  if (isPoint(x) && isPoint(y)) {
    const type =
      x.kind === y.kind
        ? x
        : x.kind === 'timestamptz' || y.kind === 'timestamptz'
          ? timestamptz()
          : timestamp()
    return [as(a, type, place).node, as(b, type, place).node]
  }
  const isSame = x.kind === y.kind && printPgType(x) === printPgType(y)
  if (isSame && x.kind !== 'json' && x.kind !== 'jsonb') return [a.node, b.node]
  throw new TreeProblem(
    `${printPgType(x)} and ${printPgType(y)} cannot be compared; cast one of them, for example to text`,
    place,
  )
}

function comparableNumbers(a: Typed, b: Typed): readonly [Node, Node] {
  if (isFloat(a.type) || isFloat(b.type)) {
    if (a.type.kind === b.type.kind) return [a.node, b.node]
    return [asDouble(a), asDouble(b)]
  }
  if (isInteger(a.type) && isInteger(b.type)) return [a.node, b.node]
  const { values, type } = unifiedNumerics([asNumeric(a), asNumeric(b)])
  if (isNumeric(type) && type.form !== 'exact') return [values[0]!.node, values[1]!.node]
  return [numberKey(values[0]!), numberKey(values[1]!)]
}

export function comparison(node: Node, left: Typed, right: Typed): Typed {
  const [a, b] = comparable(left, right, node)
  const isDistinct = /DISTINCT/.test(String(node.type))
  return {
    node: { ...node, left: a, right: b },
    type: BOOLEAN,
    nullable: !isDistinct && (left.nullable || right.nullable),
  }
}

/** By what a value is grouped and sorted, and its duplicates are found. */
export function keyOf(value: Typed): Node {
  if (isNumeric(value.type)) return numberKey(value)
  return value.type.kind === 'bpchar' ? call('rtrim', value.node, text(' ')) : value.node
}

/** `when` conditions that choose among values: each value where its condition holds, else the last one. */
export function chosen(
  conditions: readonly Node[],
  given: readonly Typed[],
  nullable: boolean,
  place: Node,
): Typed {
  // PostgreSQL looks at ELSE first when it chooses the type.
  const { values: ordered, type } = unified([given.at(-1)!, ...given.slice(0, -1)], place)
  const values = [...ordered.slice(1), ordered[0]!]
  const choice = (nodes: readonly Node[]): Node =>
    conditions.reduceRight<Node>(
      (otherwise, condition, index) => caseWhen(condition, nodes[index]!, otherwise),
      nodes.at(-1)!,
    )
  const node = choice(values.map((value) => value.node))
  if (type.kind !== 'numeric' || type.form !== 'scaled') return { node, type, nullable }
  return { node, type, scale: choice(values.map((value) => value.scale!)), nullable }
}

export function asFloat8(value: Typed): Typed {
  return { node: asDouble(value), type: FLOAT8, nullable: value.nullable }
}

/** A value as a column of a query: a numeric with digits of its own becomes a text. */
export function asColumn(value: Typed, place: Node): Typed {
  const known = orText(value, place)
  return known.scale === undefined ? known : asExact(known)
}

export const engineTyped = (value: Typed): Node => engineCast(value.node, engineType(value.type))
