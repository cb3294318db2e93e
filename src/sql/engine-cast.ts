/** Casts of DuckDB in the tree of its parser. The type is written as in DuckDB's SQL: `DECIMAL(10,2)`, `TIMESTAMPTZ`, `INTEGER[]`. */
import type { Node } from './tree.ts'

export function engineCast(child: Node, type: string): Node {
  return { class: 'CAST', type: 'OPERATOR_CAST', child, cast_type: typeNode(type), try_cast: false }
}

function typeNode(type: string): Node {
  if (type.endsWith('[]'))
    return {
      id: 'LIST',
      type_info: { type: 'LIST_TYPE_INFO', child_type: typeNode(type.slice(0, -2)) },
    } as unknown as Node
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type)
  if (decimal === null)
    return {
      id: type === 'TIMESTAMPTZ' ? 'TIMESTAMP WITH TIME ZONE' : type,
      type_info: null,
    } as unknown as Node
  const [width, scale] = decimal.slice(1).map(Number)
  return { id: 'DECIMAL', type_info: { type: 'DECIMAL_TYPE_INFO', width, scale } } as unknown as Node
}
