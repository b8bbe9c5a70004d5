package query

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// everyAggregate calls f with every aggregate as it is called on a number.
func everyAggregate(t *testing.T, f func(name, call string)) {
	t.Helper()
	calls := map[string]string{
		"group_concat": "group_concat(%s, '-')", "string_agg": "string_agg(%s, '-')",
		"json_group_object": "json_group_object(position, %s)",
		"max_by":            "max_by(position, %s)", "min_by": "min_by(position, %s)",
		"arg_max": "arg_max(position, %s)", "arg_min": "arg_min(position, %s)",
		"corr": "corr(%s, position)", "covar_pop": "covar_pop(position, %s)", "covar_samp": "covar_samp(%s, position)",
	}
	for name, a := range aggregates {
		call := calls[name]
		switch {
		case call == "" && a.fraction != noFraction:
			call = name + "(%s, 0.25)"
		case call == "":
			call = name + "(%s)"
		}
		f(name, call)
	}
	for _, name := range []string{"first", "last", "group_concat", "json_group_array"} {
		f(name, name+"(%[1]s ORDER BY %[1]s DESC, position)")
	}
}

// TestAggregatesInPartsAreThoseOfTheWhole: a scan that is divided gives what one that is not
// divided gives.
func TestAggregatesInPartsAreThoseOfTheWhole(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 20_000)
	everyAggregate(t, func(name, call string) {
		x := fmt.Sprintf(call, "position * 7919 % 1009")
		text := "SELECT type, " + x + " FROM $all GROUP BY type ORDER BY type"
		if name == "corr" || strings.HasPrefix(name, "covar") { // which are rounded in each part
			text = "SELECT type, round(" + x + ", 6) FROM $all GROUP BY type ORDER BY type"
		}
		whole := rowsOf(t, &Session{Store: undividedStore{store}}, text)
		assert.Equal(t, whole, rowsOf(t, &Session{Store: store}, text), text)
	})
}

// An undividedStore is a store whose scans are not divided.
type undividedStore struct{ engine.Store }

func (s undividedStore) ReadIndex() engine.ReadIndex {
	return struct{ engine.ReadIndex }{s.Store.ReadIndex()}
}

// TestAggregatesOfWindowsAreThoseOfTheirFrames: the state of an aggregate is asked for its result
// again and again while rows are added.
func TestAggregatesOfWindowsAreThoseOfTheirFrames(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 40)
	x := "position * 7919 % 13"
	everyAggregate(t, func(_, call string) {
		for _, frame := range []string{"", " ROWS 4 PRECEDING", " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"} {
			got := rowsOf(t, &Session{Store: store},
				"SELECT "+fmt.Sprintf(call, x)+" OVER (ORDER BY position"+frame+") FROM $all")
			for i, row := range got {
				lo, hi := 0, i
				switch frame {
				case " ROWS 4 PRECEDING":
					lo = i - 4
				case "":
				default:
					lo, hi = i, 99
				}
				want := rowsOf(t, &Session{Store: undividedStore{store}},
					fmt.Sprintf("SELECT %s FROM $all WHERE position BETWEEN %d AND %d", fmt.Sprintf(call, x), lo, hi))
				requireSameNumbers(t, want[0], row, "%s%s at %d", call, frame, i)
			}
		}
	})
}

// TestVarianceLosesNothingToLargeNumbers: the digits that large numbers have in common are not
// part of how far they are apart.
func TestVarianceLosesNothingToLargeNumbers(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 5000)
	plain := rowsOf(t, &Session{Store: store}, "SELECT round(var_samp(position % 100), 6) FROM $all")
	large := rowsOf(t, &Session{Store: store}, "SELECT round(var_samp(1000000000000 + position % 100), 6) FROM $all")
	assert.Equal(t, plain, large)
}

// TestPercentilesAreThoseOfSortedValues compares them with a sorted list, for many fractions.
func TestPercentilesAreThoseOfSortedValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := &aggregateCall{name: "percentile_cont", def: aggregates["percentile_cont"]}
	en := expr.NewEnv(expr.Env{Ctx: context.Background()})
	keep := newKeeper(&budget{limit: 1 << 30}, "GROUP BY")
	for n := 1; n < 60; n++ {
		s, list := &aggState{}, []float64{}
		for range n {
			x := float64(r.IntN(40)) / 4
			list = append(list, x)
			require.NoError(t, c.def.hold(s, c, []value.Value{value.OfReal(x)}, keep))
			if r.IntN(3) == 0 { // a window asks in between
				_, err := c.result(s, en)
				require.NoError(t, err)
			}
		}
		slices.Sort(list)
		for _, p := range []float64{0, 0.07, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9, 1} {
			c.fraction = &expr.Expr{Eval: func(*expr.Env) value.Value { return value.OfReal(p) }}
			got, err := finalContinuous(s, c, en)
			require.NoError(t, err)
			at := p * float64(n-1)
			lo, hi := list[int(math.Floor(at))], list[int(math.Ceil(at))]
			assert.InDelta(t, lo+(hi-lo)*(at-math.Floor(at)), got.F, 1e-9, "%v of %v", p, list)

			got, err = finalDiscrete(s, c, en)
			require.NoError(t, err)
			k := 0
			for float64(k+1)/float64(n) < p {
				k++
			}
			assert.Equal(t, list[k], got.F, "%v of %v", p, list)
		}
	}
	held := keep.taken
	keep.release()
	assert.Positive(t, held)
}

// TestHeldValuesChangeTheirForm: values of one kind are held in eight bytes, until one comes that
// is of another.
func TestHeldValuesChangeTheirForm(t *testing.T) {
	s, c := &aggState{}, &aggregateCall{name: "mode", def: aggregates["mode"]}
	en := expr.NewEnv(expr.Env{Ctx: context.Background()})
	b := &budget{limit: 1 << 30}
	keep := newKeeper(b, "GROUP BY")
	add := func(v value.Value) {
		require.NoError(t, c.def.hold(s, c, []value.Value{v}, keep))
		assert.Equal(t, keep.taken, s.size())
		assert.Equal(t, keep.taken, b.held.Load())
	}
	for range 1000 {
		add(value.OfInt(7))
	}
	assert.Less(t, s.size(), int64(20_000))
	got, err := c.result(s, en)
	require.NoError(t, err)
	assert.Equal(t, value.OfInt(7), got)
	for range 1001 {
		add(value.OfText("text"))
	}
	got, err = c.result(s, en)
	require.NoError(t, err)
	assert.Equal(t, value.OfText("text"), got)
	keep.drop(s.size())
	assert.Zero(t, b.held.Load())
}

// TestGroupSetsAreTheGroupsOfTheirLists compares ROLLUP with as many statements as it has lists,
// over a scan that is divided and with a filter on groups.
func TestGroupSetsAreTheGroupsOfTheirLists(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 20_000)
	s := &Session{Store: store}
	got := rowsOf(t, s, "SELECT type, version % 3 AS v, COUNT(*), MAX(position), grouping(type, v) FROM $all "+
		"GROUP BY ROLLUP (type, v) HAVING COUNT(*) > 500 ORDER BY grouping(type, v), type, v")
	var want []string
	for _, text := range []string{
		"SELECT type, version % 3 AS v, COUNT(*), MAX(position), 0 FROM $all GROUP BY type, v HAVING COUNT(*) > 500 ORDER BY 1, 2",
		"SELECT type, NULL, COUNT(*), MAX(position), 1 FROM $all GROUP BY type HAVING COUNT(*) > 500 ORDER BY 1",
		"SELECT NULL, NULL, COUNT(*), MAX(position), 3 FROM $all",
	} {
		want = append(want, rowsOf(t, s, text)...)
	}
	assert.Equal(t, want, got)
	assert.Greater(t, len(got), 10)
}

// heldTexts are aggregates whose states grow with their groups or hold texts.
var heldTexts = []string{
	"length(group_concat(x ORDER BY position DESC))", "length(string_agg(x, '-'))", "length(json_group_array(x))",
	"length(json_group_object(position, x))", "length(json_group_array(x ORDER BY x))", "length(percentile_disc(x, 0.5))",
	"length(mode(x))", "COUNT(DISTINCT x, position)",
}

// TestAggregatesThatHoldRowsPayForThem: what they hold is held against the budget and given back,
// and a context that ends while they work ends the statement.
func TestAggregatesThatHoldRowsPayForThem(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 5000)
	memory := NewMemory(64 << 20)
	for _, f := range append(slices.Clone(heldTexts), "median(position)", "percentile_cont(version, 0.3)") {
		text := "SELECT " + f + " FROM (SELECT position, version, printf('%200d', position) AS x FROM $all) AS t"
		_, err := tryRows(context.Background(), &Session{Store: store, Settings: Settings{Memory: 30_000, Shared: memory}}, text)
		var e *Error
		if assert.ErrorAs(t, err, &e, text) {
			assert.Contains(t, e.Msg, "GROUP BY needs more than the 30000 bytes", text)
		}
		assert.Zero(t, memory.Used(), text)
		_, err = tryRows(context.Background(), &Session{Store: store, Settings: Settings{Shared: memory}}, text)
		assert.NoError(t, err, text)
		assert.Zero(t, memory.Used(), text)
		_, err = tryRows(&stopper{Context: context.Background(), left: 4}, &Session{Store: store}, text)
		assert.ErrorIs(t, err, context.Canceled, text)
	}
}

// TestAggregatesThatHoldOneRowNeedNoMore: however many rows pass, and whatever their texts.
func TestAggregatesThatHoldOneRowNeedNoMore(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 5000)
	for _, f := range []string{
		"max_by(x, position)", "min_by(x, position)", "max_by(position, x)", "last(x ORDER BY x)", "first(x ORDER BY position DESC)",
	} {
		small := &Session{Store: store, Settings: Settings{Memory: 100_000}}
		text := "SELECT length(" + f + ") > 0 FROM (SELECT position, printf('%*d', 100 + position % 900, position) AS x FROM $all) AS t"
		assert.Equal(t, []string{"1"}, rowsOf(t, small, text), text)
	}
}

// TestWindowsPayForWhatAggregatesHold: a state that holds rows is given up with its frame.
func TestWindowsPayForWhatAggregatesHold(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 1000)
	memory := NewMemory(64 << 20)
	for _, f := range append(slices.Clone(heldTexts[:len(heldTexts)-1]), "median(position)", "max_by(x, position)") {
		for frame, limit := range map[string]int64{" ROWS 3 PRECEDING": 3 << 20, "": 100_000} {
			text := "SELECT " + f + " OVER (ORDER BY position" + frame + ") FROM " +
				"(SELECT position, printf('%200d', position) AS x FROM $all) AS t"
			text = regexpLength.ReplaceAllString(text, "$1 OVER")
			_, err := tryRows(context.Background(), &Session{Store: store, Settings: Settings{Memory: limit, Shared: memory}}, text)
			if frame == "" {
				var spent *MemoryError
				assert.ErrorAs(t, err, &spent, text)
			} else {
				assert.NoError(t, err, text)
			}
			assert.Zero(t, memory.Used(), text)
		}
	}
}

// regexpLength is length(f), of which a window takes f alone.
var regexpLength = regexp.MustCompile(`length\((.*)\) OVER`)

// TestManyGroupSetsPayForTheirGroups: each set has groups of its own.
func TestManyGroupSetsPayForTheirGroups(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 3000)
	text := "SELECT COUNT(*) FROM $all GROUP BY CUBE (position, version, type)"
	_, err := tryRows(context.Background(), &Session{Store: store, Settings: Settings{Memory: 1 << 20}}, text)
	var spent *MemoryError
	require.ErrorAs(t, err, &spent)
	assert.Equal(t, "GROUP BY", spent.Clause)
	_, err = tryRows(&stopper{Context: context.Background(), left: 4}, &Session{Store: store}, text)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestPercentilesOfOneArgumentShareWhatTheyHold: they are of the same values, in the same order,
// and each is what it is alone.
func TestPercentilesOfOneArgumentShareWhatTheyHold(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 5000)
	calls := []string{
		"median(version)", "percentile_cont(version, 0.9)", "percentile_cont(0.9) WITHIN GROUP (ORDER BY version DESC)",
		"percentile(version, 10)", "percentile_cont(DISTINCT version, 0.5)", "median(version) FILTER (WHERE position > 99)",
		"mode(version)", "quantile(version, 0.3)", "mode() WITHIN GROUP (ORDER BY version DESC)", "mode(version + 1)",
	}
	var alone []string
	for _, call := range calls {
		alone = append(alone, rowsOf(t, &Session{Store: store}, "SELECT "+call+" FROM $all")...)
	}
	together := rowsOf(t, &Session{Store: store}, "SELECT "+strings.Join(calls, ", ")+" FROM $all")
	assert.Equal(t, strings.Join(alone, " | "), together[0])

	small := &Session{Store: store, Settings: Settings{Memory: 150_000}}
	_, err := tryRows(context.Background(), small, "SELECT "+strings.Join(calls[:4], ", ")+" FROM $all")
	assert.NoError(t, err)
	_, err = tryRows(context.Background(), small, "SELECT median(version), median(position), median(position + 1) FROM $all")
	var spent *MemoryError
	assert.ErrorAs(t, err, &spent)
}
