package query

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An erasePlan is a compiled ERASE: a SELECT of the positions of what it erases, and the reason.
type erasePlan struct {
	copiedArguments
	positions *selectStatement
	reason    *expr.Expr
	reasonAt  parser.Pos
	pos       parser.Pos
}

// erase compiles an ERASE. What has been erased already is not selected, nor are the events of the
// store's own streams.
func (c *statementCompiler) erase(st *parser.Erase) (*erasePlan, error) {
	def, err := c.catalog.table(st.From)
	if err != nil {
		return nil, err
	}
	events, ok := def.(*eventTable)
	if !ok {
		return nil, errorf(BadStatement, st.From.Pos,
			"%s cannot be erased; ERASE takes a stream or $all", fault.Quoted(def.name()))
	}
	column := func(i int) parser.Expr {
		return &parser.Column{Pos: st.Pos, Name: eventSchema[i].Name}
	}
	where := []parser.Expr{
		st.Where, &parser.Unary{Pos: st.Pos, Op: parser.OpNot, X: column(ordRedacted)},
	}
	if events.all {
		for _, own := range engine.OwnStreams {
			told := &parser.Literal{Pos: st.Pos, Value: own}
			where = append(where,
				&parser.Binary{Pos: st.Pos, Op: parser.OpNe, X: column(ordStream), Y: told})
		}
	}
	p := &erasePlan{pos: st.Pos, reasonAt: st.Reason.At()}
	p.positions, err = c.topSelect(&parser.Select{Pos: st.Pos, First: &parser.Core{
		Pos:     st.Pos,
		Results: []parser.Result{{Pos: st.Pos, Expr: column(ordPosition)}},
		From:    st.From,
		Where:   &parser.Nary{Op: parser.OpAnd, Terms: where},
	}})
	if err != nil {
		return nil, err
	}
	p.reason, err = c.constants("REASON", onlyConstants).compile(st.Reason)
	return p, err
}

func (p *erasePlan) query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error) {
	return queryNothing(p, ctx, s, args)
}

func (p *erasePlan) exec(ctx context.Context, s *Session, args []expr.Argument) (Outcome, error) {
	out := Outcome{LastPosition: engine.NoPosition, Pending: s.Tx != nil}
	if err := p.allowed(s); err != nil {
		return out, err
	}
	ex := newExecution(ctx, s, args)
	defer ex.end()
	e, err := p.decide(ex)
	if err != nil || len(e.Events) == 0 {
		return out, err
	}
	if s.Tx != nil {
		if err := s.Tx.erase(e); err != nil {
			return out, err
		}
		out.RowsAffected, out.Receipt = e.Events.Count(), s.Tx.receiptOfErasure()
		return out, nil
	}
	done, err := s.Store.Append(ctx, engine.Append{Erase: e})
	if err != nil {
		return out, err
	}
	out.RowsAffected, out.LastPosition = e.Events.Count(), done.Events[0].Position
	return out, nil
}

// allowed refuses where nothing can be erased, before anything is read.
func (p *erasePlan) allowed(s *Session) error {
	if s.Settings.ReadOnly {
		return engine.ErrReadOnly
	}
	if _, ok := Offers[engine.Eraser](s.Store); !ok {
		return errorf(Unsupported, p.pos, "this store cannot erase")
	}
	if s.Tx != nil {
		return s.Tx.writable(p.pos)
	}
	return nil
}

// spanStep is for how many spans memory is held at a time, and spanSize what each may take in bytes
// while the list grows and is written down.
const (
	spanStep = 1024
	spanSize = 96
)

// decide reads what the statement erases. Events of the open transaction have no places and stay.
func (p *erasePlan) decide(ex *execution) (*engine.Erasure, error) {
	e := &engine.Erasure{Actor: ex.session.Settings.Actor}
	en := ex.env(nil)
	var err error
	if e.Reason, err = reasonText(p.reason, p.reasonAt, en); err != nil {
		return nil, err
	}
	in, err := p.positions.open(ex)
	if err != nil {
		return nil, err
	}
	found := &erasedSpans{rows: in, budget: ex.budget}
	err = drain(found, ex.env(nil))
	e.Events = found.spans
	return e, err
}

// reasonText evaluates REASON, which is at a place of the text.
func reasonText(reason *expr.Expr, at parser.Pos, en *expr.Env) (string, error) {
	v := reason.Eval(en)
	if en.Err != nil {
		return "", en.Err
	}
	text, ok := nameOf(v)
	wrong := ""
	switch {
	case !ok:
		wrong = "takes a text"
	case text == "":
		wrong = "is empty"
	case len(text) > engine.MaxReasonSize:
		wrong = "is longer than 1024 bytes"
	case !utf8.ValidString(text):
		wrong = "is not valid UTF-8"
	case strings.IndexByte(text, 0) >= 0:
		wrong = "holds a NUL"
	}
	if wrong != "" {
		return "", errorf(BadArgument, at, "REASON %s", wrong)
	}
	return text, nil
}

// erasedSpans note the positions of the rows that pass.
type erasedSpans struct {
	rows
	budget *budget
	spans  engine.Spans
	held   int // spans for which memory is held
}

func (s *erasedSpans) next(en *expr.Env) (bool, error) {
	ok, err := s.rows.next(en)
	if !ok || err != nil || en.Row.Values[0].Kind == value.Null {
		return ok, err
	}
	at := engine.Position(en.Row.Values[0].N)
	s.spans.Add(engine.Span{From: at, To: at + 1})
	if len(s.spans) > s.held {
		s.held += spanStep
		err = s.budget.hold(spanStep*spanSize, "ERASE")
	}
	return err == nil, err
}

// explain tells what would be erased: it reads as ERASE does, and erases nothing.
func (p *erasePlan) explain(x *explainer) {
	e, err := p.decide(x.ex)
	if err != nil {
		x.err = err
		return
	}
	x.ex.sawHead()
	x.step("snapshot", "head %d", x.ex.index.Head())
	p.positions.plan.explain(x)
	n := len(e.Events)
	if n == 0 {
		x.step("erase", "no events")
		return
	}
	x.step("erase", "%d events, positions %d to %d", e.Events.Count(), e.Events[0].From, e.Events[n-1].To-1)
}
