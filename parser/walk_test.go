package parser

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reflected collects every expression of a tree by reflection: it knows no node and forgets none.
func reflected(v reflect.Value, found map[Expr]bool) {
	switch v.Kind() {
	case reflect.Interface:
		reflected(v.Elem(), found)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if e, ok := v.Interface().(Expr); ok {
			found[e] = true
		}
		reflected(v.Elem(), found)
	case reflect.Struct:
		for i := range v.NumField() {
			reflected(v.Field(i), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			reflected(v.Index(i), found)
		}
	}
}

// statementsRead are the trees of all texts of the tests that are statements.
func statementsRead(t *testing.T) []Statement {
	var list []Statement
	for _, text := range corpus() {
		if parsed, err := Parse(text); err == nil {
			list = append(list, parsed.Statement)
		}
	}
	require.Greater(t, len(list), 100)
	return list
}

// everyExpr calls f for every expression of the tests.
func everyExpr(t *testing.T, f func(Expr)) {
	for _, s := range statementsRead(t) {
		found := map[Expr]bool{}
		reflected(reflect.ValueOf(s), found)
		for e := range found {
			f(e)
		}
	}
}

func TestWalkVisitsParentsBeforeTheirChildren(t *testing.T) {
	everyExpr(t, func(e Expr) {
		want := []Expr{e}
		for _, c := range Children(e) {
			require.NotNil(t, c)
			Walk(c, func(x Expr) bool {
				want = append(want, x)
				return true
			})
		}
		var got []Expr
		Walk(e, func(x Expr) bool {
			got = append(got, x)
			return true
		})
		assert.Equal(t, len(want), len(got), Render(e))
		for i := range want {
			assert.Same(t, want[i], got[i], Render(e))
		}
		assert.False(t, Contains(e, func(x Expr) bool { return x == nil }))
		assert.True(t, Contains(e, func(x Expr) bool { return x == want[len(want)-1] }))
	})
	Walk(nil, func(Expr) bool { panic("there is nothing to visit") })
}

func TestReplaceLeavesTheOldTreeAsItWas(t *testing.T) {
	everyExpr(t, func(e Expr) {
		before := Render(e)
		same := Replace(e, func(Expr) Expr { return nil })
		assert.Equal(t, before, Render(same))

		leaf := &Param{Index: 7}
		for _, c := range Children(e) {
			other := Replace(e, func(x Expr) Expr {
				if x == c {
					return leaf
				}
				return nil
			})
			assert.Equal(t, len(Children(e)), len(Children(other)))
			assert.True(t, Contains(other, func(x Expr) bool { return x == leaf }), before)
			assert.False(t, Contains(other, func(x Expr) bool { return x == c }), before)
			assert.Equal(t, before, Render(e))
		}
	})
}
