/** Words of Flink's queries that DuckDB's parser knows with the same meaning. A word that is not among them is a name. */

/** Reserved in Flink, so never a name without back-ticks. */
const KEY_WORDS = new Set(
  `SELECT FROM WHERE GROUP BY HAVING ORDER ASC DESC LIMIT OFFSET FETCH NEXT ROW ROWS ONLY UNION ALL INTERSECT EXCEPT
  DISTINCT AS ON USING JOIN INNER LEFT RIGHT FULL OUTER CROSS NATURAL WITH VALUES CASE WHEN THEN ELSE END AND OR NOT IN IS
  NULL TRUE FALSE UNKNOWN BETWEEN SYMMETRIC ASYMMETRIC LIKE ESCAPE EXISTS OVER PARTITION RANGE CURRENT FILTER GROUPING
  ROLLUP CUBE ARRAY SIMILAR TO ANY SOME EXTRACT SUBSTRING TRIM LEADING TRAILING BOTH POSITION OVERLAY UNNEST LATERAL SET
  RECURSIVE WITHIN FOR TABLE DEFAULT`.split(/\s+/),
)

/** Not reserved: key words only where the words around them say so. */
const CONTEXTUAL: Readonly<Record<string, (previous: string, next: string) => boolean>> = {
  NULLS: (_, next) => next === 'FIRST' || next === 'LAST',
  FIRST: (previous) => previous === 'NULLS' || previous === 'FETCH',
  LAST: (previous) => previous === 'NULLS',
  SETS: (previous) => previous === 'GROUPING',
  UNBOUNDED: (_, next) => next === 'PRECEDING' || next === 'FOLLOWING',
  PRECEDING: isBound,
  FOLLOWING: isBound,
  PLACING: (previous) => previous !== '(' && previous !== ',' && previous !== 'SELECT',
}

function isBound(previous: string): boolean {
  return /^(?:UNBOUNDED|\d|[A-Z]+S?$)/.test(previous) && previous !== 'SELECT' && previous !== 'BY'
}

/** `previous` and `next` are texts of tokens in upper case, empty where there is none. */
export function isKeyWordHere(word: string, previous: string, next: string): boolean {
  if (Object.hasOwn(CONTEXTUAL, word)) return CONTEXTUAL[word]!(previous, next)
  return KEY_WORDS.has(word)
}

export function isQueryWord(word: string): boolean {
  return KEY_WORDS.has(word)
}

/** Functions without parentheses in Flink. */
export const BARE_FUNCTIONS: ReadonlySet<string> = new Set([
  'CURRENT_DATE',
  'CURRENT_TIME',
  'CURRENT_TIMESTAMP',
  'LOCALTIME',
  'LOCALTIMESTAMP',
])

/** Units of EXTRACT, TIMESTAMPADD, TIMESTAMPDIFF, FLOOR and CEIL. */
export const TIME_UNITS: ReadonlySet<string> = new Set(
  `MILLENNIUM CENTURY DECADE YEAR QUARTER MONTH WEEK DAY DOY DOW ISODOW ISOYEAR HOUR MINUTE SECOND MILLISECOND MICROSECOND
  NANOSECOND EPOCH FRAC_SECOND SQL_TSI_SECOND SQL_TSI_MINUTE SQL_TSI_HOUR SQL_TSI_DAY SQL_TSI_WEEK SQL_TSI_MONTH
  SQL_TSI_QUARTER SQL_TSI_YEAR`.split(/\s+/),
)
