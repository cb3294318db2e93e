/**
 * The name of a table in PostgreSQL: `table` or `schema.table`, each part bare or in double quotes. PostgreSQL makes bare
 * names lower case; two double quotes inside quotes are one.
 */
export interface DatabaseTableName {
  readonly schema: string | undefined
  readonly table: string
}

/** PostgreSQL cuts longer names. */
const NAME_BYTES_MAX = 63
const PART = String.raw`(?:[\p{L}_][\p{L}\p{Nd}_$]*|"(?:[^"\p{Cc}\p{Cs}]|"")+")`
const NAME = new RegExp(`^(?:(${PART})\\.)?(${PART})$`, 'u')
/** Bounds the work of the expression. */
const TEXT_CHARACTERS_MAX = 300

/** Returns the reason as a text if it is no such name. */
export function parseDatabaseTableName(text: string): DatabaseTableName | string {
  const [all, schema, table] = text.length > TEXT_CHARACTERS_MAX ? [] : (NAME.exec(text) ?? [])
  if (all === undefined) return 'use table or schema.table, each part bare or in double quotes'
  const parts = {
    schema: schema === undefined ? undefined : unquoted(schema),
    table: unquoted(table as string),
  }
  const isLong = [parts.schema, parts.table].some((part) => Buffer.byteLength(part ?? '') > NAME_BYTES_MAX)
  return isLong ? `PostgreSQL has names of at most ${NAME_BYTES_MAX} bytes` : parts
}

function unquoted(part: string): string {
  if (part.startsWith('"')) return part.slice(1, -1).replaceAll('""', '"')
  return part.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}
