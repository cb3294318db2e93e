/** Parts of SQL over numbered columns: c0, c1, … of results, g0, g1, … of groups, k0, k1, … of keys. */

/** `c0, c1, c2`, or with an alias `o.c0, o.c1, o.c2`. */
export function columnsOf(letter: string, count: number, alias?: string): string {
  return namesOf(letter, count, alias).join(', ')
}

export function namesOf(letter: string, count: number, alias?: string): string[] {
  const before = alias === undefined ? '' : `${alias}.`
  return Array.from({ length: count }, (_, index) => `${before}${letter}${index}`)
}

/** Equality of two lists of expressions, in which NULL equals NULL. */
export function sameValues(left: readonly string[], right: readonly string[]): string {
  return allOf(left.map((expression, index) => `${expression} IS NOT DISTINCT FROM ${right[index]}`))
}

/** Whether any of the expressions differ; NULL equals NULL. */
export function differentValues(left: readonly string[], right: readonly string[]): string {
  if (left.length === 0) return 'FALSE'
  return left.map((expression, index) => `${expression} IS DISTINCT FROM ${right[index]}`).join(' OR ')
}

export function allOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? 'TRUE' : conditions.join(' AND ')
}

/** The items that are not empty, as a list of SQL. */
export function listOf(...items: readonly string[]): string {
  return items.filter((item) => item !== '').join(', ')
}

export function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/**
 * A column of a state table. DuckDB needs 0.4 µs to unpack a packed number of 128 bits, 50 times as long as one of 64 bits, and
 * a tick reads whole columns: such columns stay unpacked.
 */
export function stateColumn(name: string, type: string): string {
  const [, precision] = /^DECIMAL\((\d+),/.exec(type) ?? []
  const isLong = type === 'HUGEINT' || Number(precision ?? 0) > 18
  return `${name} ${type}${isLong ? ' USING COMPRESSION uncompressed' : ''}`
}
