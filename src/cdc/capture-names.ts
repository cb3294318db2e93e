/**
 * Names that follow from the name of a connection: its slot and publication on the server, and the streams of its tables. The same
 * connection gets the same names each time, so that a slot is found again after a crash.
 */
import { hash } from 'node:crypto'
import { type StreamName, trustedName } from '../streams/names.ts'
import type { TableName } from './captured-table.ts'

/** PostgreSQL's limit of a name, in bytes. */
const NAME_BYTES_MAX = 63
const HASH_DIGITS = 8

/** Of slot and publication: `[a-z0-9_]`, at most 63 characters; a longer name ends with a hash of the whole. */
export function slotName(name: string): string {
  const whole = `millrace_${name.toLowerCase().replaceAll('-', '_')}`
  if (whole.length <= NAME_BYTES_MAX) return whole
  const digits = hash('sha256', name, 'hex').slice(0, HASH_DIGITS)
  return `${whole.slice(0, NAME_BYTES_MAX - HASH_DIGITS - 1)}_${digits}`
}

/** Two tables may have one name. */
export function streamNameOf(name: string, { schema, table }: TableName): StreamName {
  return trustedName<StreamName>(`${name}-${schema}-${table}`.replace(/[^A-Za-z0-9_-]/gu, '_'))
}
