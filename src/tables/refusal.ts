/** Errors about tables, integrations and their options. */
import { ServiceError } from '../service-error.ts'

const SHOWN_CHARACTERS_MAX = 100

export function invalid(message: string): ServiceError {
  return new ServiceError('invalid_table', message)
}

/** A value of a client for an error text. Never for members that may be secret. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : (JSON.stringify(value) ?? String(value))
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
}
