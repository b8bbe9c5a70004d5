//go:build cgo

package reference

var aggregateRows = []row{
	{text: "SELECT median({num}) FROM t{where}"},
	{text: "SELECT {key}, median({num}) FROM t{where} GROUP BY 1"},
	{text: "SELECT quantile_cont({num}, {p}) FROM t{where}"},
	{text: "SELECT {key}, percentile_cont({q}) WITHIN GROUP (ORDER BY {num}{desc}) FROM t{where} GROUP BY 1"},
	{text: "SELECT {key}, quantile({num}, {p}), quantile_disc({num2}, {p2}) FROM t{where} GROUP BY 1"},
	{text: "SELECT percentile_disc({q}) WITHIN GROUP (ORDER BY {num}{desc}) FROM t{where}"},
	{text: "SELECT percentile_disc({q}) WITHIN GROUP (ORDER BY s{desc}) FROM t{where}"},
	{text: "SELECT median(DISTINCT {num}), quantile_cont(DISTINCT {num2}, {p}) FROM t{where}"},
	{text: "SELECT median({num}) FILTER (WHERE {int} > 3) FROM t{where}"},
	{text: "SELECT median(ts), quantile_cont(ts, {p}), quantile_disc(ts, {p2}) FROM t{where}"},
	{text: "SELECT id, median({num}) OVER (ORDER BY id ROWS BETWEEN {few} PRECEDING AND CURRENT ROW) FROM t{where}"},
	{text: "SELECT {key}, max_by(id, {num} * 1000 + id), min_by(id, {num2} * 1000 + id) FROM t{where} GROUP BY 1"},
	{text: "SELECT {key}, arg_max({val}, id), arg_min({val2}, id) FROM t{where} GROUP BY 1"},
	{text: "SELECT {key}, stddev({num}), stddev_samp({num2}), stddev_pop({num3}) FROM t{where} GROUP BY 1"},
	{text: "SELECT variance({num}), var_samp({num2}), var_pop({num3}) FROM t{where}"},
	{text: "SELECT var_pop(1e4 + {int}), stddev(1e4 + {num}) FROM t{where}"},
	{text: "SELECT {key}, covar_pop({num}, {num2}), covar_samp({num3}, {num4}) FROM t{where} GROUP BY 1"},
	{text: "SELECT round(corr({num}, id * id), 6) FROM t WHERE {int} > 0"},
	{text: "SELECT id, stddev_pop({num}) OVER (ORDER BY id ROWS {few} PRECEDING) FROM t{where}"},
	{text: "SELECT {key}, count_if({num} > 5), bool_and({num2} > 0), bool_or({num3} > 20) FROM t{where} GROUP BY 1",
		theirs: "SELECT {key}, coalesce(count_if({num} > 5), 0), bool_and({num2} > 0), bool_or({num3} > 20) FROM t{where} GROUP BY 1"},
	{text: "SELECT {key}, string_agg({val}, ', ' ORDER BY id{desc}) FROM t{where} GROUP BY 1",
		theirs: "SELECT {key}, string_agg(CAST({val} AS VARCHAR), ', ' ORDER BY id{desc}) FROM t{where} GROUP BY 1"},
	{text: "SELECT {key}, group_concat(s, '' ORDER BY {num} NULLS FIRST, id{desc}) FROM t{where} GROUP BY 1"},
	{text: "SELECT string_agg(DISTINCT s, '-' ORDER BY s{desc}) FROM t{where}"},
	{text: "SELECT {key}, first(s ORDER BY id{desc}), last(k ORDER BY id) FROM t WHERE s IS NOT NULL GROUP BY 1"},
	{text: "SELECT mode(k || '') FROM t WHERE k = 'b'"},
	{text: "SELECT COUNT(DISTINCT k, {key}) FROM t{where}",
		theirs: "SELECT COUNT(DISTINCT (k, {key})) FILTER (WHERE ({key}) IS NOT NULL) FROM t{where}"},
}

var groupingRows = []row{
	{text: "SELECT {key} AS a, COUNT(*) FROM t{where} GROUP BY ALL"},
	{text: "SELECT {key} AS a, SUM({int}), k || 'x' AS b FROM t{where} GROUP BY ALL"},
	{text: "SELECT COUNT(*), 1 AS one, 'a' || 'b' AS two FROM t{where} GROUP BY ALL"},
	{text: "SELECT k, g, COUNT(*), grouping(k), grouping(k, g) FROM t{where} GROUP BY ROLLUP (k, g)"},
	{text: "SELECT k, g, SUM({int}) FROM t{where} GROUP BY CUBE (k, g)"},
	{text: "SELECT k, g, id % 2 AS odd, COUNT(DISTINCT n) FROM t{where} GROUP BY CUBE (k, g, id % 2)"},
	{text: "SELECT k, g, MAX({num}) FROM t{where} GROUP BY GROUPING SETS ((k, g), (k), ())"},
	{text: "SELECT k, g, COUNT(*) FROM t{where} GROUP BY k, ROLLUP (g)"},
	{text: "SELECT k, g, COUNT(*) FROM t{where} GROUP BY CUBE (k), ROLLUP (g)"},
	{text: "SELECT k, median({num}), grouping(k) FROM t{where} GROUP BY ROLLUP (k) HAVING COUNT(*) > 2"},
	{text: "SELECT k, COUNT(*) AS c, SUM(COUNT(*)) OVER (PARTITION BY grouping(k)) FROM t{where} GROUP BY ROLLUP (k)"},
}

// pendingRows are constructs that eventfold may not have yet.
var pendingRows []row
