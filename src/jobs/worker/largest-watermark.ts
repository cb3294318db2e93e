/**
 * SQL of the largest watermark of a tick. Most watermarks are a column less a fixed time: that of the largest value is the largest
 * one, and the subtraction, which the engine does in a calendar, is done once instead of for each row.
 */
import { NAME_PATTERN } from '../../duckdb/sql-text.ts'

const FIXED_TIME = String.raw`to_(?:milliseconds|seconds|minutes|hours)\(CAST\('\d+(?:\.\d+)?' AS [A-Z]+\)\)`
const DELAYED = new RegExp(
  String.raw`^(epoch_ms\(CAST\(\()(${NAME_PATTERN})( - ${FIXED_TIME}\) AS TIMESTAMP(?: WITH TIME ZONE)?\)\))$`,
)

/** `watermark`: of one row, in milliseconds, as in SourcePlan. */
export function largestWatermark(watermark: string, relation: string): string {
  const [, begin, column, end] = DELAYED.exec(watermark) ?? []
  const largest = column === undefined ? `max(${watermark})` : `${begin}max(${column})${end}`
  return `SELECT CAST(${largest} AS BIGINT) FROM ${relation}`
}
