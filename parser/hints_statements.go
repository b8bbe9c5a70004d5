package parser

import "strings"

const (
	immutable   = "events are immutable; append a correcting event"
	erasing     = immutable + "; ERASE FROM ... WHERE ... REASON '...' destroys their content"
	erase       = "write ERASE FROM ... WHERE ... REASON '...'"
	begins      = "a stream begins with its first event: write INSERT INTO name (type, payload) VALUES ('Type', '{}')"
	dropped     = "events are immutable; a stream cannot be dropped"
	alters      = "every stream has the same columns; there is nothing to alter"
	indexes     = "streams, types, tags, ids and times have indexes: put what is looked for into tags"
	rights      = "who can read the directory can read the store"
	procedure   = "there are no procedures"
	programs    = "programs prepare statements"
	follows     = "write SELECT ... FOLLOW"
	inGo        = "functions are written in Go, and given to the database by the program; SHOW FUNCTIONS lists them"
	another     = "open the other store as a database of its own"
	settings    = "settings stand in the data source name"
	snapshots   = "every transaction reads one snapshot: write BEGIN, or BEGIN ISOLATION LEVEL SERIALIZABLE"
	care        = "the store needs no care"
	shell       = "that is for a shell"
	shellTables = shell + ": write SHOW TABLES"
	cursors     = "rows are pulled one at a time: write the SELECT"
	figures     = "write SELECT name, value, text FROM $stats"
	columns     = "write SHOW COLUMNS FROM table"
	tables      = "write SHOW TABLES"
	explains    = "write EXPLAIN SELECT ..., or EXPLAIN ANALYZE SELECT ..."
	blocks      = "a statement has no blocks; write CASE WHEN a THEN b ELSE c END"
)

// foreignStatements tells for the first words of statements of other dialects what to say. What
// begins with several of the words counts before what begins with the first.
var foreignStatements = map[string]string{
	"ABORT":            "write ROLLBACK",
	"ALTER":            alters,
	"ANALYSE":          "write EXPLAIN ANALYZE SELECT ...; the store keeps its own statistics",
	"ANALYZE":          "write EXPLAIN ANALYZE SELECT ...; the store keeps its own statistics",
	"APPEND":           "write INSERT INTO name (type, payload) VALUES ('Type', '{}')",
	"ATTACH":           another,
	"CACHE":            care,
	"CALL":             procedure,
	"CHECK":            "write VERIFY",
	"CHECKPOINT":       care,
	"CHECKSUM":         "write VERIFY",
	"CLOSE":            cursors,
	"CLUSTER":          care,
	"COMMENT":          "what there is to say belongs into events; a comment begins with --",
	"COMPACT":          care,
	"COPY":             "write INSERT INTO ... VALUES ...",
	"CREATE FUNCTION":  inGo,
	"CREATE MACRO":     inGo,
	"CREATE AGGREGATE": inGo,
	"DROP FUNCTION":    inGo,
	"SUBSCRIBE":        follows,
	"TAIL":             follows,

	"CREATE":     "a stream begins with its first event; there is nothing to create but a VIEW",
	"DEALLOCATE": programs,
	"DECLARE":    cursors,
	"DELETE":     erasing,
	"DELIMITER":  shell,
	"DETACH":     another,
	"DISCARD":    care,
	"DO":         procedure,
	"DROP":       dropped,
	"EXEC":       procedure,
	"EXECUTE":    programs,
	"EXPORT":     "write BACKUP TO 'directory'",
	"FETCH":      cursors,
	"FLUSH":      "what is acknowledged is on the disk",
	"FROM":       "write SELECT * FROM ...",
	"GRANT":      rights,
	"HANDLER":    cursors,
	"HELP":       shell,
	"IF":         blocks,
	"IMPORT":     "write INSERT INTO ... VALUES ...",
	"INSTALL":    "a statement loads no code",
	"KILL":       "a statement ends with its context",
	"LISTEN":     follows,
	"LOAD":       "write INSERT INTO ... VALUES ...",
	"LOCK":       "a reader sees one snapshot, and EXPECTING guards an append",
	"LOOP":       blocks,
	"MERGE":      immutable,
	"MOVE":       cursors,
	"NOTIFY":     "whoever follows a stream sees what is appended to it",
	"OPEN":       cursors,
	"OPTIMIZE":   care,
	"PIVOT":      "write SUM(x) FILTER (WHERE type = 'a') AS a for each column",
	"PRAGMA":     "settings stand in the data source name; figures are in $stats",
	"PREPARE":    programs,
	"PRINT":      "write SELECT 'text'",
	"PUBLISH":    "write INSERT INTO name (type, payload) VALUES ('Type', '{}')",
	"PURGE":      erase,
	"REASSIGN":   rights,
	"REDACT":     erase,
	"REINDEX":    care,
	"RENAME":     "a stream keeps its name; append to another one",
	"REPAIR":     "write VERIFY",
	"REPLACE":    immutable,
	"REPLAY":     "write SELECT * FROM $all ORDER BY position",
	"RESET":      settings,
	"RESTORE":    "open the backup, or a copy of it, as a store",
	"REFRESH":    "a materialized view is exact whenever it is read",
	"REVOKE":     rights,
	"SCRUB":      erase,
	"SET":        settings,
	"SHRED":      erase,
	"SHUTDOWN":   "a store is closed by the program that has opened it",
	"SOURCE":     shell,
	"SUMMARIZE":  "write SELECT COUNT(*), COUNT(DISTINCT type), MIN(recorded_at), MAX(recorded_at) FROM ...",
	"TABLE":      "write SELECT * FROM ...",
	"TRUNCATE":   erasing,
	"UNDELETE":   "what was erased is gone",
	"UNLISTEN":   "a SELECT ... FOLLOW ends with its context",
	"UNLOCK":     "a reader sees one snapshot, and EXPECTING guards an append",
	"UNPIVOT":    "write SELECT 'a', a ... UNION ALL SELECT 'b', b ...",
	"UPDATE":     immutable,
	"UPSERT":     immutable,
	"USE":        "a connection has one store",
	"VACUUM":     "the store needs no vacuum",
	"WAITFOR":    follows,
	"WATCH":      follows,
	"WHILE":      blocks,
	"WIPE":       erase,
	"XA":         snapshots,
	".":          shellTables,
	"(":          "a SELECT stands without parentheses",

	"ALTER DATABASE":         settings,
	"ALTER SYSTEM":           settings,
	"ALTER USER":             rights,
	"ALTER VIEW":             "write CREATE OR REPLACE VIEW",
	"BEGIN CONCURRENT":       snapshots,
	"BEGIN TRAN":             "write BEGIN TRANSACTION",
	"COMMIT AND":             "write COMMIT",
	"COMMIT PREPARED":        "write COMMIT",
	"CREATE COLLECTION":      begins,
	"CREATE DATABASE":        another,
	"CREATE EXTENSION":       "a statement loads no code",
	"CREATE INDEX":           indexes,
	"CREATE POLICY":          rights,
	"CREATE PROCEDURE":       procedure,
	"CREATE PUBLICATION":     follows,
	"CREATE RECURSIVE":       "write WITH RECURSIVE in the view's SELECT",
	"CREATE ROLE":            rights,
	"CREATE SCHEMA":          "the streams of a store are in one schema: begin their names alike, such as order-1",
	"CREATE SEQUENCE":        "positions and versions count by themselves",
	"CREATE STREAM":          begins,
	"CREATE TABLE":           begins,
	"CREATE TEMP":            "write WITH name AS (SELECT ...)",
	"CREATE TEMPORARY":       "write WITH name AS (SELECT ...)",
	"CREATE TOPIC":           begins,
	"CREATE TRIGGER":         "write SELECT ... FOLLOW in a program",
	"CREATE TYPE":            "the type of an event is any text",
	"CREATE UNIQUE":          "an id is unique; EXPECTING NO EVENT FROM ... WHERE HAS(tags, 'x') keeps a tag unique",
	"CREATE USER":            rights,
	"DROP DATABASE":          "a store is a directory; remove that",
	"DROP INDEX":             indexes,
	"DROP TABLE":             dropped + "; ERASE FROM ... WHERE TRUE REASON '...' destroys its content",
	"DROP TRIGGER":           "there are no triggers",
	"DROP USER":              rights,
	"EXPLAIN (":              explains,
	"EXPLAIN EXTENDED":       explains,
	"EXPLAIN FORMAT":         explains,
	"EXPLAIN FORMATTED":      explains,
	"EXPLAIN PLAN":           explains,
	"EXPLAIN VERBOSE":        explains,
	"INSERT DELAYED":         "write INSERT INTO",
	"INSERT OVERWRITE":       immutable + ": write INSERT INTO",
	"ROLLBACK PREPARED":      "write ROLLBACK",
	"SET TRANSACTION":        snapshots,
	"SHOW ALL":               settings + "; " + figures,
	"SHOW BINARY":            "write SELECT * FROM $all ORDER BY position",
	"SHOW CREATE TABLE":      columns,
	"SHOW DATABASES":         "a connection has one store: " + tables,
	"SHOW ENGINE":            figures,
	"SHOW ENGINES":           figures,
	"SHOW FIELDS":            columns,
	"SHOW FULL":              tables + ", or SHOW COLUMNS FROM table",
	"SHOW GRANTS":            rights,
	"SHOW INDEX":             indexes,
	"SHOW INDEXES":           indexes,
	"SHOW KEYS":              indexes,
	"SHOW MASTER":            "write SELECT value FROM $stats WHERE name = 'head'",
	"SHOW PROCESSLIST":       "write SELECT * FROM $followers: other statements are not listed",
	"SHOW SCHEMAS":           "write SELECT schema_name FROM information_schema.schemata",
	"SHOW SETTINGS":          settings,
	"SHOW STATUS":            figures,
	"SHOW TABLE":             tables,
	"SHOW TOPICS":            "write SHOW STREAMS",
	"SHOW VARIABLES":         settings + "; " + figures,
	"SHOW WARNINGS":          "there are errors and no warnings",
	"START TRANSACTION WITH": snapshots,
}

// longestStatement is the number of words that the longest key of foreignStatements has.
const longestStatement = 3

// foreignStatement returns the error for a statement that begins with words of another dialect, or
// nil. Fewer words than least do not count.
func foreignStatement(whole string, toks []token, least int) *SyntaxError {
	var room [longestStatement]string
	words := firstWords(room[:0], toks)
	for n := len(words); n >= least; n-- {
		var key [64]byte
		text := joinWords(key[:0], words[:n])
		if hint, ok := foreignStatements[string(text)]; ok { // which allocates nothing
			err := newSyntaxError(whole, toks[0].off, string(text)+" is not supported")
			err.Hint = hint
			return err
		}
	}
	return nil
}

// joinWords appends words with blanks between them.
func joinWords(b []byte, words []string) []byte {
	for i, word := range words {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, word...)
	}
	return b
}

// firstWords appends the words that a statement begins with, in upper case, and a ( or a dot.
func firstWords(words []string, toks []token) []string {
	for i := range toks[:min(len(toks), longestStatement)] {
		switch t := &toks[i]; {
		case t.kind == tokWord:
			words = append(words, strings.ToUpper(t.text))
		case t.is("(", "."):
			return append(words, t.key)
		default:
			return words
		}
	}
	return words
}
