/** Why a function that is not on the list of cached queries is refused. */
import type { QueryProblem } from '../query-plan.ts'
import type { QueryContext } from './query-context.ts'
import type { Span } from './syntax.ts'

/** Their result does not depend on the tables alone. */
const OF_THE_MOMENT = wordsOf(`
  now clock_timestamp statement_timestamp transaction_timestamp timeofday random setseed gen_random_uuid uuid_generate_v1
  uuid_generate_v1mc uuid_generate_v4 nextval currval lastval setval txid_current txid_current_if_assigned
  txid_current_snapshot current_setting set_config current_database current_query current_schemas version
  inet_client_addr inet_client_port inet_server_addr inet_server_port random_normal uuidv4 uuidv7`)

const SET_RETURNING = wordsOf(`
  generate_series generate_subscripts unnest json_array_elements json_array_elements_text json_each json_each_text
  json_object_keys json_populate_recordset json_to_recordset jsonb_array_elements jsonb_array_elements_text jsonb_each
  jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_populate_recordset jsonb_to_recordset regexp_matches
  regexp_split_to_table string_to_table ts_stat`)

/** Other functions that every PostgreSQL has. */
const OTHERS = wordsOf(`
  abbrev acos acosd acosh age area array_append array_cat array_dims array_fill array_length array_lower array_ndims
  array_position array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper ascii
  asin asind asinh atan atan2 atan2d atand atanh avg bit_and bit_count bit_length bit_or bit_xor broadcast btrim cardinality
  cbrt ceil ceiling center char_length character_length chr coalesce concat concat_ws convert convert_from convert_to corr cos
  cosd cosh cot cotd covar_pop covar_samp cume_dist date_bin decode degrees dense_rank diameter div encode enum_first
  enum_last enum_range exp factorial family first_value format format_type gcd get_bit get_byte height host hostmask initcap
  isfinite json_agg json_array_length json_build_array json_build_object json_extract_path json_extract_path_text
  json_object json_object_agg json_populate_record json_strip_nulls json_to_record json_typeof jsonb_agg
  jsonb_array_length jsonb_build_array jsonb_build_object jsonb_extract_path jsonb_extract_path_text jsonb_insert
  jsonb_object jsonb_object_agg jsonb_path_exists jsonb_path_match jsonb_path_query_array jsonb_path_query_first
  jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_typeof justify_days justify_hours justify_interval lag last_value lcm lead
  left length ln log log10 lpad make_date make_interval make_time make_timestamp make_timestamptz masklen md5 min_scale mode
  netmask network normalize nth_value ntile num_nonnulls num_nulls numnode octet_length overlay parse_ident percent_rank
  percentile_cont percentile_disc pi position pow quote_ident quote_literal quote_nullable radians radius range_agg
  range_merge rank regexp_count regexp_instr regexp_like regexp_match regexp_replace regexp_split_to_array regexp_substr
  regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat reverse right
  row_number row_to_json rpad scale sha224 sha256 sha384 sha512 sign sin sind sinh split_part sqrt starts_with stddev
  stddev_pop stddev_samp string_to_array strpos tan tand tanh to_ascii to_char to_date to_hex to_json to_jsonb to_number
  to_timestamp to_tsquery to_tsvector translate trim_array trim_scale trunc unistr upper_inc upper_inf var_pop var_samp
  variance width width_bucket xmlagg`)

export function refusalOf(context: QueryContext, name: string, at: Span): QueryProblem {
  if (OF_THE_MOMENT.has(name))
    return context.unsupported(
      `function ${name} is not supported in a cached query: the result must depend on the tables alone`,
      at,
    )
  if (SET_RETURNING.has(name))
    return context.unsupported(
      `function ${name} is not supported in a cached query: it returns several rows`,
      at,
    )
  if (OTHERS.has(name) || name.startsWith('pg_'))
    return context.unsupported(`function ${name} is not supported in a cached query`, at)
  return context.invalid(
    `function ${name} does not exist among PostgreSQL's own; functions of the database are not supported`,
    at,
  )
}

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}
