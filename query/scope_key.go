package query

import (
	"fmt"
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// keyOf writes an expression so that two expressions that mean the same have the same key: places
// are left out, and columns are written as identity says. Sub-queries equal only themselves.
func keyOf(e parser.Expr, identity func(*parser.Column) string) string {
	var b strings.Builder
	writeKey(&b, e, identity)
	return b.String()
}

func writeKey(b *strings.Builder, e parser.Expr, identity func(*parser.Column) string) {
	if e == nil {
		b.WriteByte('_')
		return
	}
	b.WriteByte('(')
	switch e := e.(type) {
	case *parser.Literal:
		fmt.Fprintf(b, "lit %T %q", e.Value, fmt.Sprint(e.Value))
	case *parser.Param:
		fmt.Fprintf(b, "param %d %s", e.Index, e.Name)
	case *parser.Column:
		b.WriteString(identity(e))
	case *parser.Unary:
		fmt.Fprintf(b, "un%d", e.Op)
	case *parser.Binary:
		fmt.Fprintf(b, "bi%d", e.Op)
	case *parser.Nary:
		fmt.Fprintf(b, "n%d", e.Op)
	case *parser.In:
		fmt.Fprintf(b, "in %t %p", e.Not, e.Select)
	case *parser.Like:
		fmt.Fprintf(b, "like %t %t %t", e.Not, e.Fold, e.Escape != nil)
	case *parser.Between:
		fmt.Fprintf(b, "between %t", e.Not)
	case *parser.Case:
		fmt.Fprintf(b, "case %t %t", e.Operand != nil, e.Else != nil)
	case *parser.Cast:
		b.WriteString("cast " + e.Type)
	case *parser.Call:
		fmt.Fprintf(b, "call %q %t %t %d %t %t", e.Name, e.Star, e.Distinct, len(e.Args), e.Filter != nil,
			e.IgnoreNulls)
		writeOrderKey(b, e)
		writeWindowKey(b, e.Over, identity)
	case *parser.Collate:
		b.WriteString("collate " + e.Name)
	case *parser.Interval:
		b.WriteString("interval " + e.Unit)
	case *parser.Row:
		b.WriteString("row")
	default:
		fmt.Fprintf(b, "%T %p", e, e)
	}
	for _, c := range parser.Children(e) {
		writeKey(b, c, identity)
	}
	b.WriteByte(')')
}

func writeOrderKey(b *strings.Builder, c *parser.Call) {
	if len(c.OrderBy) == 0 {
		return
	}
	fmt.Fprintf(b, " ordered %t", c.Within)
	for _, o := range c.OrderBy {
		fmt.Fprintf(b, " %t %d", o.Desc, o.Nulls)
	}
}

func writeWindowKey(b *strings.Builder, w *parser.Window, identity func(*parser.Column) string) {
	if w == nil {
		return
	}
	fmt.Fprintf(b, " over %d", len(w.PartitionBy))
	for _, o := range w.OrderBy {
		fmt.Fprintf(b, " %t %d", o.Desc, o.Nulls)
	}
	if f := w.Frame; f != nil {
		fmt.Fprintf(b, " frame %d %d %d %d", f.Unit, f.Start.Kind, f.End.Kind, f.Exclude)
		writeKey(b, f.Start.Offset, identity)
		writeKey(b, f.End.Offset, identity)
	}
}
