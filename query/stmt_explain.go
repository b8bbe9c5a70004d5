package query

import (
	"context"
	"fmt"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An explainer collects the steps of a plan, the innermost first.
type explainer struct {
	ex    *execution
	depth int
	steps [][]value.Value
	told  map[*withName]bool // names of WITH that are explained already
	err   error
}

// step adds a step.
func (x *explainer) step(what, format string, args ...any) {
	x.steps = append(x.steps, []value.Value{
		value.OfText(strings.Repeat("  ", x.depth) + what), value.OfText(fmt.Sprintf(format, args...)),
	})
}

// inner explains one relation of a step with several, indented.
func (x *explainer) inner(in relation) {
	x.depth++
	in.explain(x)
	x.depth--
}

var explainColumns = []Column{{"step", Text, false}, {"detail", Text, false}}

// An explainStatement is EXPLAIN of a SELECT, an INSERT or an ERASE.
type explainStatement struct {
	copiedArguments
	selects *selectStatement
	insert  *insertPlan
	erase   *erasePlan
	analyze bool
	pos     parser.Pos
}

func (c *statementCompiler) explainStatement(
	p *parser.Parsed, st *parser.Explain,
) (statement, []Column, bool, error) {
	e := &explainStatement{analyze: st.Analyze, pos: st.Pos}
	var err error
	switch inner := st.Statement.(type) {
	case *parser.Select:
		e.selects, err = c.topSelect(inner)
	case *parser.Insert:
		e.insert, err = c.insert(inner)
		if err == nil && st.Analyze {
			err = errorf(Unsupported, st.Pos,
				"EXPLAIN ANALYZE runs the statement, which for an INSERT would append")
		}
	case *parser.Erase:
		e.erase, err = c.erase(inner)
		if err == nil && st.Analyze {
			err = errorf(Unsupported, st.Pos,
				"EXPLAIN ANALYZE runs the statement, which for an ERASE would erase")
		}
	default:
		err = errorf(Unsupported, st.Pos, "EXPLAIN explains a SELECT, an INSERT or an ERASE")
	}
	if err == nil && st.Analyze && e.selects.follow != nil {
		err = errorf(Unsupported, st.Pos,
			"EXPLAIN ANALYZE cannot run a SELECT with FOLLOW, which does not end")
	}
	return e, explainColumns, true, err
}

func (e *explainStatement) exec(
	ctx context.Context, s *Session, args []expr.Argument,
) (Outcome, error) {
	_, err := e.query(ctx, s, args)
	return Outcome{LastPosition: engine.NoPosition}, err
}

func (e *explainStatement) query(
	ctx context.Context, s *Session, args []expr.Argument,
) (Rows, error) {
	x := &explainer{ex: newExecution(ctx, s, args)}
	defer x.ex.end()
	if e.insert != nil {
		e.insert.explain(x)
	} else if e.erase != nil {
		e.erase.explain(x)
	} else if err := e.explainSelect(x, ctx, s, args); err != nil {
		return nil, err
	}
	if x.err != nil {
		return nil, x.err
	}
	return listRows(explainColumns, x.steps, s), nil
}

func (e *explainStatement) explainSelect(
	x *explainer, ctx context.Context, s *Session, args []expr.Argument,
) error {
	q := e.selects
	if err := q.goBack(x.ex, x.ex.env(nil)); err != nil {
		return err
	}
	x.ex.sawHead()
	x.step("snapshot", "head %d", x.ex.index.Head())
	q.plan.explain(x)
	if q.follow != nil {
		q.follow.explain(x)
	}
	if !e.analyze {
		return nil
	}
	ex := newExecution(ctx, s, args)
	defer ex.end()
	op, err := q.open(ex)
	if err != nil {
		return err
	}
	counted := &countedRows{rows: op}
	if err := drain(counted, ex.env(nil)); err != nil {
		return err
	}
	x.step("examined", "%d events, %d segments skipped", ex.counters.examined.Load(),
		ex.counters.skipped.Load())
	x.step("rows", "%d", counted.n)
	if ex.spilled != nil {
		x.step("spilled", "%d bytes, written to a temporary file", ex.spilled.Written())
	}
	return nil
}

// countedRows count the rows that pass.
type countedRows struct {
	rows
	n int64
}

func (c *countedRows) next(en *expr.Env) (bool, error) {
	ok, err := c.rows.next(en)
	if ok {
		c.n++
	}
	return ok, err
}
