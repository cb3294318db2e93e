/** LIMIT and OFFSET, which take whole numbers here. */

import type { QueryContext } from './query-context.ts'
import type { Sql } from './sql-pieces.ts'
import type { Expression, Query } from './syntax.ts'

/** Empty if the query has neither. */
export function limitsOf(context: QueryContext, { limit, offset }: Query): Sql {
  const counts = [
    ['LIMIT', limit],
    ['OFFSET', offset],
  ] as const
  return counts
    .map(([word, expression]) => {
      const count = expression === undefined ? undefined : countOf(context, expression, word)
      return count === undefined ? '' : ` ${word} ${count}`
    })
    .join('')
}

/** Undefined for NULL and ALL. */
function countOf(context: QueryContext, expression: Expression, word: string): string | undefined {
  if (expression.kind === 'null') return undefined
  if (expression.kind === 'number' && /^[0-9]{1,18}$/.test(expression.value)) return expression.value
  if (expression.kind === 'unary' && expression.operator === '-' && expression.of.kind === 'number')
    throw context.invalid(`${word} must not be negative`, expression)
  throw context.unsupported(`${word} takes a whole number`, expression)
}
