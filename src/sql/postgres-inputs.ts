/**
 * Texts as PostgreSQL reads them in a cast. Each function returns the text that DuckDB's cast to the same type reads, or throws
 * PostgreSQL's error. Dates and times are read in ISO form only.
 */

function invalid(type: string, text: string, hint = ''): Error {
  return new Error(`invalid input syntax for type ${type}: "${text}"${hint}`)
}

export function integerInput(text: string, type: string): string {
  const match = /^\s*([+-]?\d+)\s*$/.exec(text)
  if (match === null) throw invalid(type, text)
  return match[1]!.replace('+', '')
}

const WORDS: readonly (readonly [word: string, least: number, value: string])[] = [
  ['true', 1, 'true'],
  ['false', 1, 'false'],
  ['yes', 1, 'true'],
  ['no', 1, 'false'],
  ['on', 2, 'true'],
  ['off', 2, 'false'],
  ['1', 1, 'true'],
  ['0', 1, 'false'],
]

/** Any beginning of the words that is not ambiguous. */
export function booleanInput(text: string): string {
  const given = text.trim().toLowerCase()
  const found = WORDS.find(([word, least]) => given.length >= least && word.startsWith(given))
  if (found === undefined) throw invalid('boolean', text)
  return found[2]
}

export function doubleInput(text: string, type: string): number {
  const given = text.trim()
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(given)) {
    const value = type === 'real' ? Math.fround(Number(given)) : Number(given)
    const isLost = !Number.isFinite(value) || (value === 0 && /[1-9]/.test(given.replace(/e.*$/i, '')))
    if (isLost) throw new Error(`"${text}" is out of range for type ${type}`)
    return value
  }
  const special = /^([+-]?)(nan|inf|infinity)$/i.exec(given)
  if (special === null) throw invalid(type, text)
  if (special[2]!.toLowerCase() === 'nan') return Number.NaN
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

const POINT =
  /^(\d{4,6})-(\d{1,2})-(\d{1,2})(?:(?:T|\s+)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d*))?)?)?\s*(Z|UTC|[+-]\d{1,2}(?::?\d{2})?)?(\s*BC)?$/i

const ISO = '; write it in ISO form, 2026-11-30 or 2026-11-30 12:30:00'

export function dateInput(text: string): string {
  const given = text.trim()
  if (isInfinite(given)) return given.toLowerCase()
  const match = POINT.exec(given)
  if (match === null) throw invalid('date', text, ISO)
  return `${datePart(match)}${era(match)}`
}

/** `type` is the name of the type in errors. A zone counts for timestamptz alone; without one it is UTC. */
export function timestampInput(text: string, type: string): string {
  const given = text.trim()
  if (isInfinite(given)) return given.toLowerCase()
  const match = POINT.exec(given)
  if (match === null) throw invalid(type, text, ISO)
  const [hours = '00', minutes = '00', seconds = '00', fraction = ''] = match.slice(4, 8)
  const zone = type === 'timestamp with time zone' ? zoneText(match[8]) : ''
  const time = `${hours.padStart(2, '0')}:${minutes}:${seconds}${fraction === '' ? '' : `.${fraction.slice(0, 6)}`}`
  return `${datePart(match)} ${time}${era(match)}${zone}`
}

export function timeInput(text: string): string {
  const match = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d*))?)?$/.exec(text.trim())
  if (match === null) throw invalid('time', text, '; write it as 12:30:00')
  const [, hours, minutes, seconds = '00', fraction = ''] = match
  return `${hours!.padStart(2, '0')}:${minutes}:${seconds}${fraction === '' ? '' : `.${fraction.slice(0, 6)}`}`
}

const isInfinite = (text: string): boolean => /^-?infinity$/i.test(text)
const datePart = ([, year, month, day]: RegExpExecArray): string =>
  `${year}-${month!.padStart(2, '0')}-${day!.padStart(2, '0')}`
const era = (match: RegExpExecArray): string => (match[9] === undefined ? '' : ' (BC)')

function zoneText(zone: string | undefined): string {
  if (zone === undefined || /^(?:z|utc)$/i.test(zone)) return '+00:00'
  const [, sign, hours, minutes = '00'] = /^([+-])(\d{1,2}):?(\d{2})?$/.exec(zone)!
  return `${sign}${hours!.padStart(2, '0')}:${minutes}`
}
