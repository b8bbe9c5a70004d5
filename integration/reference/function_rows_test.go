//go:build cgo

package reference

// functionRows are functions of texts and times. Of weeks, DuckDB's date_diff counts whole ones, and not how
// many have begun.
var functionRows = []row{
	{text: "SELECT id, split_part(s, 'a', 1), split_part(k || '-' || s, '-', {few}) FROM t{where}"},
	{text: "SELECT id, reverse(s), repeat(k, {few}), lpad(k, {few}, '*'), rpad(s, {few}, 'xy') FROM t{where}"},
	{text: "SELECT id, starts_with(s, k)::INTEGER, contains(s, k)::INTEGER, ends_with(s, k)::INTEGER FROM t{where}"},
	{text: "SELECT id, regexp_replace(s, '[ab]', '<\\0>', 'g'), regexp_replace(s, '([a-z])', '\\1\\1') FROM t{where}"},
	{text: "SELECT id, regexp_extract(s, '[a-m]+'), regexp_extract(k || '=' || s, '(.)=(.)', 2) FROM t{where}"},
	{text: "SELECT id, md5(s), sha256(s || k) FROM t{where}"},
	{text: "SELECT id, greatest({num}, {num2}), least({num3}, id) FROM t{where}"},
	{text: "SELECT id, (s ILIKE 'A%')::INTEGER, (upper(s) ILIKE '%' || k || '%')::INTEGER FROM t{where}"},
	{text: "SELECT id, n::TEXT || s::VARCHAR, (x > 0)::INTEGER FROM t WHERE n IS NOT NULL"},
	{text: "SELECT id, date_diff({unit}, ts, TIMESTAMP '2025-01-01 00:00:00') FROM t{where}"},
	{text: "SELECT id, date_diff({unit}, ts, ts + INTERVAL '{few} days'), datesub({span}, ts, ts + INTERVAL '{few2} days') FROM t{where}"},
	{text: "SELECT id, datesub({span}, ts, TIMESTAMP '2024-02-29 12:00:00') FROM t{where}"},
	{text: "SELECT id, extract({part} FROM ts), extract({part2} FROM ts) FROM t{where}"},
	{text: "SELECT id, dayname(ts), monthname(ts), quarter(ts), week(ts) FROM t{where}"},
	{text: "SELECT id, ts + INTERVAL '{few} months', ts - {few2} * INTERVAL '1' DAY FROM t{where}"},
	{text: "SELECT id, date_trunc({span}, ts) FROM t{where}",
		theirs: "SELECT id, CAST(date_trunc({span}, ts) AS TIMESTAMP) FROM t{where}",
		why:    "its date_trunc gives a DATE of a day and more"},
	{text: "SELECT id, ts AT TIME ZONE {zone} FROM t{where}",
		theirs: "SELECT id, ts AT TIME ZONE 'UTC' AT TIME ZONE {zone} FROM t{where}",
		why:    "its TIMESTAMP is in no zone, ours in UTC"},
	{text: "SELECT id, timestamp(ts, {zone}) FROM t{where}",
		theirs: "SELECT id, ts AT TIME ZONE {zone} AT TIME ZONE 'UTC' FROM t{where}",
		why:    "it has no timestamp(x, zone), the time of a clock in the zone"},
	{text: "SELECT date(ts, {zone}) AS d, COUNT(*) FROM t{where} GROUP BY 1",
		theirs: "SELECT strftime(ts AT TIME ZONE 'UTC' AT TIME ZONE {zone}, '%Y-%m-%d') AS d, COUNT(*) FROM t{where} GROUP BY 1",
		why:    "its date takes no zone, and gives a DATE"},
}
