package query

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// The tests of this file go over everything that has a name in SQL, as the tables of the code have
// it, so that a new function cannot be forgotten: what it keeps or makes is held against the memory
// of the query, and it does not outlast its context.

// everyScalarCall calls f with calls of every scalar function of the column t, which stands in the
// place of each of the first arguments, beside others.
func everyScalarCall(f func(name, call string)) {
	for _, name := range slices.Sorted(slices.Values(expr.Names())) {
		least, most := expr.Arity(name)
		if most < 0 || most > 3 {
			most = max(least, 3)
		}
		for n := max(least, 1); n <= most; n++ {
			for at := range n {
				for _, other := range []string{"2", "'a'", "'$[0]'"} {
					args := slices.Repeat([]string{other}, n)
					args[at] = "t"
					f(name, name+"("+strings.Join(args, ", ")+")")
					if n == 1 {
						break
					}
				}
			}
		}
	}
}

// handsOn are the functions that give a text that they were given, or a part of it that is most of
// it, and make none.
var handsOn = strings.Fields(`coalesce ifnull nullif iif if max min greatest least likely unlikely likelihood
	trim ltrim rtrim substr substring mid left right category split_part regexp_extract regexp_substr json json_extract`)

// TestEveryFunctionPaysForTheTextsThatItMakes: forty results are too much for a query that has room
// for a few.
func TestEveryFunctionPaysForTheTextsThatItMakes(t *testing.T) {
	testenv.WithoutRace(t)
	const long = 8 << 10
	s := &Session{Store: openStore(t, filestore.Options{})}
	small := &Session{Store: s.Store, Settings: Settings{Memory: 20 * long}}
	given := []any{strings.Repeat("a", long), `["` + strings.Repeat("b", long) + `"]`}
	made := map[string]bool{}
	everyScalarCall(func(name, call string) {
		if slices.Contains(handsOn, name) {
			return
		}
		for _, text := range given {
			one, err := tryRows(t.Context(), s, "SELECT octet_length("+call+") FROM (VALUES (?)) AS v (t)", text)
			var size int
			if err != nil || len(one) == 0 {
				continue // it does not take these
			}
			if _, err := fmt.Sscan(one[0], &size); err != nil || size <= long/2 {
				continue
			}
			made[name] = true
			sum := strings.Repeat("octet_length("+call+") + ", 40) + "0"
			_, err = tryRows(t.Context(), small, "SELECT "+sum+" FROM (VALUES (?)) AS v (t)", text)
			var spent *MemoryError
			assert.ErrorAs(t, err, &spent, "%s makes %d bytes and does not pay for them", call, size)
		}
	})
	assert.Greater(t, len(made), 15, "functions make texts: %v", slices.Sorted(maps.Keys(made)))
}

// readsNothing are the functions that look at a few bytes of a text at most, whatever its length: they
// hand it on, or refuse it, because it begins with no time, or because there is no keyring.
var readsNothing = strings.Fields(`coalesce ifnull iif if likely unlikely likelihood
	year quarter month week day hour minute second date_part datepart extract date_trunc date_bin date_add date_sub
	date_diff datediff datesub timestamp timezone reveal blind`)

// TestEveryFunctionLooksAtTheContext while it works on long texts.
func TestEveryFunctionLooksAtTheContext(t *testing.T) {
	testenv.WithoutRace(t)
	const rows = 8
	s := &Session{Store: openStore(t, filestore.Options{})}
	long := strings.Repeat("a", 128<<10)
	list := `["` + long + `"]`
	from := " FROM (VALUES (?1)" + strings.Repeat(", (?1)", rows-1) + ") AS v (t)"
	asked := func(x, text string) (int64, error) {
		ctx := &countedContext{Context: context.Background()}
		_, err := tryRows(ctx, s, "SELECT "+x+" IS NULL"+from, text)
		return ctx.asked.Load(), err
	}
	without, err := asked("t", long)
	require.NoError(t, err)
	looked := map[string]bool{}
	everyScalarCall(func(name, call string) {
		looked[name] = looked[name] || false
		if looked[name] {
			return
		}
		for _, text := range []string{long, list} {
			n, _ := asked(call, text)
			looked[name] = looked[name] || n-without >= rows/2
		}
	})
	for name, ok := range looked {
		assert.Equal(t, !slices.Contains(readsNothing, name), ok, name)
	}
}

// TestEveryAggregateKeepsOneRowOrPaysForAll: whose state grows with its group is refused where there
// is no room for it; the others need none, however many rows there are. All end with the context, as
// aggregates and over windows.
func TestEveryAggregateKeepsOneRowOrPaysForAll(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 3000)
	memory := NewMemory(64 << 20)
	small := &Session{Store: store, Settings: Settings{Memory: 20_000, Shared: memory}}
	from := " FROM (SELECT position, printf('%100d', position) AS x FROM $all) AS t"
	everyAggregate(t, func(name, call string) {
		call = fmt.Sprintf(call, "x")
		def := aggregates[name]
		if strings.Contains(call, "ORDER BY") && def.sorted != nil {
			def = def.sorted
		}
		_, err := tryRows(t.Context(), small, "SELECT "+call+" IS NULL"+from)
		if grows := def.hold != nil || def.room != nil; grows {
			var spent *MemoryError
			assert.ErrorAs(t, err, &spent, call)
		} else {
			assert.NoError(t, err, call)
		}
		assert.Zero(t, memory.Used(), call)
		for _, text := range []string{"SELECT " + call + " IS NULL" + from, "SELECT " + call + " OVER (ORDER BY position) IS NULL" + from} {
			_, err = tryRows(&stopper{Context: t.Context(), left: 4}, &Session{Store: store}, text)
			assert.ErrorIs(t, err, context.Canceled, text)
		}
	})
}

// TestEveryWindowFunctionPaysForItsRows, and ends with the context.
func TestEveryWindowFunctionPaysForItsRows(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 3000)
	memory := NewMemory(64 << 20)
	for name, def := range windowFuncs {
		args := []string{"x", "2", "x"}[:def.min]
		if name == "ntile" {
			args = []string{"2"}
		}
		text := "SELECT " + name + "(" + strings.Join(args, ", ") + ") OVER (ORDER BY position) IS NULL" +
			" FROM (SELECT position, printf('%100d', position) AS x FROM $all) AS t"
		_, err := tryRows(t.Context(), &Session{Store: store, Settings: Settings{Memory: 100_000, Shared: memory}}, text)
		var spent *MemoryError
		assert.ErrorAs(t, err, &spent, text)
		assert.Zero(t, memory.Used(), text)
		_, err = tryRows(&stopper{Context: t.Context(), left: 4}, &Session{Store: store}, text)
		assert.ErrorIs(t, err, context.Canceled, text)
	}
}

// manyRows are the arguments with which each function in FROM has many rows.
var manyRows = map[string]string{
	"generate_series": "1, 1000000000", "json_each": "'[' || repeat('1,', 200000) || '1]'",
	"json_tree": "'[' || repeat('[1],', 100000) || '1]'",
}

// TestEveryFunctionInFromEndsWithTheContext, and what is kept of its rows is paid for.
func TestEveryFunctionInFromEndsWithTheContext(t *testing.T) {
	store := openStore(t, filestore.Options{})
	memory := NewMemory(64 << 20)
	for name := range tableFunctions {
		args, ok := manyRows[name]
		require.True(t, ok, "%s has no arguments in this test", name)
		text := "SELECT value FROM " + name + "(" + args + ")"
		_, err := tryRows(&stopper{Context: t.Context(), left: 40}, &Session{Store: store}, "SELECT COUNT(*) FROM ("+text+") AS t")
		assert.ErrorIs(t, err, context.Canceled, text)
		_, err = tryRows(t.Context(), &Session{Store: store, Settings: Settings{Memory: 2 << 20, Shared: memory}}, text+" ORDER BY value")
		var spent *MemoryError
		assert.ErrorAs(t, err, &spent, text)
		assert.Zero(t, memory.Used(), text)
	}
}
