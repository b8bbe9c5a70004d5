//go:build cgo

package reference

// selectRows are the shapes of SELECT that SQLite does not have.
var selectRows = []row{
	{text: "SELECT DISTINCT ON (k) k, id, {val} FROM t{where} ORDER BY k, id{desc}", ordered: true},
	{text: "SELECT DISTINCT ON (length(s)) s, id FROM t{where} ORDER BY id{desc}", ordered: true},
	{text: "SELECT k FROM t{where} INTERSECT ALL SELECT k FROM t{where}"},
	{text: "SELECT k, n FROM t{where} INTERSECT ALL SELECT k, n FROM t{where}"},
	{text: "SELECT k FROM t{where} EXCEPT ALL SELECT k FROM t{where}"},
	{text: "SELECT k, n % 2 FROM t{where} EXCEPT ALL SELECT k, id % 2 FROM t{where}"},
	{text: "SELECT * EXCLUDE (ts, x) REPLACE ({int} AS n) FROM t{where}"},
	{text: "SELECT a.* EXCLUDE (ts, x, s), b.k FROM t AS a JOIN t AS b ON a.id = b.id + 1"},
}
