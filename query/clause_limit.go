package query

import (
	"fmt"
	"math"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A limitPlan is LIMIT and OFFSET.
type limitPlan struct{ limit, offset *expr.Expr }

// compileLimit compiles LIMIT and OFFSET, which may use parameters, but no columns. It returns nil
// if there are none.
func (c *statementCompiler) compileLimit(
	limit, offset parser.Expr, q queryScope,
) (*limitPlan, error) {
	if limit == nil && offset == nil {
		return nil, nil
	}
	scope := c.constants("LIMIT", q)
	p := &limitPlan{}
	for _, x := range []struct {
		e    parser.Expr
		into **expr.Expr
	}{{limit, &p.limit}, {offset, &p.offset}} {
		if x.e == nil {
			continue
		}
		e, err := scope.compile(x.e)
		if err != nil {
			return nil, err
		}
		if e.Pos < 0 {
			e.Pos = x.e.At()
		}
		*x.into = e
	}
	return p, nil
}

// window evaluates LIMIT and OFFSET: the number of rows to give, -1 for all, and of rows to pass
// over before.
func (p *limitPlan) window(ex *execution, outer *expr.Env) (limit, offset int64, err error) {
	if p == nil {
		return -1, 0, nil
	}
	limit, err = p.number(p.limit, "LIMIT", -1, ex, outer)
	if err != nil {
		return 0, 0, err
	}
	offset, err = p.number(p.offset, "OFFSET", 0, ex, outer)
	return max(limit, -1), max(offset, 0), err
}

func (p *limitPlan) number(
	e *expr.Expr, clause string, none int64, ex *execution, outer *expr.Env,
) (int64, error) {
	if e == nil {
		return none, nil
	}
	en := ex.env(outer)
	v := e.Eval(en)
	if en.Err != nil {
		return 0, en.Err
	}
	if v = value.AsNumber(v); v.Kind == value.Float {
		if n, ok := value.IsInt(v.F); ok {
			v = value.OfInt(n)
		}
	}
	if v.Kind != value.Int {
		return 0, errorf(BadValue, e.Pos, "%s takes an integer", clause)
	}
	return v.N, nil
}

// wanted is how many rows are needed below LIMIT and OFFSET, -1 for all.
func wanted(limit, offset int64) int64 {
	if limit < 0 || offset > math.MaxInt64-limit {
		return -1
	}
	return limit + offset
}

// limitedRows pass over offset rows and give at most limit, -1 for all.
type limitedRows struct {
	in            rows
	limit, offset int64
}

// limited puts LIMIT and OFFSET behind rows, if they do anything.
func limited(in rows, limit, offset int64) rows {
	if limit < 0 && offset == 0 {
		return in
	}
	return &limitedRows{in: in, limit: limit, offset: offset}
}

func (l *limitedRows) next(en *expr.Env) (bool, error) {
	if l.limit == 0 {
		return false, nil
	}
	for ; l.offset > 0; l.offset-- {
		if ok, err := l.in.next(en); !ok || err != nil {
			return false, err
		}
	}
	ok, err := l.in.next(en)
	if ok && l.limit > 0 {
		l.limit--
	}
	return ok, err
}

func (l *limitedRows) close() error { return l.in.close() }

// limitText describes LIMIT and OFFSET, "" for none.
func (p *selectPlan) limitText(x *explainer, own bool) string {
	if p.limit == nil || !own {
		return ""
	}
	limit, offset, err := p.limit.window(x.ex, nil)
	if err != nil {
		x.err = err
		return ""
	}
	switch {
	case limit < 0 && offset == 0:
		return ""
	case limit < 0:
		return fmt.Sprintf("all but the first %d", offset) + p.skipText(x, offset)
	case offset > 0:
		return fmt.Sprintf("%d after the first %d", limit, offset) + p.skipText(x, offset)
	}
	return fmt.Sprint(limit)
}

// skipText says whether the rows that OFFSET drops are read.
func (p *selectPlan) skipText(x *explainer, offset int64) string {
	if len(p.cores) != 1 || offset == 0 {
		return ""
	}
	scan, backwards := p.cores[0].skips(x.ex)
	if scan == nil {
		return ""
	}
	what, err := scan.withoutOuter().narrowNow(x.ex, nil)
	if err == nil {
		var skipped bool
		if skipped, err = scan.skip(x.ex, what, backwards, offset); skipped {
			return ", which are not read"
		}
	}
	if err != nil {
		x.err = err
	}
	return ""
}
