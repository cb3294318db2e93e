/** Names in SQL. */

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
