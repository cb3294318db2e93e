/** Short words for schemas of answers, which are tables of members. */
import type { Json } from '../../../deployments/resources.ts'
import type { Common, Schema } from '../../../deployments/schema.ts'

export const UUID: Schema = { kind: 'text', format: 'uuid' }
export const TIME: Schema = { kind: 'text', format: 'date-time' }
export const TEXT: Schema = { kind: 'text' }
export const TEXTS: Schema = { kind: 'map', values: TEXT }
export const COUNT: Schema = { kind: 'integer', min: 0 }

export const choice = (...of: readonly string[]): Schema => ({ kind: 'choice', of })
export const list = (items: Schema): Schema => ({ kind: 'list', items })
export const constant = (text: string): Schema => choice(text)
export const about = (sentence: string, schema: Schema): Schema => ({ ...schema, about: sentence })
export const always = (schema: Schema): Schema => ({ ...schema, isRequired: true })
export const withDefault = (value: Json, schema: Schema): Schema => ({ ...schema, default: value })

/** An answer prints these members always, the optional ones sometimes, and no others. */
export function printed(
  members: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
  common: Common = {},
): Schema {
  const required = Object.entries(members).map(([name, member]) => [name, always(member)] as const)
  return {
    ...common,
    ...{ kind: 'object', others: 'refused' },
    members: { ...Object.fromEntries(required), ...optional },
  }
}
