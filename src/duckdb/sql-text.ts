/** Names in SQL. */

/** Source of a pattern for a name as DuckDB prints it: quoted, or plain. */
export const NAME_PATTERN = '(?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"]|"")+")'

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
