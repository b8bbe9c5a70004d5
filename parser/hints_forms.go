package parser

import "strings"

// A foreignForm is several words of other dialects that stand one after the other. What stands in
// front of a | is of this one; # is any number, ' any string, ? any parameter and x any name.
type foreignForm struct{ words, hint string }

const (
	noLocks   = "readers take no locks: leave it out; EXPECTING VERSION guards an append"
	noHints   = "the store chooses the index: leave it out; EXPLAIN shows it"
	castIt    = "write CAST(x AS type)"
	recursive = "write WITH RECURSIVE"
)

// foreignForms tells for such words, at which the grammar stopped, what to write instead.
var foreignForms = []foreignForm{
	{"SELECT | TOP #", "write LIMIT n at the end"},
	{"WITH TIES", "write WHERE r <= n around SELECT ..., rank() OVER (ORDER BY x) AS r"},
	{"FOR JSON", "write json_object(key, value, ...)"},
	{"FOR XML", "write json_object(key, value, ...)"},
	{"FOR SYSTEM_TIME", "write AS OF POSITION n"},
	{"AS OF TIMESTAMP", "write AS OF POSITION n: SELECT MAX(position) FROM $all WHERE recorded_at <= '...' finds it"},
	{"AS OF SYSTEM", "write AS OF POSITION n: SELECT MAX(position) FROM $all WHERE recorded_at <= '...' finds it"},
	{"TIMESTAMP AS OF", "write AS OF POSITION n: SELECT MAX(position) FROM $all WHERE recorded_at <= '...' finds it"},
	{"VERSION AS OF", "write AS OF POSITION n, or WHERE version <= n"},
	{"LOCK IN", noLocks},
	{"WITH (", noLocks},
	{"TABLESAMPLE (", "write WHERE position % 10 = 0"},
	{"TABLESAMPLE x", "write WHERE position % 10 = 0"},
	{"USING SAMPLE", "write WHERE position % 10 = 0"},
	{"SAMPLE #", "write WHERE position % 10 = 0"},
	{"PIVOT (", "write SUM(x) FILTER (WHERE type = 'a') AS a for each column"},
	{"UNPIVOT (", "write SELECT 'a', a ... UNION ALL SELECT 'b', b ..."},
	{"CROSS APPLY", "write a sub-query in the SELECT list, or a JOIN"},
	{"OUTER APPLY", "write a sub-query in the SELECT list, or a LEFT JOIN"},
	{"LEFT SEMI", "write WHERE EXISTS (SELECT ...)"},
	{"LEFT ANTI", "write WHERE NOT EXISTS (SELECT ...)"},
	{"SEMI JOIN", "write WHERE EXISTS (SELECT ...)"},
	{"ANTI JOIN", "write WHERE NOT EXISTS (SELECT ...)"},
	{"ASOF JOIN", "write (SELECT ... WHERE t.position <= o.position ORDER BY position DESC LIMIT 1) as a result"},
	{"POSITIONAL JOIN", "write a JOIN of two sub-queries ON row_number() OVER (ORDER BY position) AS n"},
	{"STRAIGHT_JOIN x", "write JOIN: the order of tables does not matter"},
	{"USE INDEX", noHints},
	{"FORCE INDEX", noHints},
	{"IGNORE INDEX", noHints},
	{"INDEXED BY", noHints},
	{"NOT INDEXED", noHints},
	{"START WITH", recursive},
	{"CONNECT BY", recursive},
	{"MATCH_RECOGNIZE (", "write LAG() and LEAD() OVER (ORDER BY position), and a condition on them"},
	{"MINUS SELECT", "write EXCEPT"},
	{"LIMIT # | BY", "write DISTINCT ON (x), or row_number() OVER (PARTITION BY x ORDER BY y) <= n around it"},
	{"USING <", "write ASC or DESC"},
	{"USING >", "write ASC or DESC"},
	{"ORDER BY | ALL", "name the results, or their numbers: ORDER BY 1, 2"},
	{"PREWHERE x", "write WHERE"},
	{"SETTINGS x", "settings stand in the data source name"},
	{"FORMAT x", "a program reads rows; for JSON write json_object(key, value, ...)"},
	{"OPTION (", "leave it out: there are no hints for the planner"},
	{"SOUNDS LIKE", "write x LIKE pattern"},
	{"MEMBER OF", "write HAS(tags, x)"},
	{"OVERLAPS (", "write a < d AND c < b, of the times from a to b and from c to d"},
	{"OVERLAPS x", "write a < d AND c < b, of the times from a to b and from c to d"},
	{"COLUMNS (", "write json_each(x, '$.items') AS i, and i.value ->> '$.a' AS a in the SELECT list for each column"},
	{"WITH ORDINALITY", "write json_each(x) AS t (place, value), whose place counts from 0, or row_number() OVER ()"},
	{"LATERAL VIEW", "write FROM t, json_each(t.tags) AS i"},
	{"ROWS FROM", "write a JOIN of the two USING (value), or of row_number() OVER ()"},
	{"KEY ' VALUE", "write json_object(key, value, ...)"},
	{"' | VALUE", "write json_object(key, value, ...)"},
	{"NULL ON NULL", "leave it out: a NULL is null in JSON"},
	{"ABSENT ON NULL", "write json_group_array(x) FILTER (WHERE x IS NOT NULL), or iif(x IS NULL, ...)"},
	{"' | RETURNING x", "write CAST(payload ->> '$.name' AS type)"},
	{"DEFAULT # ON", "write coalesce(payload ->> '$.name', x)"},
	{"DEFAULT ' ON", "write coalesce(payload ->> '$.name', x)"},
	{"ERROR ON", "leave it out: a path that leads to nothing gives NULL"},
	{"NULL ON EMPTY", "leave it out: a path that leads to nothing gives NULL"},
	{"NULL ON ERROR", "leave it out: a path that leads to nothing gives NULL"},
	{"WITH WRAPPER", "write payload -> '$.items[*]', which is an array"},
	{"WITH CUBE", "write GROUP BY CUBE (a, b)"},
	{"WITH DATA", "leave it out: a materialized view is exact whenever it is read"},
	{"WITH NO DATA", "leave it out: a materialized view is exact whenever it is read"},
	{"WITH CHECK OPTION", "leave it out: nothing is written through a view"},
	{"UNION | BY NAME", "write the columns in one order: UNION SELECT a, b ..."},
	{"DISTINCT ON | x", "write DISTINCT ON (x, ...)"},
	{"* | RENAME (", "write * EXCLUDE (a), a AS b"},
	{"SEARCH DEPTH", "write ORDER BY depth DESC behind the last SELECT of the recursion"},
	{"SEARCH BREADTH", "write ORDER BY depth behind the last SELECT of the recursion"},
	{"CYCLE x SET", "write UNION, which ends in circles"},
	{"EMIT CHANGES", "write FOLLOW at the end"},
	{"YEAR TO MONTH", "write INTERVAL '1 year 2 months'"},
	{"DAY TO SECOND", "write INTERVAL '1 day 2 hours'"},
	{"AT | LOCAL", "write AT TIME ZONE 'Europe/Berlin'"},
	{"VALUES | ROW (", "write VALUES (1, 2), (3, 4)"},
	{"LIMIT # | PERCENT", "write WHERE n <= 0.1 * total around row_number() and COUNT(*) OVER ()"},
	{"SOME (", "write x IN (SELECT ...)"},
	{"ANY (", "write x IN (SELECT ...), or HAS(tags, x)"},
	{"ARRAY (", "write (SELECT json_group_array(x) FROM ...)"},
	{"TRY_CAST ( x", castIt},
	{"TRY_CAST ( '", castIt},
	{"MOD #", "write a % b"},
	{"MOD (", "write a % b"},
	{"ALL (", "write x > (SELECT MAX(y) ...), or NOT IN (SELECT ...)"},
	{"TIME '", "write time('...')"},
	{"DATETIME '", "write TIMESTAMP '...'"},
	{"JSON '", "write json('...')"},
	{"BETWEEN | SYMMETRIC #", "write BETWEEN min(a, b) AND max(a, b)"},
	{"x | ?", "write payload ->> '$.name'"},
	{"x | ? '", "write json_type(payload, '$.key') IS NOT NULL"},
	{") | . x", "write x ->> '$.field'"},
}

// foreignFormAt looks for a form that ends in front of the token at which the grammar stopped, or
// has it. It returns the index of the form's first word of its own, and what to write. Of several
// forms the longest counts.
func (p *parser) foreignFormAt(i int) (at int, hint string) {
	longest := 0
	for _, f := range foreignForms {
		context, own, found := strings.Cut(f.words, " | ")
		if !found {
			context, own = "", f.words
		}
		skip := len(strings.Fields(context))
		words := append(strings.Fields(context), strings.Fields(own)...)
		if len(words) <= longest {
			continue
		}
		for start := max(0, i-len(words)); start <= i; start++ {
			if p.formAt(start, words) {
				longest, at, hint = len(words), start+skip, f.hint
			}
		}
	}
	return at, hint
}

// formAt tells whether the tokens from the index on are those of a form.
func (p *parser) formAt(start int, words []string) bool {
	for n, word := range words {
		if start+n >= len(p.toks) || !p.toks[start+n].matches(word) {
			return false
		}
	}
	return true
}

// matches tells whether a word of a form stands for the token.
func (t *token) matches(word string) bool {
	switch word {
	case "#":
		return t.kind == tokNumber
	case "'":
		return t.kind == tokString
	case "?":
		return t.kind == tokParam
	case "x":
		return t.naming()
	}
	return t.kind == tokWord && strings.EqualFold(t.text, word) || t.kind == tokOp && t.key == word
}
