package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

var functionColumns = []tableColumn{
	column("name", Text, value.AffText),
	column("kind", Text, value.AffText),
	column("arguments", Text, value.AffText),
	column("origin", Text, value.AffText),
}

// The kinds and origins in $functions.
const (
	kindScalar    = "scalar"
	kindAggregate = "aggregate"
	kindWindow    = "window"
	kindTable     = "table"

	fromSQL     = "built-in"
	fromProgram = "program"
)

// functionRows are the rows of $functions, in the order of their names.
func functionRows(_ context.Context, ex *execution, _ scanBounds) rowMaker {
	list := &rowList{}
	add := func(name, kind, arguments, origin string) {
		list.rows = append(list.rows, []value.Value{
			value.OfText(name), value.OfText(kind), value.OfText(arguments), value.OfText(origin),
		})
	}
	for _, name := range expr.Names() {
		least, most := expr.Arity(name)
		add(name, kindScalar, countOf(least, most), fromSQL)
	}
	for name, a := range aggregates {
		add(name, kindAggregate, countOf(a.min, a.max), fromSQL)
	}
	for name, w := range windowFuncs {
		add(name, kindWindow, countOf(w.min, w.max), fromSQL)
	}
	for name, f := range tableFunctions {
		add(name, kindTable, countOf(f.min, f.max), fromSQL)
	}
	if f := ex.session.Settings.Functions; f != nil {
		for name, g := range f.byName {
			kind := kindScalar
			if g.aggregate != nil {
				kind = kindAggregate
			}
			add(name, kind, g.arguments(), fromProgram)
		}
	}
	slices.SortFunc(list.rows, func(a, b []value.Value) int {
		if byName := strings.Compare(a[0].S, b[0].S); byName != 0 {
			return byName
		}
		return strings.Compare(a[1].S, b[1].S)
	})
	return list
}

// countOf says how many arguments there may be; most is negative for any number.
func countOf(least, most int) string {
	switch {
	case most < 0:
		return fmt.Sprintf("%d or more", least)
	case least == most:
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}
