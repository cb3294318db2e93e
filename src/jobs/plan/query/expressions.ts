/**
 * Resolves names in an expression, checks it by PostgreSQL's rules as far as they do not depend on types, and prints it for
 * DuckDB's parser.
 */
import { resolveCall } from './calls.ts'
import { numberSql } from './numbers.ts'
import type { QueryContext } from './query-context.ts'
import { columnSql, findColumn, partsOf, type Resolved, type Scope } from './query-scope.ts'
import type { Resolving } from './resolving.ts'
import { listed, placed, quoted, type Sql, textLiteral } from './sql-pieces.ts'
import type { ResolvedSubquery, ResolveSubquery } from './subquery.ts'
import type { Expression, Query, Span } from './syntax.ts'

export class Expressions implements Resolving {
  readonly context: QueryContext
  readonly scope: Scope
  readonly windows: Resolving['windows']
  readonly #subquery: ResolveSubquery

  constructor(context: QueryContext, scope: Scope, windows: Resolving['windows'], subquery: ResolveSubquery) {
    this.context = context
    this.scope = scope
    this.windows = windows
    this.#subquery = subquery
  }

  resolve = (expression: Expression): Resolved => {
    const { context } = this
    const e = expression
    switch (e.kind) {
      case 'column':
        return this.#column(e)
      case 'star':
        throw e.of.length === 0
          ? context.invalid('syntax error at or near "*"', e)
          : context.unsupported('whole rows as values are not supported; name the columns', e)
      case 'number':
        return this.#constant(`n:${e.value}`, numberSql(context, e.value, e), e)
      case 'text':
        return this.#constant(`t:${e.value}`, textLiteral(e.value), e)
      case 'boolean':
        return this.#constant(`b:${e.value}`, e.value ? 'TRUE' : 'FALSE', e)
      case 'null':
        return this.#constant('null', 'NULL', e)
      case 'cast':
        return this.#cast(e)
      case 'call':
        return resolveCall(this, e)
      case 'unary': {
        const of = this.resolve(e.of)
        const sql = ['(', placed(`${e.operator} `, e.at), of.sql, ')']
        return context.resolved(
          `unary${e.operator}`,
          sql,
          [of],
          e,
          of.kind === 'constant' ? { kind: 'constant' } : {},
        )
      }
      case 'binary':
        return this.#binary(e.operator, e.left, e.right, e.at, e)
      case 'not': {
        const of = this.resolve(e.of)
        return context.resolved('not', ['(', placed('NOT ', e), of.sql, ')'], [of], e)
      }
      case 'logic': {
        const of = e.of.map(this.resolve)
        return context.resolved(
          e.operator,
          [
            '(',
            listed(
              of.map(({ sql }) => sql),
              ` ${e.operator} `,
            ),
            ')',
          ],
          of,
          e,
        )
      }
      case 'is':
        return this.#is(e)
      case 'distinct': {
        const [left, right] = [this.resolve(e.left), this.resolve(e.right)]
        const words = `IS ${e.isNot ? 'NOT ' : ''}DISTINCT FROM`
        return context.resolved(
          words,
          ['(', left.sql, placed(` ${words} `, e.at), right.sql, ')'],
          [left, right],
          e,
        )
      }
      case 'between':
        return this.#between(e)
      case 'like':
        return this.#like(e)
      case 'in':
        return this.#in(e)
      case 'in-query': {
        const of = this.resolve(e.of)
        const query = this.#query(e.query, e.at, 'subquery has too many columns')
        const words = e.isNot ? 'NOT IN' : 'IN'
        const sql = ['(', of.sql, placed(` ${words} (`, e.at), query.sql, '))']
        return context.resolved(`${words}:${query.id}`, sql, [of, ...query.outer], e)
      }
      case 'quantified': {
        const of = this.resolve(e.of)
        const query = this.#query(e.query, e.at, 'subquery has too many columns')
        const words = `${e.operator} ${e.quantifier}`
        const sql = ['(', of.sql, placed(` ${words} (`, e.at), query.sql, '))']
        return context.resolved(`${words}:${query.id}`, sql, [of, ...query.outer], e)
      }
      case 'exists': {
        const query = this.#query(e.query, e, undefined)
        return context.resolved(`exists:${query.id}`, ['(EXISTS (', query.sql, '))'], query.outer, e)
      }
      case 'scalar': {
        const query = this.#query(e.query, e, 'subquery must return only one column')
        return context.resolved(`scalar:${query.id}`, ['(', query.sql, ')'], query.outer, e)
      }
      case 'case':
        return this.#case(e)
    }
  }

  #constant(key: string, sql: Sql, at: Span): Resolved {
    return this.context.resolved(key, typeof sql === 'string' ? placed(sql, at) : sql, [], at, {
      kind: 'constant',
    })
  }

  #column(e: Expression & { readonly kind: 'column' }): Resolved {
    const { context } = this
    const found = findColumn(e.names, this.scope)
    if (typeof found === 'string') {
      const [only] = e.names
      if (e.names.length === 1 && this.scope.entries.some(({ name }) => name === only!.value))
        throw context.unsupported('whole rows as values are not supported; name the columns', e)
      if (SYSTEM_COLUMNS.has(e.names.at(-1)!.value))
        throw context.unsupported(`system column ${e.names.at(-1)!.value} is not supported`, e)
      throw context.invalid(found, e)
    }
    const columns = found.uses.map(({ entry, column }) => {
      column.use?.()
      const sql = columnSql({ entry, column })
      const use = { level: found.level, entry, column }
      return context.resolved(sql, placed(sql, e), [], e, { kind: 'column', use })
    })
    if (columns.length === 1) return columns[0]!
    return context.resolved(
      'coalesce',
      ['"coalesce"(', listed(columns.map(({ sql }) => sql)), ')'],
      columns,
      e,
    )
  }

  #cast(e: Expression & { readonly kind: 'cast' }): Resolved {
    const of = this.resolve(e.of)
    let { name } = e.type
    if (!e.type.isKnown) name = this.#databaseType(e.type.name, e.type)
    const sql = [placed('CAST(', e.type), of.sql, ` AS ${quoted(name)})`]
    return this.context.resolved(
      `cast:${name}`,
      sql,
      [of],
      e,
      of.kind === 'constant' ? { kind: 'constant' } : {},
    )
  }

  /** An enum of the database is a text. */
  #databaseType(name: string, at: Span): string {
    const [only] = this.context.source.tables.flatMap(({ columns }) =>
      columns.filter(
        ({ databaseType, type }) => type.kind === 'STRING' && databaseType.replaceAll('"', '') === name,
      ),
    )
    if (only !== undefined) return 'text'
    throw this.context.invalid(`type "${name}" does not exist`, at)
  }

  #binary(operator: string, left: Expression, right: Expression, at: Span, span: Span): Resolved {
    const [one, other] = [this.resolve(left), this.resolve(right)]
    return this.#joined(operator, one, other, at, span)
  }

  #joined(operator: string, left: Resolved, right: Resolved, at: Span, span: Span): Resolved {
    const { context } = this
    const sql =
      operator === '->' || operator === '->>'
        ? [placed(`${quoted(operator)}(`, at), left.sql, ', ', right.sql, ')']
        : ['(', left.sql, placed(` ${operator} `, at), right.sql, ')']
    return context.resolved(operator, sql, [left, right], span)
  }

  #is(e: Expression & { readonly kind: 'is' }): Resolved {
    const of = this.resolve(e.of)
    const not = e.isNot ? 'NOT ' : ''
    const sql = {
      NULL: ['(', of.sql, ` IS ${not}NULL)`],
      // NOT, because UNKNOWN is a truth value.
      UNKNOWN: ['((NOT ', of.sql, `) IS ${not}NULL)`],
      TRUE: ['(', of.sql, ` IS ${e.isNot ? '' : 'NOT '}DISTINCT FROM TRUE)`],
      FALSE: ['(', of.sql, ` IS ${e.isNot ? '' : 'NOT '}DISTINCT FROM FALSE)`],
    }[e.what]
    return this.context.resolved(`is ${not}${e.what}`, sql, [of], e)
  }

  /** PostgreSQL defines it by comparisons. */
  #between(e: Expression & { readonly kind: 'between' }): Resolved {
    const [of, low, high] = [this.resolve(e.of), this.resolve(e.low), this.resolve(e.high)]
    const compared = (from: Resolved, to: Resolved) => {
      const [above, below, word] = e.isNot ? ['<', '>', ' OR '] : ['>=', '<=', ' AND ']
      const one = this.#joined(above, of, from, e.at, e)
      const other = this.#joined(below, of, to, e.at, e)
      return this.context.resolved(word, ['(', one.sql, word, other.sql, ')'], [one, other], e)
    }
    const forward = compared(low, high)
    if (!e.isSymmetric) return forward
    const backward = compared(high, low)
    const word = e.isNot ? ' AND ' : ' OR '
    return this.context.resolved(word, ['(', forward.sql, word, backward.sql, ')'], [forward, backward], e)
  }

  #like(e: Expression & { readonly kind: 'like' }): Resolved {
    const [of, pattern] = [this.resolve(e.of), this.resolve(e.pattern)]
    const words = ` ${e.isNot ? 'NOT ' : ''}${e.operator} `
    if (e.escape !== undefined && e.escape.kind !== 'text')
      throw this.context.unsupported('ESCAPE takes a text of one character', e.escape)
    const escapedBy = e.escape === undefined ? '' : ` ESCAPE ${textLiteral(e.escape.value)}`
    const sql = ['(', of.sql, placed(words, e.at), pattern.sql, escapedBy, ')']
    return this.context.resolved(`${words}${escapedBy}`, sql, [of, pattern], e)
  }

  #in(e: Expression & { readonly kind: 'in' }): Resolved {
    const [of, ...values] = [e.of, ...e.values].map(this.resolve) as [Resolved, ...Resolved[]]
    const words = e.isNot ? 'NOT IN' : 'IN'
    const sql = ['(', of.sql, placed(` ${words} (`, e.at), listed(values.map((value) => value.sql)), '))']
    return this.context.resolved(words, sql, [of, ...values], e)
  }

  #case(e: Expression & { readonly kind: 'case' }): Resolved {
    const operand = e.operand === undefined ? undefined : this.resolve(e.operand)
    const branches = e.branches.map(({ when, result }) => {
      const tested = this.resolve(when)
      const condition = operand === undefined ? tested : this.#joined('=', operand, tested, when, when)
      return { condition, result: this.resolve(result) }
    })
    const otherwise = e.otherwise === undefined ? undefined : this.resolve(e.otherwise)
    const sql = [
      '(CASE',
      ...branches.map(({ condition, result }) => [' WHEN ', condition.sql, ' THEN ', result.sql]),
      otherwise === undefined ? '' : [' ELSE ', otherwise.sql],
      ' END)',
    ]
    const parts = [
      ...branches.flatMap(({ condition, result }) => [condition, result]),
      ...(otherwise === undefined ? [] : [otherwise]),
    ]
    return this.context.resolved(`case${otherwise === undefined ? '' : ':else'}`, sql, parts, e)
  }

  /** `reason`: for a query that does not have one column. */
  #query(query: Query, at: Span, reason: string | undefined): ResolvedSubquery {
    const resolved = this.#subquery(query, this.scope)
    if (reason !== undefined && resolved.columns !== 1) throw this.context.invalid(reason, at)
    return resolved
  }
}

const SYSTEM_COLUMNS = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])

/** What a clause may not have. */
export function refuseCalls(
  context: QueryContext,
  expression: Resolved,
  clause: string,
  kinds: readonly ('aggregate' | 'window')[] = ['aggregate', 'window'],
): void {
  for (const part of partsOf(expression)) {
    if (part.kind === 'aggregate' && kinds.includes('aggregate'))
      throw context.invalid(`aggregate functions are not allowed in ${clause}`, part)
    if (part.kind === 'window' && kinds.includes('window'))
      throw context.invalid(`window functions are not allowed in ${clause}`, part)
  }
}
