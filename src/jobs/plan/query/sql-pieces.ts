/** Text for DuckDB's parser that knows from where in the user's query its parts come. */
import { SourceMap } from '../../../sql/source-map.ts'
import type { Order, Span } from './syntax.ts'

export type Sql = string | PlacedSql | readonly Sql[]

interface PlacedSql extends Span {
  readonly text: string
}

export function placed(text: string, { start, end }: Span): Sql {
  return { text, start, end }
}

export function listed(parts: readonly Sql[], separator = ', '): Sql {
  return parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part]))
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function textLiteral(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

/** `x DESC NULLS LAST`: without an order as PostgreSQL's ORDER BY x. */
export function orderSql(
  sql: Sql,
  order: Pick<Order, 'isDescending' | 'nullsFirst'> = { isDescending: false, nullsFirst: false },
): Sql {
  return [sql, order.isDescending ? ' DESC' : ' ASC', order.nullsFirst ? ' NULLS FIRST' : ' NULLS LAST']
}

/** The whole text, and its map to `userText`. */
export function textOf(sql: Sql, userText: string): { readonly text: string; readonly map: SourceMap } {
  const map = new SourceMap(userText)
  const parts: string[] = []
  let bytes = 0
  const left: Sql[] = [sql]
  while (left.length > 0) {
    const part = left.pop()!
    if (Array.isArray(part)) for (let at = part.length - 1; at >= 0; at--) left.push(part[at])
    else {
      const { text, start, end } =
        typeof part === 'string' ? { text: part, start: -1, end: -1 } : (part as PlacedSql)
      if (start >= 0) map.add(bytes, start, Math.max(end, start + 1))
      parts.push(text)
      bytes += Buffer.byteLength(text)
    }
  }
  return { text: parts.join(''), map }
}
