package expr

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

var generalFunctions = []function{
	{name: "coalesce", min: 2, max: -1, compile: compileCoalesce},
	{name: "ifnull", min: 2, max: 2, compile: compileCoalesce},
	{name: "nullif", min: 2, max: 2, compile: compileNullif},
	{name: "iif", min: 2, max: -1, compile: compileIif},
	{name: "max", min: 2, max: -1, compile: compileExtreme},
	{name: "min", min: 2, max: -1, compile: compileExtreme},
	{name: "greatest", min: 1, max: -1, compile: compileExtreme},
	{name: "least", min: 1, max: -1, compile: compileExtreme},
	{name: "likely", min: 1, max: 1, compile: compileSame},
	{name: "unlikely", min: 1, max: 1, compile: compileSame},
	{name: "likelihood", min: 2, max: 2, compile: compileSame},
	{name: "typeof", min: 1, max: 1, typ: value.Text, nulls: nullNever,
		f1: func(_ *Env, v value.Value) value.Value { return value.OfText(v.TypeName()) }},
	{name: "version", typ: value.Text, nulls: nullNever,
		f0: func(*Env) value.Value { return value.OfText(versionText) }},
	{name: "current_user", typ: value.Text, nulls: nullNever,
		f0: func(*Env) value.Value { return value.OfText("eventfold") }},
	{name: "database", typ: value.Text, nulls: nullNever,
		f0: func(*Env) value.Value { return value.OfText("main") }},
	{name: "category", min: 1, max: 1, typ: value.Text,
		f1: func(e *Env,
			v value.Value) value.Value {
			return value.OfText(e.piece(Category(v.Text()), v.S))
		}},
	{name: "has", min: 2, max: 2, typ: value.Integer, compile: (*compiler).has},
}

// versionText is what version() returns. Tools show it to people and look for numbers in it.
const versionText = "eventfold 1.0"

// Category returns the category of a stream: what stands before its first -, the whole name without
// one, nothing if the name is a UUID.
func Category(stream string) string {
	if isUUID(stream) {
		return ""
	}
	category, _, _ := strings.Cut(stream, "-")
	return category
}

// isUUID reports whether s has the form of a UUID: 8-4-4-4-12 hexadecimal digits.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case value.HexDigit(c) < 0:
			return false
		}
	}
	return true
}

// compileCoalesce is the first argument that is not NULL.
func compileCoalesce(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	x := &Expr{Pos: pos}
	x.Type, _ = commonType(args...)
	x.Nullable = true
	for _, a := range args {
		x.Nullable = x.Nullable && a.Nullable
	}
	x.Eval = func(e *Env) value.Value {
		for _, a := range args {
			if v := a.Eval(e); v.Kind != value.Null {
				return v
			}
		}
		return null
	}
	return finish(x, args...), nil
}

// compileNullif is the first argument, NULL if it equals the second.
func compileNullif(c *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	a, b := args[0], args[1]
	coll := firstCollation(args)
	x := &Expr{Type: a.Type, Nullable: true, Pos: pos}
	sides, err := c.besideTimes(args)
	if err != nil {
		return nil, err
	}
	convert := func(v value.Value) value.Value { return v }
	if sides[0] != a {
		convert = value.AsTime
	}
	b = sides[1]
	x.Eval = func(e *Env) value.Value {
		v, w := a.Eval(e), b.Eval(e)
		if !e.Effort(len(v.S)) || value.Compare(convert(v), w, coll) == 0 {
			return null
		}
		return v
	}
	return finish(x, args...), nil
}

// firstCollation is the collation of the first argument that has one.
func firstCollation(args []*Expr) value.Collation {
	for _, a := range args {
		if a.explicit || a.Affinity != value.AffNone {
			return a.Collate
		}
	}
	return value.Binary
}

// compileIif is CASE written as a function: conditions and results in turn, perhaps a last result
// without a condition.
func compileIif(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	otherwise := fixed(null, pos)
	pairs := args
	if len(args)%2 == 1 {
		otherwise, pairs = args[len(args)-1], args[:len(args)-1]
	}
	branches := make([]branch, len(pairs)/2)
	results := []*Expr{otherwise}
	for i := range branches {
		test := pairs[2*i].Condition()
		branches[i] = branch{
			func(e *Env, _ value.Value) value.Truth { return test(e) }, pairs[2*i+1].Eval,
		}
		results = append(results, pairs[2*i+1])
	}
	x := &Expr{Eval: firstBranch(nil, branches, otherwise), Pos: pos}
	x.Type, x.Nullable = commonType(results...)
	return finish(x, args...), nil
}

// compileExtreme is the largest or the smallest of several arguments: of max and min, which are
// SQLite's, NULL if one is; of greatest and least, which are PostgreSQL's, NULL if all are.
func compileExtreme(c *compiler, f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	coll := firstCollation(args)
	x := &Expr{Pos: pos}
	x.Type, x.Nullable = commonType(args...)
	args, err := c.besideTimes(args)
	if err != nil {
		return nil, err
	}
	largest := f.name == "max" || f.name == "greatest"
	skip := f.name == "greatest" || f.name == "least"
	x.Eval = func(e *Env) value.Value {
		best := args[0].Eval(e)
		for _, a := range args[1:] {
			v := a.Eval(e)
			switch {
			case skip && v.Kind == value.Null:
				continue
			case skip && best.Kind == value.Null:
				best = v
				continue
			case best.Kind == value.Null || v.Kind == value.Null || !e.Effort(len(v.S)):
				return null
			}
			order := value.Compare(best, v, coll)
			if largest && order < 0 || !largest && order >= 0 {
				best = v
			}
		}
		return best
	}
	return finish(x, args...), nil
}

// compileSame is the first argument: hints for another planner mean nothing to ours.
func compileSame(_ *compiler, _ *function, args []*Expr, _ parser.Pos) (*Expr, error) {
	x := *args[0]
	x.Affinity = value.AffNone
	return &x, nil
}
