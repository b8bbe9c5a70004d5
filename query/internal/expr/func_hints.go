package expr

import "strings"

// A hintGroup says what to write instead of functions of other databases. Names are in lower case,
// with blanks between them.
type hintGroup struct{ names, hint string }

// functionHints are the hints by the names of functions. query/hints_test.go has a row for each name,
// and runs what the hint says to write.
var functionHints = func() map[string]string {
	all := map[string]string{}
	for _, groups := range [][]hintGroup{
		textHints, choiceHints, aggregateHints, mathHints, timeHints, jsonHints, sessionHints,
	} {
		for _, g := range groups {
			for _, name := range strings.Fields(g.names) {
				all[name] = g.hint
			}
		}
	}
	return all
}()

// FunctionHints returns the names of functions of other databases that an error has a hint for.
func FunctionHints() map[string]string { return functionHints }

var textHints = []hintGroup{
	{"split string_split str_split string_to_array regexp_split_to_array splitbychar", "write split_part(x, separator, n)"},
	{"regexp_extract_all regexp_matches_all", "write regexp_extract(x, pattern), which gives the first match"},
	{"regexp_count", "write x REGEXP pattern, or (length(x) - length(replace(x, part, ''))) / length(part)"},
	{"regexp_instr", "write instr(x, regexp_substr(x, pattern))"},
	{"digest crc32 hash xxhash64", "write sha256(x) or md5(x)"},
	{"len strlen lengthb lengthutf8", "write length(x)"},
	{"datalength", "write octet_length(x)"},
	{"bit_length", "write 8 * octet_length(x)"},
	{"charindex locate", "write instr(x, part): the text comes first"},
	{"strpos indexof", "write instr(x, part)"},
	{"patindex", "write instr(x, part), or x REGEXP pattern"},
	{"find_in_set", "write instr(',' || list || ',', ',' || x || ',')"},
	{"startswith", "write starts_with(x, part)"},
	{"endswith", "write ends_with(x, part)"},
	{"replicate", "write repeat(x, n)"},
	{"space", "write repeat(' ', n)"},
	{"initcap", "write upper(left(x, 1)) || lower(substr(x, 2))"},
	{"translate", "write replace(x, from, to) for each character"},
	{"ascii ord", "write unicode(x)"},
	{"chr nchar", "write char(n)"},
	{"strcmp", "write CASE WHEN a < b THEN -1 WHEN a > b THEN 1 ELSE 0 END"},
	{"to_hex", "write printf('%x', n)"},
	{"oct to_oct", "write printf('%o', n)"},
	{"btrim", "write trim(x, characters)"},
	{"quote_literal quote_nullable", "write quote(x)"},
	{"stuff overlay", "write left(x, n) || part || substr(x, m)"},
	{"to_number int integer bigint to_int toint32 toint64 cint", "write CAST(x AS INTEGER), or AS REAL"},
	{"float double float8 tofloat64 cdbl", "write CAST(x AS REAL)"},
	{"text varchar to_string tostring str cstr", "write CAST(x AS TEXT)"},
	{"convert", "write CAST(x AS type)"},
	{"regexp_like regexp_matches rlike regexp_full_match regexp_contains", "write x REGEXP pattern"},
	{"soundex difference levenshtein editdist3 similarity", "nothing tells how alike texts are; " +
		"write x LIKE pattern, or x REGEXP pattern"},
	{"regexp_match regexp_find", "write regexp_extract(x, pattern)"},
	{"sha sha1 sha2 sha224 sha384 sha512", "write sha256(x)"},
	{"unaccent strip_accents", "write replace(x, 'é', 'e') for each letter"},
	{"to_base64 base64 base64_encode encode", "write hex(x)"},
	{"from_base64 base64_decode from_hex", "write unhex(x)"},
}

var choiceHints = []hintGroup{
	{"row", "write (a, b) = (1, 2): a row has no word in front"},
	{"try_cast safe_cast", "write CAST(x AS type), which never fails for a number"},
	{"top", "write LIMIT n at the end"},
	{"columns", "name the columns, or write * EXCLUDE (name, ...)"},
	{"nvl", "write ifnull() or coalesce()"},
	{"nvl2", "write iif(x IS NOT NULL, a, b)"},
	{"zeroifnull", "write ifnull(x, 0)"},
	{"nullifzero", "write nullif(x, 0)"},
	{"choose elt", "write CASE n WHEN 1 THEN a WHEN 2 THEN b END"},
	{"field", "write CASE x WHEN a THEN 1 WHEN b THEN 2 ELSE 0 END"},
	{"decode", "write CASE x WHEN a THEN b ELSE c END"},
	{"ifelse if_else", "write iif(condition, a, b)"},
	{"equal_null", "write a IS NOT DISTINCT FROM b"},
	{"xor", "write (a) <> (b), of two conditions"},
	{"isnan is_nan", "write x IS NULL: what is no number is NULL"},
	{"any some", "write x IN (SELECT ...), EXISTS (SELECT ...), or HAS(tags, 'x')"},
}

var aggregateHints = []hintGroup{
	{"listagg", "write string_agg(x, separator ORDER BY y)"},
	{"wm_concat", "write group_concat(x)"},
	{"array_agg json_agg jsonb_agg json_arrayagg", "write json_group_array(x ORDER BY y)"},
	{"json_objectagg json_object_agg jsonb_object_agg", "write json_group_object(key, value)"},
	{"approx_quantile approx_percentile percentile_approx quantileexact quantiles", "write percentile_cont(x, 0.5)"},
	{"countif", "write count_if(condition)"},
	{"std stdev stddevsamp", "write stddev(x)"},
	{"stdevp stddevpop", "write stddev_pop(x)"},
	{"var varsamp", "write variance(x)"},
	{"varp varpop", "write var_pop(x)"},
	{"regr_slope", "write covar_pop(y, x) / var_pop(x)"},
	{"regr_r2", "write pow(corr(y, x), 2)"},
	{"skewness kurtosis entropy mad", "a function of the program can be an aggregate; of moments write AVG(pow(x - m, 3)) with a sub-query for m"},
	{"any_value arbitrary", "write first() or last()"},
	{"approx_count approx_count_distinct approx_distinct count_distinct uniq uniqexact ndv",
		"write count(DISTINCT x)"},
	{"logical_and", "write bool_and(condition)"},
	{"logical_or", "write bool_or(condition)"},
	{"sum_if sumif", "write SUM(x) FILTER (WHERE condition)"},
	{"avg_if avgif", "write AVG(x) FILTER (WHERE condition)"},
	{"product", "write exp(SUM(ln(x)))"},
	{"geomean geometric_mean", "write exp(AVG(ln(x)))"},
	{"fsum kahan_sum sumkahan", "write SUM(x)"},
	{"favg mean average", "write AVG(x)"},
	{"topk top_k approx_top_k", "write SELECT x, COUNT(*) ... GROUP BY x ORDER BY 2 DESC LIMIT k"},
	{"histogram", "write SELECT x, COUNT(*) ... GROUP BY x"},
	{"rownum rownumber", "write row_number() OVER (ORDER BY position)"},
	{"ratio_to_report", "write x * 1.0 / SUM(x) OVER ()"},
}

const bitwise = "there are no bitwise operators"

var mathHints = []hintGroup{
	{
		"random rand randomblob setseed",
		"a statement gives the same result for the same log; there are no random functions",
	},
	{"bitand bitor bitxor bit_and bit_or bit_xor bit_count", bitwise},
	{"cbrt", "write pow(x, 1.0 / 3)"},
	{"cot", "write 1 / tan(x)"},
	{"square", "write x * x"},
	{"hypot", "write sqrt(x * x + y * y)"},
	{"e", "write exp(1)"},
	{"truncate", "write trunc(x * 100) / 100.0"},
	{"log1p", "write ln(1 + x)"},
	{"expm1", "write exp(x) - 1"},
	{"sgn", "write sign(x)"},
	{"fdiv", "write a / CAST(b AS REAL)"},
	{"div intdiv", "write a DIV b"},
	{"div0 safe_divide", "write a / b, which is NULL where b is 0"},
	{"pmod", "write ((a % b) + b) % b"},
	{"width_bucket", "write CAST((x - low) / size AS INTEGER) + 1"},
	{"isinf", "write abs(x) = 9e999"},
	{"isfinite", "write abs(x) < 9e999"},
	{"factorial gcd lcm", "write a WITH RECURSIVE"},
	{"bround round_even", "write round(x, n)"},
}

var timeHints = []hintGroup{
	{"isoyear", "write extract(isoyear FROM x)"},
	{"getdate sysdate sysdatetime getutcdate utc_timestamp systimestamp sysutcdatetime clock_timestamp " +
		"statement_timestamp transaction_timestamp get_current_timestamp current_datetime", "write now()"},
	{"curdate today utc_date", "write current_date"},
	{"curtime utc_time", "write current_time"},
	{"dateadd adddate timestampadd addtime add_months datetime_add timestamp_add", "write x + INTERVAL n unit"},
	{"subdate subtime datetime_sub timestamp_sub", "write x - INTERVAL n unit"},
	{"timediff age", "write timestamp(a) - timestamp(b), a number of seconds, or date_diff('day', b, a)"},
	{"timestampdiff", "write date_diff('day', a, b), or datesub('day', a, b) for whole days"},
	{"convert_tz convert_timezone from_utc_timestamp", "write x AT TIME ZONE 'Europe/Berlin'"},
	{"to_utc_timestamp", "write timestamp(x, 'Europe/Berlin')"},
	{"months_between", "write (year(a) - year(b)) * 12 + month(a) - month(b)"},
	{"last_day eomonth", "write date(x, 'start of month', '+1 month', '-1 day')"},
	{"next_day", "write date(x, '+1 day', 'weekday 1')"},
	{"dayofmonth day_of_month todayofmonth", "write day(x)"},
	{"dayofweek day_of_week weekday dow todayofweek", "write extract(dow FROM x), 0 for Sunday"},
	{"isodow", "write extract(isodow FROM x), 1 for Monday"},
	{"dayofyear day_of_year doy", "write extract(doy FROM x)"},
	{"weekofyear week_of_year isoweek iso_week", "write week(x)"},
	{"datename", "write dayname(x) or monthname(x)"},
	{"yearweek", "write date_format(x, '%x%v')"},
	{"decade", "write year(x) / 10"},
	{"century", "write (year(x) + 99) / 100"},
	{"millisecond microsecond", "write second(x), or extract(second FROM x) with its fraction"},
	{"epoch", "write unixepoch(x)"},
	{"epoch_ms unix_millis", "write unixepoch(x, 'subsec') * 1000"},
	{"to_unixtime tounixtimestamp unix_seconds", "write unix_timestamp(x)"},
	{"timestamp_seconds to_datetime fromunixtimestamp", "write from_unixtime(n)"},
	{"timestamp_millis", "write from_unixtime(n / 1000.0)"},
	{"to_timestamp", "write from_unixtime() or timestamp()"},
	{"str_to_date strptime parse_datetime parse_timestamp try_strptime todatetime to_timestamp_ntz",
		"write timestamp(x), of a text such as '2026-03-04 05:06:07'"},
	{"to_date todate cdate parse_date", "write date(x)"},
	{"to_time", "write time(x)"},
	{"to_char format_datetime format_timestamp format_date formatdatetime", "write strftime() or date_format()"},
	{"toyyyymm", "write strftime('%Y%m', x)"},
	{"toyear", "write year(x)"},
	{"tomonth", "write month(x)"},
	{"tohour", "write hour(x)"},
	{"tominute", "write minute(x)"},
	{"to_days", "write julianday(x)"},
	{"sec_to_time", "write time(n, 'unixepoch')"},
	{"time_to_sec", "write unixepoch('1970-01-01 ' || x)"},
	{"make_date makedate datefromparts date_from_parts", "write date(printf('%04d-%02d-%02d', y, m, d))"},
	{"make_timestamp timestamp_from_parts datetimefromparts",
		"write timestamp(printf('%04d-%02d-%02d %02d:%02d', y, m, d, hour, minute))"},
	{"time_bucket time_slice tostartofinterval", "write date_bin(INTERVAL 15 MINUTE, x)"},
	{"tostartofyear tostartofmonth tostartofday tostartofhour tostartofminute datetime_trunc timestamp_trunc datetrunc",
		"write date_trunc(unit, x)"},
	{"isdate", "write date(x) IS NOT NULL"},
}

const corrects = "events are immutable; append a correcting event"

var jsonHints = []hintGroup{
	{"json_set json_insert json_replace json_remove json_patch json_merge_patch json_array_append json_array_insert " +
		"jsonb_set jsonb_insert", corrects},
	{"jsonb_extract", "write json_extract() or ->>"},
	{"json_value json_extract_string json_extract_path_text json_extract_scalar get_json_object " +
		"jsonextractstring", "write x ->> '$.a'"},
	{"json_query json_extract_path jsonb_extract_path jsonb_path_query", "write x -> '$.a'"},
	{"json_object_keys jsonb_object_keys object_keys", "write json_keys(x)"},
	{"json_unquote", "write x ->> '$'"},
	{"json_length jsonb_array_length array_length cardinality array_size", "write json_array_length(x)"},
	{"json_typeof jsonb_typeof", "write json_type(x)"},
	{"json_build_object jsonb_build_object jsonb_object object_construct struct_pack named_struct row_to_json map",
		"write json_object(key, value, ...)"},
	{"json_build_array jsonb_build_array jsonb_array list_value array array_construct make_array",
		"write json_array(a, b, ...)"},
	{"jsonb parse_json to_json to_jsonb try_parse_json json_parse json_pretty jsonb_pretty", "write json(x)"},
	{"isjson is_json", "write json_valid(x)"},
	{"json_error_position", "write json_valid(x)"},
	{"json_contains_path json_exists jsonb_path_exists", "write json_type(x, path) IS NOT NULL"},
	{"json_contains array_contains list_contains list_has member_of", "write HAS(tags, x), or compare payload ->> path"},
	{"json_storage_size pg_column_size", "write octet_length(x)"},
	{"element_at list_extract array_extract list_element struct_extract map_extract",
		"write x ->> '$[0]', or x ->> '$.key'"},
	{"json_each json_tree generate_series", "it gives rows, and stands in FROM: FROM $all AS e, json_each(e.tags) AS t"},
	{"unnest explode posexplode flatten json_array_elements jsonb_array_elements json_array_elements_text " +
		"jsonb_array_elements_text jsonb_each json_table openjson arrayjoin",
		"it would give rows: write FROM $all AS e, json_each(e.payload, '$.items') AS i"},
	{"range generate_date_array sequence generate_subscripts", "write FROM generate_series(start, stop, step)"},
}

var sessionHints = []hintGroup{
	{"uuid gen_random_uuid uuid_generate_v4 uuidv4 uuidv7 newid generateuuidv4",
		"the store assigns an id to an event that has none"},
	{"last_insert_id last_insert_rowid lastval scope_identity", "INSERT ... RETURNING position gives the position"},
	{"nextval currval setval", "positions and versions count by themselves; INSERT ... RETURNING position gives them"},
	{"changes total_changes row_count rowcount found_rows",
		"a program asks for RowsAffected; write SELECT COUNT(*) for the rows of a SELECT"},
	{"sqlite_version sqlite_source_id", "write version()"},
	{"db_name current_catalog", "write database()"},
	{"current_role system_user suser_sname user_name", "write current_user"},
	{"current_schemas schema_name", "write schema()"},
	{"pg_typeof type_of vartype", "write typeof(x)"},
	{"sleep pg_sleep benchmark", "a statement does not wait; SELECT ... FOLLOW waits for events"},
	{"pg_size_pretty pg_total_relation_size pg_relation_size pg_database_size",
		"write SELECT value FROM $stats WHERE name = 'disk_bytes'"},
	{"load_extension readfile writefile load_file", "a statement reads no files and loads no code"},
	{"current_setting set_config", "settings stand in the data source name"},
	{"txid_current pg_current_xact_id", "write SELECT MAX(position) FROM $all: it tells how far a snapshot goes"},
	{"get_lock release_lock pg_advisory_lock pg_try_advisory_lock", "EXPECTING guards an append; there are no locks"},
	{"object_id to_regclass", "write SELECT stream FROM $streams WHERE stream = 'name'"},
	{"connection_id pg_backend_pid", "connections have no numbers; $followers lists the statements with FOLLOW"},
}
