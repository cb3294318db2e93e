/** The functions of PostgreSQL that a cached query may call. A name that is not here is refused. */

export interface PostgresFunction {
  readonly kind: 'scalar' | 'aggregate' | 'window'
  /** Number of arguments. */
  readonly least: number
  readonly most: number
}

const ANY = 100

function of(kind: PostgresFunction['kind'], least: number, most = least): PostgresFunction {
  return { kind, least, most }
}

/** `coalesce`, `nullif`, `greatest` and `least` are expressions of PostgreSQL's grammar, and are here as functions. */
export const POSTGRES_FUNCTIONS: Readonly<Record<string, PostgresFunction>> = {
  count: of('aggregate', 1),
  count_star: of('aggregate', 0),
  sum: of('aggregate', 1),
  avg: of('aggregate', 1),
  min: of('aggregate', 1),
  max: of('aggregate', 1),
  bool_and: of('aggregate', 1),
  bool_or: of('aggregate', 1),
  every: of('aggregate', 1),
  string_agg: of('aggregate', 2),
  array_agg: of('aggregate', 1),
  lower: of('scalar', 1),
  upper: of('scalar', 1),
  length: of('scalar', 1),
  char_length: of('scalar', 1),
  character_length: of('scalar', 1),
  substring: of('scalar', 2, 3),
  substr: of('scalar', 2, 3),
  btrim: of('scalar', 1, 2),
  ltrim: of('scalar', 1, 2),
  rtrim: of('scalar', 1, 2),
  replace: of('scalar', 3),
  coalesce: of('scalar', 1, ANY),
  nullif: of('scalar', 2),
  greatest: of('scalar', 1, ANY),
  least: of('scalar', 1, ANY),
  abs: of('scalar', 1),
  round: of('scalar', 1, 2),
  floor: of('scalar', 1),
  ceil: of('scalar', 1),
  ceiling: of('scalar', 1),
  mod: of('scalar', 2),
  power: of('scalar', 2),
  sqrt: of('scalar', 1),
  date_trunc: of('scalar', 2),
  extract: of('scalar', 2),
  date_part: of('scalar', 2),
  timezone: of('scalar', 2),
  row_number: of('window', 0),
  rank: of('window', 0),
  dense_rank: of('window', 0),
  percent_rank: of('window', 0),
  cume_dist: of('window', 0),
  ntile: of('window', 1),
  lag: of('window', 1, 3),
  lead: of('window', 1, 3),
  first_value: of('window', 1),
  last_value: of('window', 1),
  nth_value: of('window', 2),
}

export function postgresFunction(name: string): PostgresFunction | undefined {
  return Object.hasOwn(POSTGRES_FUNCTIONS, name) ? POSTGRES_FUNCTIONS[name] : undefined
}
