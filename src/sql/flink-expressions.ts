/** Expressions of Flink SQL: each node of the tree is replaced, operands first, and gets its type. */
import { type AggregateOf, aggregate, isAggregate, isOverRows } from './flink-aggregates.ts'
import { castNode, castTo, explicitCast } from './flink-casts.ts'
import { coalesce } from './flink-number-functions.ts'
import { as, comparable, comparison, intervalUnit, unified } from './flink-operators.ts'
import type { Scope } from './flink-scope.ts'
import { CURRENT_TIMES, roundedTime } from './flink-time-functions.ts'
import { castTarget, constantType, isHexLiteral, literalTime } from './flink-tree-types.ts'
import {
  BIGINT,
  BOOLEAN,
  commonType,
  type FlinkType,
  isInteger,
  printFlinkType,
  STRING,
  type Typed,
} from './flink-types.ts'
import { flinkFunction, isFlinkFunction } from './functions.ts'
import { call, childrenOf, constantOf, type ExactDigits, type Node, TreeProblem, text } from './tree.ts'

/** The query of a sub-query expression, with Flink's meaning, and the types of its columns. */
export type SubqueryOf = (
  query: Node,
  scope: Scope,
) => { readonly node: Node; readonly types: readonly FlinkType[] }

/** The engine's own limit is 1000 levels. */
const DEPTH_MAX = 600

export class Expressions {
  readonly #subquery: SubqueryOf
  #depth = 0

  constructor(subquery: SubqueryOf) {
    this.#subquery = subquery
  }

  /** The node that stands for `node`, with the same alias and place. */
  typed(node: Node, scope: Scope): Typed {
    this.#depth += 1
    if (this.#depth > DEPTH_MAX)
      throw new TreeProblem(`the statement is nested deeper than ${DEPTH_MAX} levels`, node)
    try {
      const { node: replaced, type } = this.#typed(node, scope)
      return { node: { ...replaced, alias: node.alias ?? '', ...placeOf(node) }, type }
    } finally {
      this.#depth -= 1
    }
  }

  /** A condition: BOOLEAN, or refused. */
  condition(node: Node, scope: Scope): Node {
    const { node: replaced, type } = this.typed(node, scope)
    if (type.kind !== 'BOOLEAN' && type.kind !== 'NULL')
      throw new TreeProblem(`a condition must be BOOLEAN, not ${printFlinkType(type)}`, node)
    return replaced
  }

  /** Items of ORDER BY: Flink puts NULL first ascending and last descending. */
  orders(orders: readonly Node[], expressionOf: (node: Node) => Node): Node[] {
    return orders.map((order) => ({
      ...order,
      expression: expressionOf(order.expression as Node),
      null_order:
        order.null_order !== 'ORDER_DEFAULT'
          ? order.null_order
          : order.type === 'DESCENDING'
            ? 'NULLS LAST'
            : 'NULLS FIRST',
    }))
  }

  #typed(node: Node, scope: Scope): Typed {
    switch (node.class) {
      case 'CONSTANT':
        return literal(node)
      case 'COLUMN_REF':
        return this.#column(node, scope)
      case 'CAST':
        return this.#cast(node, scope)
      case 'FUNCTION':
        return this.#function(node, scope)
      case 'WINDOW':
        return this.#window(node, scope)
      case 'COMPARISON':
        return comparison(node, this.typed(node.left as Node, scope), this.typed(node.right as Node, scope))
      case 'CONJUNCTION':
        return {
          node: { ...node, children: childrenOf(node).map((child) => this.condition(child, scope)) },
          type: BOOLEAN,
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
        throw new TreeProblem(
          `a part of kind ${String(node.class).toLowerCase()} is not supported here`,
          node,
        )
    }
  }

  #column(node: Node, scope: Scope): Typed {
    const names = node.column_names as readonly string[]
    const current = CURRENT_TIMES[names[0]!.toLowerCase()]
    if (names.length === 1 && current !== undefined && !scope.has(names[0]!)) return current()
    return { node, type: scope.typeOf(node) }
  }

  #cast(node: Node, scope: Scope): Typed {
    const child = node.child as Node
    const literal = literalTime(node)
    if (literal !== undefined) return { node, type: literal }
    if (isHexLiteral(node)) return { node: call('unhex', child), type: { kind: 'BYTES' } }
    const operand = this.typed(child, scope)
    const to = castTarget(node.cast_type as Node, node)
    const steps = explicitCast(operand.type, to, node.try_cast === true)
    if (steps === undefined)
      throw new TreeProblem(
        `Cast function cannot convert value of type ${printFlinkType(operand.type)} to type ${printFlinkType(to)}`,
        node,
      )
    return { node: castNode(operand.node, steps), type: to }
  }

  #function(node: Node, scope: Scope): Typed {
    const name = String(node.function_name).toLowerCase()
    const unit = intervalUnit(name)
    if (unit !== undefined) return { node, type: { kind: 'INTERVAL', unit } }
    if (isAggregate(name)) return this.#aggregate(node, name, scope)
    const known = flinkFunction(name)
    if (known === undefined)
      throw new TreeProblem(
        isFlinkFunction(name)
          ? `${name.toUpperCase()} needs OVER`
          : `the function ${name.toUpperCase()} is not supported here`,
        node,
      )
    const children = childrenOf(node)
    if (name === 'floor' || name === 'ceil') {
      const [of, to] = children
      if (to !== undefined) return roundedTime(name, this.typed(of!, scope), to, node)
    }
    const [least, most] = known.arity
    if (children.length < least || children.length > most)
      throw new TreeProblem(
        `${name.toUpperCase()} has ${most === least ? least : `${least} to ${most}`} arguments, not ${children.length}`,
        node,
      )
    const isUnitFirst = name === 'timestampadd' || name === 'timestampdiff'
    const args = children.map((child, index) =>
      isUnitFirst && index === 0 ? { node: child, type: STRING } : this.typed(child, scope),
    )
    return known.rewrite(args, node)
  }

  #aggregate(node: Node, name: string, scope: Scope): Typed {
    const filter =
      node.filter === null || node.filter === undefined ? null : this.condition(node.filter as Node, scope)
    const { orders = [] } = (node.order_bys ?? {}) as { orders?: readonly Node[] }
    const order_bys = {
      type: 'ORDER_MODIFIER',
      orders: this.orders(orders, (one) => this.typed(one, scope).node),
    }
    const of: AggregateOf = (function_name, ...children) => {
      const isCast = function_name === 'count_star' ? [] : children
      return { ...node, alias: '', function_name, schema: '', children: isCast, filter, order_bys }
    }
    return aggregate(
      name,
      childrenOf(node).map((child) => this.typed(child, scope)),
      of,
      node,
    )
  }

  #window(node: Node, scope: Scope): Typed {
    const name = String(node.function_name).toLowerCase()
    const each = (nodes: unknown) =>
      ((nodes ?? []) as readonly Node[]).map((one) => this.typed(one, scope).node)
    const optional = (one: unknown) =>
      one === null || one === undefined ? null : this.typed(one as Node, scope).node
    const over = {
      ...node,
      alias: '',
      partitions: each(node.partitions),
      orders: this.orders((node.orders ?? []) as readonly Node[], (one) => this.typed(one, scope).node),
      start_expr: optional(node.start_expr),
      end_expr: optional(node.end_expr),
      filter_expr: optional(node.filter_expr),
    }
    const args = childrenOf(node).map((child) => this.typed(child, scope))
    if (isAggregate(name)) {
      const of: AggregateOf = (function_name, ...children) => ({ ...over, function_name, children })
      return aggregate(name, args, of, node)
    }
    if (!isOverRows(name))
      throw new TreeProblem(`the function ${name.toUpperCase()} with OVER is not supported here`, node)
    const [first] = args
    if (first === undefined) return { node: over, type: BIGINT }
    const fallback =
      node.default_expr === null || node.default_expr === undefined
        ? undefined
        : this.typed(node.default_expr as Node, scope)
    const default_expr = fallback === undefined ? null : as(fallback, first.type)
    return {
      node: {
        ...over,
        children: args.map((arg) => arg.node),
        offset_expr: optional(node.offset_expr),
        default_expr,
      },
      type: first.type,
    }
  }

  #between(node: Node, scope: Scope): Typed {
    const [input, lower, upper] = [node.input, node.lower, node.upper].map((part) =>
      this.typed(part as Node, scope),
    )
    const [low, a] = comparable(input!, lower!, node)
    const [high, b] = comparable(input!, upper!, node)
    if (low === high) return { node: { ...node, input: low, lower: a, upper: b }, type: BOOLEAN }
    const half = (type: string, left: Node, right: Node) => ({ class: 'COMPARISON', type, left, right })
    const children = [
      half('COMPARE_GREATERTHANOREQUALTO', low, a),
      half('COMPARE_LESSTHANOREQUALTO', high, b),
    ]
    return { node: { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', children }, type: BOOLEAN }
  }

  #case(node: Node, scope: Scope): Typed {
    const checks = node.case_checks as readonly { when_expr: Node; then_expr: Node }[]
    const thens = checks.map(({ then_expr }) => this.typed(then_expr, scope))
    const otherwise = this.typed(node.else_expr as Node, scope)
    const { nodes, type } = unified([...thens, otherwise], node)
    const case_checks = checks.map(({ when_expr }, index) => ({
      when_expr: this.condition(when_expr, scope),
      then_expr: nodes[index]!,
    }))
    return { node: { ...node, case_checks, else_expr: nodes.at(-1) }, type }
  }

  #operator(node: Node, scope: Scope): Typed {
    const args = childrenOf(node).map((child) => this.typed(child, scope))
    const withChildren = (children: readonly Node[], type: FlinkType): Typed => ({
      node: { ...node, children },
      type,
    })
    const nodes = args.map((arg) => arg.node)
    switch (node.type) {
      case 'OPERATOR_IS_NULL':
      case 'OPERATOR_IS_NOT_NULL':
        return withChildren(nodes, BOOLEAN)
      case 'OPERATOR_NOT':
        return withChildren([this.condition(childrenOf(node)[0]!, scope)], BOOLEAN)
      case 'OPERATOR_COALESCE':
        return coalesce(args, node)
      case 'COMPARE_IN':
      case 'COMPARE_NOT_IN':
        return withChildren(inList(args, node), BOOLEAN)
      case 'GROUPING_FUNCTION':
        return { node: castTo({ ...node, children: nodes, alias: '' }, BIGINT), type: BIGINT }
      case 'ARRAY_EXTRACT':
        return this.#element(args, node)
      case 'ARRAY_CONSTRUCTOR': {
        const { nodes: items, type } = unified(args, node)
        return withChildren(items, {
          kind: 'ARRAY',
          element: type.kind === 'NULL' ? { kind: 'INT' } : type,
        } as FlinkType)
      }
      case 'STRUCT_EXTRACT': {
        const field =
          args[0]!.type.kind === 'ROW'
            ? args[0]!.type.fields.find(({ name }) => name === constantOf(nodes[1]))
            : undefined
        if (field === undefined) throw new TreeProblem(`there is no field '${constantOf(nodes[1])}'`, node)
        return withChildren(nodes, field.type)
      }
      default:
        throw new TreeProblem(`the operator ${String(node.type).toLowerCase()} is not supported here`, node)
    }
  }

  #element([of, key]: readonly Typed[], node: Node): Typed {
    if (of!.type.kind === 'ARRAY' && isInteger(key!.type))
      return { node: { ...node, children: [of!.node, key!.node] }, type: of!.type.element }
    if (of!.type.kind === 'MAP')
      return { node: { ...node, children: [of!.node, as(key!, of!.type.key)] }, type: of!.type.value }
    throw new TreeProblem(
      `${printFlinkType(of!.type)} has no elements with a key of ${printFlinkType(key!.type)}`,
      node,
    )
  }

  #subqueryExpression(node: Node, scope: Scope): Typed {
    const { node: query, types } = this.#subquery((node.subquery as { node: Node }).node, scope)
    const subquery = { ...(node.subquery as object), node: query }
    if (node.subquery_type === 'SCALAR') return { node: { ...node, subquery }, type: types[0]! }
    if (node.child === null || node.child === undefined) return { node: { ...node, subquery }, type: BOOLEAN }
    const child = this.typed(node.child as Node, scope)
    const type = commonType([child.type, types[0]!])
    return {
      node: { ...node, subquery, child: type === undefined ? child.node : as(child, type) },
      type: BOOLEAN,
    }
  }
}

/** DuckDB prints a DOUBLE without its exponent, so that it would be read as DECIMAL again. Flink has no literal -0. */
function literal(node: Node): Typed {
  const type = constantType(node)
  if (type.kind !== 'DOUBLE') return { node, type }
  const { value } = node.value as { value: number | ExactDigits }
  const digits =
    typeof value === 'number' ? String(value) : value.exactDigits.replace(/^-(?=0(?:\.0*)?$)/, '')
  return { node: castTo(text(digits), type), type }
}

function placeOf(node: Node): { query_location?: number } {
  return node.query_location === undefined ? {} : { query_location: node.query_location }
}

/** Every member of an IN list as the operand compares with it. */
function inList([operand, ...members]: readonly Typed[], place: Node): Node[] {
  const type = commonType([operand!.type, ...members.map((member) => member.type)])
  if (type !== undefined) return [operand!, ...members].map((value) => as(value, type))
  const pairs = members.map((member) => comparable(operand!, member, place))
  return [pairs[0]![0], ...pairs.map(([, member]) => member)]
}
