package integration

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/race"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/parser"
)

// budget returns the number in the environment variable name. Without it, it is a scale of the long
// variant, but at least ordinary, of which the race detector gets a tenth, but something: it has
// nothing to find in one goroutine.
func budget(t *testing.T, name string, ordinary, long int) int {
	t.Helper()
	if race.Enabled {
		ordinary = max(1, ordinary/10)
	}
	return testenv.Number(t, name, max(ordinary, testenv.Scale(0, long)))
}

// pair is the same events in eventfold and in SQLite.
type pair struct {
	ours, theirs *sql.DB
	store        engine.Store // of ours
}

// newPair makes both of random events, whose ids and times are made of r, too.
func newPair(t *testing.T, r *rand.Rand, events int) pair {
	t.Helper()
	var seed [32]byte
	binary.NativeEndian.PutUint64(seed[:], r.Uint64())
	store, err := filestore.Open("store", filestore.Options{
		FS: vfs.NewMem(), Now: clock(r.Uint64()), Rand: rand.NewChaCha8(seed),
	})
	require.NoError(t, err)
	ours := eventfold.OpenDB(eventfold.Config{Store: store})
	theirs, err := sql.Open("sqlite", "file::memory:")
	require.NoError(t, err)
	theirs.SetMaxOpenConns(1) // each connection would have a database of its own
	t.Cleanup(func() {
		assert.NoError(t, ours.Close())
		assert.NoError(t, theirs.Close())
		assert.NoError(t, store.Close())
	})
	appendEvents(t, ours, r, events)
	copyEvents(t, ours, theirs)
	return pair{ours, theirs, store}
}

// clock returns a clock that now and then stands still.
func clock(seed uint64) func() time.Time {
	var mu sync.Mutex // protects the two below
	r, now := rand.New(rand.NewPCG(seed, 1)), time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Duration(r.IntN(4)) * time.Microsecond)
		return now
	}
}

func appendEvents(t *testing.T, ours querier, r *rand.Rand, events int) {
	t.Helper()
	for range events {
		_, err := ours.Exec(`INSERT INTO $all (stream, type, payload, metadata, tags) VALUES (?, ?, ?, ?, ?)`,
			[]string{"order-1", "order-2", "account-7", "x"}[r.IntN(4)], []string{
				"Opened", "Deposited", "Closed", "opened",
			}[r.IntN(4)],
			randomPayload(r), []any{nil, `{"by":"ada"}`}[r.IntN(2)], []any{nil, `["a","b"]`}[r.IntN(2)])
		require.NoError(t, err)
	}
}

func randomPayload(r *rand.Rand) any {
	if r.IntN(12) == 0 {
		return nil
	}
	value := func() string {
		return []string{
			"1", "2", "-7", "0", "2.5", "1e3", "9007199254740993", "true", "false", "null", `"12"`, `"a"`, `"B"`, `"é"`,
			`"x\"y"`, `"\u0041"`,
		}[r.IntN(16)]
	}
	number := func() string { return fmt.Sprint(r.IntN(50) - 10) }
	text := func() string { return []string{`"a"`, `"b"`, `"A"`, `"order-1"`, `""`, `"12abc"`, "null"}[r.IntN(7)] }
	return fmt.Sprintf(`{"n":%s,"s":%s,"f":%s,"b":%s,"o":{"k":%s,"j":[1,{"x":2}]},"l":[%s,%s],"a b":%s}`,
		number(), text(), []string{"0.5", "2.25", "-1.0", "1e2"}[r.IntN(4)], []string{"true", "false"}[r.IntN(2)],
		value(), value(), value(), value())
}

const columns = "position, stream, version, id, type, payload, metadata, tags, recorded_at"

func copyEvents(t *testing.T, ours querier, theirs *sql.DB) {
	t.Helper()
	dropStreams(t, theirs)
	_, err := theirs.Exec(`DROP TABLE IF EXISTS "$all"; CREATE TABLE "$all" (position INTEGER, stream TEXT, version ` +
		`INTEGER, id TEXT, type TEXT, payload TEXT, metadata TEXT, tags TEXT, recorded_at TEXT)`)
	require.NoError(t, err)
	rows, err := ours.Query("SELECT " + columns + " FROM $all")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		row := make([]any, 9)
		require.NoError(t, rows.Scan(pointers(row)...))
		for i := range row {
			row[i] = normal(row[i])
		}
		_, err := theirs.Exec(`INSERT INTO "$all" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, row...)
		require.NoError(t, err)
	}
	require.NoError(t, rows.Err())
	makeStreams(t, theirs)
}

// comparedStreams are views on "$all" in SQLite.
var comparedStreams = []string{"order-1", "order-2", "account-7", "x", "no such stream"}

func makeStreams(t *testing.T, theirs *sql.DB) {
	t.Helper()
	for _, stream := range comparedStreams {
		_, err := theirs.Exec(fmt.Sprintf(`CREATE VIEW "%s" AS SELECT * FROM "$all" WHERE stream = '%s'`, stream,
			stream))
		require.NoError(t, err)
	}
}

func dropStreams(t *testing.T, theirs *sql.DB) {
	t.Helper()
	for _, stream := range comparedStreams {
		_, err := theirs.Exec(fmt.Sprintf(`DROP VIEW IF EXISTS "%s"`, stream))
		require.NoError(t, err)
	}
}

// timesOf returns what recorded_at holds, and a time before and one after all of them.
func timesOf(t *testing.T, theirs *sql.DB) []string {
	t.Helper()
	rows, err := query(theirs, `SELECT DISTINCT recorded_at FROM "$all" WHERE recorded_at IS NOT NULL`)
	require.NoError(t, err)
	times := []string{"2000-01-01T00:00:00.000000Z", "2999-12-31T23:59:59.999999Z"}
	for _, row := range rows {
		times = append(times, row[0].(string))
	}
	return times
}

func pointers(row []any) []any {
	p := make([]any, len(row))
	for i := range row {
		p[i] = &row[i]
	}
	return p
}

// normal gives both sides' values the same Go types.
func normal(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case float64:
		if v == 0 {
			return 0.0 // a zero's sign is not told apart
		}
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	return v
}

// A querier is a database or a transaction.
type querier interface {
	Query(text string, args ...any) (*sql.Rows, error)
	Exec(text string, args ...any) (sql.Result, error)
}

// query returns the rows with values that can be compared, or the error.
func query(db querier, text string, args ...any) (rows [][]any, err error) {
	return readRows(db, func([]*sql.ColumnType, []any) error { return nil }, text, args...)
}

// declared is query, and holds that every value is what its column's type says, which is known
// before the first row.
func declared(db querier, text string) (rows [][]any, err error) {
	// arithmetic on integers may overflow into a real number
	huge := strings.Contains(text, "9223372036854775807") || strings.Contains(text, "4294967296")
	return readRows(db, func(types []*sql.ColumnType, row []any) error {
		for i, v := range row {
			nullable, ok := types[i].Nullable()
			name := types[i].DatabaseTypeName()
			if v == nil && ok && nullable || v != nil && (name == "ANY" || fmt.Sprintf("%T", v) == goTypes[name]) {
				continue
			}
			if _, isReal := v.(float64); isReal && name == "BIGINT" && huge {
				continue
			}
			return fmt.Errorf("column %d is %s, nullable %v, and holds %T %v", i+1, name, nullable, v, v)
		}
		return nil
	}, text)
}

// goTypes are what the values of the types of columns come out as.
var goTypes = map[string]string{
	"BIGINT": "int64", "DOUBLE": "float64", "TEXT": "string", "JSON": "[]uint8", "BLOB": "[]uint8",
	"TIMESTAMP": "time.Time",
}

func readRows(
	db querier, check func([]*sql.ColumnType, []any) error, text string, args ...any,
) (rows [][]any, err error) {
	result, err := db.Query(text, args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	types, err := result.ColumnTypes()
	if err != nil {
		return nil, err
	}
	for result.Next() {
		row := make([]any, len(types))
		if err := result.Scan(pointers(row)...); err != nil {
			return nil, err
		}
		if err := check(types, row); err != nil {
			return nil, err
		}
		for i := range row {
			row[i] = normal(row[i])
		}
		rows = append(rows, row)
	}
	return rows, result.Err()
}

// equal compares rows; reals may differ by a part in 10^12.
func equal(a, b [][]any) bool {
	return slices.EqualFunc(a, b, func(x, y []any) bool {
		return slices.EqualFunc(x, y, func(v, w any) bool {
			f, isReal := v.(float64)
			g, isReal2 := w.(float64)
			if !isReal || !isReal2 {
				return v == w
			}
			return f == g || math.IsNaN(f) && math.IsNaN(g) || math.Abs(f-g) <= 1e-12*max(math.Abs(f), math.Abs(g))
		})
	})
}

// onlyReals makes reals of all integers.
func onlyReals(rows [][]any) {
	for _, row := range rows {
		for i, v := range row {
			if n, ok := v.(int64); ok {
				row[i] = float64(n)
			}
		}
	}
}

// sortRows gives rows without an order one.
func sortRows(rows [][]any) {
	key := func(row []any) string {
		var b strings.Builder
		for _, v := range row {
			fmt.Fprintf(&b, "%T %v\x00", v, v)
		}
		return b.String()
	}
	slices.SortFunc(rows, func(a, b []any) int { return strings.Compare(key(a), key(b)) })
}

func clip(rows [][]any) string {
	text := fmt.Sprintf("%#v", rows)
	text = strings.ReplaceAll(strings.ReplaceAll(text, "interface {}", ""), "[]", "")
	if len(text) > 1500 {
		text = text[:1500] + "..."
	}
	return text
}

// TestSameTreesAsSQLite renders parsed expressions fully parenthesised and lets SQLite evaluate
// both texts: a slip in precedence or associativity gives another value. EVENTFOLD_EXPRESSIONS sets
// how many.
func TestSameTreesAsSQLite(t *testing.T) {
	testenv.WithoutRace(t)
	g := &generator{Rand: rand.New(rand.NewPCG(testenv.Seed(t), 2)), free: true}
	db, err := sql.Open("sqlite", "file::memory:")
	require.NoError(t, err)
	defer db.Close()
	n := budget(t, "EVENTFOLD_EXPRESSIONS", 5000, 100_000)
	compared, refused, failed := 0, 0, 0
	for compared < n && failed < 10 && refused < 20*n+1000 {
		text := g.mixed(3)
		parsed, err := parser.Parse("SELECT " + text)
		if err != nil {
			refused++ // a chained comparison, say: an error, never another tree
			continue
		}
		rendered := parser.Render(parsed.Statement.(*parser.Select).First.Results[0].Expr)
		want, wantErr := query(db, "SELECT "+text)
		got, gotErr := query(db, "SELECT "+rendered)
		compared++
		if (wantErr == nil) != (gotErr == nil) || !equal(got, want) {
			failed++
			t.Errorf("%s\nparsed as %s\n%v %v, want %v %v", text, rendered, got, gotErr, want, wantErr)
		}
	}
	require.Equal(t, n, compared, "too many expressions are refused")
	t.Logf("%d expressions compared, %d differences, %d refused", compared, failed, refused)
}

// mixed strings operators together without parentheses, which is where precedence matters.
func (g *generator) mixed(depth int) string {
	if depth == 0 {
		return g.pick("1", "2", "0", "3.5", "'a'", "'1'", "NULL", "7", "''", "-2", "+3", `'{"a":[1,2]}'`, "'$.a'",
			"(1 + 2)")
	}
	d := depth - 1
	return g.oneOf(
		func() string { return g.mixed(d) + g.pick(" + ", " - ", " * ", " / ", " % ", " || ") + g.mixed(d) },
		func() string { return g.mixed(d) + g.pick(" + ", " - ", " * ", " / ", " % ", " || ") + g.mixed(d) },
		func() string { return g.mixed(d) + g.pick(" AND ", " OR ") + g.mixed(d) },
		func() string {
			return g.mixed(d) +
				g.pick(" = ", " < ", " <= ", " > ", " >= ", " <> ", " IS ", " IS NOT ", " IS DISTINCT FROM ") +
				g.mixed(d)
		},
		func() string { return "NOT " + g.mixed(d) },
		func() string { return g.pick("-", "+", "- ") + g.mixed(0) },
		func() string { return "(" + g.mixed(d) + ")" },
		func() string { return g.mixed(d) + g.pick(" LIKE ", " NOT LIKE ") + g.mixed(0) },
		func() string {
			return g.mixed(d) + g.pick(" BETWEEN ", " NOT BETWEEN ") + g.mixed(0) + " AND " + g.mixed(0)
		},
		func() string {
			return g.mixed(d) + g.pick(" IN (", " NOT IN (") + g.list(1, 3, func() string { return g.mixed(0) }) + ")"
		},
		func() string { return g.mixed(d) + g.pick(" ISNULL", " NOTNULL", " IS NULL", " IS NOT NULL") },
		func() string {
			return "CASE " + g.mixed(d) + " WHEN " + g.mixed(d) + " THEN " + g.mixed(d) + " ELSE " + g.mixed(d) + " END"
		},
		func() string { return g.mixed(0) + " COLLATE NOCASE" },
		func() string {
			return `'{"a":[1,{"b":2}]}'` + g.pick(" -> 'a' ->> 1", " ->> '$.a[0]'", " -> 'a' -> 0", " ->> 'none'")
		},
	)
}
