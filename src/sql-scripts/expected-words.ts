/** What may follow the tokens of a statement: key words by the grammar, and whether tables, columns and functions may. */
import { type FlinkToken, isKeyWord, isOperator } from '../sql/flink-tokens.ts'
import { FLINK_FUNCTION_NAMES } from '../sql/functions.ts'
import { isQueryWord } from '../sql/query-words.ts'

export interface Expected {
  readonly words: readonly string[]
  readonly tables?: boolean
  readonly views?: boolean
  /** 'all': those of the tables that the query reads; else those of one table. */
  readonly columns?: string
  /** `t.` was typed: columns of t alone. */
  readonly qualifier?: string
  readonly functions?: readonly string[]
}

const STATEMENT_WORDS =
  'SELECT INSERT CREATE DROP ALTER SHOW DESCRIBE EXPLAIN USE WITH VALUES EXECUTE BEGIN SET END'.split(' ')
const FUNCTIONS: readonly string[] = FLINK_FUNCTION_NAMES.map((name) => name.toUpperCase())
const QUERY_STARTS = ['SELECT', 'WITH', 'VALUES']
const TYPES =
  'BOOLEAN TINYINT SMALLINT INT BIGINT FLOAT DOUBLE DECIMAL CHAR VARCHAR STRING BINARY VARBINARY BYTES DATE TIME TIMESTAMP TIMESTAMP_LTZ ARRAY MAP ROW'.split(
    ' ',
  )

/** What follows the beginning of a statement. A name is `?`. */
const FORMS: readonly (readonly [begins: string, expected: Expected])[] = [
  ['CREATE', { words: ['TABLE', 'VIEW', 'TEMPORARY'] }],
  ['CREATE TEMPORARY', { words: ['TABLE', 'VIEW'] }],
  ['DROP', { words: ['TABLE', 'VIEW', 'TEMPORARY'] }],
  ['DROP TEMPORARY', { words: ['TABLE', 'VIEW'] }],
  ['DROP TABLE', { words: ['IF'], tables: true }],
  ['DROP VIEW', { words: ['IF'], views: true }],
  ['DROP TABLE IF', { words: ['EXISTS'] }],
  ['DROP VIEW IF', { words: ['EXISTS'] }],
  ['DROP TABLE IF EXISTS', { words: [], tables: true }],
  ['DROP VIEW IF EXISTS', { words: [], views: true }],
  ['ALTER', { words: ['TABLE'] }],
  ['ALTER TABLE', { words: ['IF'], tables: true }],
  ['ALTER TABLE IF', { words: ['EXISTS'] }],
  ['ALTER TABLE IF EXISTS', { words: [], tables: true }],
  ['ALTER TABLE ?', { words: ['SET', 'RESET', 'RENAME'] }],
  ['ALTER TABLE IF EXISTS ?', { words: ['SET', 'RESET', 'RENAME'] }],
  ['ALTER TABLE ? RENAME', { words: ['TO'] }],
  ['SHOW', { words: ['TABLES', 'VIEWS', 'DATABASES', 'CATALOGS', 'FUNCTIONS', 'CREATE', 'CURRENT'] }],
  ['SHOW CREATE', { words: ['TABLE', 'VIEW'] }],
  ['SHOW CREATE TABLE', { words: [], tables: true }],
  ['SHOW CREATE VIEW', { words: [], views: true }],
  ['SHOW CURRENT', { words: ['CATALOG', 'DATABASE'] }],
  ['SHOW ?', { words: ['FROM', 'IN', 'LIKE', 'NOT'] }],
  ['DESCRIBE', { words: ['EXTENDED'], tables: true, views: true }],
  ['DESC', { words: ['EXTENDED'], tables: true, views: true }],
  ['DESCRIBE EXTENDED', { words: [], tables: true, views: true }],
  ['DESC EXTENDED', { words: [], tables: true, views: true }],
  ['USE', { words: ['CATALOG', '`default`'] }],
  ['USE CATALOG', { words: ['`default`'] }],
  ['EXPLAIN', { words: ['PLAN', 'INSERT', ...QUERY_STARTS] }],
  ['EXPLAIN PLAN', { words: ['FOR'] }],
  ['EXPLAIN PLAN FOR', { words: ['INSERT', ...QUERY_STARTS] }],
  ['EXECUTE', { words: ['STATEMENT', 'INSERT'] }],
  ['EXECUTE STATEMENT', { words: ['SET'] }],
  ['EXECUTE STATEMENT SET', { words: ['BEGIN'] }],
  ['BEGIN', { words: ['STATEMENT'] }],
  ['BEGIN STATEMENT', { words: ['SET'] }],
  ['SET', { words: ["'pipeline.name'"] }],
]
const FORM_OF = new Map(FORMS)

/** `tokens` are those of the statement before the place, without the word that is being typed. */
export function expectedAt(tokens: readonly FlinkToken[]): Expected {
  if (tokens.length === 0) return { words: STATEMENT_WORDS }
  const form = FORM_OF.get(formOf(tokens))
  if (form !== undefined) return form
  const explained = explainedPart(tokens)
  if (explained !== undefined) return expectedAt(explained)
  if (isKeyWord(tokens[0], 'CREATE')) return ofCreate(tokens)
  const insert = isKeyWord(tokens[0], 'EXECUTE') || isKeyWord(tokens[0], 'END') ? tokens.slice(1) : tokens
  if (isKeyWord(insert[0], 'INSERT')) return ofInsert(insert)
  if (QUERY_STARTS.some((word) => isKeyWord(tokens[0], word)) || isOperator(tokens[0], '('))
    return ofQuery(tokens)
  return { words: [] }
}

/** Words as they are, names as `?`. Only short beginnings have a form. */
function formOf(tokens: readonly FlinkToken[]): string {
  if (tokens.length > 5) return ''
  const fixed = FORM_WORDS
  const shown = tokens.map((token) =>
    token.kind === 'word' && fixed.has(token.text.toUpperCase()) ? token.text.toUpperCase() : '?',
  )
  return shown.join(' ')
}

const FORM_WORDS = new Set(FORMS.flatMap(([begins]) => begins.split(' ')).filter((word) => word !== '?'))

/** What is behind EXPLAIN [PLAN FOR]. */
function explainedPart(tokens: readonly FlinkToken[]): readonly FlinkToken[] | undefined {
  if (!isKeyWord(tokens[0], 'EXPLAIN')) return undefined
  const at = isKeyWord(tokens[1], 'PLAN') ? 3 : 1
  return tokens.length > at ? tokens.slice(at) : undefined
}

function ofInsert(tokens: readonly FlinkToken[]): Expected {
  if (tokens.length === 1) return { words: ['INTO'] }
  if (tokens.length === 2) return { words: [], tables: true }
  let name = 2
  while (isOperator(tokens[name + 1], '.')) name += 2
  const rest = tokens.slice(name + 1)
  const [first] = rest
  if (first === undefined) return { words: QUERY_STARTS }
  if (isOperator(first, '(') && !QUERY_STARTS.some((word) => isKeyWord(rest[1], word))) {
    const close = rest.findIndex((token) => isOperator(token, ')'))
    if (close === -1) return { words: [], columns: tokens[name]!.value }
    return close === rest.length - 1 ? { words: QUERY_STARTS } : ofQuery(rest.slice(close + 1))
  }
  return ofQuery(rest)
}

function ofCreate(tokens: readonly FlinkToken[]): Expected {
  const last = tokens.at(-1)
  const isView = tokens.slice(0, 3).some((token) => isKeyWord(token, 'VIEW'))
  const depth = depthOf(tokens)
  if (isView) {
    const as = tokens.findIndex((token) => isKeyWord(token, 'AS'))
    if (as !== -1) return as === tokens.length - 1 ? { words: QUERY_STARTS } : ofQuery(tokens.slice(as + 1))
  }
  if (isKeyWord(last, isView ? 'VIEW' : 'TABLE')) return { words: ['IF'] }
  if (isKeyWord(last, 'IF')) return { words: ['NOT'] }
  if (isKeyWord(last, 'NOT') && depth === 0) return { words: ['EXISTS'] }
  if (isKeyWord(last, 'EXISTS')) return { words: [] }
  if (depth === 0) {
    if (isKeyWord(last, 'LIKE')) return { words: [], tables: true }
    return { words: isView ? ['AS', 'COMMENT'] : ['WITH', 'COMMENT', 'PARTITIONED', 'LIKE'] }
  }
  return isView || isInOptions(tokens) ? { words: [] } : ofSchema(tokens, last)
}

function isInOptions(tokens: readonly FlinkToken[]): boolean {
  return tokens.some((token, at) => isKeyWord(token, 'WITH') && isOperator(tokens[at + 1], '('))
}

function ofSchema(tokens: readonly FlinkToken[], last: FlinkToken | undefined): Expected {
  const before = tokens.at(-2)
  if (isOperator(last, '(') || isOperator(last, ',')) return { words: ['PRIMARY', 'WATERMARK', 'CONSTRAINT'] }
  if (isKeyWord(last, 'PRIMARY')) return { words: ['KEY'] }
  if (isKeyWord(last, 'WATERMARK')) return { words: ['FOR'] }
  if (isKeyWord(last, 'NOT')) return { words: ['NULL', 'ENFORCED'] }
  if (isKeyWord(last, 'AS') || isOperatorToken(last))
    return { words: ['CAST', 'CASE', 'INTERVAL'], functions: FUNCTIONS }
  if (isOperator(before, '(') || isOperator(before, ',')) return { words: [...TYPES, 'AS', 'METADATA'] }
  return { words: ['NOT', 'NULL', 'PRIMARY', 'METADATA', 'FROM', 'VIRTUAL', 'COMMENT', 'AS'] }
}

const CLAUSES = [
  'SELECT',
  'FROM',
  'WHERE',
  'GROUP',
  'HAVING',
  'ORDER',
  'JOIN',
  'ON',
  'WITH',
  'LIMIT',
  'UNION',
  'VALUES',
]
const JOINS = ['JOIN', 'INNER', 'LEFT', 'RIGHT', 'FULL', 'CROSS']
const OPERANDS = ['CASE', 'CAST', 'TRY_CAST', 'NULL', 'TRUE', 'FALSE', 'NOT', 'INTERVAL', 'EXTRACT']
const OPERATORS = ['AND', 'OR', 'IS', 'NOT', 'IN', 'BETWEEN', 'LIKE']
const IN_CASE = ['WHEN', 'THEN', 'ELSE', 'END']
const WINDOWS = ['TUMBLE', 'HOP', 'CUMULATE']

/** What may follow a clause, at the end of an expression or of a table. */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  SELECT: ['FROM', 'AS'],
  FROM: ['AS', 'WHERE', 'GROUP', 'HAVING', 'ORDER', 'LIMIT', 'UNION', 'FOR', ...JOINS],
  JOIN: ['AS', 'ON', 'FOR', 'USING'],
  ON: ['WHERE', 'GROUP', 'HAVING', 'ORDER', 'LIMIT', 'UNION', ...JOINS],
  WHERE: ['GROUP', 'HAVING', 'ORDER', 'LIMIT', 'UNION'],
  GROUP: ['HAVING', 'ORDER', 'LIMIT', 'UNION'],
  HAVING: ['ORDER', 'LIMIT', 'UNION'],
  ORDER: ['ASC', 'DESC', 'NULLS', 'LIMIT', 'UNION'],
}

function ofQuery(tokens: readonly FlinkToken[]): Expected {
  const last = tokens.at(-1)
  if (last === undefined) return { words: QUERY_STARTS }
  if (isOperator(last, '.')) {
    const name = tokens.at(-2)
    return { words: [], ...(name && { qualifier: name.value }) }
  }
  const word = last.kind === 'word' ? last.text.toUpperCase() : ''
  const fixed = AFTER_WORDS[word]
  if (fixed !== undefined) return fixed
  if (isOperator(last, '(')) return afterOpen(tokens)
  const { clause, inParentheses } = clauseOf(tokens)
  if (isOperator(last, ',')) {
    if (clause === 'FROM' && !inParentheses) return tablesExpected()
    return expressionExpected([])
  }
  const isKey = last.kind === 'word' && isQueryWord(word) && !ENDS_OPERAND.has(word)
  if (isKey || isOperatorToken(last)) return expressionExpected([])
  const next = inParentheses ? [] : (NEXT[clause] ?? [])
  if (clause === 'FROM' || clause === 'JOIN') return { words: next }
  return { words: [...next, ...OPERATORS, ...(isInCase(tokens) ? IN_CASE : [])] }
}

const ENDS_OPERAND: ReadonlySet<string> = new Set(['NULL', 'TRUE', 'FALSE', 'END', 'UNKNOWN'])

const AFTER_WORDS: Readonly<Record<string, Expected>> = {
  SELECT: expressionExpected(['DISTINCT']),
  FROM: tablesExpected(),
  JOIN: tablesExpected(),
  TABLE: { words: [], tables: true, views: true },
  GROUP: { words: ['BY'] },
  ORDER: { words: ['BY'] },
  INNER: { words: ['JOIN'] },
  CROSS: { words: ['JOIN'] },
  LEFT: { words: ['JOIN', 'OUTER'] },
  RIGHT: { words: ['JOIN', 'OUTER'] },
  FULL: { words: ['JOIN', 'OUTER'] },
  OUTER: { words: ['JOIN'] },
  UNION: { words: ['ALL', ...QUERY_STARTS] },
  ALL: { words: QUERY_STARTS },
  IS: { words: ['NULL', 'NOT', 'TRUE', 'FALSE', 'DISTINCT'] },
  FOR: { words: ['SYSTEM_TIME'] },
  SYSTEM_TIME: { words: ['AS'] },
  NULLS: { words: ['FIRST', 'LAST'] },
  WITH: { words: [] },
  LIMIT: { words: ['ALL'] },
}

function afterOpen(tokens: readonly FlinkToken[]): Expected {
  const before = tokens.at(-2)
  if (isKeyWord(before, 'TABLE')) return { words: WINDOWS }
  if (WINDOWS.some((word) => isKeyWord(before, word))) return { words: ['TABLE', 'DATA'] }
  if (isKeyWord(before, 'DESCRIPTOR')) return { words: [], columns: 'all' }
  if (isKeyWord(before, 'FROM') || isKeyWord(before, 'JOIN') || isKeyWord(before, 'AS'))
    return { words: QUERY_STARTS }
  return expressionExpected(['SELECT', 'DISTINCT'])
}

function tablesExpected(): Expected {
  return { words: ['TABLE'], tables: true, views: true }
}

function expressionExpected(words: readonly string[]): Expected {
  return { words: [...words, ...OPERANDS], columns: 'all', functions: FUNCTIONS }
}

/** The last word of a clause at the depth of the place; that around it within parentheses of an expression. */
function clauseOf(tokens: readonly FlinkToken[]): {
  readonly clause: string
  readonly inParentheses: boolean
} {
  let depth = 0
  let inParentheses = false
  for (let at = tokens.length - 1; at >= 0; at--) {
    const token = tokens[at]!
    if (isOperator(token, ')')) depth++
    if (isOperator(token, '(') && --depth < 0) {
      depth = 0
      inParentheses = true
    }
    if (depth > 0 || token.kind !== 'word') continue
    const word = token.text.toUpperCase()
    if (CLAUSES.includes(word)) return { clause: word, inParentheses }
  }
  return { clause: '', inParentheses }
}

function isInCase(tokens: readonly FlinkToken[]): boolean {
  const count = (word: string) => tokens.filter((token) => isKeyWord(token, word)).length
  return count('CASE') > count('END')
}

function isOperatorToken(token: FlinkToken | undefined): boolean {
  return token?.kind === 'operator' && !isOperator(token, ')') && !isOperator(token, ']')
}

function depthOf(tokens: readonly FlinkToken[]): number {
  return tokens.reduce(
    (depth, token) => depth + (isOperator(token, '(') ? 1 : 0) - (isOperator(token, ')') ? 1 : 0),
    0,
  )
}
