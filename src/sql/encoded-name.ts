/**
 * Names of Flink SQL, which are case-sensitive, as names of DuckDB, which are not. Different names have different encodings,
 * also without regard to case, and no encoding is a name that plans use themselves (jobs/plan/job-plan.ts).
 *
 *   usage     usage
 *   USAGE     usage$1f     after the dollar sign: which letters are capital, as a hexadecimal number
 *   a$b, s0   a$b$0, s0$0
 */

const PLAIN = /^[a-z][a-z0-9_]*$/
/** Relations and columns of plans, and those that a query of DuckDB has without naming them. */
const USED_BY_PLANS = /^(?:in_s\d+|[a-z]\d+|merged|valueslist|unnest|rowid|col\d+)$/

export function encodedName(name: string): string {
  if (PLAIN.test(name) && !USED_BY_PLANS.test(name)) return name
  let capitals = 0n
  const lower = name.replace(/[A-Z]/g, (letter, index: number) => {
    capitals |= 1n << BigInt(index)
    return letter.toLowerCase()
  })
  return `${lower}$${capitals.toString(16)}`
}

export function decodedName(encoded: string): string {
  const mark = encoded.lastIndexOf('$')
  if (mark === -1) return encoded
  const digits = encoded.slice(mark + 1)
  if (!/^[0-9a-f]+$/.test(digits)) return encoded
  const capitals = BigInt(`0x${digits}`)
  return [...Array(mark).keys()]
    .map((i) => ((capitals >> BigInt(i)) & 1n ? encoded[i]!.toUpperCase() : encoded[i]))
    .join('')
}

/** An error text of the engine with the names that the user wrote. */
export function withDecodedNames(message: string): string {
  return message.replace(/[\p{L}_][\p{L}\p{Nd}_$]*\$[0-9a-f]+\b/gu, (encoded) => decodedName(encoded))
}
