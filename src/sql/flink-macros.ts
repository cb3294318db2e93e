/**
 * Functions that an instance of DuckDB needs to run statements with Flink's meaning. The planner's and the worker's instance
 * create them before their settings are locked.
 *
 * A macro puts its argument as often into the query as its body names it. Bodies that need it more than once bind it by
 * list_transform, so that nested calls stay linear.
 */

/** `body` over `v`, bound to the value of `argument`. */
const once = (argument: string, body: string): string => `list_transform([${argument}], lambda v: ${body})[1]`

/** Longest text that LPAD, RPAD and REPEAT make, in characters. An event cannot hold a longer one. */
export const TEXT_MAX = 1_048_576
/** Longest regular expression, in characters. The engine cannot interrupt the compilation of one. */
export const PATTERN_MAX = 1000

const tooLong = (what: string, max: number): string => `error('${what} is longer than ${max} characters')`

/** Texts of FLOAT and DOUBLE as Java writes them: 1.0, 1.0E20, 1.5E-5, NaN, Infinity. `t` is the text that DuckDB gives. */
const FLOAT_TEXT = `CASE
  WHEN v.x = 'nan' THEN 'NaN'
  WHEN v.x = 'inf' THEN 'Infinity'
  WHEN v.x = '-inf' THEN '-Infinity'
  WHEN contains(v.x, 'e') THEN regexp_replace(regexp_replace(regexp_replace(v.x, '^(-?\\d)e', '\\1.0e'), 'e\\+?(-?)0*(\\d)', 'E\\1\\2'), 'E-?0$', '')
  WHEN abs(CAST(v.x AS DOUBLE)) >= 1e7 THEN
    CASE WHEN v.x[1] = '-' THEN '-' ELSE '' END ||
    regexp_replace(regexp_replace(regexp_replace(replace(replace(v.x, '-', ''), '.', ''), '0+$', ''), '^(\\d)', '\\1.'), '\\.$', '.0')
    || 'E' || CAST(length(replace(split_part(v.x, '.', 1), '-', '')) - 1 AS VARCHAR)
  WHEN CAST(v.x AS DOUBLE) <> 0 AND abs(CAST(v.x AS DOUBLE)) < 1e-3 THEN
    CASE WHEN v.x[1] = '-' THEN '-' ELSE '' END ||
    regexp_replace(regexp_replace(regexp_replace(v.x, '^-?0\\.0*', ''), '^(\\d)', '\\1.'), '\\.$', '.0')
    || 'E-' || CAST(length(regexp_extract(v.x, '\\.(0*)', 1)) + 1 AS VARCHAR)
  ELSE v.x END`

const NUMBERS = [
  // Errors of exact arithmetic; DOUBLE has infinities.
  `flink_nonzero(b) AS ${once('b', "CASE WHEN v = 0 THEN error('Division by zero') ELSE v END")}`,
  'flink_sqrt(x) AS ' +
    once('CAST(x AS DOUBLE)', "CASE WHEN v < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt(v) END"),
  ...['ln', 'log10', 'log2'].map(
    (name) =>
      `flink_${name}(x) AS ${once('CAST(x AS DOUBLE)', `CASE WHEN v < 0 THEN CAST('nan' AS DOUBLE) WHEN v = 0 THEN CAST('-inf' AS DOUBLE) ELSE ${name}(v) END`)}`,
  ),
  // The quotient of two DECIMAL, cut: `up` brings the numerator's whole number to one digit more than the result has, and
  // `down` puts the point back. The cast to the result's type then rounds half up.
  'flink_quotient(a, b, wa, wb, up, down) AS CAST(CAST(a * wa AS HUGEINT) * up // CAST(b * wb AS HUGEINT) AS DECIMAL(38,0)) * down',
  // The same for many digits: whole numbers from the texts of the DECIMAL.
  `flink_long_quotient(a, b, up, down) AS CAST(CAST(replace(CAST(a AS VARCHAR), '.', '') AS HUGEINT) * up // CAST(replace(CAST(b AS VARCHAR), '.', '') AS HUGEINT) AS DECIMAL(38,0)) * down`,
  // The text of a FLOAT or DOUBLE that has up to n digits before the point.
  `flink_decimal_digits(x, n) AS ${once('x', 'CASE WHEN abs(v) < pow(10, n) THEN CAST(v AS VARCHAR) END')}`,
  // NULL in a list hides itself from list_max and list_count.
  `flink_greatest(l) AS ${once('l', 'CASE WHEN list_count(v) = len(v) THEN list_max(v) END')}`,
  `flink_least(l) AS ${once('l', 'CASE WHEN list_count(v) = len(v) THEN list_min(v) END')}`,
  `flink_float_text(x) AS ${once('{x: CAST(x AS VARCHAR)}', FLOAT_TEXT)}`,
]

/** Casts of texts: what Flink does not read is put in quotes, so that the cast of DuckDB refuses it and names it. */
const CASTS = [
  `flink_integer_digits(s) AS regexp_replace(regexp_replace(regexp_replace(s, '^\\s*([+-]?\\d+)(?:\\.\\d*)?\\s*$', '\\1'), '^\\s*[+-]?\\.\\d+\\s*$', '0'), '^.*[^0-9+-].*$', '"\\0"', 's')`,
  `flink_boolean_word(s) AS regexp_replace(regexp_replace(regexp_replace(lower(trim(s)), '^(?:t|y|yes|1)$', 'true'), '^(?:f|n|no|0)$', 'false'), '^on$|^off$', '"\\0"')`,
  `flink_timestamp_digits(s) AS regexp_replace(s, '^.*[^0-9 :.-].*$', '"\\0"', 's')`,
  `flink_date_digits(s) AS regexp_replace(regexp_replace(trim(s), '^(\\d+-\\d+-\\d+)[ ].*$', '\\1'), '^.*[^0-9-].*$', '"\\0"', 's')`,
  `flink_time_digits(s) AS regexp_replace(regexp_replace(trim(s), '\\.\\d*$', ''), '^.*[^0-9:].*$', '"\\0"', 's')`,
  "flink_to_char(s, n) AS rpad(s, n, ' ')",
  'flink_to_varchar(s, n) AS left(s, n)',
  `flink_timestamp_text(t, n) AS left(strftime(CAST(t AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%f'), n)`,
  `flink_truncate_timestamp(t, n) AS ${once('epoch_us(t)', 'make_timestamp(v - (v % n + n) % n)')}`,
  `flink_truncate_ltz(t, n) AS ${once('epoch_us(t)', 'make_timestamptz(v - (v % n + n) % n)')}`,
  "flink_time_of(t) AS CAST(date_trunc('second', t) AS TIME)",
]

const TEXTS = [
  'flink_left(s, n) AS left(s, greatest(n, 0))',
  'flink_right(s, n) AS right(s, greatest(n, 0))',
  `flink_substring(s, p, n) AS ${once(
    '{s: s, p: p, n: n}',
    `CASE
    WHEN v.s IS NULL OR v.p IS NULL OR v.n IS NULL THEN NULL
    WHEN v.n <= 0 OR v.p < -length(v.s) THEN '' ELSE substring(v.s, CASE WHEN v.p = 0 THEN 1 ELSE v.p END, v.n) END`,
  )}`,
  `flink_pad(s, n, p, f) AS ${once(
    '{s: s, n: n, p: p}',
    `CASE WHEN v.n < 0 OR (v.p = '' AND length(v.s) < v.n) THEN NULL
    WHEN v.n > ${TEXT_MAX} THEN ${tooLong('the result of LPAD or RPAD', TEXT_MAX)}
    WHEN f THEN lpad(v.s, v.n, CASE WHEN v.p = '' THEN ' ' ELSE v.p END) ELSE rpad(v.s, v.n, CASE WHEN v.p = '' THEN ' ' ELSE v.p END) END`,
  )}`,
  `flink_repeat(s, n) AS ${once('{s: s, n: n}', `CASE WHEN CAST(length(v.s) AS HUGEINT) * v.n > ${TEXT_MAX} THEN ${tooLong('the result of REPEAT', TEXT_MAX)} ELSE repeat(v.s, v.n) END`)}`,
  `flink_pattern(r) AS ${once('r', `CASE WHEN length(v) > ${PATTERN_MAX} THEN ${tooLong('a regular expression', PATTERN_MAX)} ELSE v END`)}`,
  `flink_split_index(s, d, i) AS ${once('{s: s, d: d, i: i}', "CASE WHEN v.s <> '' AND v.i >= 0 THEN string_split(v.s, v.d)[v.i + 1] END")}`,
  `flink_regexp_extract(s, r, i) AS ${once('s', 'CASE WHEN regexp_matches(v, r) THEN regexp_extract(v, r, i) END')}`,
  `flink_regexp_extract_any(s, r, i) AS ${once('{s: s, r: r}', 'CASE WHEN regexp_matches(v.s, v.r) THEN regexp_extract(v.s, v.r, i) END')}`,
  `flink_initcap(s) AS list_reduce(list_transform(regexp_extract_all(s, '[A-Za-z0-9]+|[^A-Za-z0-9]+'), lambda w: CASE WHEN regexp_matches(w, '^[A-Za-z0-9]') THEN upper(left(w, 1)) || lower(substring(w, 2)) ELSE w END), lambda a, b: a || b, '')`,
]

const TIMES = [
  // Years 0000 to 9999, as in Flink: NULL beyond.
  `flink_ltz(n, f) AS ${once('n', 'CASE WHEN v BETWEEN -62167219200000000 // f AND 253402300799999999 // f THEN make_timestamptz(v * f) END')}`,
  // Weeks begin on Sunday.
  `flink_week(t) AS date_trunc('week', t + INTERVAL 1 DAY) - INTERVAL 1 DAY`,
  `flink_ceil_time(t, u, i) AS ${once('t', 'CASE WHEN date_trunc(u, v) = v THEN v ELSE date_trunc(u, v) + i END')}`,
  `flink_parse(s, p, f) AS CAST(try_strptime(p || s, f) AS TIMESTAMP)`,
  // What the pattern does not take may still be a date, or a date and a time, with hyphens.
  `flink_parse_strictly(s, p, f, r) AS ${once('s', "CASE WHEN regexp_full_match(v, r) THEN CAST(try_strptime(p || v, f) AS TIMESTAMP) WHEN regexp_full_match(trim(v), '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}([.][0-9]{1,9})?)?') THEN TRY_CAST(trim(v) AS TIMESTAMP) END")}`,
]

const JSON_FUNCTIONS = [
  // The scalar at a path as text; NULL for texts that are not JSON, for objects and arrays, and where there is nothing.
  `flink_json_value(j, p) AS ${once('j', `CASE WHEN json_valid(v) THEN CASE WHEN json_type(v, p) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL ELSE json_extract_string(v, p) END END`)}`,
  `flink_json_query(j, p) AS ${once('j', `CASE WHEN json_valid(v) THEN CASE WHEN json_type(v, p) IN ('OBJECT', 'ARRAY') THEN CAST(json_extract(v, p) AS VARCHAR) END END`)}`,
  `flink_json_exists(j, p) AS ${once('j', 'CASE WHEN v IS NULL THEN NULL WHEN json_valid(v) THEN json_exists(v, p) ELSE false END')}`,
]

/** One CREATE MACRO statement each. */
export const FLINK_MACROS: readonly string[] = [
  ...NUMBERS,
  ...CASTS,
  ...TEXTS,
  ...TIMES,
  ...JSON_FUNCTIONS,
].map((definition) => `CREATE OR REPLACE MACRO ${definition}`)
