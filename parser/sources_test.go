package parser

func init() { // beside those of the other files, for all tests that read every text
	statements = append(statements, sourceStatements...)
	expressions = append(expressions, rowExpressions...)
	mistakes = append(mistakes, sourceMistakes...)
}

// sourceStatements are what FROM and VALUES may have, and how they render.
var sourceStatements = []struct{ text, want string }{
	// functions
	{`SELECT 1 FROM json_each(a) j`, `SELECT 1 FROM "json_each"("a") AS "j"`},
	{`SELECT 1 FROM $all AS e, JSON_EACH(e.payload, '$.a' || ?) AS i(k, v) WHERE k`,
		`SELECT 1 FROM "$all" AS "e" JOIN "json_each"("e"."payload", ('$.a' || ?1)) AS "i" ("k", "v") WHERE "k"`},
	{`SELECT 1 FROM a LEFT JOIN LATERAL f() ON TRUE`, `SELECT 1 FROM "a" LEFT JOIN "f"() ON TRUE`},
	{`SELECT 1 FROM lateral, lateral x`, `SELECT 1 FROM "lateral" JOIN "lateral" AS "x"`},
	{`SELECT 1 FROM a, LATERAL (SELECT a.x) b`, `SELECT 1 FROM "a" JOIN LATERAL (SELECT "a"."x") AS "b"`},
	{`SELECT 1 FROM a JOIN LATERAL (SELECT 1) AS b ("x") ON 1`,
		`SELECT 1 FROM "a" JOIN LATERAL (SELECT 1) AS "b" ("x") ON 1`},
	{`SELECT 1 FROM generate_series(DATE '2026-01-01', now(), INTERVAL '1' DAY)`,
		`SELECT 1 FROM "generate_series"(date('2026-01-01'), now(), INTERVAL ('1') day)`},
	// VALUES
	{`VALUES (1, 'a'), (2, NULL)`, `VALUES (1, 'a'), (2, NULL)`},
	{`VALUES (1) UNION ALL VALUES (2) UNION SELECT 3 ORDER BY 1 LIMIT 2`,
		`VALUES (1) UNION ALL VALUES (2) UNION SELECT 3 ORDER BY 1 LIMIT 2`},
	{`SELECT * FROM (VALUES (1, 2), (3, 4)) AS t(a, b)`, `SELECT * FROM (VALUES (1, 2), (3, 4)) AS "t" ("a", "b")`},
	{`WITH t(a, b) AS (VALUES (1, 2)) SELECT * FROM t`, `WITH "t" ("a", "b") AS (VALUES (1, 2)) SELECT * FROM "t"`},
	{`EXPLAIN VALUES ((SELECT 1 FROM order-1))`, `EXPLAIN VALUES ((SELECT 1 FROM "order-1"))`},
	{`SELECT (VALUES (1)), EXISTS (VALUES (1))`, `SELECT (VALUES (1)), EXISTS (VALUES (1))`},
	// joins
	{`SELECT 1 FROM a RIGHT JOIN b ON 1 FULL OUTER JOIN c USING (x)`,
		`SELECT 1 FROM "a" RIGHT JOIN "b" ON 1 FULL JOIN "c" USING ("x")`},
	{`SELECT 1 FROM a NATURAL JOIN b NATURAL LEFT OUTER JOIN c NATURAL FULL JOIN d NATURAL INNER JOIN e`,
		`SELECT 1 FROM "a" NATURAL JOIN "b" NATURAL LEFT JOIN "c" NATURAL FULL JOIN "d" NATURAL JOIN "e"`},
	{`SELECT 1 FROM a LEFT JOIN b RIGHT OUTER JOIN (c FULL JOIN d)`,
		`SELECT 1 FROM "a" LEFT JOIN "b" RIGHT JOIN ("c" FULL JOIN "d")`},
	{`SELECT 1 FROM a AS OF POSITION 3 WHERE right(x, 1) IN b`,
		`SELECT 1 FROM "a" WHERE (right("x", 1) IN (SELECT * FROM "b")) AS OF POSITION 3`},
}

// rowExpressions are expressions with row values, and with tables behind IN.
var rowExpressions = []struct{ text, want string }{
	{`(a, b) = (1, 2)`, `(("a", "b") = (1, 2))`},
	{`(a, b + 1, c) <> ((1), 2, (3))`, `(("a", ("b" + 1), "c") <> (1, 2, 3))`},
	{`NOT (a, b) IS NOT (SELECT 1, 2) AND c`, `((NOT (("a", "b") IS NOT (SELECT 1, 2))) AND "c")`},
	{`(a, b) BETWEEN (1, 2) AND (3, 4)`, `(("a", "b") BETWEEN (1, 2) AND (3, 4))`},
	{`(a, b) NOT IN ((1, 2), (3, 4))`, `(("a", "b") NOT IN ((1, 2), (3, 4)))`},
	{`(a, b) IN (VALUES (1, 2))`, `(("a", "b") IN (VALUES (1, 2)))`},
	{`CASE (a, b) WHEN (1, 2) THEN 3 END`, `CASE ("a", "b") WHEN (1, 2) THEN 3 END`},
	{`(1, (2, 3))`, `(1, (2, 3))`},
	{`a IN t`, `("a" IN (SELECT * FROM "t"))`},
	{`a NOT IN main."t u" OR b`, `(("a" NOT IN (SELECT * FROM main."t u")) OR "b")`},
	{`a IN t IS NULL`, `(("a" IN (SELECT * FROM "t")) IS NULL)`},
	{`a IN generate_series(1, b) AND c`, `(("a" IN (SELECT * FROM "generate_series"(1, "b"))) AND "c")`},
}

// sourceMistakes are texts that are refused.
var sourceMistakes = []struct{ text, place, msg string }{
	{"SELECT 1 FROM a NATURAL b", "1:25", `syntax error at "b"`},
	{"SELECT 1 FROM a NATURAL, b", "1:17", "NATURAL is a reserved word"},
	{"SELECT 1 FROM a NATURAL JOIN b ON 1", "1:32", "a NATURAL JOIN has neither ON nor USING"},
	{"SELECT 1 FROM a NATURAL JOIN b USING (x)", "1:32", "a NATURAL JOIN has neither ON nor USING"},
	{"SELECT 1 FROM a FULL b", "1:17", `syntax error at "FULL"`},
	{"SELECT 1 FROM a AS OF POSITION 5 NATURAL JOIN b", "1:17", "holds for all tables"},
	{"SELECT 1 FROM $all AS e (a, b)", "1:25", "the columns of a table have their names"},
	{"SELECT 1 FROM main.f(1)", "1:15", "that gives rows"},
	{"SELECT 1 FROM f(1", "1:16", "this ( is never closed"},
	{"SELECT 1 FROM f(1,)", "1:19", `syntax error at ")"`},
	{"SELECT 1 FROM f(*)", "1:17", `syntax error at "*"`},
	{"SELECT 1 FROM (VALUES (1)) AS t (a, A)", "1:37", "named twice"},
	{"VALUES", "1:7", "the statement ends too early"},
	{"VALUES ()", "1:8", "a row of VALUES is empty"},
	{"VALUES (1), (2, 3)", "1:13", "this row has 2 values, and the first one 1"},
	{"VALUES (1) WHERE 1", "1:12", `syntax error at "WHERE"`},
	{"SELECT 1 UNION VALUES (1), 2", "1:28", `syntax error at "2"`},
	{"SELECT a IN 'x'", "1:13", "IN takes a list or a sub-query"},
	{"SELECT a IN ?", "1:13", "IN takes a list or a sub-query"},
	{"SELECT a IN t IN u", "1:15", "comparisons do not chain"},
	{"WITH t(a, a) AS (SELECT 1, 2) SELECT 1", "1:11", "named twice"},
	{"WITH t() AS (SELECT 1) SELECT 1", "1:8", `syntax error at ")"`},
}
