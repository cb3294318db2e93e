/** Durations as Flink writes them: `10 min`, `500ms`, `1 h`. A number alone is milliseconds. */

const UNITS: readonly (readonly [readonly string[], number])[] = [
  [['d', 'day', 'days'], 86_400_000],
  [['h', 'hour', 'hours'], 3_600_000],
  [['m', 'min', 'minute', 'minutes'], 60_000],
  [['s', 'sec', 'secs', 'second', 'seconds'], 1000],
  [['', 'ms', 'milli', 'millis', 'millisecond', 'milliseconds'], 1],
  [['us', 'µs', 'micro', 'micros', 'microsecond', 'microseconds'], 1e-3],
  [['ns', 'nano', 'nanos', 'nanosecond', 'nanoseconds'], 1e-6],
]

/** Whole milliseconds, rounded down; undefined if the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const [, digits, name] = /^\s*([0-9]{1,15})\s*([a-zµ]*)\s*$/i.exec(text) ?? []
  const unit = UNITS.find(([names]) => names.includes((name ?? '?').toLowerCase()))
  return unit === undefined ? undefined : Math.floor(Number(digits) * unit[1])
}
