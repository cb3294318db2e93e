/**
 * PostgreSQL's numeric: exact arithmetic on decimal texts, with the number of digits after the point that PostgreSQL shows.
 * A sum has as many as the operand with more of them, a product as both together, and a quotient at least 16 significant ones.
 */

export type Numeric = Finite | 'NaN' | 'Infinity' | '-Infinity'

export interface Finite {
  /** The value times 10^scale. */
  readonly unscaled: bigint
  /** Digits after the point. */
  readonly scale: number
}

const TEXT = /^\s*([+-]?)(\d+(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?\s*$/
const SPECIAL: Readonly<Record<string, Numeric>> = {
  nan: 'NaN',
  infinity: 'Infinity',
  '+infinity': 'Infinity',
  '-infinity': '-Infinity',
  inf: 'Infinity',
  '+inf': 'Infinity',
  '-inf': '-Infinity',
}

/** Significant digits of a quotient, at least. */
const QUOTIENT_DIGITS = 16
/** PostgreSQL computes with digits of base 10,000, and the scale of a quotient depends on that. */
const GROUP = 4
const QUOTIENT_SCALE_MAX = 1000
const EXPONENT_MAX = 100_000

export function parseNumeric(text: string): Numeric {
  const match = TEXT.exec(text)
  if (match === null) {
    const special = SPECIAL[text.trim().toLowerCase()]
    if (special !== undefined) return special
    throw new Error(`invalid input syntax for type numeric: "${text}"`)
  }
  const fraction = match[3] ?? match[4] ?? ''
  const exponent = Number(match[5] ?? 0)
  if (Math.abs(exponent) > EXPONENT_MAX) throw new Error('value overflows numeric format')
  const digits = BigInt(match[2]!.replace('.', ''))
  const unscaled = match[1] === '-' ? -digits : digits
  const scale = fraction.length - exponent
  return scale >= 0 ? { unscaled, scale } : { unscaled: unscaled * tenTo(-scale), scale: 0 }
}

export function printNumeric(value: Numeric): string {
  if (typeof value === 'string') return value
  const { unscaled, scale } = value
  const sign = unscaled < 0n ? '-' : ''
  const digits = String(magnitude(unscaled))
  if (scale === 0) return sign + digits
  const padded = digits.padStart(scale + 1, '0')
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

const POWERS: bigint[] = []

function tenTo(exponent: number): bigint {
  POWERS[exponent] ??= 10n ** BigInt(exponent)
  return POWERS[exponent]
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value)

function atScale({ unscaled, scale }: Finite, to: number): bigint {
  return scale === to ? unscaled : unscaled * tenTo(to - scale)
}

/** The quotient, rounded half away from zero. */
function dividedRounded(dividend: bigint, divisor: bigint): bigint {
  const isNegative = dividend < 0n !== divisor < 0n
  const [above, below] = [magnitude(dividend), magnitude(divisor)]
  const rounded = (above * 2n + below) / (below * 2n)
  return isNegative ? -rounded : rounded
}

const isFiniteNumeric = (value: Numeric): value is Finite => typeof value !== 'string'
const signOf = (value: Numeric): number =>
  isFiniteNumeric(value)
    ? value.unscaled < 0n
      ? -1
      : value.unscaled > 0n
        ? 1
        : 0
    : value === '-Infinity'
      ? -1
      : 1
const infinity = (sign: number): Numeric => (sign < 0 ? '-Infinity' : sign > 0 ? 'Infinity' : 'NaN')

export function addNumeric(a: Numeric, b: Numeric): Numeric {
  if (a === 'NaN' || b === 'NaN') return 'NaN'
  if (!isFiniteNumeric(a)) return isFiniteNumeric(b) || a === b ? a : 'NaN'
  if (!isFiniteNumeric(b)) return b
  const scale = Math.max(a.scale, b.scale)
  return { unscaled: atScale(a, scale) + atScale(b, scale), scale }
}

export function negateNumeric(a: Numeric): Numeric {
  if (isFiniteNumeric(a)) return { unscaled: -a.unscaled, scale: a.scale }
  return a === 'NaN' ? a : infinity(-signOf(a))
}

export function multiplyNumeric(a: Numeric, b: Numeric): Numeric {
  if (a === 'NaN' || b === 'NaN') return 'NaN'
  if (!isFiniteNumeric(a) || !isFiniteNumeric(b)) return infinity(signOf(a) * signOf(b))
  return { unscaled: a.unscaled * b.unscaled, scale: a.scale + b.scale }
}

export function divideNumeric(a: Numeric, b: Numeric): Numeric {
  if (a === 'NaN' || b === 'NaN') return 'NaN'
  if (isFiniteNumeric(b) && b.unscaled === 0n) throw new Error('division by zero')
  if (!isFiniteNumeric(a)) return isFiniteNumeric(b) ? infinity(signOf(a) * signOf(b)) : 'NaN'
  if (!isFiniteNumeric(b)) return { unscaled: 0n, scale: 0 }
  const scale = quotientScale(a, b)
  const shift = scale + b.scale - a.scale
  const [dividend, divisor] =
    shift >= 0 ? [a.unscaled * tenTo(shift), b.unscaled] : [a.unscaled, b.unscaled * tenTo(-shift)]
  return { unscaled: dividedRounded(dividend, divisor), scale }
}

function quotientScale(a: Finite, b: Finite): number {
  const [first, second] = [leadingGroup(a), leadingGroup(b)]
  const weight = first.weight - second.weight - (first.digit <= second.digit ? 1 : 0)
  const scale = Math.max(QUOTIENT_DIGITS - weight * GROUP, a.scale, b.scale, 0)
  return Math.min(scale, QUOTIENT_SCALE_MAX)
}

/** The first digit of base 10,000 that is not 0, and the power of 10,000 that it counts. */
function leadingGroup({ unscaled, scale }: Finite): { readonly weight: number; readonly digit: number } {
  if (unscaled === 0n) return { weight: 0, digit: 0 }
  const digits = String(magnitude(unscaled))
  const exponent = digits.length - 1 - scale
  const weight = Math.floor(exponent / GROUP)
  const length = exponent - weight * GROUP + 1
  return { weight, digit: Number(digits.slice(0, length).padEnd(length, '0')) }
}

export function remainderNumeric(a: Numeric, b: Numeric): Numeric {
  if (a === 'NaN' || b === 'NaN') return 'NaN'
  if (isFiniteNumeric(b) && b.unscaled === 0n) throw new Error('division by zero')
  if (!isFiniteNumeric(a)) return 'NaN'
  if (!isFiniteNumeric(b)) return a
  const scale = Math.max(a.scale, b.scale)
  return { unscaled: atScale(a, scale) % atScale(b, scale), scale }
}

/** Rounded half away from zero to `digits` after the point, or before it if negative. */
export function roundNumeric(a: Numeric, digits: number): Numeric {
  return rescaled(a, digits, dividedRounded)
}

export function truncateNumeric(a: Numeric, digits: number): Numeric {
  return rescaled(a, digits, (dividend, divisor) => dividend / divisor)
}

function rescaled(a: Numeric, digits: number, divide: (a: bigint, b: bigint) => bigint): Numeric {
  if (!isFiniteNumeric(a)) return a
  const scale = Math.max(digits, 0)
  if (digits >= a.scale) return { unscaled: atScale(a, scale), scale }
  const kept = divide(a.unscaled, tenTo(a.scale - digits))
  return { unscaled: digits < 0 ? kept * tenTo(-digits) : kept, scale }
}

export function floorNumeric(a: Numeric): Numeric {
  const cut = truncateNumeric(a, 0)
  if (!isFiniteNumeric(cut) || compareNumeric(a, cut) >= 0) return cut
  return { unscaled: cut.unscaled - 1n, scale: 0 }
}

export function ceilNumeric(a: Numeric): Numeric {
  return negateNumeric(floorNumeric(negateNumeric(a)))
}

const RANKS = { '-Infinity': 0, Infinity: 2, NaN: 3 } as const

/** NaN is equal to itself and above all others, as in PostgreSQL. */
export function compareNumeric(a: Numeric, b: Numeric): -1 | 0 | 1 {
  if (!isFiniteNumeric(a) || !isFiniteNumeric(b)) {
    const [left, right] = [isFiniteNumeric(a) ? 1 : RANKS[a], isFiniteNumeric(b) ? 1 : RANKS[b]]
    return left < right ? -1 : left > right ? 1 : 0
  }
  const scale = Math.max(a.scale, b.scale)
  const [left, right] = [atScale(a, scale), atScale(b, scale)]
  return left < right ? -1 : left > right ? 1 : 0
}

/** The value as numeric(precision, scale). */
export function limitNumeric(a: Numeric, precision: number, scale: number): Numeric {
  if (a === 'NaN') return a
  const rounded = roundNumeric(a, scale)
  const isAbove =
    !isFiniteNumeric(rounded) || magnitude(rounded.unscaled) >= tenTo(precision + Math.min(scale, 0))
  if (isAbove)
    throw new Error(`numeric field overflow: it has more digits than numeric(${precision},${scale})`)
  return rounded
}

/**
 * A text that is equal for equal values, whatever their scale, and that sorts as they do. A class of the value, then the
 * exponent and the digits without zeros at their end; for negative ones both from the other side.
 */
export function numericKey(a: Numeric): string {
  if (!isFiniteNumeric(a)) return a === 'NaN' ? '5' : a === 'Infinity' ? '4' : '0'
  if (a.unscaled === 0n) return '2'
  const digits = String(magnitude(a.unscaled))
  const exponent = String(EXPONENT_MAX + digits.length - a.scale).padStart(6, '0')
  const all = exponent + digits.replace(/0+$/, '')
  return a.unscaled > 0n ? `3${all}` : `1${all.replaceAll(/\d/g, (digit) => String(9 - Number(digit)))}~`
}

/** The digits that PostgreSQL takes over when it casts a double precision (15) or real (6) to numeric. */
export function numericOfFloat(value: number, digits: 15 | 6): Numeric {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  const parsed = parseNumeric(value.toPrecision(digits))
  return isFiniteNumeric(parsed) ? withoutZeros(parsed) : parsed
}

function withoutZeros({ unscaled, scale }: Finite): Finite {
  let [value, digits] = [unscaled, scale]
  while (digits > 0 && value % 10n === 0n) {
    value /= 10n
    digits -= 1
  }
  return { unscaled: value, scale: digits }
}
