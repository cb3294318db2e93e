/**
 * The tree of a query as DuckDB's json_serialize_sql gives it and json_deserialize_sql takes it, and constructors for the
 * nodes that rewriting adds.
 *
 * JavaScript's numbers do not hold every number of a tree. parseTree keeps integers beyond ±(2^53-1) and numbers such as 1.0 as
 * their digits, which printTree writes back, and drops those that are a query_location: DuckDB then says that the node has no place.
 */

/** A node of the tree. Every expression has a class and a type, which determine its other members. */
export interface Node {
  readonly class?: string
  readonly type?: unknown
  readonly alias?: string
  /** Offset of the node's text in the statement that was parsed, in UTF-8 bytes. */
  readonly query_location?: number
  readonly [member: string]: unknown
}

/** A number that JavaScript does not hold, or would write differently. */
export interface ExactDigits {
  readonly exactDigits: string
}

const STRINGS_AND_NUMBERS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** The answer of json_serialize_sql, parsed. */
export function parseTree(json: string): Node {
  const text = json.replace(STRINGS_AND_NUMBERS, (token) =>
    token.startsWith('"') || isKept(token) ? token : `{"exactDigits":"${token}"}`,
  )
  return JSON.parse(text, (member, value: unknown) =>
    member === 'query_location' && typeof value !== 'number' ? undefined : value,
  ) as Node
}

/** Whether JSON.stringify writes the number as it was read. It writes 1.0 as 1, which DuckDB takes for an integer. */
function isKept(token: string): boolean {
  return /[.eE]/.test(token) ? !Number.isInteger(Number(token)) : Number.isSafeInteger(Number(token))
}

/** The argument for json_deserialize_sql: `{"statements":[{"node":…}]}`. */
export function printTree(query: Node): string {
  const json = JSON.stringify({ error: false, statements: [{ node: query, named_param_map: [] }] })
  return json.replaceAll(/\{"exactDigits":"(-?[\d.eE+-]+)"\}/g, '$1')
}

/** A node that cannot be used, with the place of its text in the statement that was parsed. */
export class TreeProblem extends Error {
  override readonly name = 'TreeProblem'
  /** That of the node, else of the first node within it that has one. Undefined if the parser noted no place. */
  readonly location: number | undefined

  constructor(reason: string, node?: Node) {
    super(reason)
    this.location = firstLocation(node)
  }
}

/** A node that has a meaning, but none that can be given here. */
export class UnsupportedTree extends TreeProblem {}

function firstLocation(part: unknown): number | undefined {
  if (typeof part !== 'object' || part === null) return undefined
  const { query_location } = part as Node
  if (query_location !== undefined) return query_location
  for (const member of Object.values(part)) {
    const found = firstLocation(member)
    if (found !== undefined) return found
  }
  return undefined
}

export function call(name: string, ...children: Node[]): Node {
  return { class: 'FUNCTION', type: 'FUNCTION', function_name: name, children }
}

export function operator(name: string, ...children: Node[]): Node {
  return { class: 'FUNCTION', type: 'FUNCTION', function_name: name, children, is_operator: true }
}

export function text(value: string): Node {
  return {
    class: 'CONSTANT',
    type: 'VALUE_CONSTANT',
    value: { type: { id: 'VARCHAR', type_info: null }, is_null: false, value },
  }
}

/** An INTEGER constant. */
export function integer(value: number): Node {
  return {
    class: 'CONSTANT',
    type: 'VALUE_CONSTANT',
    value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value },
  }
}

export const NULL: Node = {
  class: 'CONSTANT',
  type: 'VALUE_CONSTANT',
  value: { type: { id: 'NULL', type_info: null }, is_null: true },
}

export function caseWhen(when: Node, then: Node, otherwise: Node): Node {
  return {
    class: 'CASE',
    type: 'CASE_EXPR',
    case_checks: [{ when_expr: when, then_expr: then }],
    else_expr: otherwise,
  }
}

export function isNull(child: Node): Node {
  return { class: 'OPERATOR', type: 'OPERATOR_IS_NULL', children: [child] }
}

/** The value of a constant; undefined for NULL and for other nodes. */
export function constantOf(node: Node | undefined): string | number | undefined {
  if (node?.type !== 'VALUE_CONSTANT') return undefined
  const value = (node.value as { value?: unknown }).value
  return typeof value === 'string' || typeof value === 'number' ? value : undefined
}

export function isConstant(node: Node): boolean {
  return node.type === 'VALUE_CONSTANT'
}

export function childrenOf(node: Node): readonly Node[] {
  return (node.children as readonly Node[] | undefined) ?? []
}
