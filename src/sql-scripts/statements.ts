/** The syntax trees of statements about tables and views, with their places in the text. Nothing is known of the catalog. */
import type { Place } from '../sql/sql-problem.ts'

/** `t`, `default.t`, `default.default.t`. The parts before the name are as written. */
export interface ObjectName {
  /** Of a name with three parts. */
  readonly catalog: string | undefined
  /** Of a name with two or three parts. */
  readonly database: string | undefined
  readonly name: string
  readonly place: Place
}

/** A part of the text: without the white space around it. */
export interface TextPart {
  readonly text: string
  readonly place: Place
}

/** A key of WITH, SET or RESET, as written. */
export interface OptionSetting {
  readonly key: string
  readonly keyPlace: Place
  readonly value: string
  readonly valuePlace: Place
}

export interface CreateTable {
  readonly kind: 'create-table'
  readonly isTemporary: boolean
  readonly ifNotExists: boolean
  readonly name: ObjectName
  /** The inside of the parentheses. Undefined without parentheses, which LIKE allows. */
  readonly schema: TextPart | undefined
  readonly comment: string | undefined
  /** Columns of PARTITIONED BY. */
  readonly partitionedBy: readonly string[]
  /** Of WITH; undefined without it. No key is there twice. */
  readonly options: readonly OptionSetting[] | undefined
  readonly like: LikeClause | undefined
}

export const LIKE_FEATURES = [
  'ALL',
  'CONSTRAINTS',
  'GENERATED',
  'METADATA',
  'OPTIONS',
  'PARTITIONS',
  'WATERMARKS',
] as const

export type LikeFeature = (typeof LIKE_FEATURES)[number]
export type LikeStrategy = 'INCLUDING' | 'EXCLUDING' | 'OVERWRITING'

export interface LikeClause {
  readonly name: ObjectName
  /** In the order of the text; each feature at most once. */
  readonly choices: ReadonlyMap<LikeFeature, LikeStrategy>
}

export interface CreateView {
  readonly kind: 'create-view'
  readonly isTemporary: boolean
  readonly ifNotExists: boolean
  readonly name: ObjectName
  /** Names for the columns of the query; undefined without a list. */
  readonly columns: readonly string[] | undefined
  readonly comment: string | undefined
  readonly query: TextPart
}

export interface Drop {
  readonly kind: 'drop'
  readonly what: 'table' | 'view'
  readonly isTemporary: boolean
  readonly ifExists: boolean
  readonly name: ObjectName
}

export interface AlterTable {
  readonly kind: 'alter-table'
  readonly ifExists: boolean
  readonly name: ObjectName
  readonly change:
    | { readonly kind: 'set'; readonly options: readonly OptionSetting[] }
    | {
        readonly kind: 'reset'
        readonly keys: readonly { readonly key: string; readonly keyPlace: Place }[]
      }
    | { readonly kind: 'rename'; readonly to: ObjectName }
}

export type ShowList = 'tables' | 'views' | 'databases' | 'catalogs' | 'functions'

export type Show =
  | {
      readonly kind: 'show'
      readonly what: ShowList
      /** Of FROM or IN: the parts of a database's name. */
      readonly from: ObjectName | undefined
      readonly like: { readonly pattern: string; readonly isNegated: boolean } | undefined
    }
  | { readonly kind: 'show-current'; readonly what: 'catalog' | 'database' }
  | { readonly kind: 'show-create'; readonly what: 'table' | 'view'; readonly name: ObjectName }

export interface Describe {
  readonly kind: 'describe'
  readonly name: ObjectName
}

/** `name` has no parts before it for a catalog, and at most one for a database. */
export interface Use {
  readonly kind: 'use'
  readonly what: 'catalog' | 'database'
  readonly name: ObjectName
}

export type ExplainDetail = 'ESTIMATED_COST' | 'CHANGELOG_MODE' | 'JSON_EXECUTION_PLAN' | 'PLAN_ADVICE'

export interface Explain {
  readonly kind: 'explain'
  readonly details: readonly ExplainDetail[]
  readonly statement: TextPart
}

export type CatalogStatement = CreateTable | CreateView | Drop | AlterTable | Show | Describe | Use | Explain
