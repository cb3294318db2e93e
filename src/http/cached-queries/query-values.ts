/** Parameters in the query of a URL. */

import { parseLsn } from '../../cdc/lsn.ts'
import { invalidRequest } from './fields.ts'

const SHOWN_CHARACTERS_MAX = 100

/** Throws ServiceError 'invalid_parameter'. */
export function wholeNumberOf(
  name: string,
  text: string | undefined,
  { least, most, fallback }: { readonly least: number; readonly most: number; readonly fallback: number },
): number {
  if (text === undefined) return fallback
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw invalidRequest(`${name} is '${shown(text)}'; use a whole number from ${least} to ${most}`)
}

/** Throws ServiceError 'invalid_parameter'. */
export function lsnOf(name: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  const lsn = parseLsn(text)
  if (lsn !== undefined) return lsn
  throw invalidRequest(
    `${name} is '${shown(text)}'; use a position as pg_current_wal_lsn() gives it, as in 0/16B3748`,
  )
}

export function shown(text: string): string {
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
}
