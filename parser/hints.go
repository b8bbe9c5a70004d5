package parser

import "strings"

// foreignHints tells for operators of other dialects what to write instead.
var foreignHints = map[string]string{
	"^":   "there are no bitwise operators",
	"&":   "there are no bitwise operators",
	"|":   "there are no bitwise operators; text is joined with ||",
	"~":   "there are no bitwise operators; x REGEXP pattern matches a pattern",
	"~*":  "x REGEXP '(?i)pattern' matches a pattern",
	"!~":  "NOT x REGEXP pattern matches the opposite of a pattern",
	"<<":  "there are no bitwise operators",
	">>":  "there are no bitwise operators",
	"&&":  "write AND",
	"!":   "write NOT",
	"<=>": "write IS NOT DISTINCT FROM",
	"//":  "integer division is DIV; a comment begins with --",
	"#":   "a comment begins with --; a name with signs takes double quotes",
	"#>":  "write payload->'$.a.b'",
	"#>>": "write payload->>'$.a.b'",
	"@>":  "write HAS(tags, 'x') or compare payload->>'$.a'",
	"<@":  "write HAS(tags, 'x') or compare payload->>'$.a'",
	"@@":  "there are no server variables",
	"::":  "write CAST(x AS type)",
	"[":   `names take double quotes; an element of an array is payload->'$[0]'`,
	"]":   `names take double quotes; an element of an array is payload->'$[0]'`,
	"{":   "a JSON value is written as a string: '{...}'",
	"}":   "a JSON value is written as a string: '{...}'",
	"\\":  "a quote inside a string is written twice: ''",
}

const (
	immutable = "events are immutable; append a correcting event"
	erasing   = immutable + "; ERASE FROM ... WHERE ... REASON '...' destroys their content"
	erase     = "write ERASE FROM ... WHERE ... REASON '...'"
)

// foreignStatements tells for the first words of statements of other dialects what to say.
var foreignStatements = map[string]string{
	"UPDATE":   immutable,
	"DELETE":   erasing,
	"REPLACE":  immutable,
	"TRUNCATE": erasing,
	"MERGE":    immutable,
	"UPSERT":   immutable,
	"REDACT":   erase,
	"PURGE":    erase,
	"SHRED":    erase,
	"SCRUB":    erase,
	"WIPE":     erase,
	"CREATE":   "a stream begins with its first event; there is nothing to create",
	"DROP":     "events are immutable; a stream cannot be dropped",
	"ALTER":    "every stream has the same columns; there is nothing to alter",
	"PRAGMA":   "settings stand in the data source name; figures are in $stats",
	"SET":      "settings stand in the data source name",
	"USE":      "a connection has one store",
	"VACUUM":   "the store needs no vacuum",
	"ANALYZE":  "write EXPLAIN ANALYZE SELECT ...; the store keeps its own statistics",
	"CALL":     "there are no procedures",
	"ABORT":    "write ROLLBACK",
	"COPY":     "write INSERT INTO ... VALUES ...",
	"ATTACH":   "open the other store as a database of its own",
	"DETACH":   "open the other store as a database of its own",
	"GRANT":    "who can read the directory can read the store",
	"REVOKE":   "who can read the directory can read the store",
	"LOCK":     "a reader sees one snapshot, and EXPECTING guards an append",
	"EXEC":     "there are no procedures",
	"EXECUTE":  "programs prepare statements",
	"PREPARE":  "programs prepare statements",
	"LISTEN":   "write SELECT ... FOLLOW",
	"NOTIFY":   "whoever follows a stream sees what is appended to it",
	"WATCH":    "write SELECT ... FOLLOW",
	"OPTIMIZE": "the store needs no care",
	"REINDEX":  "the store needs no care",
	"TABLE":    "write SELECT * FROM ...",
}

// foreignStatement returns the error for a statement that begins with a word of another dialect, or
// nil.
func foreignStatement(text string, first *token) *SyntaxError {
	word := strings.ToUpper(first.text)
	hint, ok := foreignStatements[word]
	if !ok || first.kind != tokWord {
		return nil
	}
	err := newSyntaxError(text, first.off, word+" is not supported")
	err.Hint = hint
	return err
}

// foreignWords tells for words inside a statement at which the grammar stopped what to write
// instead.
var foreignWords = map[string]string{
	"ILIKE":     "LIKE already ignores the case of ASCII letters",
	"GLOB":      "write LIKE or REGEXP",
	"MATCH":     "write LIKE or REGEXP",
	"SIMILAR":   "write REGEXP",
	"RLIKE":     "write REGEXP",
	"XOR":       "write a <> b",
	"INTERSECT": "INTERSECT is not supported; use IN or EXISTS",
	"EXCEPT":    "EXCEPT is not supported; use NOT IN or NOT EXISTS",
	"WINDOW":    "write the window in parentheses after OVER",
	"FETCH":     "write LIMIT n",
	"FOR":       "there are no row locks; EXPECTING VERSION guards an append",
	"CONFLICT": "an id is unique anyway and a repeated append is recognised; EXPECTING guards " +
		"an append",
	"SEPARATOR": "write GROUP_CONCAT(x, separator)",
	"FOLLOW":    "FOLLOW stands at the end",
	"DEFAULT":   "leave the column out",
	"INTO":      "a SELECT gives rows; append them with INSERT INTO ... VALUES",
	"SET":       "write INSERT INTO ... (type, payload) VALUES (...)",
	"ISNULL":    "write x ISNULL or IFNULL(x, y)",
	"ROWS":      "write LIMIT n OFFSET m",
	"ISOLATION": "write BEGIN ISOLATION LEVEL SERIALIZABLE",
	"TIES":      "write LIMIT n",

	"SERIALIZABLE": "write BEGIN ISOLATION LEVEL SERIALIZABLE",
}
