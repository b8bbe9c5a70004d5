package query

import (
	"context"
	"fmt"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
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
	x.steps = append(x.steps, []value.Value{value.OfText(strings.Repeat("  ", x.depth) + what), value.OfText(fmt.Sprintf(format, args...))})
}

// inner explains one relation of a step with several, indented.
func (x *explainer) inner(in relation) {
	x.depth++
	in.explain(x)
	x.depth--
}

var explainColumns = []Column{{"step", Text, false}, {"detail", Text, false}}

// An explainStatement is EXPLAIN of a SELECT or an INSERT.
type explainStatement struct {
	copiedArguments
	selects *selectStatement
	insert  *insertPlan
	analyze bool
	pos     parser.Pos
}

func (c *statementCompiler) explainStatement(p *parser.Parsed, st *parser.Explain) (statement, []Column, bool, error) {
	e := &explainStatement{analyze: st.Analyze, pos: st.Pos}
	var err error
	switch inner := st.Statement.(type) {
	case *parser.Select:
		e.selects, err = c.topSelect(inner)
	case *parser.Insert:
		e.insert, err = c.insert(inner)
		if err == nil && st.Analyze {
			err = errorf(Unsupported, st.Pos, "EXPLAIN ANALYZE runs the statement, which for an INSERT would append")
		}
	default:
		err = errorf(Unsupported, st.Pos, "EXPLAIN explains a SELECT or an INSERT")
	}
	if err == nil && st.Analyze && e.selects.follow != nil {
		err = errorf(Unsupported, st.Pos, "EXPLAIN ANALYZE cannot run a SELECT with FOLLOW, which does not end")
	}
	return e, explainColumns, true, err
}

func (e *explainStatement) exec(ctx context.Context, s *Session, args []argument) (Outcome, error) {
	_, err := e.query(ctx, s, args)
	return Outcome{LastPosition: engine.NoPosition}, err
}

func (e *explainStatement) query(ctx context.Context, s *Session, args []argument) (Rows, error) {
	x := &explainer{ex: newExecution(ctx, s, args)}
	defer x.ex.end()
	if e.insert != nil {
		e.insert.explain(x)
	} else if err := e.explainSelect(x, ctx, s, args); err != nil {
		return nil, err
	}
	if x.err != nil {
		return nil, x.err
	}
	return listRows(explainColumns, x.steps, s), nil
}

func (e *explainStatement) explainSelect(x *explainer, ctx context.Context, s *Session, args []argument) error {
	q := e.selects
	if err := q.goBack(x.ex, x.ex.env(nil)); err != nil {
		return err
	}
	x.step("snapshot", "head %d", x.ex.index.Head())
	q.plan.explain(x)
	if q.follow != nil {
		x.step("follow", "%s", q.follow.describe())
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
	x.step("examined", "%d events, %d segments skipped", ex.counters.examined.Load(), ex.counters.skipped.Load())
	x.step("rows", "%d", counted.n)
	return nil
}

// countedRows count the rows that pass.
type countedRows struct {
	rows
	n int64
}

func (c *countedRows) next(en *env) (bool, error) {
	ok, err := c.rows.next(en)
	if ok {
		c.n++
	}
	return ok, err
}

func (p *selectPlan) explain(x *explainer) {
	for i, core := range p.cores {
		if len(p.cores) > 1 {
			x.depth++
		}
		core.explain(x, p.limitText(x, len(p.cores) == 1))
		if len(p.cores) > 1 {
			x.depth--
		}
		if i > 0 {
			kind := "union"
			if p.all[i] {
				kind = "union all"
			}
			x.step(kind, "the rows before and these")
		}
	}
	if len(p.order) > 0 {
		x.step("sort", "%d columns", len(p.order))
	}
	if text := p.limitText(x, true); text != "" {
		x.step("limit", "%s", text)
	}
}

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
		return fmt.Sprintf("all but the first %d", offset)
	case offset > 0:
		return fmt.Sprintf("%d after the first %d", limit, offset)
	}
	return fmt.Sprint(limit)
}

func (p *corePlan) explain(x *explainer, limit string) {
	sorted := len(p.order) > 0
	if p.directed != nil && len(x.ex.own) == 0 {
		sorted = false
		p.directed.scan.explainScan(x, p.directed.backwards)
	} else {
		p.from.explain(x)
	}
	if len(p.where) > 0 {
		x.step("filter", "%s", p.texts.where)
	}
	if p.group != nil {
		p.group.explain(x, p.texts.group)
	}
	if p.texts.having != "" {
		x.step("having", "%s", p.texts.having)
	}
	if p.windows != nil {
		for _, w := range p.windows.calls {
			x.step("window", "%s", w.text)
		}
	}
	if p.distinct {
		x.step("distinct", "by hash")
	}
	if !sorted {
		return
	}
	if limit == "" || strings.HasPrefix(limit, "all") {
		x.step("sort", "by %s", p.texts.order)
		return
	}
	x.step("top", "%s by %s", limit, p.texts.order)
}

func (g *groupPlan) explain(x *explainer, keys string) {
	var aggs []string
	for _, a := range g.aggs {
		aggs = append(aggs, a.text)
	}
	what := strings.Join(aggs, ", ")
	switch {
	case len(g.keys) == 0:
		x.step("aggregate", "%s", what)
	case what == "":
		x.step("hash aggregate", "by %s", keys)
	default:
		x.step("hash aggregate", "%s by %s", what, keys)
	}
	if s := g.shortcut; s != nil && len(x.ex.own) == 0 && (s.exact == nil || !s.exact.inexact) {
		x.step("shortcut", "%s", s.text)
	}
}

func (s *tableScan) explain(x *explainer) { s.explainScan(x, false) }

func (s *tableScan) explainScan(x *explainer, backwards bool) {
	what, err := s.narrowNow(x.ex, nil)
	if err != nil {
		x.err = err
		return
	}
	var b strings.Builder
	b.WriteString(s.def.name())
	if s.alias != "" {
		b.WriteString(" AS " + s.alias)
	}
	what.describe(&b, x.ex.index.Head())
	if backwards {
		b.WriteString(" backwards")
	}
	kind := "scan"
	if t := s.events(); t != nil && !what.empty {
		if !t.all || what.streams != nil || what.types != nil || what.tags != nil || what.any != nil || what.ids != nil {
			kind = "index scan"
		}
		b.WriteString(s.estimate(x, what))
	}
	if names := s.readNames(); names != "" && !what.empty {
		b.WriteString(", reads " + names)
	}
	x.step(kind, "%s", b.String())
	if len(s.filters) > 0 {
		x.step("filter", "%s", strings.Join(s.filters, " AND "))
	}
}

// readNames lists the columns that the scan reads.
func (s *tableScan) readNames() string {
	var names []string
	for _, i := range s.needed() {
		names = append(names, s.columns[i].Name)
	}
	return strings.Join(names, ", ")
}

// estimate says how many events the indexes let the scan look at.
func (s *tableScan) estimate(x *explainer, what *narrowing) string {
	f := s.filter(what)
	if f.IDs != nil || f.Any != nil || f.Prefix != "" || f.MinVersion > 0 || f.HasMaxVersion || !f.Since.IsZero() || !f.Before.IsZero() || len(f.Tags)+len(f.Types) > 1 {
		return "" // counting those would read events
	}
	n, err := x.ex.index.Count(x.ex.ctx, f)
	if err != nil {
		x.err = err
		return ""
	}
	return fmt.Sprintf(", at most %d events", n)
}

func (p *insertPlan) explain(x *explainer) {
	for _, e := range p.expect {
		switch e.kind {
		case parser.ExpectNoEvent:
			x.step("expect", "%s", e.text)
			e.scan.explain(x)
		default:
			x.step("expect", "%s", [...]string{"any", "no stream", "stream exists", "version"}[e.kind])
		}
	}
	into := p.into.stream
	switch {
	case p.into.all:
		into = "$all, the stream of each row"
	case p.into.param != nil:
		name, err := p.into.name(x.ex.env(nil))
		if err != nil {
			x.err = err
		}
		into = name
	}
	x.step("append", "%d events to %s", len(p.rows), into)
}
