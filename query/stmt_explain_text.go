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
	return tidy(parser.Render(parser.Replace(e, func(e parser.Expr) parser.Expr {
		col, ok := e.(*parser.Column)
		if !ok || !strings.HasPrefix(col.Table, "\x00") {
			return nil
		}
		plain := *col
		plain.Table = ""
		return &plain
	})))
}

// tidy takes the parentheses around the whole of a rendered expression away, and the quotes around
// simple names.
func tidy(text string) string {
	if strings.HasPrefix(text, "(") && closing(text) == len(text)-1 {
		text = text[1 : len(text)-1]
	}
	var b strings.Builder
	for text != "" {
		end := 1
		if c := text[0]; c == '"' || c == '\'' {
			if n := strings.IndexByte(text[1:], c); n >= 0 {
				end = n + 2
			}
			if name := text[1:max(end-1, 1)]; c == '"' && simpleName(name) {
				b.WriteString(name)
				text = text[end:]
				continue
			}
		}
		b.WriteString(text[:end])
		text = text[end:]
	}
	return b.String()
}

// closing returns where the parenthesis that text begins with is closed.
func closing(text string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func simpleName(name string) bool {
	for _, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// conjunctText writes a condition as one of several joined by AND.
func conjunctText(e parser.Expr) string {
	if n, ok := e.(*parser.Nary); ok && n.Op == parser.OpOr {
		return "(" + exprText(e) + ")"
	}
	return exprText(e)
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
