/**
 * Functions that an instance of DuckDB needs to bind and run statements with PostgreSQL's meaning, besides those of
 * postgres-scalars.ts. A macro puts its argument as often into the query as its body names it, so bodies that need it more than
 * once bind it by list_transform.
 */

/** `body` over `v`, bound to the value of `argument`. */
const once = (argument: string, body: string): string => `list_transform([${argument}], lambda v: ${body})[1]`

const OVERFLOW = "error('value out of range: overflow')"
const UNDERFLOW = "error('value out of range: underflow')"

const NUMBERS = [
  `postgres_nonzero(b) AS ${once('b', "CASE WHEN v = 0 THEN error('division by zero') ELSE v END")}`,
  // The remainder of the smallest integer and -1 is 0, without the overflow of the quotient.
  'postgres_modulo(a, b) AS a % b',
  ...[
    ['sum', 'v.a + v.b', 'false'],
    ['difference', 'v.a - v.b', 'false'],
    ['product', 'v.a * v.b', 'v.a <> 0 AND v.b <> 0'],
    ['quotient', 'v.a / v.b', 'v.a <> 0 AND NOT isinf(v.b)'],
  ].map(
    ([name, result, isLost]) =>
      `postgres_float_${name}(x, y) AS ${once(
        '{a: x, b: y}',
        `CASE WHEN isinf(${result}) AND NOT isinf(v.a) AND NOT isinf(v.b) THEN ${OVERFLOW} WHEN ${result} = 0 AND ${isLost} THEN ${UNDERFLOW} ELSE ${result} END`,
      )}`,
  ),
  // `s` is at most `most`, the number of digits after the point in the text.
  `postgres_cut_scale(t, s, most) AS ${once('{t: t, s: s}', 'CASE WHEN v.s >= most THEN v.t ELSE left(v.t, length(v.t) - (most - v.s) - CASE WHEN v.s = 0 THEN 1 ELSE 0 END) END')}`,
  "postgres_leading_zero(t) AS regexp_replace(t, '^(-?)\\.', '\\10.')",
  // Parts of a numeric text, whose sums are exact: postgres-scalars.ts puts them together.
  `postgres_special(t) AS CASE t WHEN 'NaN' THEN 1 WHEN 'Infinity' THEN 2 WHEN '-Infinity' THEN 4 ELSE 0 END`,
  `postgres_whole(t) AS ${once('t', "CASE WHEN v IN ('NaN', 'Infinity', '-Infinity') THEN 0::HUGEINT ELSE split_part(v, '.', 1)::HUGEINT END")}`,
  `postgres_fraction(t, n) AS ${once('t', "CASE WHEN v[1] = '-' THEN -1 ELSE 1 END * rpad(substring(split_part(v, '.', 2), n, 30), 30, '0')::HUGEINT")}`,
  `postgres_scale(t) AS ${once("length(split_part(t, '.', 2))", "CASE WHEN v > 60 THEN error('sum and avg take numbers with at most 60 digits after the point here') ELSE v END")}`,
  `postgres_sqrt(x) AS ${once('x', "CASE WHEN v < 0 THEN error('cannot take square root of a negative number') ELSE sqrt(v) END")}`,
  `postgres_power(x, y) AS ${once(
    '{a: x, b: y}',
    `CASE WHEN v.a = 0 AND v.b < 0 THEN error('zero raised to a negative power is undefined')
    WHEN v.a < 0 AND NOT isinf(v.a) AND NOT isinf(v.b) AND NOT isnan(v.b) AND v.b <> trunc(v.b) THEN error('a negative number raised to a non-integer power yields a complex result')
    WHEN isinf(pow(v.a, v.b)) AND NOT isinf(v.a) AND NOT isinf(v.b) THEN ${OVERFLOW}
    WHEN pow(v.a, v.b) = 0 AND v.a <> 0 AND NOT isinf(v.a) AND NOT isinf(v.b) THEN ${UNDERFLOW} ELSE pow(v.a, v.b) END`,
  )}`,
  // Halves go to the even neighbour.
  `postgres_round_float(x) AS ${once('x', 'CASE WHEN abs(v) < 4503599627370496 THEN CASE WHEN abs(v - trunc(v)) = 0.5::DOUBLE THEN 2 * round(v / 2) ELSE round(v) END ELSE v END')}`,
]

const TEXTS = [
  `postgres_time_text(t) AS ${once('t', "CASE WHEN contains(v, '(BC)') THEN replace(v, ' (BC)', '') || ' BC' ELSE v END")}`,
  `postgres_bytea(t) AS ${once('t', "CASE WHEN regexp_full_match(v, '\\\\x([0-9A-Fa-f]{2})*') THEN unhex(substring(v, 3)) ELSE error('invalid input syntax for type bytea: \"' || v || '\"; write it as \\x and hexadecimal digits') END")}`,
  "postgres_bytea_text(b) AS '\\x' || lower(hex(b))",
  // Blanks beyond the length are cut, or filled up.
  "postgres_character(t, n) AS rpad(left(t, n), n, ' ')",
  `postgres_substring(s, p, n) AS ${once(
    '{s: s, p: p, n: n}',
    `CASE WHEN v.s IS NULL OR v.p IS NULL OR v.n IS NULL THEN NULL
    WHEN v.n < 0 THEN error('negative substring length not allowed')
    WHEN v.p::BIGINT + v.n <= 1 THEN ''
    ELSE substring(v.s, greatest(v.p, 1), v.n::BIGINT + least(v.p::BIGINT - 1, 0)) END`,
  )}`,
  'postgres_substring_from(s, p) AS substring(s, greatest(p, 1))',
  // The capital of this letter has two characters, so that it stays.
  `postgres_replace(s, f, t) AS ${once('{s: s, f: f, t: t}', "CASE WHEN v.f = '' AND v.t IS NOT NULL THEN v.s ELSE replace(v.s, v.f, v.t) END")}`,
  "postgres_upper(s) AS replace(upper(s), 'ẞ', 'ß')",
]

const TIMES = [
  // Rounded to `n` microseconds, halves away from zero.
  `postgres_round_time(t, n) AS ${once('t', 'CASE WHEN isfinite(v) THEN v + to_microseconds(CAST((epoch_us(v) + CASE WHEN epoch_us(v) < 0 THEN -(n // 2) ELSE n // 2 END) // n * n - epoch_us(v) AS BIGINT)) ELSE v END')}`,
  'postgres_trunc_time(u, t) AS CASE WHEN isfinite(t) THEN CAST(date_trunc(u, t) AS TIMESTAMP) ELSE t END',
  // There is no year 0: the year before 1 is -1.
  `postgres_year(t) AS ${once("date_part('year', t)", 'CASE WHEN v <= 0 THEN v - 1 ELSE v END')}`,
  `postgres_century(y) AS ${once('y', 'CASE WHEN v > 0 THEN (v + 99) // 100 ELSE -((99 - v) // 100) END')}`,
  `postgres_millennium(y) AS ${once('y', 'CASE WHEN v > 0 THEN (v + 999) // 1000 ELSE -((999 - v) // 1000) END')}`,
  `postgres_decade(y) AS ${once('y', 'CASE WHEN v >= 0 THEN v // 10 ELSE -((8 - (v - 1)) // 10) END')}`,
  // A year has 365.25 days, a month 30.
  `postgres_interval_epoch(i) AS ${once('i', "(date_part('year', v) * 31557600 + date_part('month', v) * 2592000 + date_part('day', v) * 86400 + date_part('hour', v) * 3600 + date_part('minute', v) * 60)::HUGEINT * 1000000 + date_part('microseconds', v)")}`,
]

/** One CREATE MACRO statement each. */
export const POSTGRES_MACROS: readonly string[] = [...NUMBERS, ...TEXTS, ...TIMES].map(
  (definition) => `CREATE OR REPLACE MACRO ${definition}`,
)
