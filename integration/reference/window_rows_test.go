//go:build cgo

package reference

var windowRows = []row{
	{text: "SELECT id, k FROM t{where} QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY id{desc}) <= {few}"},
	{text: "SELECT id, RANK() OVER w AS r FROM t{where} WINDOW w AS (PARTITION BY g ORDER BY id{desc}) QUALIFY r = {few}"},
	{text: "SELECT k, COUNT(*) AS c FROM t{where} GROUP BY k QUALIFY c >= MAX(c) OVER ()"},
	{text: "SELECT id, SUM({int}) OVER (ORDER BY ts, id RANGE BETWEEN CURRENT ROW AND CURRENT ROW) FROM t{where}"},
	{text: "SELECT id, COUNT(*) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '{few}' DAY PRECEDING AND CURRENT ROW) FROM t{where}"},
	{text: "SELECT id, COUNT(*) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '{few}' MONTH PRECEDING AND CURRENT ROW) FROM t{where}"},
	{text: "SELECT id, SUM({int}) OVER (PARTITION BY k ORDER BY ts{desc} RANGE BETWEEN INTERVAL '{few}' HOUR PRECEDING AND " +
		"INTERVAL '{few2}' DAY FOLLOWING) FROM t{where}"},
	{text: "SELECT id, MAX(id) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '{few}' WEEK PRECEDING AND INTERVAL '1' DAY PRECEDING EXCLUDE TIES) FROM t{where}"},
	{text: "SELECT id, COUNT(*) OVER (PARTITION BY g ORDER BY id GROUPS BETWEEN {few} PRECEDING AND {few2} FOLLOWING EXCLUDE CURRENT ROW) FROM t{where}"},
	{text: "SELECT id, median({num}) OVER (ORDER BY id ROWS BETWEEN {few} PRECEDING AND {few2} FOLLOWING EXCLUDE CURRENT ROW) FROM t{where}"},
	{text: "SELECT id, max_by(id, {num} * 1000 + id) OVER (ORDER BY id ROWS {few} PRECEDING) FROM t{where}"},
	{text: "SELECT id, LAG({val} IGNORE NULLS) OVER (ORDER BY id{desc}) FROM t{where}"},
	{text: "SELECT id, LEAD({val}, {few} IGNORE NULLS) OVER (PARTITION BY k ORDER BY id) FROM t{where}"},
	{text: "SELECT id, LAST_VALUE({val} IGNORE NULLS) OVER (ORDER BY id ROWS BETWEEN {few} PRECEDING AND 1 PRECEDING) FROM t{where}"},
	{text: "SELECT id, NTH_VALUE({val}, {few} IGNORE NULLS) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND {few2} FOLLOWING) FROM t{where}"},
	{text: "SELECT id, NTILE({few}) OVER (ORDER BY id), PERCENT_RANK() OVER (PARTITION BY k ORDER BY id), CUME_DIST() OVER (ORDER BY id{desc}) FROM t{where}"},
}
