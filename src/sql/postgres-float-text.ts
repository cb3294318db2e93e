/** Texts of floating-point numbers as PostgreSQL prints them: the fewest digits that give the number back, `1e+15`, `NaN`. */

/** Decimal exponents from which a number is printed with an exponent. */
const DOUBLE_DIGITS = 15
const FLOAT_DIGITS = 6
const EXPONENT_MIN = -4

export function doubleText(value: number): string {
  return shown(value, DOUBLE_DIGITS, value.toExponential())
}

/** `value` is a number that 32 bits hold. */
export function floatText(value: number): string {
  for (let digits = 0; digits < 9; digits++) {
    const text = value.toExponential(digits)
    if (Math.fround(Number(text)) === value) return shown(value, FLOAT_DIGITS, text)
  }
  return shown(value, FLOAT_DIGITS, value.toExponential())
}

function shown(value: number, digitsMax: number, exponential: string): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
  const [mantissa, exponentText] = exponential.split('e') as [string, string]
  const sign = mantissa.startsWith('-') || Object.is(value, -0) ? '-' : ''
  const digits = mantissa
    .replace('-', '')
    .replace('.', '')
    .replace(/(?<=.)0+$/, '')
  const exponent = Number(exponentText)
  if (value === 0) return `${sign}0`
  if (exponent < EXPONENT_MIN || exponent >= digitsMax) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
    const power = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${power}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  const fraction = digits.slice(exponent + 1)
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`
}
