/**
 * The functions that a statement with PostgreSQL's meaning calls and that JavaScript computes: numbers of any length with
 * PostgreSQL's scales, texts that casts read, texts of floating-point numbers, members of JSON texts. src/duckdb/scalar-functions.ts
 * registers them in every instance that binds or runs such statements.
 */
import { doubleText, floatText } from './postgres-float-text.ts'
import {
  booleanInput,
  dateInput,
  doubleInput,
  integerInput,
  timeInput,
  timestampInput,
} from './postgres-inputs.ts'
import { jsonbElement, jsonElement, jsonMember, jsonText } from './postgres-json.ts'
import {
  addNumeric,
  ceilNumeric,
  compareNumeric,
  divideNumeric,
  floorNumeric,
  limitNumeric,
  multiplyNumeric,
  type Numeric,
  negateNumeric,
  numericKey,
  numericOfFloat,
  parseNumeric,
  printNumeric,
  remainderNumeric,
  roundNumeric,
} from './postgres-numeric.ts'

export type ScalarKind = 'text' | 'integer' | 'double' | 'float'
export type ScalarValue = string | number

export interface SqlScalar {
  readonly name: string
  readonly parameters: readonly ScalarKind[]
  readonly returns: ScalarKind
  /** Gets no NULL. Throws an Error with PostgreSQL's message: the statement fails with it. */
  readonly compute: (...values: never[]) => ScalarValue | null
}

function scalar(
  name: string,
  parameters: readonly ScalarKind[],
  returns: ScalarKind,
  compute: SqlScalar['compute'],
): SqlScalar {
  return { name: `postgres_${name}`, parameters, returns, compute }
}

function ofTwo(name: string, compute: (a: Numeric, b: Numeric) => Numeric): SqlScalar {
  return scalar(name, ['text', 'text'], 'text', (a: string, b: string) =>
    printNumeric(compute(parseNumeric(a), parseNumeric(b))),
  )
}

function ofOne(name: string, compute: (a: Numeric) => Numeric): SqlScalar {
  return scalar(name, ['text'], 'text', (a: string) => printNumeric(compute(parseNumeric(a))))
}

const NUMBERS: readonly SqlScalar[] = [
  ofTwo('add', addNumeric),
  ofTwo('subtract', (a, b) => addNumeric(a, negateNumeric(b))),
  ofTwo('multiply', multiplyNumeric),
  ofTwo('divide', divideNumeric),
  ofTwo('remainder', remainderNumeric),
  ofOne('numeric', (a) => a),
  ofOne('negate', negateNumeric),
  ofOne('floor', floorNumeric),
  ofOne('ceil', ceilNumeric),
  ofOne('abs', (a) => (compareNumeric(a, { unscaled: 0n, scale: 0 }) < 0 ? negateNumeric(a) : a)),
  scalar('round', ['text', 'integer'], 'text', (a: string, digits: number) =>
    printNumeric(roundNumeric(parseNumeric(a), digits)),
  ),
  scalar('limit', ['text', 'integer', 'integer'], 'text', (a: string, precision: number, scale: number) =>
    printNumeric(limitNumeric(parseNumeric(a), precision, scale)),
  ),
  scalar('compare', ['text', 'text'], 'integer', (a: string, b: string) =>
    compareNumeric(parseNumeric(a), parseNumeric(b)),
  ),
  scalar('key', ['text'], 'text', (a: string) => numericKey(parseNumeric(a))),
  scalar('numeric_of_double', ['double'], 'text', (a: number) => printNumeric(numericOfFloat(a, 15))),
  scalar('numeric_of_float', ['float'], 'text', (a: number) => printNumeric(numericOfFloat(a, 6))),
  scalar('integer_of_numeric', ['text', 'text'], 'text', integerOf),
  ofTwo('average', divideNumeric),
  scalar('sum_parts', ['text', 'text', 'text', 'integer', 'integer'], 'text', sumOfParts),
  scalar('sum_distinct', ['text'], 'text', sumOfDistinct),
]

function integerOf(text: string, type: string): string {
  const value = roundNumeric(parseNumeric(text), 0)
  if (typeof value === 'string') throw new Error(`cannot convert ${value} to ${type}`)
  return printNumeric(value)
}

/** Digits of each of the two parts after the point into which postgres-aggregates.ts splits the numbers of a sum. */
export const SUM_FRACTION_DIGITS = 30
/** Kinds of values that are no numbers, as bits: NaN, Infinity, -Infinity. */
const NAN_BIT = 1
const ABOVE_BIT = 2
const BELOW_BIT = 4

/** The sum whose parts (whole numbers, first and further digits after the point) were added separately. */
function sumOfParts(whole: string, first: string, further: string, scale: number, special: number): string {
  const isBoth = (special & ABOVE_BIT) !== 0 && (special & BELOW_BIT) !== 0
  if ((special & NAN_BIT) !== 0 || isBoth) return 'NaN'
  if (special !== 0) return special === ABOVE_BIT ? 'Infinity' : '-Infinity'
  const parts: readonly Numeric[] = [
    { unscaled: BigInt(whole), scale: 0 },
    { unscaled: BigInt(first), scale: SUM_FRACTION_DIGITS },
    { unscaled: BigInt(further), scale: 2 * SUM_FRACTION_DIGITS },
  ]
  return printNumeric(roundNumeric(parts.reduce(addNumeric), scale))
}

/** Of texts with blanks between them: those that are equal as numbers count once, with the fewest digits. */
function sumOfDistinct(texts: string): string {
  const values = new Map<string, Numeric>()
  for (const text of texts.split(' ').sort((a, b) => b.length - a.length)) {
    const value = parseNumeric(text)
    values.set(numericKey(value), value)
  }
  return printNumeric([...values.values()].reduce(addNumeric))
}

const TEXTS: readonly SqlScalar[] = [
  scalar('double_text', ['double'], 'text', doubleText),
  scalar('float_text', ['float'], 'text', floatText),
  scalar('integer_input', ['text', 'text'], 'text', integerInput),
  scalar('boolean_input', ['text'], 'text', booleanInput),
  scalar('double_input', ['text', 'text'], 'double', doubleInput),
  scalar('date_input', ['text'], 'text', dateInput),
  scalar('timestamp_input', ['text', 'text'], 'text', timestampInput),
  scalar('time_input', ['text'], 'text', timeInput),
  scalar('json_string', ['text'], 'text', (text: string) => JSON.stringify(text)),
]

const JSON_MEMBERS: readonly SqlScalar[] = [
  scalar(
    'json_member',
    ['text', 'text'],
    'text',
    (json: string, name: string) => jsonMember(json, name) ?? null,
  ),
  scalar(
    'json_element',
    ['text', 'integer'],
    'text',
    (json: string, index: number) => jsonElement(json, index) ?? null,
  ),
  scalar(
    'jsonb_element',
    ['text', 'integer'],
    'text',
    (json: string, index: number) => jsonbElement(json, index) ?? null,
  ),
  scalar('json_member_text', ['text', 'text'], 'text', (json: string, name: string) =>
    jsonText(jsonMember(json, name)),
  ),
  scalar('json_element_text', ['text', 'integer'], 'text', (json: string, index: number) =>
    jsonText(jsonElement(json, index)),
  ),
  scalar('jsonb_element_text', ['text', 'integer'], 'text', (json: string, index: number) =>
    jsonText(jsonbElement(json, index)),
  ),
]

export const POSTGRES_SCALARS: readonly SqlScalar[] = [...NUMBERS, ...TEXTS, ...JSON_MEMBERS]
