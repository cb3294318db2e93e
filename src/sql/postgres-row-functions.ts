/** Functions and operators of one row, besides arithmetic, with PostgreSQL's results. Arguments already have PostgreSQL's meaning. */
import { engineCast } from './engine-cast.ts'
import { castTo, orText, resolved, textOf } from './postgres-casts.ts'
import { chosen, comparable, keyOf, unified } from './postgres-common.ts'
import { arithmetic, asDouble, asNumeric, exactCall, roundedTo, wholeNumber } from './postgres-numbers.ts'
import { TIME_FUNCTIONS } from './postgres-time-functions.ts'
import {
  BOOLEAN,
  engineType,
  FLOAT8,
  INT4,
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
import { call, constantOf, isConstant, type Node, NULL, TreeProblem, text, UnsupportedTree } from './tree.ts'

export type RowFunction = (args: readonly Typed[], place: Node) => Typed

const anyNullable = (args: readonly Typed[]): boolean => args.some(({ nullable }) => nullable)

export function missingFunction(name: string, args: readonly Typed[], place: Node): TreeProblem {
  const types = args.map(({ type }) => printPgType(type)).join(', ')
  return new TreeProblem(`function ${name}(${types}) does not exist; cast its arguments`, place)
}

/** A text argument; numbers and others must be cast, as in PostgreSQL. */
function textArgument(value: Typed, name: string, args: readonly Typed[], place: Node): Node {
  if (!isText(value.type) && value.type.kind !== 'unknown') throw missingFunction(name, args, place)
  return textOf(value, place)
}

function ofTexts(name: string, type: PgType, build: (...texts: Node[]) => Node): RowFunction {
  return (args, place) => ({
    node: build(...args.map((arg) => textArgument(arg, name, args, place))),
    type,
    nullable: anyNullable(args),
  })
}

const length: RowFunction = (args, place) => {
  const [value] = args as [Typed]
  const node =
    value.type.kind === 'bytea'
      ? call('octet_length', value.node)
      : call('length', textArgument(value, 'length', args, place))
  return { node: engineCast(node, 'INTEGER'), type: INT4, nullable: value.nullable }
}

function integerArgument(value: Typed, name: string, args: readonly Typed[], place: Node): Node {
  const known = resolved(value, INT4, place)
  if (!isInteger(known.type)) throw missingFunction(name, args, place)
  return known.type.kind === 'int4' ? known.node : engineCast(known.node, 'INTEGER')
}

const substring: RowFunction = (args, place) => {
  const [of, from, count] = args as [Typed, Typed, Typed | undefined]
  const name = 'substring'
  if (from.type.kind === 'unknown')
    throw new UnsupportedTree('substring with a pattern is not supported here', place)
  const operands = [textArgument(of, name, args, place), integerArgument(from, name, args, place)]
  const node =
    count === undefined
      ? call('postgres_substring_from', ...operands)
      : call('postgres_substring', ...operands, integerArgument(count, name, args, place))
  return { node, type: TEXT, nullable: anyNullable(args) }
}

function trim(name: 'trim' | 'ltrim' | 'rtrim'): RowFunction {
  return ofTexts(name, TEXT, (of, characters = text(' ')) => call(name, of, characters))
}

/** A function of a number that gives a number of the same type. */
function ofNumber(
  name: string,
  ofNumeric: (value: Typed) => Typed,
  ofFloat: (node: Node) => Node,
): RowFunction {
  return (args, place) => {
    const value = resolved(args[0]!, FLOAT8, place)
    if (!isNumber(value.type)) throw missingFunction(name, args, place)
    if (isNumeric(value.type)) return ofNumeric(value)
    return { node: ofFloat(asDouble(value)), type: FLOAT8, nullable: value.nullable }
  }
}

const abs: RowFunction = (args, place) => {
  const value = resolved(args[0]!, FLOAT8, place)
  if (!isNumber(value.type)) throw missingFunction('abs', args, place)
  if (isNumeric(value.type) && value.type.form === 'exact') return exactCall('postgres_abs', value)
  return { ...value, node: engineCast(call('abs', value.node), engineType(value.type)) }
}

const round: RowFunction = (args, place) => {
  const [value, digits] = args as [Typed, Typed | undefined]
  if (digits === undefined)
    return ofNumber(
      'round',
      (of) => roundedTo(of, 0),
      (node) => call('postgres_round_float', node),
    )(args, place)
  if (isFloat(value.type) || (!isNumber(value.type) && value.type.kind !== 'unknown'))
    throw missingFunction('round', args, place)
  const number = asNumeric(resolved(value, { kind: 'numeric', form: 'exact', sameScale: false }, place))
  const count = integerArgument(digits, 'round', args, place)
  const constant = isConstant(count) ? constantOf(count) : undefined
  if (typeof constant === 'number' && !digits.nullable) return roundedTo(number, constant)
  return { ...exactCall('postgres_round', number, count), nullable: anyNullable(args) }
}

function doubleFunction(name: string): RowFunction {
  return (args, place) => {
    const values = args.map((arg) => resolved(arg, FLOAT8, place))
    const exact = values.some(({ type }) => isNumeric(type))
    const isFloats = values.some(({ type }) => isFloat(type))
    if (values.some(({ type }) => !isNumber(type))) throw missingFunction(name, args, place)
    if (exact && !isFloats)
      throw new UnsupportedTree(`${name} of numeric is not supported here; cast to double precision`, place)
    return {
      node: call(`postgres_${name}`, ...values.map(asDouble)),
      type: FLOAT8,
      nullable: anyNullable(args),
    }
  }
}

const isNotNull = (child: Node): Node => ({
  class: 'OPERATOR',
  type: 'OPERATOR_IS_NOT_NULL',
  children: [child],
})

export const coalesce: RowFunction = (args, place) => {
  const { values, type } = unified(args, place)
  const nullable = args.every((arg) => arg.nullable)
  const node = (nodes: readonly Node[]): Node =>
    nodes.length === 1 ? nodes[0]! : { class: 'OPERATOR', type: 'OPERATOR_COALESCE', children: nodes }
  const value = { node: node(values.map((one) => one.node)), type, nullable }
  if (type.kind !== 'numeric' || type.form !== 'scaled') return value
  const conditions = values.slice(0, -1).map((one) => isNotNull(one.node))
  const scales = values.map((one) => ({ node: one.scale!, type: INT4, nullable: true }))
  return { ...value, scale: chosen(conditions, scales, true, place).node }
}

const nullif: RowFunction = ([left, right], place) => {
  const first = asOperand(orText(left!, place), right!, place)
  const [a, b] = comparable(first, right!, place)
  const when: Node = { class: 'COMPARISON', type: 'COMPARE_EQUAL', left: a, right: b }
  const node: Node = {
    class: 'CASE',
    type: 'CASE_EXPR',
    case_checks: [{ when_expr: when, then_expr: engineCast(NULL, engineType(first.type)) }],
    else_expr: first.node,
  }
  return { ...first, node, nullable: true }
}

/** The left side of `=` as PostgreSQL takes it, which is what NULLIF returns. */
function asOperand(left: Typed, right: Typed, place: Node): Typed {
  const { type } = left
  const other = right.type
  if (isText(type) && type.kind !== 'text' && !(type.kind === 'bpchar' && isOfBlanks(other)))
    return castTo(left, { type: TEXT, modifiers: [] }, place)
  if (!isNumber(type) || !isNumber(other) || type.kind === other.kind) return left
  if (isFloat(other) && !isFloat(type)) return { ...left, node: asDouble(left), type: FLOAT8 }
  return isNumeric(other) && !isFloat(type) ? asNumeric(left) : left
}

const isOfBlanks = ({ kind }: PgType): boolean => kind === 'bpchar' || kind === 'unknown'

/** NULLs are passed over, as in PostgreSQL. */
function extremeOf(name: 'greatest' | 'least'): RowFunction {
  return (args, place) => {
    const { values, type } = unified(args, place)
    const nullable = args.every((arg) => arg.nullable)
    if (isJson(type) || type.kind === 'bytea') throw missingFunction(name, args, place)
    if (values.length === 1) return values[0]!
    const isOfKeys = type.kind === 'bpchar' || (isNumeric(type) && type.form !== 'fixed')
    if (isOfKeys) return chosenExtreme(name, values, nullable, place)
    return { node: call(name, ...values.map(({ node }) => node)), type, nullable }
  }
}

function chosenExtreme(name: string, values: readonly Typed[], nullable: boolean, place: Node): Typed {
  const keys = values.map(keyOf)
  const found = call(name, ...keys)
  const conditions = keys
    .slice(0, -1)
    .map((key): Node => ({ class: 'COMPARISON', type: 'COMPARE_EQUAL', left: key, right: found }))
  return chosen(conditions, values, nullable, place)
}

/** `||` */
const joined: RowFunction = (args, place) => {
  const [left, right] = args as [Typed, Typed]
  if (left.type.kind === 'array' || right.type.kind === 'array' || isJson(left.type) || isJson(right.type))
    throw new UnsupportedTree(
      `${printPgType(left.type)} || ${printPgType(right.type)} is not supported here`,
      place,
    )
  const hasText = args.some(({ type }) => isText(type) || type.kind === 'unknown')
  if (!hasText)
    throw new TreeProblem(
      `operator does not exist: ${printPgType(left.type)} || ${printPgType(right.type)}; cast one to text`,
      place,
    )
  return {
    node: call('||', textOf(left, place), textOf(right, place)),
    type: TEXT,
    nullable: anyNullable(args),
  }
}

/** LIKE and the like: a backslash quotes the next character. The blanks at the end of character(n) count. */
function like(name: string, isNegated: boolean): RowFunction {
  return (args, place) => {
    const [of, pattern, quote] = args as [Typed, Typed, Typed | undefined]
    const operand = of.type.kind === 'bpchar' ? of.node : textArgument(of, 'like', args, place)
    const found = call(
      name,
      operand,
      textArgument(pattern, 'like', args, place),
      quote === undefined ? text('\\') : textArgument(quote, 'like', args, place),
    )
    const node: Node = isNegated ? { class: 'OPERATOR', type: 'OPERATOR_NOT', children: [found] } : found
    return { node, type: BOOLEAN, nullable: anyNullable(args) }
  }
}

/** `->` and `->>` */
function member(suffix: '' | '_text'): RowFunction {
  return (args, place) => {
    const [json, key] = args as [Typed, Typed]
    if (!isJson(json.type))
      throw new TreeProblem(
        `operator does not exist: ${printPgType(json.type)} ->; the left side must be json or jsonb`,
        place,
      )
    const type = suffix === '' ? json.type : TEXT
    if (isInteger(key.type))
      return {
        node: call(`postgres_${json.type.kind}_element${suffix}`, json.node, engineCast(key.node, 'INTEGER')),
        type,
        nullable: true,
      }
    const name = textArgument(key, '->', args, place)
    return { node: call(`postgres_json_member${suffix}`, json.node, name), type, nullable: true }
  }
}

const mod: RowFunction = (args, place) => {
  const [left, right] = args as [Typed, Typed]
  return arithmetic('%', resolved(left, right.type, place), resolved(right, left.type, place), place)
}

export const ROW_FUNCTIONS: Readonly<Record<string, RowFunction>> = {
  ...TIME_FUNCTIONS,
  lower: ofTexts('lower', TEXT, (of) => call('lower', of)),
  upper: ofTexts('upper', TEXT, (of) => call('postgres_upper', of)),
  length,
  char_length: length,
  character_length: length,
  substring,
  substr: substring,
  btrim: trim('trim'),
  ltrim: trim('ltrim'),
  rtrim: trim('rtrim'),
  replace: ofTexts('replace', TEXT, (of, from, to) => call('postgres_replace', of!, from!, to!)),
  coalesce,
  nullif,
  greatest: extremeOf('greatest'),
  least: extremeOf('least'),
  abs,
  round,
  floor: ofNumber(
    'floor',
    (of) => wholeNumber('floor', of),
    (node) => call('floor', node),
  ),
  ceil: ofNumber(
    'ceil',
    (of) => wholeNumber('ceil', of),
    (node) => call('ceil', node),
  ),
  ceiling: ofNumber(
    'ceiling',
    (of) => wholeNumber('ceil', of),
    (node) => call('ceil', node),
  ),
  mod,
  power: doubleFunction('power'),
  sqrt: doubleFunction('sqrt'),
  '||': joined,
  '~~': like('like_escape', false),
  '!~~': like('like_escape', true),
  '~~*': like('ilike_escape', false),
  '!~~*': like('ilike_escape', true),
  like_escape: like('like_escape', false),
  not_like_escape: like('like_escape', true),
  ilike_escape: like('ilike_escape', false),
  not_ilike_escape: like('ilike_escape', true),
  '->': member(''),
  '->>': member('_text'),
}
