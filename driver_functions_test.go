package eventfold_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// withFunctions opens a store in memory whose statements may call functions.
func withFunctions(t *testing.T, list ...eventfold.Function) *sql.DB {
	t.Helper()
	db := eventfold.OpenDB(eventfold.Config{Path: t.Name(), Mode: eventfold.Memory, Functions: list})
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// rowOf reads the values of a row as texts.
func rowOf(t *testing.T, db *sql.DB, text string, args ...any) string {
	t.Helper()
	rows, err := db.Query(text, args...)
	require.NoError(t, err, text)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	require.True(t, rows.Next(), "%s: %v", text, rows.Err())
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	require.NoError(t, rows.Scan(places...), text)
	var out []string
	for _, v := range values {
		if b, ok := v.([]byte); ok {
			v = "bytes " + string(b)
		}
		if at, ok := v.(time.Time); ok {
			v = at.Format(time.RFC3339)
		}
		out = append(out, fmt.Sprint(v))
	}
	return strings.Join(out, " | ")
}

type place struct {
	Name string `json:"name"`
	Lat  int    `json:"lat"`
}

type celsius float64

func TestFunctionsInGoTakeAndGiveTheirTypes(t *testing.T) {
	db := withFunctions(t,
		eventfold.Function{Name: "twice", Func: func(n int) int { return 2 * n }},
		eventfold.Function{Name: "Shout", Func: strings.ToUpper, Deterministic: true},
		eventfold.Function{Name: "half", Func: func(f float64) float64 { return f / 2 }},
		eventfold.Function{Name: "warm", Func: func(c celsius) bool { return c > 20 }},
		eventfold.Function{Name: "small", Func: func(n int8) uint8 { return uint8(n) }},
		eventfold.Function{Name: "later", Func: func(at time.Time, hours int) time.Time {
			return at.Add(time.Duration(hours) * time.Hour)
		}},
		eventfold.Function{Name: "bytes", Func: func(b []byte) []byte { return append(b, '!') }},
		eventfold.Function{Name: "raw", Func: func(j json.RawMessage) json.RawMessage { return j }},
		eventfold.Function{Name: "north", Func: func(p place) place { p.Lat++; return p }},
		eventfold.Function{Name: "words", Func: func(sep string, w ...string) string { return strings.Join(w, sep) }},
		eventfold.Function{Name: "orelse", Func: func(s *string, other string) *string {
			if s == nil {
				return &other
			}
			return s
		}},
		eventfold.Function{Name: "kind", Func: func(v any) string { return fmt.Sprintf("%T", v) }},
		eventfold.Function{Name: "same", Func: func(v any) any { return v }},
		eventfold.Function{Name: "maybe", Func: func(n sql.Null[int64]) sql.Null[int64] { return n }},
		eventfold.Function{Name: "none", Func: func() *int { return nil }},
		eventfold.Function{Name: "waits", Func: func(ctx context.Context, s string) (string, error) { return s, ctx.Err() }},
	)
	for text, want := range map[string]string{
		"SELECT twice(21), TWICE(2.0), typeof(twice(1))":                                              "42 | 4 | integer",
		"SELECT shout('a'), shout(7), shout(x'62')":                                                   "A | 7 | B",
		"SELECT half(3), warm(21), warm(19.5), small(-1 + 2)":                                         "1.5 | 1 | 0 | 1",
		"SELECT later('2026-01-01', 2), later(TIMESTAMP '2026-01-01 10:00', -1)":                      "2026-01-01T02:00:00Z | 2026-01-01T09:00:00Z",
		"SELECT bytes('ab'), raw('{\"a\":1}')->>'$.a'":                                                "bytes ab! | 1",
		`SELECT north('{"name": "Oslo", "lat": 59}')`:                                                 `bytes {"name":"Oslo","lat":60}`,
		"SELECT words('-'), words('-', 'a', 'b'), words(NULL, 'a')":                                   " | a-b | <nil>",
		"SELECT orelse(NULL, 'x'), orelse('y', 'x'), orelse('y', NULL)":                               "x | y | <nil>",
		"SELECT kind(1), kind(1.5), kind('a'), kind(x'00'), kind(NULL), kind(TIMESTAMP '2026-01-01')": "int64 | float64 | string | []uint8 | <nil> | time.Time",
		"SELECT same(1), same('a'), same(NULL), maybe(NULL), maybe(3), none()":                        "1 | a | <nil> | <nil> | 3 | <nil>",
		"SELECT twice(NULL), waits('a')":                                                              "<nil> | a",
		"SELECT shout(payload->>'$.a') FROM (SELECT '{\"a\": \"x\"}' AS payload)":                     "X",
	} {
		assert.Equal(t, want, rowOf(t, db, text), text)
	}
}

func TestFunctionsInGoRefuseWhatTheyDoNotTake(t *testing.T) {
	broken := errors.New("broken")
	db := withFunctions(t,
		eventfold.Function{Name: "twice", Func: func(n int8) int { return 2 * int(n) }},
		eventfold.Function{Name: "fails", Func: func(string) (string, error) { return "", broken }},
		eventfold.Function{Name: "panics", Func: func(n int) int { return 1 / (n - n%8) }},
		eventfold.Function{Name: "raw", Func: func() json.RawMessage { return json.RawMessage("{") }},
		eventfold.Function{Name: "big", Func: func() uint64 { return 1 << 63 }},
		eventfold.Function{Name: "odd", Func: func() any { return make(chan int) }},
		eventfold.Function{Name: "long", Func: func(n int) string { return strings.Repeat("x", n) }},
	)
	for text, want := range map[string]string{
		"SELECT twice('a')":          "argument 1: it takes a whole number, and this is a value of type text",
		"SELECT twice(1.5)":          "argument 1: it takes a whole number, and this is a value of type real",
		"SELECT twice(300)":          "300 does not fit into a int8",
		"SELECT 1 +\n fails('a')":    "line 2, column 2: fails(): broken",
		"SELECT panics(1)":           "panics() has panicked: runtime error: integer divide by zero",
		"SELECT raw()":               "the result is not JSON",
		"SELECT big()":               "does not fit into 63 bits",
		"SELECT odd()":               "a chan int, which is no SQL value",
		"SELECT twice()":             "twice() takes 1 argument, not 0",
		"SELECT twice(DISTINCT 1)":   "twice() is a plain function",
		"SELECT twice(1) OVER ()":    "there is no window function TWICE()",
		"SELECT long(100000000)":     "a text has become longer than 64 MiB",
		"SELECT twice(event) FROM a": "the column event cannot be given to a function",
	} {
		_, err := db.Exec(text)
		assert.ErrorContains(t, err, want, text)
		var coded *eventfold.Error
		assert.ErrorAs(t, err, &coded, text)
	}
	_, err := db.Exec("SELECT fails('a')")
	assert.ErrorIs(t, err, broken)
	assert.ErrorIs(t, err, eventfold.ErrValue)
	var panicked *eventfold.PanicError
	_, err = db.Exec("SELECT panics(1)")
	require.ErrorAs(t, err, &panicked)
	assert.Equal(t, "panics", panicked.Function)
	assert.Contains(t, string(panicked.Stack), "driver_functions_test.go")
}

func TestFunctionsThatCannotBeAreRefusedWhenTheyAreGiven(t *testing.T) {
	ok := func(string) string { return "" }
	for name, f := range map[string]eventfold.Function{
		"SQL has a function of the name":             {Name: "Upper", Func: ok},
		"SQL has a function":                         {Name: "count", Func: ok},
		"SQL has a":                                  {Name: "row_number", Func: ok},
		"the name cannot be called":                  {Name: "select", Func: ok},
		"letters of ASCII":                           {Name: "über", Func: ok},
		"the name is longer than 64 bytes":           {Name: strings.Repeat("x", 65), Func: ok},
		"it has no name":                             {Name: "", Func: ok},
		"not a function":                             {Name: "f", Func: 7},
		"it takes either Func, or Step and Result":   {Name: "f"},
		"either Func":                                {Name: "f", Func: ok, Step: ok},
		"parameter 1 is a chan int":                  {Name: "f", Func: func(chan int) int { return 0 }},
		"parameter 1 is a func()":                    {Name: "f", Func: func(...func()) int { return 0 }},
		"must return one value":                      {Name: "f", Func: func(string) {}},
		"must return one value, or one and an error": {Name: "f", Func: func(string) error { return nil }},
		"or one and an error":                        {Name: "f", Func: func() (int, int) { return 0, 0 }},
		"the result is a func()":                     {Name: "f", Func: func() func() { return nil }},
		"Step must be func(state *S, arguments...)":  {Name: "f", Step: func(int, int) {}, Result: func(*int) int { return 0 }},
		"Result must be func(*int) T":                {Name: "f", Step: func(*int, int) {}, Result: func(int) int { return 0 }},
	} {
		db := withFunctions(t, f)
		err := db.Ping()
		require.ErrorContains(t, err, name)
		assert.ErrorIs(t, err, eventfold.ErrConfig, name)
	}
	err := withFunctions(t, eventfold.Function{Name: "f", Func: ok}, eventfold.Function{Name: "F", Func: ok}).Ping()
	assert.ErrorContains(t, err, `function "F": there are two of the name`)
	assert.ErrorContains(t, eventfold.RegisterFunction("lower", ok), "SQL has a function of the name")
}

func TestARegisteredFunctionIsOneOfDatabasesOpenedLater(t *testing.T) {
	before := openDB(t, "file:"+t.Name()+"?mode=memory")
	require.NoError(t, eventfold.RegisterFunction("registered_one", func(n int) int { return n + 1 }))
	assert.ErrorContains(t, eventfold.RegisterFunction("Registered_One", strings.ToUpper), "two of the name")
	after := openDB(t, "file:"+t.Name()+"?mode=memory")
	assert.Equal(t, "2", rowOf(t, after, "SELECT registered_one(1)"))
	_, err := before.Exec("SELECT registered_one(1)")
	assert.ErrorContains(t, err, "no such function: registered_one()")
	assert.Equal(t, "registered_one | scalar | BIGINT | program",
		rowOf(t, after, "SHOW FUNCTIONS LIKE 'registered%'"))
}

// TestAPlanBelongsToTheFunctionsOfItsConnector: the same text on the same store means what each
// database has a function for.
func TestAPlanBelongsToTheFunctionsOfItsConnector(t *testing.T) {
	const text = "SELECT f(1)"
	one := withFunctions(t, eventfold.Function{Name: "f", Func: func(n int) int { return n }})
	two := withFunctions(t, eventfold.Function{Name: "f", Func: func(n int) string { return "two" }})
	none := withFunctions(t)
	for range 3 {
		assert.Equal(t, "1", rowOf(t, one, text))
		assert.Equal(t, "two", rowOf(t, two, text))
		_, err := none.Exec(text)
		assert.ErrorContains(t, err, "no such function: f()")
	}
}

func TestADeterministicFunctionIsCalledOnceForConstants(t *testing.T) {
	var fixed, each atomic.Int64
	db := withFunctions(t,
		eventfold.Function{Name: "fixed", Func: func(int) int64 { return fixed.Add(1) }, Deterministic: true},
		eventfold.Function{Name: "each", Func: func(int) int64 { return each.Add(1) }})
	mustExec(t, db, "INSERT INTO a (type) VALUES ('A'), ('B'), ('C')")
	stmt, err := db.Prepare("SELECT fixed(1), each(1) FROM a")
	require.NoError(t, err)
	defer stmt.Close()
	assert.Zero(t, fixed.Load(), "nothing is called while a statement is prepared")
	assert.Equal(t, []int64{1, 1, 1}, column[int64](t, db, "SELECT fixed(1) FROM a"))
	assert.Equal(t, []int64{1, 2, 3}, column[int64](t, db, "SELECT each(1) FROM a"))
	assert.Equal(t, []string{"C"}, column[string](t, db, "SELECT type FROM a WHERE each(1) = 6"))
	assert.Equal(t, []string{"B", "C"}, column[string](t, db, "SELECT type FROM a WHERE each(1) > 7"))
}

func TestOnlyDeterministicFunctionsStandInConditionsOfNoEvent(t *testing.T) {
	db := withFunctions(t,
		eventfold.Function{Name: "domain", Deterministic: true, Func: func(s string) string { return s[strings.IndexByte(s, '@')+1:] }},
		eventfold.Function{Name: "chance", Func: func(string) bool { return true }})
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('Joined', '{"mail": "ann@x.org"}')`)
	_, err := db.Exec("INSERT INTO b (type) VALUES ('Joined') EXPECTING NO EVENT FROM $all WHERE domain(payload->>'$.mail') = 'x.org'")
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed)
	mustExec(t, db, "INSERT INTO b (type) VALUES ('Joined') EXPECTING NO EVENT FROM $all WHERE domain(payload->>'$.mail') = 'y.org'")
	_, err = db.Exec("INSERT INTO b (type) VALUES ('Joined') EXPECTING NO EVENT FROM $all WHERE chance(type)")
	assert.ErrorContains(t, err, "a function that is not declared deterministic")
}

// TestASerializableTransactionHasReadWhateverAFunctionMayGive: a condition that may come out otherwise
// when it is asked again says nothing about what was read.
func TestASerializableTransactionHasReadWhateverAFunctionMayGive(t *testing.T) {
	var first atomic.Bool
	first.Store(true)
	db := withFunctions(t, eventfold.Function{Name: "flips", Func: func(string) bool { return first.Load() }})
	mustExec(t, db, "INSERT INTO a (type) VALUES ('A')")
	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelSerializable})
	require.NoError(t, err)
	assert.Equal(t, int64(1), one[int64](t, tx, "SELECT COUNT(*) FROM a WHERE flips(type)"))
	mustExec(t, tx, "INSERT INTO b (type) VALUES ('B')")
	first.Store(false)
	mustExec(t, db, "INSERT INTO a (type) VALUES ('A')")
	assert.ErrorIs(t, tx.Commit(), eventfold.ErrConditionFailed)
}

// A longest is the state of an aggregate: the longest text, and how often it was given one.
type longest struct {
	text string
	n    int
}

func (l *longest) Size() int64 { return int64(len(l.text)) }

func longestFunction(name string) eventfold.Function {
	return eventfold.Aggregate(name, func(l *longest, s string, atLeast ...int) error {
		if s == "bad" {
			return errors.New("a bad text")
		}
		if l.n++; len(s) > len(l.text) && (len(atLeast) == 0 || len(s) >= atLeast[0]) {
			l.text = s
		}
		return nil
	}, func(l *longest) (*string, error) {
		if l.n == 0 {
			return nil, nil
		}
		return &l.text, nil
	})
}

func TestAggregatesInGo(t *testing.T) {
	db := withFunctions(t, longestFunction("longest"))
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('A', '{"s": "x"}'), ('B', '{"s": "yyy"}'), ('A', '{"s": "zz"}'), ('B', '{}')`)
	for text, want := range map[string]string{
		"SELECT longest(payload->>'$.s') FROM a":                                                                 "yyy",
		"SELECT longest(payload->>'$.s') FILTER (WHERE type = 'A') FROM a":                                       "zz",
		"SELECT longest(DISTINCT type), longest(payload->>'$.s', 9) FROM a":                                      "A | ",
		"SELECT longest(type) FROM b":                                                                            "<nil>",
		"SELECT GROUP_CONCAT(l, ' ') FROM (SELECT longest(payload->>'$.s') AS l FROM a GROUP BY type)":           "zz yyy",
		"SELECT GROUP_CONCAT(l, ' ') FROM (SELECT longest(payload->>'$.s') OVER (ORDER BY version) AS l FROM a)": "x yyy yyy yyy",
		"SELECT type FROM a GROUP BY type HAVING longest(payload->>'$.s') = 'zz'":                                "A",
		"SHOW FUNCTIONS LIKE 'longest'":                                                                          "longest | aggregate | TEXT, BIGINT, ... | program",
	} {
		assert.Equal(t, want, rowOf(t, db, text), text)
	}
	for text, want := range map[string]string{
		"SELECT longest('bad') FROM a":        "longest(): a bad text",
		"SELECT longest(*) FROM a":            "LONGEST(*) does not exist",
		"SELECT longest() FROM a":             "LONGEST() has 0 arguments",
		"SELECT 1 FROM a WHERE longest(type)": "aggregate LONGEST() cannot be used in WHERE",
	} {
		_, err := db.Exec(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestWhatAStateHoldsCountsAsMemory(t *testing.T) {
	db := eventfold.OpenDB(eventfold.Config{
		Mode: eventfold.Memory, QueryMemory: 1 << 20, Spill: -1, Functions: []eventfold.Function{longestFunction("longest")}})
	defer db.Close()
	payloads(t, db, 30, 100<<10)
	_, err := db.Exec("SELECT longest(payload) FROM s GROUP BY position")
	assert.ErrorIs(t, err, eventfold.ErrMemory)
	mustExec(t, db, "SELECT longest(payload) FROM s GROUP BY type HAVING longest(payload) = ''")
}

// TestFunctionsAreCalledBySeveralGoroutines: parallel scans, and statements at the same time.
func TestFunctionsAreCalledBySeveralGoroutines(t *testing.T) {
	var calls atomic.Int64
	db := withFunctions(t, longestFunction("longest"),
		eventfold.Function{Name: "odd", Func: func(n int64) bool { calls.Add(1); return n%2 == 1 }, Deterministic: true})
	for range 20 {
		payloads(t, db, 50, 100)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			assert.Equal(t, int64(500), one[int64](t, db, "SELECT COUNT(*) FROM $all WHERE odd(position)"))
			assert.Len(t, column[string](t, db, "SELECT longest(type) FROM $all GROUP BY type"), 7)
		})
	}
	group.Wait()
	assert.Equal(t, int64(4000), calls.Load())
}

func TestAFunctionInGoSeesTheContextOfItsStatement(t *testing.T) {
	started := make(chan struct{}, 1)
	db := withFunctions(t, eventfold.Function{Name: "waits", Func: func(ctx context.Context) (int, error) {
		started <- struct{}{}
		<-ctx.Done()
		return 0, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends when the function has been called
		<-started
		cancel()
	}()
	_, err := db.ExecContext(ctx, "SELECT waits()")
	assert.ErrorIs(t, err, context.Canceled)
}

func ExampleConfig_functions() {
	type product struct{ value float64 }
	db := eventfold.OpenDB(eventfold.Config{Mode: eventfold.Memory, Functions: []eventfold.Function{
		{Name: "net", Func: func(gross, rate float64) float64 { return gross / (1 + rate) }, Deterministic: true},
		eventfold.Aggregate("growth",
			func(p *product, factor float64) { p.value = (1+p.value)*factor - 1 },
			func(p *product) (float64, error) { return p.value, nil }),
	}})
	defer db.Close()
	_, err := db.Exec(`INSERT INTO year (type, payload) VALUES ('Closed', '{"factor": 1.5}'), ('Closed', '{"factor": 2}')`)
	if err != nil {
		log.Fatal(err)
	}
	var net, growth float64
	err = db.QueryRow("SELECT net(110, 0.1), growth(payload->>'$.factor') FROM year").Scan(&net, &growth)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f %.0f\n", net, growth)
	// Output: 100 2
}
