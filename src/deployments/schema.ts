/**
 * A schema of a request body. One value both checks requests (`check`, in `schema-check.ts`) and is printed in the API's description, so
 * that the two cannot differ.
 */
import type { Json } from './resources.ts'

export interface Common {
  /** One sentence for the API's description. */
  readonly about?: string
  readonly example?: Json
  /** Taken when the member is absent. */
  readonly default?: Json
  readonly isRequired?: boolean
  /** Only printed by the service; ignored in requests. */
  readonly isReadOnly?: boolean
  /** Never printed. */
  readonly isWriteOnly?: boolean
}

export type Schema = Common &
  (
    | {
        readonly kind: 'object'
        readonly members: Readonly<Record<string, Schema>>
        readonly others: 'refused' | 'ignored' | 'kept'
        /** Exactly one of the members is given. */
        readonly isChoice?: boolean
      }
    /** Members of any name. */
    | { readonly kind: 'map'; readonly values: Schema }
    | { readonly kind: 'list'; readonly items: Schema }
    | {
        readonly kind: 'text'
        readonly charactersMin?: number
        readonly charactersMax?: number
        readonly pattern?: RegExp
        /** The message for a text that does not match: `must be a size such as 1g`. */
        readonly wanted?: string
        /** Numbers and booleans become their text. */
        readonly takesScalars?: boolean
        readonly format?: 'uuid' | 'date-time' | 'uri'
      }
    | { readonly kind: 'choice'; readonly of: readonly string[] }
    | { readonly kind: 'integer' | 'number'; readonly min?: number; readonly max?: number }
    | { readonly kind: 'boolean' }
    /** Any JSON value. */
    | { readonly kind: 'any' }
  )
