/** The functions that a job may call. */
const AGGREGATES: ReadonlySet<string> = new Set(
  `count count_star sum sum0 avg min max stddev_pop stddev_samp stddev var_pop var_samp variance listagg string_agg
  first_value last_value collect any_value bit_and bit_or bit_xor bool_and bool_or every approx_count_distinct
  json_objectagg json_arrayagg array_agg`.split(/\s+/),
)

const SCALAR: ReadonlySet<string> = new Set(
  `+ - * / % || ~~ !~~ like_escape not_like_escape regexp_full_match concat concat_ws substring substr trim ltrim rtrim upper lower
  char_length character_length length replace regexp_extract regexp_replace regexp lpad rpad split_index coalesce nullif if
  abs ceil ceiling floor round truncate mod power sqrt exp ln log log10 log2 sign sin cos tan asin acos atan atan2 cot degrees
  radians pi e rand rand_integer to_timestamp to_timestamp_ltz to_date from_unixtime unix_timestamp date_format date_part extract
  timestampdiff timestampadd current_timestamp current_date current_time localtimestamp localtime now proctime
  current_row_timestamp json_value json_query json_exists json_string json_object json_array is_json md5 sha1 sha224 sha256 sha384
  sha512 uuid year quarter month week dayofyear dayofmonth dayofweek hour minute second position locate instr left right repeat
  reverse initcap overlay ascii chr to_base64 from_base64 bin hex greatest least ifnull row map list_value cardinality element
  array_contains to_days to_hours to_minutes to_seconds to_months to_years to_weeks to_milliseconds to_microseconds struct_pack
  typeof is_alpha is_decimal is_digit parse_url str_to_map encode decode convert_tz grouping grouping_id __json_value`.split(
    /\s+/,
  ),
)

const OVER: ReadonlySet<string> = new Set(
  'row_number rank rank_dense dense_rank percent_rank cume_dist ntile lag lead first first_value last_value last nth_value'.split(
    ' ',
  ),
)

export function isAggregate(name: string): boolean {
  return AGGREGATES.has(name)
}

/** Names of operators too, and of what the parser makes of syntax such as EXTRACT. */
export function isKnownFunction(name: string): boolean {
  return SCALAR.has(name) || AGGREGATES.has(name) || OVER.has(name)
}
