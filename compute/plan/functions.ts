// Which functions a query may call. An allow-list: whatever reads files, settings, the clock or chance is absent, and so is
// what DuckDB's next version may add.

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

/** Scalar functions whose result depends on their arguments alone. */
export const scalarFunctions: ReadonlySet<string> = new Set([
  // Arithmetic and comparison
  ...words('+ - * / // % ** ^ & | ~ << >> xor add subtract multiply divide mod fmod fdiv pow power abs sign signbit'),
  ...words(
    'ceil ceiling floor round round_even roundbankers trunc even sqrt cbrt exp ln log log10 log2 gamma lgamma factorial pi degrees radians',
  ),
  ...words('sin cos tan cot asin acos atan atan2 sinh cosh tanh asinh acosh atanh isnan isinf isfinite nextafter gcd lcm'),
  ...words('greatest_common_divisor least_common_multiple greatest least bit_count hash bar equi_width_bins'),
  ...words('nullif constant_or_null'),
  // Text
  ...words('|| ~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape ilike_escape not_ilike_escape ^@ concat concat_ws lower lcase upper ucase'),
  ...words(
    'length len strlen char_length character_length bit_length octet_length length_grapheme left left_grapheme right right_grapheme',
  ),
  ...words('substring substr substring_grapheme trim ltrim rtrim lpad rpad repeat replace reverse translate strip_accents nfc_normalize'),
  ...words('starts_with ends_with prefix suffix contains instr strpos position split split_part string_split str_split string_to_array'),
  ...words('regexp_matches regexp_full_match regexp_extract regexp_replace regexp_escape'),
  ...words(
    'ascii ord chr unicode printf format format_bytes formatReadableSize formatReadableDecimalSize bin to_binary hex to_hex to_base',
  ),
  ...words('unhex from_hex unbin from_binary base64 to_base64 from_base64 encode decode md5 sha1 sha256 url_encode url_decode'),
  ...words('levenshtein editdist3 damerau_levenshtein hamming mismatches jaccard jaro_similarity jaro_winkler_similarity'),
  ...words('parse_path parse_dirname parse_dirpath parse_filename'),
  // Dates and times; none that asks the clock
  ...words(
    'date_part datepart date_trunc datetrunc date_diff datediff date_sub datesub date_add age time_bucket last_day make_date make_time',
  ),
  ...words(
    'make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz strftime strptime try_strptime epoch epoch_ms epoch_us epoch_ns',
  ),
  ...words(
    'year month day hour minute second millisecond microsecond nanosecond quarter week weekofyear weekday dayofweek dayofmonth dayofyear',
  ),
  ...words('isodow isoyear yearweek decade century millennium era julian dayname monthname timezone timezone_hour timezone_minute'),
  ...words(
    'to_years to_quarters to_months to_weeks to_days to_hours to_minutes to_seconds to_milliseconds to_microseconds to_decades to_centuries to_millennia',
  ),
  ...words('to_timestamp normalized_interval days_in_month'),
  // Lists, structs and maps
  ...words(
    'list_value list_pack array_value struct_pack row struct_extract struct_extract_at list_extract array_extract list_element element_at',
  ),
  ...words('list_slice array_slice list_contains array_contains list_has array_has list_has_any array_has_any list_has_all array_has_all'),
  ...words(
    'list_position array_position list_indexof list_concat array_concat list_cat array_cat list_distinct array_distinct list_unique',
  ),
  ...words('list_sort array_sort list_reverse_sort array_reverse_sort list_reverse array_reverse array_length flatten'),
  ...words(
    'list_sum list_min list_max list_avg list_count array_to_string map map_extract map_extract_value map_keys map_values map_contains cardinality',
  ),
  // JSON
  ...words(
    '->> json_extract json_extract_path json_extract_string json_extract_path_text json_value json_array_length json_type json_keys json_valid json_contains json_exists',
  ),
])

/** How an aggregate is computed from parts that the fragments compute. */
export type AggregateRule = 'count' | 'sum' | 'avg' | 'same'

/** Aggregates that are split; `same`: the parts are merged by the function itself. */
export const aggregateRules: Readonly<Record<string, AggregateRule>> = {
  count_star: 'count',
  count: 'count',
  count_if: 'count',
  countif: 'count',
  sum: 'sum',
  avg: 'avg',
  mean: 'avg',
  min: 'same',
  max: 'same',
  bool_and: 'same',
  bool_or: 'same',
  bit_and: 'same',
  bit_or: 'same',
  bit_xor: 'same',
}

/** Aggregates of DuckDB that are not split yet; known so that the refusal can say so. */
export const otherAggregates: ReadonlySet<string> = new Set(
  words(`
  any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last arg_min arg_min_null
  arg_min_nulls_last argmax argmin array_agg bitstring_agg corr covar_pop covar_samp entropy favg first fsum group_concat
  histogram histogram_exact kahan_sum kurtosis kurtosis_pop last list listagg mad max_by median min_by mode product quantile
  quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
  reservoir_quantile sem skewness stddev stddev_pop stddev_samp string_agg sum_no_overflow sumkahan var_pop var_samp variance
  geomean geometric_mean wavg weighted_avg json_group_array json_group_object json_group_structure grouping grouping_id`),
)

/** Functions that give another answer on each node or at each moment. */
export const unsteadyFunctions: ReadonlySet<string> = new Set(
  words(`
  now today current_date current_time current_timestamp current_localtime current_localtimestamp get_current_time get_current_timestamp
  transaction_timestamp random setseed uuid gen_random_uuid uuidv4 uuidv7 ago`),
)
