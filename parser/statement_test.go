package parser

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// statements are statements and how they render.
var statements = []struct{ text, want string }{
	{`SELECT * FROM $all;`, `SELECT * FROM "$all"`},
	{`SELECT t.*, main."$all".* FROM t`, `SELECT "t".*, "$all".* FROM "t"`},
	{`SELECT DISTINCT type t FROM $all e`, `SELECT DISTINCT "type" AS "t" FROM "$all" AS "e"`},
	{`SELECT ALL type FROM "$all" AS e`, `SELECT "type" FROM "$all" AS "e"`},
	// names of tables
	{`SELECT 1 FROM order-123 WHERE x`, `SELECT 1 FROM "order-123" WHERE "x"`},
	{`SELECT 1 FROM 3f2b0c1e-1111-4222-8333-944455556666`, `SELECT 1 FROM "3f2b0c1e-1111-4222-8333-944455556666"`},
	{`SELECT 1 FROM orders.2024/eu:a@b#c$d--x`, `SELECT 1 FROM "orders.2024/eu:a@b#c$d"`},
	{`SELECT 1 FROM order-1/* x */`, `SELECT 1 FROM "order-1"`},
	{`SELECT 1 FROM main.$all`, `SELECT 1 FROM main."$all"`},
	{`SELECT 1 FROM EventFold.events`, `SELECT 1 FROM eventfold."events"`},
	{`SELECT 1 FROM main."a b", "main".x`, `SELECT 1 FROM main."a b" JOIN main."x"`},
	{`SELECT 1 FROM information_schema.tables WHERE table_schema = 'main'`,
		`SELECT 1 FROM information_schema."tables" WHERE ("table_schema" = 'main')`},
	{"SELECT 1 FROM `$all` `x`", `SELECT 1 FROM "$all" AS "x"`},
	{`SELECT 1 FROM stream`, `SELECT 1 FROM "stream"`},
	{`SELECT 1 FROM follow`, `SELECT 1 FROM "follow"`},
	// clauses
	{`SELECT a, b FROM t GROUP BY a, b HAVING COUNT(*) > 1 ORDER BY 1 DESC, b NULLS FIRST, c ASC NULLS LAST`,
		`SELECT "a", "b" FROM "t" GROUP BY "a", "b" HAVING (count(*) > 1) ORDER BY 1 DESC, "b" NULLS FIRST, "c" ` +
			`NULLS LAST`},
	{`SELECT a FROM t GROUP BY ALL HAVING b ORDER BY c`, `SELECT "a" FROM "t" GROUP BY ALL HAVING "b" ORDER BY "c"`},
	{`SELECT a FROM t GROUP BY (a), (a + 1) * 2, (SELECT 1), (b, c)`,
		`SELECT "a" FROM "t" GROUP BY "a", (("a" + 1) * 2), (SELECT 1), "b", "c"`},
	{`SELECT a FROM t GROUP BY ()`, `SELECT "a" FROM "t" GROUP BY ()`},
	{`SELECT a FROM t GROUP BY x, ROLLUP (a, (b, c + 1), 3), CUBE(d) HAVING 1`,
		`SELECT "a" FROM "t" GROUP BY ("x"), ROLLUP (("a"), ("b", ("c" + 1)), (3)), CUBE (("d")) HAVING 1`},
	{`SELECT a FROM t GROUP BY grouping sets (a, (b, c), (), ROLLUP (d), GROUPING SETS ((e))) LIMIT 1`,
		`SELECT "a" FROM "t" GROUP BY GROUPING SETS (("a"), ("b", "c"), (), ROLLUP (("d")), GROUPING SETS (("e"))) LIMIT 1`},
	{`SELECT rollup, cube, grouping FROM sets GROUP BY rollup, cube, grouping`,
		`SELECT "rollup", "cube", "grouping" FROM "sets" GROUP BY "rollup", "cube", "grouping"`},
	{`SELECT COUNT(*) within FROM t GROUP BY a`, `SELECT count(*) AS "within" FROM "t" GROUP BY "a"`},
	{`SELECT SUM(a) OVER w r FROM t GROUP BY b HAVING c WINDOW v AS (PARTITION BY d), w AS (v ORDER BY e ROWS 1 PRECEDING) QUALIFY r > 1 ORDER BY f`,
		`SELECT sum("a") OVER "w" AS "r" FROM "t" GROUP BY "b" HAVING "c" WINDOW "v" AS (PARTITION BY "d"), "w" AS ("v" ORDER BY "e" ` +
			`ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) QUALIFY ("r" > 1) ORDER BY "f"`},
	{`SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY b) = 1 UNION SELECT c FROM u WINDOW w AS ()`,
		`SELECT "a" FROM "t" QUALIFY (row_number() OVER (ORDER BY "b") = 1) UNION SELECT "c" FROM "u" WINDOW "w" AS ()`},
	{`SELECT a FROM t WHERE b AS OF POSITION 3`, `SELECT "a" FROM "t" WHERE "b" AS OF POSITION 3`},
	{`SELECT a QUALIFY (b)`, `SELECT "a" QUALIFY "b"`},
	{`SELECT 1 LIMIT ? OFFSET ?`, `SELECT 1 LIMIT ?1 OFFSET ?2`},
	{`SELECT 1 LIMIT 3, 4`, `SELECT 1 LIMIT 4 OFFSET 3`},
	{`SELECT 1 LIMIT ALL`, `SELECT 1`},
	{`SELECT 1 LIMIT ALL OFFSET 2`, `SELECT 1 LIMIT -1 OFFSET 2`},
	{`SELECT 1 FROM t OFFSET 2`, `SELECT 1 FROM "t" LIMIT -1 OFFSET 2`},
	{`SELECT date, offset FROM t ORDER BY offset LIMIT 1 OFFSET 2`,
		`SELECT "date", "offset" FROM "t" ORDER BY "offset" LIMIT 1 OFFSET 2`},
	{`SELECT 2 * follow FROM t WHERE a IS NOT DISTINCT FROM b FOLLOW`,
		`SELECT (2 * "follow") FROM "t" WHERE ("a" IS "b") FOLLOW`},
	{`SELECT * FROM t FOLLOW`, `SELECT * FROM "t" FOLLOW`},
	{`SELECT a FROM t FOLLOW AFTER -1`, `SELECT "a" FROM "t" FOLLOW AFTER -1`},
	{`SELECT a FROM t follow after ? progress`, `SELECT "a" FROM "t" FOLLOW PROGRESS AFTER ?1`},
	{`SELECT a FROM t WHERE b GROUP BY c HAVING d FOLLOW PROGRESS AFTER :p`,
		`SELECT "a" FROM "t" WHERE "b" GROUP BY "c" HAVING "d" FOLLOW PROGRESS AFTER :p`},
	{`SELECT follow after, progress FROM t AS after FOLLOW`,
		`SELECT "follow" AS "after", "progress" FROM "t" AS "after" FOLLOW`},
	{`SELECT * FROM t AS follow`, `SELECT * FROM "t" AS "follow"`},
	{`SELECT 2 * follow`, `SELECT (2 * "follow")`},
	{`SELECT 1 FROM t AS OF POSITION -1`, `SELECT 1 FROM "t" AS OF POSITION -1`},
	{`SELECT 1 FROM t x ORDER BY a DESC LIMIT 3 AS OF POSITION ? FOLLOW`,
		`SELECT 1 FROM "t" AS "x" ORDER BY "a" DESC LIMIT 3 AS OF POSITION ?1 FOLLOW`},
	{`SELECT 1 UNION DISTINCT SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4 INTERSECT ALL SELECT 5 EXCEPT DISTINCT SELECT 6`,
		`SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4 INTERSECT ALL SELECT 5 EXCEPT SELECT 6`},
	{`WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5), m AS MATERIALIZED (SELECT 1) SELECT x FROM n`,
		`WITH RECURSIVE "n" ("x") AS (SELECT 1 UNION ALL SELECT ("x" + 1) FROM "n" WHERE ("x" < 5)), "m" AS (SELECT 1) SELECT "x" FROM "n"`},
	{`WITH recursive AS NOT MATERIALIZED (SELECT 1 a), b (c, d) AS (SELECT 1, 2) SELECT 1`,
		`WITH "recursive" AS (SELECT 1 AS "a"), "b" ("c", "d") AS (SELECT 1, 2) SELECT 1`},
	{`WITH RECURSIVE recursive (x) AS (SELECT 1) SELECT 1`, `WITH RECURSIVE "recursive" ("x") AS (SELECT 1) SELECT 1`},
	{`SELECT DISTINCT ON (stream, length(type)) type, 1 x FROM t ORDER BY stream, version DESC`,
		`SELECT DISTINCT ON ("stream", length("type")) "type", 1 AS "x" FROM "t" ORDER BY "stream", "version" DESC`},
	{`SELECT * EXCLUDE (id, "a b"), t.* EXCLUDE type REPLACE (upper(id) AS id, (SELECT 1) AS x), exclude FROM t`,
		`SELECT * EXCLUDE ("id", "a b"), "t".* EXCLUDE ("type") REPLACE (upper("id") AS "id", (SELECT 1) AS "x"), "exclude" FROM "t"`},
	{`SELECT * EXCEPT SELECT replace(a, 'b', 'c') FROM t`, `SELECT * EXCEPT SELECT replace("a", 'b', 'c') FROM "t"`},
	{`SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 ORDER BY 1 LIMIT 2`,
		`SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 ORDER BY 1 LIMIT 2`},
	{`WITH a AS (SELECT 1), b AS (SELECT 2 UNION SELECT 3) SELECT * FROM a, b`,
		`WITH "a" AS (SELECT 1), "b" AS (SELECT 2 UNION SELECT 3) SELECT * FROM "a" JOIN "b"`},
	{`SELECT x FROM (SELECT a AS x FROM (WITH q AS (SELECT 1 a) SELECT a FROM q)) AS d`,
		`SELECT "x" FROM (SELECT "a" AS "x" FROM (WITH "q" AS (SELECT 1 AS "a") SELECT "a" FROM "q")) AS "d"`},
	{`SELECT 1 FROM (SELECT 1)`, `SELECT 1 FROM (SELECT 1)`},
	// joins
	{`SELECT 1 FROM a JOIN b ON a.x = b.x LEFT OUTER JOIN c ON b.y = c.y AND left(c.z, 1) = 'q' CROSS JOIN d`,
		`SELECT 1 FROM "a" JOIN "b" ON ("a"."x" = "b"."x") LEFT JOIN "c" ON (("b"."y" = "c"."y") AND (left("c"."z", ` +
			`1) = 'q')) JOIN "d"`},
	{`SELECT 1 FROM a INNER JOIN b USING (x, "y")`, `SELECT 1 FROM "a" JOIN "b" USING ("x", "y")`},
	{`SELECT 1 FROM a, b LEFT JOIN c ON a.x = c.x, d`,
		`SELECT 1 FROM "a" JOIN "b" LEFT JOIN "c" ON ("a"."x" = "c"."x") JOIN "d"`},
	{`SELECT 1 FROM a JOIN (b JOIN c ON b.x = c.x) ON a.x = b.x JOIN d USING (x)`,
		`SELECT 1 FROM "a" JOIN ("b" JOIN "c" ON ("b"."x" = "c"."x")) ON ("a"."x" = "b"."x") JOIN "d" USING ("x")`},
	{`SELECT 1 FROM a-1 JOIN b-2 ON 1`, `SELECT 1 FROM "a-1" JOIN "b-2" ON 1`},
	// INSERT
	{`INSERT INTO "account-7" (type, payload) VALUES (?, ?), (?, ?) EXPECTING VERSION 3 RETURNING position, version`,
		`INSERT INTO "account-7" ("type", "payload") VALUES (?1, ?2), (?3, ?4) EXPECTING VERSION 3 RETURNING ` +
			`"position", "version"`},
	{`INSERT INTO $all (stream, type) VALUES ('a', upper('b') || 'c') EXPECTING NO STREAM`,
		`INSERT INTO "$all" ("stream", "type") VALUES ('a', (upper('b') || 'c')) EXPECTING NO STREAM`},
	{`INSERT INTO ? (type) VALUES (?) EXPECTING VERSION ?`, `INSERT INTO ?1 ("type") VALUES (?2) EXPECTING VERSION ?3`},
	{`insert into order-1 values ('a', '{"x":1}') expecting any, stream exists returning *`,
		`INSERT INTO "order-1" VALUES ('a', '{"x":1}') EXPECTING ANY, STREAM EXISTS RETURNING *`},
	{`INSERT INTO t (type) VALUES ('x') EXPECTING NO EVENT FROM $all WHERE payload->>'a' = 'x' OR HAS(tags, 'y') ` +
		`AFTER -1, NO STREAM RETURNING id`, `INSERT INTO "t" ("type") VALUES ('x') EXPECTING NO EVENT FROM "$all" ` +
		`WHERE ((("payload" ->> 'a') = 'x') OR has("tags", 'y')) AFTER -1, NO STREAM RETURNING "id"`},
	{`INSERT INTO t (type) VALUES ('x') EXPECTING NO EVENT FROM order-1 AFTER NULL, NO EVENT FROM u WHERE after > 1`,
		`INSERT INTO "t" ("type") VALUES ('x') EXPECTING NO EVENT FROM "order-1" AFTER NULL, NO EVENT FROM "u" WHERE ` +
			`("after" > 1)`},
	// views
	{`CREATE VIEW orders AS SELECT stream FROM $all;`, `CREATE VIEW views."orders" AS SELECT "stream" FROM "$all"`},
	{`create or replace view Views.Orders as with a as (select 1) select * from a`,
		`CREATE OR REPLACE VIEW views."Orders" AS WITH "a" AS (SELECT 1) SELECT * FROM "a"`},
	{`CREATE VIEW IF NOT EXISTS "a b" AS SELECT 1 UNION SELECT 2 ORDER BY 1 LIMIT 3`,
		`CREATE VIEW IF NOT EXISTS views."a b" AS SELECT 1 UNION SELECT 2 ORDER BY 1 LIMIT 3`},
	{`CREATE VIEW if AS SELECT follow FROM order-1 WHERE drop = view`,
		`CREATE VIEW views."if" AS SELECT "follow" FROM "order-1" WHERE ("drop" = "view")`},
	{`DROP VIEW if exists views."a b";`, `DROP VIEW IF EXISTS views."a b"`},
	{`CREATE OR REPLACE MATERIALIZED VIEW IF AS SELECT COUNT(*) n FROM $all`,
		`CREATE OR REPLACE MATERIALIZED VIEW views."IF" AS SELECT count(*) AS "n" FROM "$all"`},
	{`DROP MATERIALIZED VIEW v`, `DROP VIEW views."v"`},
	{`DROP VIEW if`, `DROP VIEW views."if"`},
	{`SELECT v.x FROM views.orders v, Views."a b", "views.x", "views"."y"`,
		`SELECT "v"."x" FROM views."orders" AS "v" JOIN views."a b" JOIN "views.x" JOIN views."y"`},
	{`SHOW VIEWS LIKE 'o%' LIMIT 3`, `SHOW VIEWS LIKE 'o%' LIMIT 3`},
	{`SHOW CREATE VIEW orders`, `SHOW CREATE VIEW views."orders"`},
	{`SHOW COLUMNS FROM views.orders`, `SHOW COLUMNS FROM views."orders"`},
	{`SELECT if(a, 1, 2), create, views FROM view`, `SELECT if("a", 1, 2), "create", "views" FROM "view"`},
	// the rest
	{`EXPECT account-9 VERSION 12`, `EXPECT "account-9" VERSION 12`},
	{`EXPECT ? NO STREAM, NO EVENT FROM t WHERE a = 1`, `EXPECT ?1 NO STREAM, NO EVENT FROM "t" WHERE ("a" = 1)`},
	{`ERASE FROM $all WHERE type = 'x' AND HAS(tags, ?) REASON 'Art. 17'`,
		`ERASE FROM "$all" WHERE (("type" = 'x') AND has("tags", ?1)) REASON 'Art. 17'`},
	{`erase from order-1 where true reason ?;`, `ERASE FROM "order-1" WHERE TRUE REASON ?1`},
	{`ERASE FROM reason AS e WHERE e.reason = reason REASON :reason`,
		`ERASE FROM "reason" AS "e" WHERE ("e"."reason" = "reason") REASON :reason`},
	{`EXPLAIN ERASE FROM main."a" WHERE id IN (SELECT id FROM b) REASON ''`,
		`EXPLAIN ERASE FROM main."a" WHERE ("id" IN (SELECT "id" FROM "b")) REASON ''`},
	{`SELECT erase, reason FROM erase`, `SELECT "erase", "reason" FROM "erase"`},
	{`EXPLAIN SELECT 1`, `EXPLAIN SELECT 1`},
	{`EXPLAIN QUERY PLAN WITH a AS (SELECT 1) SELECT * FROM a`, `EXPLAIN WITH "a" AS (SELECT 1) SELECT * FROM "a"`},
	{`EXPLAIN ANALYZE SELECT 1`, `EXPLAIN ANALYZE SELECT 1`},
	{`EXPLAIN INSERT INTO t (type) VALUES (1)`, `EXPLAIN INSERT INTO "t" ("type") VALUES (1)`},
	{`SHOW TABLES`, `SHOW TABLES`},
	{`SHOW STREAMS LIKE 'order-%' LIMIT 20`, `SHOW STREAMS LIKE 'order-%' LIMIT 20`},
	{`SHOW TYPES LIKE ?`, `SHOW TYPES LIKE ?1`},
	{`SHOW COLUMNS FROM order-1`, `SHOW COLUMNS FROM "order-1"`},
	{`DESCRIBE $all`, `DESCRIBE "$all"`},
	{`DESC order-1;`, `DESCRIBE "order-1"`},
	{`BEGIN`, `BEGIN`},
	{`BEGIN IMMEDIATE TRANSACTION`, `BEGIN`},
	{`START TRANSACTION`, `BEGIN`},
	{`BEGIN WORK READ WRITE`, `BEGIN`},
	{`BEGIN ISOLATION LEVEL SERIALIZABLE`, `BEGIN ISOLATION LEVEL SERIALIZABLE`},
	{`start transaction isolation level repeatable read, read only`, `BEGIN ISOLATION LEVEL SNAPSHOT READ ONLY`},
	{`BEGIN TRANSACTION READ ONLY ISOLATION LEVEL SNAPSHOT READ WRITE`, `BEGIN ISOLATION LEVEL SNAPSHOT`},
	{`COMMIT WORK;;`, `COMMIT`},
	{`END TRANSACTION`, `COMMIT`},
	{`ROLLBACK`, `ROLLBACK`},
	{`SAVEPOINT "a b"`, `SAVEPOINT "a b"`},
	{`ROLLBACK TRANSACTION TO SAVEPOINT a`, `ROLLBACK TO "a"`},
	{`RELEASE a`, `RELEASE "a"`},
	{`RELEASE SAVEPOINT a`, `RELEASE "a"`},
	{`BACKUP TO '/tmp/x' || ?`, `BACKUP TO ('/tmp/x' || ?1)`},
	{`VERIFY`, `VERIFY`},
	{`FORGET SUBJECT 'customer:42' REASON 'why'`, `FORGET SUBJECT 'customer:42' REASON 'why'`},
	{`forget subject ? || 'a' reason $2;`, `FORGET SUBJECT (?1 || 'a') REASON ?2`},
	{`SELECT forget, subject, reason FROM subject`, `SELECT "forget", "subject", "reason" FROM "subject"`},
	// what tools send
	{`SELECT "main"."$all"."type" AS "type", COUNT(*) AS "count" FROM "main"."$all" WHERE ` +
		`("main"."$all"."recorded_at" >= timestamp '2026-01-01 00:00:00') GROUP BY "main"."$all"."type" ORDER BY ` +
		`"count" DESC, "main"."$all"."type" ASC LIMIT 2000`,
		`SELECT "$all"."type" AS "type", count(*) AS "count" FROM main."$all" WHERE ("$all"."recorded_at" >= ` +
			`timestamp('2026-01-01 00:00:00')) GROUP BY "$all"."type" ORDER BY "count" DESC, "$all"."type" LIMIT 2000`},
	{`SELECT floor(extract(epoch from recorded_at)/300)*300 AS "time" FROM $all WHERE recorded_at BETWEEN ` +
		`FROM_UNIXTIME(1) AND FROM_UNIXTIME(2) GROUP BY 1`,
		`SELECT (floor((extract('epoch', "recorded_at") / 300)) * 300) AS "time" FROM "$all" WHERE ("recorded_at" ` +
			`BETWEEN from_unixtime(1) AND from_unixtime(2)) GROUP BY 1`},
}

func TestStatements(t *testing.T) {
	for _, s := range statements {
		parsed, err := Parse(s.text)
		if assert.NoError(t, err, s.text) {
			assert.Equal(t, s.want, renderStatement(parsed.Statement), s.text)
		}
	}
}
