/**
 * The functions of Flink that run here. Names are those that DuckDB's parser gives, in lower case: EXTRACT is date_part,
 * COUNT(*) is count_star, LIKE is ~~. A name that is not here is refused.
 */
import { AGGREGATES, isAggregate, isOverRows, OVER_ROWS } from './flink-aggregates.ts'
import type { FlinkFunction, FlinkFunctions } from './flink-function.ts'
import { NUMBER_FUNCTIONS } from './flink-number-functions.ts'
import { TEXT_FUNCTIONS } from './flink-text-functions.ts'
import { TIME_FUNCTIONS } from './flink-time-functions.ts'

const FUNCTIONS: FlinkFunctions = { ...NUMBER_FUNCTIONS, ...TEXT_FUNCTIONS, ...TIME_FUNCTIONS }

/** A function of one row; undefined for aggregates and for what does not exist. */
export function flinkFunction(name: string): FlinkFunction | undefined {
  return Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
}

/** Whether a statement may call the function: of one row, aggregate or with OVER. `name` in any case. */
export function isFlinkFunction(name: string): boolean {
  const lower = name.toLowerCase()
  return (
    flinkFunction(lower) !== undefined || isAggregate(lower) || isOverRows(lower) || isIntervalMaker(lower)
  )
}

/**
 * Names that DuckDB's parser gives to forms of Flink, such as EXTRACT, LIKE … ESCAPE and COUNT(*). Flink has no functions
 * with these names, so a statement may not call them.
 */
export function isNameOfForm(name: string): boolean {
  const lower = name.toLowerCase()
  return FORMS.has(lower) || isIntervalMaker(lower)
}

const FORMS: ReadonlySet<string> = new Set([
  ...['count_star', 'date_part', 'like_escape', 'not_like_escape', '__json_value'],
  ...Object.keys(FUNCTIONS).filter((name) => !/^\w/.test(name)),
])

/** What DuckDB's parser makes of INTERVAL '5' MINUTE. */
export function isIntervalMaker(name: string): boolean {
  return /^to_(?:years|months|weeks|days|hours|minutes|seconds|milliseconds)$/.test(name) || name === 'trunc'
}

/** Names for documentation, without operators. */
export const FUNCTION_NAMES: readonly string[] = Object.keys(FUNCTIONS).filter((name) => /^[a-z]/.test(name))

/** What SHOW FUNCTIONS lists: names that a statement may call, in order. */
export const FLINK_FUNCTION_NAMES: readonly string[] = [
  ...new Set([...FUNCTION_NAMES, ...AGGREGATES, ...OVER_ROWS].filter((name) => !isNameOfForm(name))),
].sort()
