/** The syntax of a query after reading: what PostgreSQL's grammar makes of it, as far as cached queries have it. */
import type { QueryToken } from './query-tokens.ts'

/** Characters `[start, end)` of the text. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A name as written, and as PostgreSQL understands it. */
export interface Name extends Span {
  /** Without quotes; a word without quotes in lower case. */
  readonly value: string
  readonly isQuoted: boolean
  /** As written, without quotes: `Order`. */
  readonly written: string
}

export type Expression =
  | ({ readonly kind: 'column'; readonly names: readonly Name[] } & Span)
  | ({ readonly kind: 'star'; readonly of: readonly Name[] } & Span)
  | ({ readonly kind: 'number' | 'text'; readonly value: string } & Span)
  | ({ readonly kind: 'boolean'; readonly value: boolean } & Span)
  | ({ readonly kind: 'null' } & Span)
  | ({ readonly kind: 'cast'; readonly of: Expression; readonly type: TypeName } & Span)
  | CallExpression
  | ({ readonly kind: 'unary'; readonly operator: '-' | '+'; readonly of: Expression } & Operated)
  | ({
      readonly kind: 'binary'
      readonly operator: string
      readonly left: Expression
      readonly right: Expression
    } & Operated)
  | ({ readonly kind: 'not'; readonly of: Expression } & Span)
  | ({ readonly kind: 'logic'; readonly operator: 'AND' | 'OR'; readonly of: readonly Expression[] } & Span)
  | ({
      readonly kind: 'is'
      readonly what: 'NULL' | 'TRUE' | 'FALSE' | 'UNKNOWN'
      readonly isNot: boolean
      readonly of: Expression
    } & Span)
  | ({
      readonly kind: 'distinct'
      readonly isNot: boolean
      readonly left: Expression
      readonly right: Expression
    } & Operated)
  | ({
      readonly kind: 'between'
      readonly isNot: boolean
      readonly isSymmetric: boolean
      readonly of: Expression
      readonly low: Expression
      readonly high: Expression
    } & Operated)
  | ({
      readonly kind: 'like'
      readonly operator: 'LIKE' | 'ILIKE'
      readonly isNot: boolean
      readonly of: Expression
      readonly pattern: Expression
      readonly escape: Expression | undefined
    } & Operated)
  | ({
      readonly kind: 'in'
      readonly isNot: boolean
      readonly of: Expression
      readonly values: readonly Expression[]
    } & Operated)
  | ({
      readonly kind: 'in-query'
      readonly isNot: boolean
      readonly of: Expression
      readonly query: Query
    } & Operated)
  | ({
      readonly kind: 'quantified'
      readonly operator: string
      readonly quantifier: 'ANY' | 'ALL'
      readonly of: Expression
      readonly query: Query
    } & Operated)
  | ({ readonly kind: 'exists' | 'scalar'; readonly query: Query } & Span)
  | ({
      readonly kind: 'case'
      readonly operand: Expression | undefined
      readonly branches: readonly { readonly when: Expression; readonly result: Expression }[]
      readonly otherwise: Expression | undefined
    } & Span)

/** With the place of the operator, at which PostgreSQL reports wrong types. */
interface Operated extends Span {
  readonly at: Span
}

export interface CallExpression extends Span {
  readonly kind: 'call'
  /** One name; more if it has a schema. */
  readonly names: readonly Name[]
  readonly args: readonly Expression[]
  /** `count(*)` */
  readonly isStar: boolean
  readonly isDistinct: boolean
  readonly orderBy: readonly Order[]
  readonly filter: Expression | undefined
  readonly over: Window | undefined
}

export interface Window extends Span {
  /** A window of the clause WINDOW: `OVER w`, `OVER (w …)`. */
  readonly base: Name | undefined
  readonly partitionBy: readonly Expression[]
  readonly orderBy: readonly Order[]
  readonly frame: Frame | undefined
}

export interface Frame extends Span {
  readonly mode: 'ROWS' | 'RANGE' | 'GROUPS'
  readonly from: FrameBound
  readonly to: FrameBound
  readonly exclude: string | undefined
}

export interface FrameBound extends Span {
  readonly kind: 'UNBOUNDED PRECEDING' | 'PRECEDING' | 'CURRENT ROW' | 'FOLLOWING' | 'UNBOUNDED FOLLOWING'
  readonly offset: Expression | undefined
}

export interface TypeName extends Span {
  /** As format_type() prints it, or as written if it is not a type of PostgreSQL's own. */
  readonly name: string
  /** For the name of a column: int4, timestamptz. */
  readonly internal: string
  readonly isKnown: boolean
}

export interface Order extends Span {
  readonly of: Expression
  readonly isDescending: boolean
  readonly nullsFirst: boolean
}

export interface Item extends Span {
  readonly of: Expression
  readonly alias: Name | undefined
}

export interface Select extends Span {
  readonly kind: 'select'
  readonly isDistinct: boolean
  readonly items: readonly Item[]
  readonly from: readonly FromItem[]
  readonly where: Expression | undefined
  readonly groupBy: readonly Expression[]
  readonly having: Expression | undefined
  readonly windows: readonly { readonly name: Name; readonly window: Window }[]
}

export interface SetOperation extends Span {
  readonly kind: 'set'
  readonly operator: 'UNION' | 'INTERSECT' | 'EXCEPT'
  readonly isAll: boolean
  readonly left: Query
  readonly right: Query
}

/** A SELECT or a set operation with what may stand before and after it. */
export interface Query extends Span {
  readonly body: Select | SetOperation
  readonly ctes: readonly CteSyntax[]
  readonly orderBy: readonly Order[]
  readonly limit: Expression | undefined
  readonly offset: Expression | undefined
}

export interface CteSyntax extends Span {
  readonly name: Name
  readonly columns: readonly Name[]
  readonly query: Query
}

export interface Alias extends Span {
  readonly name: Name
  readonly columns: readonly Name[]
}

export type FromItem =
  | ({ readonly kind: 'table'; readonly names: readonly Name[]; readonly alias: Alias | undefined } & Span)
  | ({ readonly kind: 'query'; readonly query: Query; readonly alias: Alias | undefined } & Span)
  | ({
      readonly kind: 'join'
      readonly type: 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'CROSS'
      readonly left: FromItem
      readonly right: FromItem
      readonly on: Expression | undefined
      readonly using: readonly Name[]
      readonly isNatural: boolean
    } & Span)

export type { QueryToken }
