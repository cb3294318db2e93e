/**
 * The SQL of windows. Times are milliseconds, BIGINT. A window with offset O, size S and slide L begins at O plus a multiple
 * of L (of S for CUMULATE), also before 1970: the modulo is floored.
 *
 *   TUMBLE     one window [start, start + S) for a row
 *   HOP        S / L windows, each S long
 *   CUMULATE   windows with one start, which are L, 2 L, … S long; a row is in those that end after it
 *
 *   kept_<w>   __last BIGINT   end of the last window of the row
 *              __wm BIGINT     largest watermark before the row; not for TUMBLE
 *              the columns of the window
 */
import { NAME_PATTERN, quotedName } from '../../duckdb/sql-text.ts'
import type { SourcePlan, WindowPlan } from '../plan/job-plan.ts'

/** Before any watermark. */
export const NO_WATERMARK = -(2n ** 62n)
/** After all rows: closes all windows. */
export const END_OF_TIME = 2n ** 62n

export function timeMs(window: WindowPlan, alias: string): string {
  return `epoch_ms(${alias}.${quotedName(window.timeColumn)})`
}

/** End of the last window that a row at this time is in. */
function lastEnd({ kind, sizeMs, slideMs, offsetMs }: WindowPlan, time: string): string {
  const unit = kind === 'HOP' ? slideMs : sizeMs
  return `${time} - (((${time} - ${offsetMs}) % ${unit} + ${unit}) % ${unit}) + ${sizeMs}`
}

/**
 * Rows of the window's input with __ord, columns, __last, and __wm: the smallest over the sources of the largest watermark
 * of all rows before it. __last is NULL for a row without a time. $1, $2, … are the watermarks of the sources before the tick.
 */
export function arrivedRows(window: WindowPlan, sources: readonly SourcePlan[]): string {
  return `SELECT i.__ord, ${arrivedColumns(window)}, m.__wm
    FROM (${window.input}) i JOIN (${watermarksBefore(sources)}) m ON m.__ord = i.__ord`
}

/**
 * The same with the watermark before the tick, for a tick of one event, or one in which all windows of all rows end later than
 * any of its watermarks: both watermarks say the same about each window then.
 */
export function arrivedInTime(window: WindowPlan, sources: readonly SourcePlan[]): string {
  const carried = sources.map((_, index) => `$${index + 1}::BIGINT`)
  const smallest = carried.length === 1 ? carried[0] : `least(${carried.join(', ')})`
  return `SELECT i.__ord, ${arrivedColumns(window)}, ${smallest} AS __wm
    FROM (${window.input}) i`
}

const COLUMN = String.raw`s\d+\.${NAME_PATTERN} AS ${NAME_PATTERN}`
const COLUMNS_OF_SOURCE = new RegExp(String.raw`^SELECT ${COLUMN}(?:, ${COLUMN})* FROM s\d+$`)

/** Whether the input is columns of one source and nothing else: the engine gives its rows in the order in which they were inserted. */
export function isInOrder({ input }: WindowPlan): boolean {
  return COLUMNS_OF_SOURCE.test(input)
}

/** SQL of a lower bound of the ends of all windows of all rows, in milliseconds; NULL if no row has a time. */
export function firstEnd(window: WindowPlan): string {
  const { kind, sizeMs, slideMs } = window
  const time = timeMs(window, 'i')
  if (kind === 'CUMULATE') return `SELECT min(${time}) + 1 FROM (${window.input}) i`
  const earlier = kind === 'HOP' ? (Math.ceil(sizeMs / slideMs) - 1) * slideMs : 0
  // The end grows with the time, so the row with the smallest time has the first one.
  return `SELECT ${lastEnd(window, 't.__t')} - ${earlier} FROM (SELECT min(${time}) AS __t FROM (${window.input}) i) t`
}

/** The orders of events of which some row has no time. */
export function untimedOrders({ input, timeColumn }: WindowPlan): string {
  return `SELECT DISTINCT i.__ord FROM (${input}) i WHERE i.${quotedName(timeColumn)} IS NULL`
}

function arrivedColumns(window: WindowPlan): string {
  const columns = window.columns.map(({ name }) => `i.${quotedName(name)}`)
  return [...columns, `${lastEnd(window, timeMs(window, 'i'))} AS __last`].join(', ')
}

function watermarksBefore(sources: readonly SourcePlan[]): string {
  const rows = sources.map(({ relation, watermark }, index) => {
    const values = sources.map((_, at) =>
      at === index ? `CAST(${watermark ?? 'NULL'} AS BIGINT) AS a${at}` : `CAST(NULL AS BIGINT) AS a${at}`,
    )
    return `SELECT __ord, ${values.join(', ')} FROM ${relation}`
  })
  const largest = sources.map((_, at) => {
    const carried = `$${at + 1}::BIGINT`
    return `greatest(${carried}, coalesce(max(a${at}) OVER before_row, ${carried}))`
  })
  const smallest = largest.length === 1 ? largest[0] : `least(${largest.join(', ')})`
  return `SELECT __ord, ${smallest} AS __wm FROM (${rows.join(' UNION ALL ')})
    WINDOW before_row AS (ORDER BY __ord ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)`
}

export function keptColumns(window: WindowPlan): readonly string[] {
  const names = window.columns.map(({ name }) => quotedName(name))
  return window.kind === 'TUMBLE' ? ['__last', ...names] : ['__last', '__wm', ...names]
}

/**
 * The rows of the windows that end after the bound $1 and not after $2, once for each window: columns, window_start,
 * window_end, window_time, __end.
 */
export function closedRows(window: WindowPlan, kept: string): string {
  const columns = (alias: string) =>
    window.columns.map(({ name }) => `${alias}.${quotedName(name)}`).join(', ')
  const { type } = window.columns.find(({ name }) => name === window.timeColumn)!
  const times = (start: string, end: string) =>
    [
      `make_timestamp((${start}) * 1000) AS window_start`,
      `make_timestamp((${end}) * 1000) AS window_end`,
      `CAST(make_timestamp((${end} - 1) * 1000) AS ${type.kind === 'TIMESTAMP_LTZ' ? 'TIMESTAMPTZ' : 'TIMESTAMP'}) AS window_time`,
      `${end} AS __end`,
    ].join(', ')
  const within = (end: string) => `${end} > $1::BIGINT AND ${end} <= $2::BIGINT`
  const { kind, sizeMs, slideMs } = window
  if (kind === 'TUMBLE') {
    return `SELECT ${columns('k')}, ${times(`k.__last - ${sizeMs}`, 'k.__last')} FROM ${kept} k WHERE ${within('k.__last')}`
  }
  const windows = Math.ceil(sizeMs / slideMs)
  const end =
    kind === 'HOP' ? `k.__last - k.__n * ${slideMs}` : `k.__last - ${sizeMs} + (k.__n + 1) * ${slideMs}`
  const start = kind === 'HOP' ? `e.__e - ${sizeMs}` : `e.__last - ${sizeMs}`
  const first = kind === 'HOP' ? `k.__last - ${(windows - 1) * slideMs}` : timeMs(window, 'k')
  const contains = kind === 'HOP' ? 'TRUE' : `e.__e > ${timeMs(window, 'e')}`
  // Without this order the engine adds the rows of a group in an order that depends on the tick, and sums of doubles differ.
  return `SELECT ${columns('e')}, ${times(start, 'e.__e')}
    FROM (SELECT k.*, ${end} AS __e FROM (
      SELECT k.*, k.rowid AS __row, unnest(range(0, ${windows})) AS __n FROM ${kept} k
      WHERE ${first} <= $2::BIGINT AND k.__last > $1::BIGINT) k) e
    WHERE ${within('e.__e')} AND e.__e - 1 > e.__wm AND ${contains} ORDER BY e.__row`
}

/** Whether a window may end after `from` and not after `to`. */
export function mayEndWithin(
  { slideMs, sizeMs, offsetMs, kind }: WindowPlan,
  from: bigint,
  to: bigint,
): boolean {
  if (from === to) return false
  const unit = BigInt(kind === 'TUMBLE' ? sizeMs : slideMs)
  const offset = BigInt(offsetMs)
  // HOP windows end at starts plus the size, which may be no multiple of the slide.
  const shift = kind === 'HOP' ? offset + BigInt(sizeMs) : offset
  if (kind === 'CUMULATE' && sizeMs % slideMs !== 0) return true
  return floorDivide(from - shift, unit) !== floorDivide(to - shift, unit)
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}
