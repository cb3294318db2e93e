/**
 * Macros for functions of Hive that DuckDB does not have by that name. Times are in UTC.
 *
 * Time patterns have the numeric letters of Java: yyyy yy MM dd HH hh mm ss SSS, and 'T' and 'Z' in quotes. Any other
 * content causes an error. The words are replaced one by one, because strftime accepts constant patterns only.

/** Longer words come first. A word is replaced by digits, in which no later word can match. */
const WORDS: readonly (readonly [java: string, strftime: string])[] = [
  ['yyyy', '%Y'],
  ['yy', '%y'],
  ['MM', '%m'],
  ['dd', '%d'],
  ['HH', '%H'],
  ['hh', '%I'],
  ['mm', '%M'],
  ['SSS', '%g'],
  ['ss', '%S'],
]
const QUOTED = "''([TZ])''"

/** SQL that formats `time` by `pattern`; both are names of parameters. */
function formatted(time: string, pattern: string): string {
  let filled = pattern
  for (const [java, strftime] of WORDS)
    filled = `replace(${filled}, '${java}', strftime(${time}, '${strftime}'))`
  const words = [...WORDS.map(([java]) => java), QUOTED].join('|')
  const known = `regexp_replace(${pattern}, '${words}', '', 'g')`
  const refusal = `'pattern ' || ${pattern} || ' has more than yyyy yy MM dd HH hh mm ss SSS; use strftime'`
  return `CASE WHEN regexp_matches(${known}, '[A-Za-z'']') THEN error(${refusal})
    ELSE regexp_replace(${filled}, '${QUOTED}', '\\1', 'g') END`
}

const fromSeconds = 'make_timestamp(seconds::BIGINT * 1000000)'

export const HIVE_FUNCTIONS: readonly string[] = [
  `CREATE MACRO from_unixtime
     (seconds) AS strftime(${fromSeconds}, '%Y-%m-%d %H:%M:%S'),
     (seconds, pattern) AS ${formatted(fromSeconds, 'pattern')}`,
  `CREATE MACRO unix_timestamp
     () AS floor(epoch(now()))::BIGINT,
     (moment) AS floor(epoch(TRY_CAST(moment AS TIMESTAMP)))::BIGINT`,
  `CREATE MACRO date_format(moment, pattern) AS ${formatted('TRY_CAST(moment AS TIMESTAMP)', 'pattern')}`,
  'CREATE MACRO to_date(moment) AS TRY_CAST(TRY_CAST(moment AS TIMESTAMP) AS DATE)',
  `CREATE MACRO datediff
     (later, earlier) AS date_diff('day', TRY_CAST(earlier AS DATE), TRY_CAST(later AS DATE))::INTEGER,
     (part, earlier, later) AS date_diff(part, earlier, later)`,
  'CREATE MACRO nvl(value, otherwise) AS coalesce(value, otherwise)',
  'CREATE MACRO get_json_object(document, path) AS CASE WHEN json_valid(document) THEN json_extract_string(document, path) END',
  'CREATE MACRO collect_list(value) AS coalesce(list(value) FILTER (WHERE value IS NOT NULL), [])',
  'CREATE MACRO collect_set(value) AS coalesce(list(DISTINCT value) FILTER (WHERE value IS NOT NULL), [])',
  'CREATE MACRO percentile(value, share) AS quantile_cont(value, share)',
  'CREATE MACRO pmod(value, divisor) AS ((value % divisor) + divisor) % divisor',
  'CREATE MACRO rand() AS random()',
]
