package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// exprText writes an expression for EXPLAIN and for error texts, "" for none.
func exprText(e parser.Expr) string {
	if e == nil {
		return ""
	}
	return parser.Render(replace(e, func(e parser.Expr) parser.Expr {
		col, ok := e.(*parser.Column)
		if !ok || !strings.HasPrefix(col.Table, "\x00") {
			return nil
		}
		plain := *col
		plain.Table = ""
		return &plain
	}))
}

func exprTexts(list []parser.Expr) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = exprText(e)
	}
	return strings.Join(texts, ", ")
}

func orderText(order []parser.Order) string {
	texts := make([]string, len(order))
	for i, o := range order {
		texts[i] = exprText(o.Expr)
		if o.Desc {
			texts[i] += " DESC"
		}
		switch o.Nulls {
		case parser.NullsFirst:
			texts[i] += " NULLS FIRST"
		case parser.NullsLast:
			texts[i] += " NULLS LAST"
		}
	}
	return strings.Join(texts, ", ")
}

func joinTexts(list []string) string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return strings.Join(out, " AND ")
}
