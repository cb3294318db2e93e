/**
 * Checks DISTINCT, ORDER BY and LIMIT of a query before the engine gets them. LIMIT and OFFSET are whole numbers, as in Flink:
 * the engine would take any expression there, with its own functions and tables.
 */
import { constantOf, type Node } from '../../sql/tree.ts'
import type { Resolution } from './resolution.ts'

const MODIFIERS: ReadonlySet<string> = new Set(['ORDER_MODIFIER', 'LIMIT_MODIFIER', 'DISTINCT_MODIFIER'])

/** The modifiers of a SELECT or of a set operation. */
export function checkedModifiers(node: Node, resolution: Resolution): readonly Node[] {
  const modifiers = (node.modifiers ?? []) as readonly Node[]
  for (const modifier of modifiers) {
    if (!MODIFIERS.has(String(modifier.type)))
      throw resolution.problem('LIMIT with a percentage is not supported; write a whole number', modifier)
    const targets = (modifier.distinct_on_targets ?? []) as readonly Node[]
    if (targets.length > 0)
      throw resolution.problem('DISTINCT ON is not supported; use ROW_NUMBER', targets[0]!)
    checkCount(modifier.limit as Node | null | undefined, 'LIMIT', resolution)
    checkCount(modifier.offset as Node | null | undefined, 'OFFSET', resolution)
  }
  return modifiers
}

function checkCount(count: Node | null | undefined, word: string, resolution: Resolution): void {
  if (count === null || count === undefined || isAll(count)) return
  const value = isWhole(count) ? constantOf(count) : undefined
  if (typeof value === 'number' && value >= 0) return
  throw resolution.problem(`${word} takes a whole number`, count)
}

/** LIMIT ALL */
function isAll({ class: kind, value }: Node): boolean {
  return kind === 'CONSTANT' && (value as { readonly is_null?: boolean }).is_null === true
}

function isWhole({ class: kind, value }: Node): boolean {
  if (kind !== 'CONSTANT') return false
  const { type } = value as { readonly type: { readonly id: string } }
  return type.id === 'INTEGER' || type.id === 'BIGINT'
}
