package parser

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// Render returns an expression as text in which every operator has its parentheses, so that the
// text shows the tree. SQLite reads it the same way, except for what only this dialect has.
func Render(e Expr) string {
	var r renderer
	r.expr(e)
	return r.String()
}

type renderer struct{ strings.Builder }

// text writes strings and expressions one after the other.
func (r *renderer) text(parts ...any) {
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			r.WriteString(part)
		case Expr:
			r.expr(part)
		}
	}
}

// optional writes prefix and the expression if there is one.
func (r *renderer) optional(prefix string, e Expr) {
	if e != nil {
		r.text(prefix, e)
	}
}

func (r *renderer) list(exprs []Expr) { r.joined(exprs, ", ") }

func (r *renderer) joined(exprs []Expr, separator string) {
	for i, e := range exprs {
		if i > 0 {
			r.WriteString(separator)
		}
		r.expr(e)
	}
}

var operatorTexts = map[Op]string{
	OpAnd: " AND ", OpOr: " OR ", OpAdd: " + ", OpConcat: " || ", OpSub: " - ", OpMul: " * ",
	OpDiv: " / ", OpMod: " % ", OpIntDiv: " DIV ",
	OpEq: " = ", OpNe: " <> ", OpLt: " < ", OpLe: " <= ", OpGt: " > ", OpGe: " >= ", OpIs: " IS ",
	OpIsNot: " IS NOT ", OpRegexp: " REGEXP ",
	OpArrow: " -> ", OpArrowText: " ->> ", OpNot: "NOT ", OpNeg: "- ", OpPlus: "+ ",
}

// String returns the operator as it is written.
func (o Op) String() string { return strings.TrimSpace(operatorTexts[o]) }

func (r *renderer) expr(e Expr) {
	switch e := e.(type) {
	case *Literal:
		r.literal(e.Value)
	case *Param:
		r.param(e)
	case *Column:
		if e.Table != "" {
			r.text(quoteName(e.Table), ".")
		}
		r.text(quoteName(e.Name))
	case *Unary:
		r.text("(", operatorTexts[e.Op], e.X, ")")
	case *Binary:
		r.text("(", e.X, operatorTexts[e.Op], e.Y, ")")
	case *Nary:
		r.text("(")
		r.joined(e.Terms, operatorTexts[e.Op])
		r.text(")")
	case *In:
		r.in(e)
	case *Like:
		r.text("(", e.X, not(e.Not), likeWord(e.Fold), e.Pattern)
		r.optional(" ESCAPE ", e.Escape)
		r.text(")")
	case *Between:
		r.text("(", e.X, not(e.Not), " BETWEEN ", e.Lo, " AND ", e.Hi, ")")
	case *Case:
		r.text("CASE")
		r.optional(" ", e.Operand)
		for _, w := range e.Whens {
			r.text(" WHEN ", w.Cond, " THEN ", w.Then)
		}
		r.optional(" ELSE ", e.Else)
		r.text(" END")
	case *Cast:
		r.text("CAST(", e.X, " AS ", e.Type, ")")
	case *Call:
		r.call(e)
	case *Subquery:
		r.text("(")
		r.selectStatement(e.Select)
		r.text(")")
	case *Exists:
		r.text("EXISTS (")
		r.selectStatement(e.Select)
		r.text(")")
	case *Collate:
		r.text("(", e.X, " COLLATE ", e.Name, ")")
	case *Interval:
		if e.Unit == "" {
			r.text("INTERVAL ", e.X)
			return
		}
		r.text("INTERVAL (", e.X, ") ", e.Unit)
	case *Row:
		r.text("(")
		r.list(e.Items)
		r.text(")")
	}
}

func likeWord(fold bool) string {
	if fold {
		return " ILIKE "
	}
	return " LIKE "
}

func (r *renderer) in(e *In) {
	r.text("(", e.X, not(e.Not), " IN (")
	if e.Select != nil {
		r.selectStatement(e.Select)
	} else {
		r.list(e.List)
	}
	r.text("))")
}

func not(yes bool) string {
	if yes {
		return " NOT"
	}
	return ""
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (r *renderer) literal(v any) {
	switch v := v.(type) {
	case nil:
		r.text("NULL")
	case bool:
		r.text(strings.ToUpper(strconv.FormatBool(v)))
	case int64:
		r.text(strconv.FormatInt(v, 10))
	case float64:
		r.text(renderReal(v))
	case string:
		r.text("'", strings.ReplaceAll(v, "'", "''"), "'")
	case []byte:
		r.text("x'", hex.EncodeToString(v), "'")
	}
}

func renderReal(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "9e999"
	case math.IsInf(f, -1):
		return "-9e999"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func (r *renderer) param(p *Param) {
	if p.Name != "" {
		r.text(":", p.Name)
		return
	}
	r.text("?", strconv.Itoa(p.Index))
}

func (r *renderer) call(c *Call) {
	r.text(c.Name, "(")
	if c.Distinct {
		r.text("DISTINCT ")
	}
	if c.Star {
		r.text("*")
	}
	r.list(c.Args)
	switch {
	case c.Within:
		r.text(") WITHIN GROUP (")
		r.orderBy(c.OrderBy)
	case len(c.OrderBy) > 0:
		r.text(" ")
		r.orderBy(c.OrderBy)
	}
	r.text(")")
	if c.Filter != nil {
		r.text(" FILTER (WHERE ", c.Filter, ")")
	}
	if c.IgnoreNulls {
		r.text(" IGNORE NULLS")
	}
	if c.Over != nil {
		r.text(" OVER ")
		r.window(c.Over)
	}
}

func (r *renderer) orderBy(orders []Order) {
	r.text("ORDER BY ")
	for i, o := range orders {
		if i > 0 {
			r.text(", ")
		}
		r.text(o.Expr)
		if o.Desc {
			r.text(" DESC")
		}
		r.text([...]string{"", " NULLS FIRST", " NULLS LAST"}[o.Nulls])
	}
}
