/** Numbers of a query. PostgreSQL takes one with a point or an exponent as numeric, and DuckDB one with an exponent as DOUBLE. */
import type { QueryContext } from './query-context.ts'
import type { Span } from './syntax.ts'

const DIGITS_MAX = 38
const BIGINT_MAX = 2n ** 63n - 1n

export function numberSql(context: QueryContext, written: string, at: Span): string {
  if (/^[0-9]+$/.test(written) && BigInt(written) <= BIGINT_MAX) return written
  const digits = withoutExponent(context, written, at)
  const significant = digits.replace('.', '').replace(/^0+/, '')
  const scale = digits.split('.')[1]?.length ?? 0
  if (Math.max(significant.length, scale) > DIGITS_MAX)
    throw context.unsupported(`a number has at most ${DIGITS_MAX} digits`, at)
  return digits.includes('.') ? digits : `CAST('${digits}' AS "numeric")`
}

/** `1.5e3` is 1500, `1.` is 1. */
function withoutExponent(context: QueryContext, written: string, at: Span): string {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?$/.exec(written) ?? []
  const power = Number(exponent)
  if (Math.abs(power) > DIGITS_MAX) throw context.unsupported(`a number has at most ${DIGITS_MAX} digits`, at)
  const places = fraction.length - power
  const all = whole + fraction
  if (places <= 0) return (all + '0'.repeat(-places)).replace(/^0+(?=[0-9])/, '')
  const padded = all.padStart(places + 1, '0')
  return `${padded.slice(0, -places).replace(/^0+(?=[0-9])/, '')}.${padded.slice(-places)}`
}
