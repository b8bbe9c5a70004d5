//go:build cgo

package reference

// tableRows are functions in FROM, VALUES and LATERAL.
var tableRows = []row{
	{text: "SELECT g.value, COUNT(id) FROM generate_series(0, {few}) AS g (value) LEFT JOIN t ON t.id % 4 = g.value GROUP BY 1"},
	{text: "SELECT a, b FROM (VALUES (1, 'x'), (2, 'y'), (3, NULL)) AS v (a, b) WHERE a <= {few}"},
	{text: "SELECT t.id, v.b FROM t JOIN (VALUES ('a', 1), ('b', 2), ('z', 3)) AS v (c, b) ON v.c = t.k{where}"},
	{text: "SELECT t.id, l.m FROM t, LATERAL (SELECT MAX(u.id) AS m FROM t AS u WHERE u.id < t.id AND u.k = t.k) AS l"},
	{text: "SELECT t.id, l.id FROM t LEFT JOIN LATERAL (SELECT u.id FROM t AS u WHERE u.id > t.id ORDER BY u.id LIMIT {few}) AS l ON TRUE"},
	{text: "SELECT t.id, j.value FROM t, json_each(json_array(n, {few}, id)) AS j",
		theirs: "SELECT t.id, j.v FROM t, LATERAL (SELECT unnest([n, {few}, id]) AS v) AS j",
		why:    "its json_each gives JSON, not numbers"},
	{text: "SELECT k, SUM(j.value) FROM t, json_each(json_array(n, id, {few})) AS j GROUP BY k",
		theirs: "SELECT k, SUM(j.v) FROM t, LATERAL (SELECT unnest([n, id, {few}]) AS v) AS j GROUP BY k",
		why:    "its json_each gives JSON, not numbers"},
	{text: "SELECT t.id, g.value FROM t, generate_series(1, id % 4) AS g (value){where}"},
}
