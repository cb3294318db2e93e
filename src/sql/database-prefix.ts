/** Names with a catalog and a database: `default`.`default`.t is t, because the only catalog and the only database are the namespace. */
import { type FlinkToken, isKeyWord, isOperator } from './flink-tokens.ts'

/** Words before the name of a table. */
const BEFORE_TABLES = ['FROM', 'JOIN', 'INTO', 'TABLE']

/**
 * Without `default.default.` anywhere, and without `default.` where a table is named: elsewhere it may be a column with fields.
 */
export function withoutDatabases(tokens: readonly FlinkToken[]): readonly FlinkToken[] {
  const kept: FlinkToken[] = []
  for (let at = 0; at < tokens.length; ) {
    const isInName = isOperator(tokens[at - 1], '.')
    if (!isInName && isPrefix(tokens, at) && isPrefix(tokens, at + 2)) at += 4
    else if (isPrefix(tokens, at) && BEFORE_TABLES.some((word) => isKeyWord(kept.at(-1), word))) at += 2
    else kept.push(tokens[at++]!)
  }
  return kept
}

function isPrefix(tokens: readonly FlinkToken[], at: number): boolean {
  const [name, dot, next] = [tokens[at], tokens[at + 1], tokens[at + 2]]
  const isDefault = name?.kind === 'quoted-name' ? name.value === 'default' : isKeyWord(name, 'DEFAULT')
  return isDefault && isOperator(dot, '.') && (next?.kind === 'word' || next?.kind === 'quoted-name')
}
