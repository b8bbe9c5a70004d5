package query

import (
	"context"
	"errors"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// Limits of what is kept as views.
const (
	maxViews      = 1000
	maxDefinition = 64 << 10 // bytes of a SELECT
)

// A createViewPlan is CREATE VIEW. What its SELECT means is found out when it is run, for the views
// that there are then.
type createViewPlan struct {
	copiedArguments
	st        *parser.CreateView
	functions *Functions // of the program
}

func (c *statementCompiler) createView(st *parser.CreateView) (*createViewPlan, error) {
	name := st.View
	if wrong := nameFaults[engine.CheckStream(name.Name)]; wrong != "" {
		return nil, errorf(BadArgument, name.Pos, "the name of a view %s", wrong)
	}
	if len(st.Text) > maxDefinition {
		return nil, errorf(BadArgument, st.Select.Pos, "the definition of a view has at most %d bytes, this one %d",
			maxDefinition, len(st.Text))
	}
	return &createViewPlan{st: st, functions: c.functions}, nil
}

func (p *createViewPlan) query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error) {
	return queryNothing(p, ctx, s, args)
}

func (p *createViewPlan) exec(ctx context.Context, s *Session, _ []expr.Argument) (Outcome, error) {
	return s.define(ctx, p.st.Pos, p.decide)
}

// decide returns the definition to be written, nil if there is nothing to do.
func (p *createViewPlan) decide(ctx context.Context, views *viewSet) (*engine.Definition, error) {
	name := p.st.View
	d := &engine.Definition{Name: name.Name, Kind: plainView, Text: p.st.Text}
	if p.st.Materialized {
		d.Kind = materializedView
	}
	before := views.find(name.Name)
	switch {
	case before != nil && p.st.IfNotExists:
		return nil, nil
	case before != nil && !p.st.Replace:
		e := errorf(BadStatement, name.Pos, "there is a view %s already", fault.Quoted(before.name))
		e.Hint = "write CREATE OR REPLACE VIEW, or CREATE VIEW IF NOT EXISTS"
		return nil, e
	case before != nil && before.name == d.Name && before.kind == d.Kind && before.text == d.Text:
		return nil, nil
	case before == nil && len(views.byName) >= maxViews:
		return nil, errorf(BadStatement, name.Pos, "a store has at most %d views", maxViews)
	}
	after := views.with(newViewDefinition(*d))
	if err := p.check(ctx, after); err != nil {
		return nil, err
	}
	return d, checkUsers(ctx, views, after, name, p.functions)
}

// check compiles the new view, whose places become those of the statement.
func (p *createViewPlan) check(ctx context.Context, after *viewSet) error {
	_, err := after.compile(ctx, after.find(p.st.View.Name), p.functions)
	var inside *Error
	if errors.As(err, &inside) && inside.Pos >= 0 {
		at := *inside
		at.Pos += p.st.At
		return &at
	}
	return err
}

// checkUsers refuses to change a view so that others which use it cannot be compiled any more.
func checkUsers(
	ctx context.Context, before, after *viewSet, name *parser.Table, f *Functions,
) error {
	var broken []string
	var why error
	for _, v := range before.list() {
		if sameName(v.name, name.Name) || !after.uses(v, name.Name) {
			continue
		}
		if _, err := before.columnsOf(ctx, v, f); err != nil {
			continue // it was broken before
		}
		if _, err := after.columnsOf(ctx, v, f); err != nil {
			broken, why = append(broken, fault.Quoted(v.name)), err
		}
	}
	if len(broken) == 0 {
		return ctx.Err()
	}
	e := errorf(BadStatement, name.Pos, "%s could not be read any more: %s",
		strings.Join(broken, ", "), strings.TrimPrefix(why.Error(), "eventfold: "))
	e.Hint = "change them first, or keep the columns that they use"
	return e
}

// A dropViewPlan is DROP VIEW.
type dropViewPlan struct {
	copiedArguments
	name     string
	ifExists bool
	pos      parser.Pos // of the name
}

func (p *dropViewPlan) query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error) {
	return queryNothing(p, ctx, s, args)
}

func (p *dropViewPlan) exec(ctx context.Context, s *Session, _ []expr.Argument) (Outcome, error) {
	return s.define(ctx, p.pos, p.decide)
}

// decide returns the definition to be written, nil if there is nothing to do.
func (p *dropViewPlan) decide(_ context.Context, views *viewSet) (*engine.Definition, error) {
	view := views.find(p.name)
	if view == nil && p.ifExists {
		return nil, nil
	}
	if view == nil {
		return nil, unknownView(views, &parser.Table{Pos: p.pos, Name: p.name})
	}
	var users []string
	for _, v := range views.list() {
		if v != view && views.uses(v, view.name) {
			users = append(users, fault.Quoted(v.name))
		}
	}
	if len(users) > 0 {
		e := errorf(BadStatement, p.pos, "view %s is used by %s", fault.Quoted(view.name), strings.Join(users, ", "))
		e.Hint = "drop or change them first"
		return nil, e
	}
	return &engine.Definition{Name: view.name, Kind: view.kind}, nil
}

// maxDefineTries is how often a statement that defines a view decides anew because others have
// defined one meanwhile.
const maxDefineTries = 100

// define writes what decide makes of the views that there are. If others define one at the same
// moment it decides again; in a transaction COMMIT fails then.
func (s *Session) define(
	ctx context.Context, pos parser.Pos, decide func(context.Context, *viewSet) (*engine.Definition, error),
) (Outcome, error) {
	out := Outcome{LastPosition: engine.NoPosition, Pending: s.Tx != nil}
	switch {
	case s.Settings.ReadOnly:
		return out, engine.ErrReadOnly
	case s.Tx != nil:
		if err := s.Tx.writable(pos); err != nil {
			return out, err
		}
	}
	var conflict *engine.ConflictError
	for range maxDefineTries {
		done, err := s.defineOnce(ctx, decide, out)
		var wrong *Error
		if conflict != nil && errors.As(err, &wrong) && wrong.Err == nil {
			wrong.Err = conflict // it was well when the statement began
		}
		if s.Tx != nil || !errors.As(err, &conflict) || wrong != nil {
			return done, err
		}
	}
	return out, conflict
}

// defineOnce is one try of define.
func (s *Session) defineOnce(
	ctx context.Context, decide func(context.Context, *viewSet) (*engine.Definition, error), out Outcome,
) (Outcome, error) {
	ex := newExecution(ctx, s, nil)
	defer ex.end()
	views, err := ex.views()
	if err != nil {
		return out, err
	}
	d, err := decide(ctx, views)
	if err != nil || d == nil {
		return out, err
	}
	d.Actor = s.Settings.Actor
	a := engine.Append{Define: d, Expect: []engine.Expectation{engine.Exact(views.version)}}
	if s.Tx != nil {
		a.Stream, a.Events = d.OwnStream(), d.NewEvents() // until COMMIT; see batch
		if err := s.Tx.add(ctx, []engine.Append{a}); err != nil {
			return out, err
		}
		out.RowsAffected, out.Receipt = 1, s.Tx.receipt(1)
		return out, nil
	}
	done, err := s.Store.Append(ctx, a)
	if err != nil {
		return out, err
	}
	out.RowsAffected, out.LastPosition = 1, done.Events[0].Position
	return out, nil
}
