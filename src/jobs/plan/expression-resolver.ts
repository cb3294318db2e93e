/** Resolves expressions: columns get the names of their relations, and what the engine must not see is refused. */
import { encodedName } from '../../sql/encoded-name.ts'
import { isAggregate } from '../../sql/flink-aggregates.ts'
import { isFlinkFunction } from '../../sql/functions.ts'
import type { Node } from '../../sql/tree.ts'
import { type Ctes, type Resolution, type Resolved, type ResolveQuery, shownName } from './resolution.ts'
import { findColumn, type Scope } from './scope.ts'
import { columnOf, isNode, structField } from './tree-nodes.ts'

/** What an expression contains, besides columns. */
export interface Contents {
  aggregates: Node[]
  overs: Node[]
  queries: { readonly node: Node; readonly resolved: Resolved }[]
}

export function noContents(): Contents {
  return { aggregates: [], overs: [], queries: [] }
}

const CLASSES: ReadonlySet<string | undefined> = new Set([
  'COLUMN_REF',
  'CONSTANT',
  'FUNCTION',
  'CAST',
  'CASE',
  'OPERATOR',
  'CONJUNCTION',
  'COMPARISON',
  'BETWEEN',
  'WINDOW',
  'SUBQUERY',
])
const UNIT_FUNCTIONS: ReadonlySet<string> = new Set(['timestampadd', 'timestampdiff'])
/** Members that hold no expressions. */
const OPAQUE: ReadonlySet<string> = new Set(['cast_type', 'value', 'column_names'])

export class ExpressionResolver {
  readonly #resolution: Resolution
  readonly #resolveQuery: ResolveQuery
  readonly #ctes: Ctes
  readonly #scope: Scope
  readonly contents = noContents()

  constructor(resolution: Resolution, resolveQuery: ResolveQuery, ctes: Ctes, scope: Scope) {
    this.#resolution = resolution
    this.#resolveQuery = resolveQuery
    this.#ctes = ctes
    this.#scope = scope
  }

  resolve(node: Node, depth: number): Node {
    this.#resolution.checkDepth(depth)
    this.#resolution.countNode()
    if (!CLASSES.has(node.class)) throw this.#notAllowed(node)
    switch (node.class) {
      case 'COLUMN_REF':
        return this.#column(node)
      case 'SUBQUERY':
        return this.#query(node, depth)
      case 'WINDOW':
        this.#checkFunction(node)
        this.contents.overs.push(node)
        return this.#children(node, depth)
      case 'FUNCTION':
        return this.#function(node, depth)
      default:
        return this.#children(node, depth)
    }
  }

  #notAllowed(node: Node): Error {
    const what = node.class === 'STAR' ? '*' : String(node.class ?? node.type)
    return this.#resolution.problem(`${what} is not allowed here`, node)
  }

  #function(node: Node, depth: number): Node {
    const name = this.#checkFunction(node)
    if (isAggregate(name)) this.contents.aggregates.push(node)
    if (!UNIT_FUNCTIONS.has(name)) return this.#children(node, depth)
    const [unit, ...operands] = node.children as readonly Node[]
    const children = operands.map((operand) => this.resolve(operand, depth + 1))
    return { ...node, children: unit === undefined ? [] : [unit, ...children] }
  }

  #checkFunction(node: Node): string {
    const name = String(node.function_name).toLowerCase()
    if (!isFlinkFunction(name)) {
      throw this.#resolution.unsupported(`function '${name.toUpperCase()}' is not supported`, node)
    }
    if (node.export_state === true) throw this.#notAllowed(node)
    return name
  }

  #column(node: Node): Node {
    const names = node.column_names as readonly string[]
    const found = findColumn(names, this.#scope)
    if (typeof found === 'string') throw this.#resolution.problem(found, node)
    found.column.use?.()
    const { alias } = node
    const reference: Node = {
      ...columnOf(found.entry.alias, found.column.sql, alias),
      ...(node.query_location === undefined ? {} : { query_location: node.query_location }),
    }
    this.#resolution.meanings.set(reference, found)
    if (found.fields.length === 0) return reference
    const field = found.fields.reduce((struct, name) => structField(struct, shownName(name)), reference)
    return { ...field, alias: alias ?? '' }
  }

  #query(node: Node, depth: number): Node {
    const holder = node.subquery as { readonly node: Node }
    const resolved = this.#resolveQuery(holder.node, this.#ctes, this.#scope, depth + 1)
    this.contents.queries.push({ node, resolved })
    const child = isNode(node.child) ? this.resolve(node.child, depth + 1) : node.child
    return { ...node, child, subquery: { ...holder, node: resolved.node } }
  }

  #children(node: Node, depth: number): Node {
    const copy: Record<string, unknown> = {}
    for (const [member, value] of Object.entries(node)) {
      copy[member] = OPAQUE.has(member) ? value : this.#value(value, depth + 1)
    }
    return copy as Node
  }

  #value(value: unknown, depth: number): unknown {
    this.#resolution.checkDepth(depth)
    if (Array.isArray(value)) return value.map((one) => this.#value(one, depth))
    if (!isNode(value)) return value
    return value.class === undefined ? this.#children(value, depth) : this.resolve(value, depth)
  }
}

/** The name of a column of a result, as Flink gives it. */
export function outputName(item: Node, index: number): string {
  if (item.alias !== undefined && item.alias !== '') return item.alias
  if (item.class === 'COLUMN_REF') return (item.column_names as readonly string[]).at(-1)!
  return encodedName(`EXPR$${index}`)
}
