/** Expressions of PostgreSQL: each node of the tree is replaced, operands first, and gets its type. */
import { engineCast } from './engine-cast.ts'
import { type AggregateForm, aggregate } from './postgres-aggregates.ts'
import { castTo, resolved } from './postgres-casts.ts'
import { as, asColumn, chosen, comparable, comparison, keyOf, unified } from './postgres-common.ts'
import { postgresFunction } from './postgres-functions.ts'
import { arithmetic, signed } from './postgres-numbers.ts'
import { coalesce, ROW_FUNCTIONS } from './postgres-row-functions.ts'
import type { PgScope } from './postgres-scope.ts'
import { timeArithmetic } from './postgres-time-functions.ts'
import {
  BOOLEAN,
  FLOAT8,
  fixed,
  INT4,
  INT8,
  isInteger,
  type PgType,
  printPgType,
  readPgType,
  type Typed,
  UNKNOWN,
  type WrittenType,
} from './postgres-types.ts'
import {
  childrenOf,
  constantOf,
  type ExactDigits,
  type Node,
  NULL,
  TreeProblem,
  text,
  UnsupportedTree,
} from './tree.ts'

/** The query of a sub-query expression, with PostgreSQL's meaning, and its columns. */
export type SubqueryOf = (
  query: Node,
  scope: PgScope,
) => { readonly node: Node; readonly columns: readonly { readonly type: PgType }[] }

/** An expression of GROUP BY whose equal values may show different digits. */
export interface GroupedValue {
  /** As `signatureOf` gives it for the expression. */
  readonly signature: string
  readonly value: Typed
}

/** The engine's own limit is 1000 levels. */
const DEPTH_MAX = 600

const ARITHMETIC = ['+', '-', '*', '/', '%']

export class PgExpressions {
  readonly #subquery: SubqueryOf
  /** Set while what stands behind GROUP BY is read. */
  grouped: readonly GroupedValue[] = []
  #depth = 0

  constructor(subquery: SubqueryOf) {
    this.#subquery = subquery
  }

  /** What stands for `node`, with the same alias and place. */
  typed(node: Node, scope: PgScope): Typed {
    this.#depth += 1
    if (this.#depth > DEPTH_MAX)
      throw new TreeProblem(`the statement is nested deeper than ${DEPTH_MAX} levels`, node)
    try {
      const value = this.#groupedValue(node) ?? this.#typed(node, scope)
      return { ...value, node: { ...value.node, alias: node.alias ?? '', ...placeOf(node) } }
    } finally {
      this.#depth -= 1
    }
  }

  condition(node: Node, scope: PgScope): Node {
    const value = resolved(this.typed(node, scope), BOOLEAN, node)
    if (value.type.kind !== 'boolean')
      throw new TreeProblem(`a condition must be boolean, not ${printPgType(value.type)}`, node)
    return value.node
  }

  /** Items of ORDER BY; NULLs are last ascending and first descending unless the statement says otherwise. */
  orders(orders: readonly Node[], expressionOf: (node: Node) => Node): Node[] {
    return orders.map((order) => ({
      ...order,
      expression: expressionOf(order.expression as Node),
      null_order:
        order.null_order !== 'ORDER_DEFAULT'
          ? order.null_order
          : order.type === 'DESCENDING'
            ? 'NULLS FIRST'
            : 'NULLS LAST',
    }))
  }

  /** By what an expression is sorted. */
  orderKey(node: Node, scope: PgScope): Node {
    return keyOf(asUnscaled(this.typed(node, scope), node))
  }

  #groupedValue(node: Node): Typed | undefined {
    if (this.grouped.length === 0) return undefined
    const signature = signatureOf(node)
    return this.grouped.find((group) => group.signature === signature)?.value
  }

  #typed(node: Node, scope: PgScope): Typed {
    switch (node.class) {
      case 'CONSTANT':
        return literal(node)
      case 'COLUMN_REF':
        return scope.column(node)
      case 'CAST':
        return castTo(this.typed(node.child as Node, scope), writtenType(node), node)
      case 'FUNCTION':
        return this.#function(node, scope)
      case 'WINDOW':
        return this.#window(node, scope)
      case 'COMPARISON':
        return comparison(node, this.typed(node.left as Node, scope), this.typed(node.right as Node, scope))
      case 'CONJUNCTION': {
        const children = childrenOf(node).map((child) => this.condition(child, scope))
        return { node: { ...node, children }, type: BOOLEAN, nullable: true }
      }
      case 'BETWEEN':
        return this.#between(node, scope)
      case 'CASE':
        return this.#case(node, scope)
      case 'OPERATOR':
        return this.#operator(node, scope)
      case 'SUBQUERY':
        return this.#subqueryExpression(node, scope)
      default:
        throw new UnsupportedTree(`${String(node.class).toLowerCase()} is not supported here`, node)
    }
  }

  #function(node: Node, scope: PgScope): Typed {
    const name = String(node.function_name).toLowerCase()
    const args = childrenOf(node).map((child) => this.typed(child, scope))
    if (ARITHMETIC.includes(name)) return this.#arithmetic(name, args, node)
    const known = postgresFunction(name)
    if (known?.kind === 'aggregate') return this.#aggregate(node, name, args, scope)
    if (known?.kind === 'window') throw new TreeProblem(`${name} needs OVER`, node)
    const rewrite = Object.hasOwn(ROW_FUNCTIONS, name) ? ROW_FUNCTIONS[name] : undefined
    if (rewrite === undefined) throw new UnsupportedTree(`the function ${name} is not supported here`, node)
    if (known !== undefined && (args.length < known.least || args.length > known.most))
      throw new TreeProblem(`${name} has ${known.least} to ${known.most} arguments, not ${args.length}`, node)
    return rewrite(args, node)
  }

  #arithmetic(name: string, args: readonly Typed[], node: Node): Typed {
    const [first, second] = args as [Typed, Typed | undefined]
    if (second === undefined) {
      if (first.type.kind === 'interval') return { ...first, node: { ...node, children: [first.node] } }
      return signed(name, resolved(first, FLOAT8, node), node)
    }
    const isUntyped = first.type.kind === 'unknown' && second.type.kind === 'unknown'
    if (isUntyped) throw new TreeProblem(`operator is not unique: unknown ${name} unknown; add casts`, node)
    const [left, right] = [operandAs(name, first, second, node), operandAs(name, second, first, node)]
    return timeArithmetic(name, left, right, node) ?? arithmetic(name, left, right, node)
  }

  #aggregate(node: Node, name: string, args: readonly Typed[], scope: PgScope): Typed {
    const filter =
      node.filter === null || node.filter === undefined ? null : this.condition(node.filter as Node, scope)
    const { orders = [] } = (node.order_bys ?? {}) as { orders?: readonly Node[] }
    const order_bys = {
      type: 'ORDER_MODIFIER',
      orders: this.orders(notConstant(orders), (one) => this.orderKey(one, scope)),
    }
    const form: AggregateForm = {
      of: (function_name, ...children) => ({
        ...node,
        alias: '',
        function_name,
        schema: '',
        children,
        filter,
        order_bys,
      }),
      isDistinct: node.distinct === true,
    }
    return aggregate(name, args, form, node)
  }

  #window(node: Node, scope: PgScope): Typed {
    const name = String(node.function_name).toLowerCase()
    const optional = (one: unknown) =>
      one === null || one === undefined ? null : this.typed(one as Node, scope).node
    const filter = node.filter_expr
    const over = {
      ...node,
      alias: '',
      partitions: ((node.partitions ?? []) as readonly Node[]).map((one) => this.orderKey(one, scope)),
      orders: this.orders(notConstant((node.orders ?? []) as readonly Node[]), (one) =>
        this.orderKey(one, scope),
      ),
      start_expr: optional(node.start_expr),
      end_expr: optional(node.end_expr),
      filter_expr: filter === null || filter === undefined ? null : this.condition(filter as Node, scope),
    }
    const args = childrenOf(node).map((child) => this.typed(child, scope))
    const known = postgresFunction(name)
    if (known?.kind === 'aggregate') {
      const form: AggregateForm = {
        of: (function_name, ...children) => ({ ...over, function_name, type: 'WINDOW_AGGREGATE', children }),
        isDistinct: node.distinct === true,
      }
      return aggregate(name, args, form, node)
    }
    if (known?.kind !== 'window')
      throw new UnsupportedTree(`the function ${name} with OVER is not supported here`, node)
    return this.#overRows(name, node, over, args, scope)
  }

  #overRows(name: string, node: Node, over: Node, args: readonly Typed[], scope: PgScope): Typed {
    const [first, ...others] = args.map((arg) => asColumn(arg, node))
    if (first === undefined) {
      const type = name === 'percent_rank' || name === 'cume_dist' ? FLOAT8 : INT8
      return { node: over, type, nullable: false }
    }
    if (args[0]!.type.kind === 'unknown')
      throw new TreeProblem(`${name} of a constant needs a cast, for example to text`, node)
    if (name === 'ntile')
      return { node: engineCast({ ...over, children: [first.node] }, 'INTEGER'), type: INT4, nullable: true }
    const given = (one: unknown): Typed | undefined =>
      one === null || one === undefined ? undefined : this.typed(one as Node, scope)
    const fallback = given(node.default_expr)
    const offset = given(node.offset_expr)
    const { values, type } = unified(fallback === undefined ? [first] : [first, fallback], node)
    const columns = values.map((value) => asColumn(value, node))
    return {
      node: {
        ...over,
        children: [columns[0]!.node, ...others.map((other) => other.node)],
        offset_expr: offset === undefined ? null : engineCast(offset.node, 'BIGINT'),
        default_expr: columns[1]?.node ?? null,
      },
      type: type.kind === 'numeric' ? columns[0]!.type : type,
      nullable: true,
    }
  }

  #between(node: Node, scope: PgScope): Typed {
    const [input, lower, upper] = [node.input, node.lower, node.upper].map((part) =>
      this.typed(part as Node, scope),
    ) as [Typed, Typed, Typed]
    const half = (type: string, [left, right]: readonly [Node, Node]): Node => ({
      class: 'COMPARISON',
      type,
      left,
      right,
    })
    const children = [
      half('COMPARE_GREATERTHANOREQUALTO', comparable(input, lower, node)),
      half('COMPARE_LESSTHANOREQUALTO', comparable(input, upper, node)),
    ]
    const all: Node = { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', children }
    return { node: all, type: BOOLEAN, nullable: true }
  }

  #case(node: Node, scope: PgScope): Typed {
    const checks = node.case_checks as readonly { when_expr: Node; then_expr: Node }[]
    const values = [...checks.map(({ then_expr }) => then_expr), node.else_expr as Node].map((value) =>
      this.typed(value, scope),
    )
    const conditions = checks.map(({ when_expr }) => this.condition(when_expr, scope))
    return chosen(
      conditions,
      values,
      values.some(({ nullable }) => nullable),
      node,
    )
  }

  #operator(node: Node, scope: PgScope): Typed {
    switch (node.type) {
      case 'OPERATOR_IS_NULL':
      case 'OPERATOR_IS_NOT_NULL': {
        const children = childrenOf(node).map((child) => this.typed(child, scope).node)
        return { node: { ...node, children }, type: BOOLEAN, nullable: false }
      }
      case 'OPERATOR_NOT':
        return {
          node: { ...node, children: [this.condition(childrenOf(node)[0]!, scope)] },
          type: BOOLEAN,
          nullable: true,
        }
      case 'OPERATOR_COALESCE':
        return coalesce(
          childrenOf(node).map((child) => this.typed(child, scope)),
          node,
        )
      case 'COMPARE_IN':
      case 'COMPARE_NOT_IN':
        return this.#in(node, scope)
      case 'ARRAY_CONSTRUCTOR': {
        const { values } = unified(
          childrenOf(node).map((child) => this.typed(child, scope)),
          node,
        )
        const items = values.map((value) => asColumn(value, node))
        const type: PgType = { kind: 'array', element: items[0]!.type }
        return { node: { ...node, children: items.map((item) => item.node) }, type, nullable: false }
      }
      case 'ARRAY_EXTRACT':
        return this.#element(node, scope)
      default:
        throw new UnsupportedTree(
          `the operator ${String(node.type).toLowerCase()} is not supported here`,
          node,
        )
    }
  }

  #in(node: Node, scope: PgScope): Typed {
    const [operand, ...members] = childrenOf(node).map((child) => this.typed(child, scope)) as [
      Typed,
      ...Typed[],
    ]
    const isIn = node.type === 'COMPARE_IN'
    const nullable = true
    const pairs = members.map((member) => comparable(operand, member, node))
    const [first] = pairs
    const isPlain = pairs.every(([left]) => JSON.stringify(left) === JSON.stringify(first![0]))
    if (isPlain)
      return {
        node: { ...node, children: [first![0], ...pairs.map(([, right]) => right)] },
        type: BOOLEAN,
        nullable,
      }
    const children = pairs.map(
      ([left, right]): Node => ({
        class: 'COMPARISON',
        type: isIn ? 'COMPARE_EQUAL' : 'COMPARE_NOTEQUAL',
        left,
        right,
      }),
    )
    const all: Node = { class: 'CONJUNCTION', type: isIn ? 'CONJUNCTION_OR' : 'CONJUNCTION_AND', children }
    return { node: children.length === 1 ? children[0]! : all, type: BOOLEAN, nullable }
  }

  #element(node: Node, scope: PgScope): Typed {
    const [of, index] = childrenOf(node).map((child) => this.typed(child, scope)) as [Typed, Typed]
    const known = resolved(index, INT4, node)
    if (of.type.kind !== 'array' || !isInteger(known.type))
      throw new TreeProblem(`cannot subscript type ${printPgType(of.type)} with this value`, node)
    const atLeastOne: Node = { ...node, children: [of.node, known.node] }
    const isInside: Node = {
      class: 'COMPARISON',
      type: 'COMPARE_GREATERTHAN',
      left: known.node,
      right: {
        class: 'CONSTANT',
        type: 'VALUE_CONSTANT',
        value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 0 },
      },
    }
    return {
      node: {
        class: 'CASE',
        type: 'CASE_EXPR',
        case_checks: [{ when_expr: isInside, then_expr: atLeastOne }],
        else_expr: NULL,
      },
      type: of.type.element,
      nullable: true,
    }
  }

  #subqueryExpression(node: Node, scope: PgScope): Typed {
    const { node: query, columns } = this.#subquery((node.subquery as { node: Node }).node, scope)
    const subquery = { ...(node.subquery as object), node: query }
    const [first] = columns
    if (node.subquery_type === 'SCALAR')
      return { node: { ...node, subquery }, type: first!.type, nullable: true }
    if (node.child === null || node.child === undefined)
      return { node: { ...node, subquery }, type: BOOLEAN, nullable: node.subquery_type !== 'EXISTS' }
    const child = this.typed(node.child as Node, scope)
    const column: Node = { class: 'COLUMN_REF', type: 'COLUMN_REF', column_names: ['q', 'c'] }
    const [left, right] = comparable(child, { node: column, type: first!.type, nullable: true }, node)
    return {
      node: { ...node, child: left, subquery: { ...subquery, node: withColumn(query, right) } },
      type: BOOLEAN,
      nullable: true,
    }
  }
}

/** `SELECT expression FROM (query) AS q(c)` */
function withColumn(query: Node, expression: Node): Node {
  if (expression.class === 'COLUMN_REF') return query
  return {
    type: 'SELECT_NODE',
    modifiers: [],
    cte_map: { map: [] },
    select_list: [{ ...expression, alias: 'c' }],
    from_table: {
      type: 'SUBQUERY',
      alias: 'q',
      sample: null,
      subquery: { node: query, named_param_map: [] },
      column_name_alias: ['c'],
    },
    where_clause: null,
    group_expressions: [],
    group_sets: [],
    aggregate_handling: 'STANDARD_HANDLING',
    having: null,
    sample: null,
    qualify: null,
  }
}

/** A value without a type takes that of the other operand; next to a date or time it may be an interval. */
function operandAs(name: string, value: Typed, other: Typed, place: Node): Typed {
  if (value.type.kind !== 'unknown') return value
  const { type } = other
  const isMoment = ['date', 'time', 'timestamp', 'timestamptz'].includes(type.kind)
  const isDifference = name === '-'
  if (isMoment && !isDifference) return castTo(value, { type: { kind: 'interval' }, modifiers: [] }, place)
  return resolved(value, type, place)
}

const asUnscaled = (value: Typed, place: Node): Typed => as(value, value.type, place)

/** Sorting by a constant changes nothing, and DuckDB refuses it. */
function notConstant(orders: readonly Node[]): Node[] {
  return orders.filter((order) => (order.expression as Node).class !== 'CONSTANT')
}

/** A text that two expressions share if they are the same, wherever they stand. */
export function signatureOf(node: Node): string {
  return JSON.stringify(node, (member, value: unknown) =>
    member === 'query_location' || member === 'alias' ? undefined : value,
  )
}

function placeOf(node: Node): { query_location?: number } {
  return node.query_location === undefined ? {} : { query_location: node.query_location }
}

/** The type that a cast names; DuckDB's own names come from its forms, such as IS TRUE. */
function writtenType(node: Node): WrittenType {
  const { id, type_info } = node.cast_type as unknown as { id: string; type_info: { name?: string } | null }
  const name = id === 'UNBOUND' ? String(type_info?.name) : (ENGINE_NAMES[id] ?? id)
  const written = readPgType(name)
  const isSingle =
    written.type.kind === 'bpchar' && written.modifiers.length === 0 && /^char(?:acter)?$/i.test(name)
  return isSingle ? { ...written, modifiers: [1] } : written
}

const ENGINE_NAMES: Readonly<Record<string, string>> = {
  VARCHAR: 'text',
  DOUBLE: 'double precision',
  FLOAT: 'real',
  BLOB: 'bytea',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
}

function literal(node: Node): Typed {
  const { type, is_null, value } = node.value as { type: Node; is_null?: boolean; value?: unknown }
  const of = (known: PgType, replaced: Node = node): Typed => ({
    node: replaced,
    type: known,
    nullable: false,
  })
  if (is_null === true) return { node: NULL, type: UNKNOWN, nullable: true }
  switch (type.id) {
    case 'VARCHAR':
      return of(UNKNOWN)
    case 'INTEGER':
      return of(INT4)
    case 'BIGINT':
      return of(INT8)
    case 'BOOLEAN':
      return of(BOOLEAN)
    case 'DECIMAL': {
      const { width, scale } = type.type_info as unknown as { width: number; scale: number }
      return of(fixed(width, scale))
    }
    case 'DOUBLE': {
      const digits =
        typeof value === 'number' ? String(value) : (value as ExactDigits).exactDigits.replace(/\.0$/, '')
      return castTo({ ...of(UNKNOWN), node: text(digits) }, readPgType('numeric'), node)
    }
    case 'HUGEINT':
      return of(fixed(38, 0), engineCast(node, 'DECIMAL(38,0)'))
    default:
      throw new UnsupportedTree(`a constant of type ${String(type.id)} is not supported here`, node)
  }
}

export const constantValue = constantOf
