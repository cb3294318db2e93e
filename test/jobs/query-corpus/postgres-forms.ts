/**
 * The forms of PostgreSQL that the planner of cached queries reads with a grammar of its own, made from DuckDB's parser: names of
 * types, EXTRACT, TRIM and the operators of JSON. Enough for statements of tests.
 */
import type { Node } from '../../../src/sql/tree.ts'

const TYPE =
  '(?:numeric|decimal|varchar|character varying|character|char|bpchar|text|bigint|int8|integer|int|int4|smallint|int2|real|float4|double precision|float8|boolean|bool|timestamptz|timestamp|timestamp with time zone|timestamp without time zone|date|time|interval|jsonb|json|uuid|bytea)'
const MODIFIED = `${TYPE}(?:\\(\\d+(?:,\\s*\\d+)?\\))?(?:\\[\\])?`

export const withPostgresForms = {
  text(sql: string): string {
    return sql
      .split(/('(?:[^']|'')*')/)
      .map((part, index) =>
        index % 2 === 1
          ? part
          : part
              .replaceAll(new RegExp(`::\\s*(${MODIFIED})`, 'gi'), '::"$1"')
              .replaceAll(new RegExp(`\\bas\\s+(${MODIFIED})\\s*\\)`, 'gi'), 'AS "$1")')
              .replaceAll(/"varchar(?=\(|")/gi, '"character varying')
              .replaceAll('->>', ' @->> ')
              .replaceAll(/->(?!>)/g, ' @-> ')
              .replaceAll(/@\s*@/g, '@'),
      )
      .join('')
  },
  tree(node: Node): Node {
    return changed(node) as Node
  },
}

const TRIMS: Readonly<Record<string, string>> = { trim: 'btrim', '@->': '->', '@->>': '->>' }

function changed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(changed)
  if (typeof value !== 'object' || value === null) return value
  const node = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, changed(one)])) as Node
  if (node.class === 'FUNCTION') {
    const name = String(node.function_name)
    if (name === 'date_part' && node.schema === 'main') return { ...node, function_name: 'extract' }
    return { ...node, function_name: TRIMS[name] ?? name }
  }
  return node
}
