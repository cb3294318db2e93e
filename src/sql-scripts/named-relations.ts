/** The tables, views and queries of WITH that a script names around a place, with their columns as far as they can be read. */
import { type FlinkToken, isKeyWord, isOperator } from '../sql/flink-tokens.ts'
import { parseTableSchema } from '../sql/table-schema.ts'

export interface Relation {
  readonly name: string
  readonly alias: string
  readonly columns: readonly string[]
  /** It is in FROM or JOIN. */
  readonly isRead: boolean
  /** The script defines it: by CREATE TEMPORARY or WITH. */
  readonly isDefined: boolean
  readonly isView: boolean
}

interface Columns {
  columnsOf(name: string): readonly string[]
}

/** Words before which a table stands. */
const BEFORE_TABLES = ['FROM', 'JOIN', 'TABLE']
const RELATIONS_MAX = 200

export function relationsOf(
  earlier: readonly (readonly FlinkToken[])[],
  statement: readonly FlinkToken[],
  after: readonly FlinkToken[],
  catalog: Columns,
): readonly Relation[] {
  const defined = new Map<string, Relation>()
  for (const tokens of earlier.slice(-RELATIONS_MAX)) {
    const relation = temporaryOf(tokens)
    if (relation !== undefined) defined.set(relation.name, relation)
  }
  const whole = [...statement, ...after]
  for (const name of queriesOfWith(whole)) defined.set(name, definedRelation(name, [], true))
  const read = readIn(whole).map(({ name, alias }) => {
    const columns = defined.get(name)?.columns ?? catalog.columnsOf(name)
    return { name, alias, columns, isRead: true, isDefined: false, isView: false }
  })
  return [...read, ...defined.values()].slice(0, RELATIONS_MAX)
}

function definedRelation(name: string, columns: readonly string[], isView: boolean): Relation {
  return { name, alias: name, columns, isRead: false, isDefined: true, isView }
}

function temporaryOf(tokens: readonly FlinkToken[]): Relation | undefined {
  if (!isKeyWord(tokens[0], 'CREATE') || !isKeyWord(tokens[1], 'TEMPORARY')) return undefined
  let at = 3
  if (isKeyWord(tokens[at], 'IF')) at += 3
  while (isOperator(tokens[at + 1], '.')) at += 2
  const name = tokens[at]
  if (!isName(name)) return undefined
  return definedRelation(name.value, columnsIn(tokens.slice(at + 1)), isKeyWord(tokens[2], 'VIEW'))
}

/** The columns in the parentheses at the beginning. */
function columnsIn(tokens: readonly FlinkToken[]): readonly string[] {
  if (!isOperator(tokens[0], '(')) return []
  let depth = 0
  const end = tokens.findIndex((token) => {
    if (isOperator(token, '(')) depth++
    return isOperator(token, ')') && --depth === 0
  })
  if (end < 1) return []
  try {
    const schema = parseTableSchema(spaced(tokens.slice(1, end)))
    return schema.columns.map(({ name }) => name)
  } catch {
    return tokens.slice(1, end).flatMap((token) => (isName(token) ? [token.value] : []))
  }
}

function spaced(tokens: readonly FlinkToken[]): string {
  return tokens.map(({ text }) => text).join(' ')
}

function queriesOfWith(tokens: readonly FlinkToken[]): readonly string[] {
  const isQuery = (at: number) => isKeyWord(tokens[at + 1], 'AS') && isOperator(tokens[at + 2], '(')
  return tokens.flatMap((token, at) => {
    const isAfter = isKeyWord(tokens[at - 1], 'WITH') || isOperator(tokens[at - 1], ',')
    return isName(token) && isAfter && isQuery(at) ? [token.value] : []
  })
}

function readIn(tokens: readonly FlinkToken[]): { readonly name: string; readonly alias: string }[] {
  const found: { readonly name: string; readonly alias: string }[] = []
  for (let at = 0; at < tokens.length; at++) {
    const isBefore =
      BEFORE_TABLES.some((word) => isKeyWord(tokens[at], word)) && !isKeyWord(tokens[0], 'CREATE')
    if (!isBefore && !(isOperator(tokens[at], ',') && found.length > 0)) continue
    let name = at + 1
    while (isOperator(tokens[name + 1], '.')) name += 2
    const token = tokens[name]
    if (!isName(token)) continue
    if (!isBefore && !isAlias(tokens, name)) continue
    found.push({ name: token.value, alias: aliasOf(tokens, name) ?? token.value })
  }
  return found
}

/** Behind a comma, only a name with an alias or at the end counts as a table: it may be a column. */
function isAlias(tokens: readonly FlinkToken[], at: number): boolean {
  return aliasOf(tokens, at) !== undefined
}

const NOT_ALIASES = new Set(
  'WHERE JOIN INNER LEFT RIGHT FULL CROSS ON GROUP HAVING ORDER LIMIT UNION FOR AS USING NATURAL SELECT FROM SET'.split(
    ' ',
  ),
)

function aliasOf(tokens: readonly FlinkToken[], at: number): string | undefined {
  const next = isKeyWord(tokens[at + 1], 'AS') ? tokens[at + 2] : tokens[at + 1]
  return isName(next) && !NOT_ALIASES.has(next.text.toUpperCase()) ? next.value : undefined
}

function isName(token: FlinkToken | undefined): token is FlinkToken {
  return token?.kind === 'word' || token?.kind === 'quoted-name'
}
