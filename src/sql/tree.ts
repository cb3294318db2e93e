/**
 * The tree of a query as DuckDB's json_serialize_sql gives it and json_deserialize_sql takes it, and constructors for the
 * nodes that rewriting adds.
 *
 * JavaScript's numbers do not hold every number of a tree. parseTree keeps integers beyond ±(2^53-1) as `BigDigits`, which
 * printTree writes back, and drops those that are a query_location: DuckDB then says that the node has no place.
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

interface BigDigits {
  readonly bigDigits: string
}

const STRINGS_AND_LONG_INTEGERS = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?=[,}\]\s])/g

/** The answer of json_serialize_sql, parsed. */
export function parseTree(json: string): Node {
  const text = json.replace(STRINGS_AND_LONG_INTEGERS, (token) =>
    token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `{"bigDigits":"${token}"}`,
  )
  return JSON.parse(text, (member, value: unknown) =>
    member === 'query_location' && typeof value !== 'number' ? undefined : value,
  ) as Node
}

/** The argument for json_deserialize_sql: `{"statements":[{"node":…}]}`. */
export function printTree(query: Node): string {
  const json = JSON.stringify({ error: false, statements: [{ node: query, named_param_map: [] }] })
  return json.replaceAll(/\{"bigDigits":"(-?\d+)"\}/g, '$1')
}

export function isBigDigits(value: unknown): value is BigDigits {
  return typeof value === 'object' && value !== null && 'bigDigits' in value
}

/** A node that cannot be used, with the place of its text in the statement that was parsed. */
export class TreeProblem extends Error {
  override readonly name = 'TreeProblem'
  /** Undefined if the parser noted no place. */
  readonly location: number | undefined

  constructor(reason: string, node?: Node) {
    super(reason)
    this.location = node?.query_location
  }
}
