package query

import (
	"context"
	"database/sql/driver"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// An insertPlan is a compiled INSERT.
type insertPlan struct {
	into      target
	writes    []*writeColumn // by place in a row
	rows      [][]*expr.Expr
	expect    []*expectPlan
	returning []returnColumn
	columns   []Column
	pos       parser.Pos

	conditions bool // hasConditions
}

// A target is the table that an INSERT or EXPECT names.
type target struct {
	all    bool       // $all: every row names its stream
	stream string     // the stream, if it is not bound
	param  *expr.Expr // the stream's name as an argument, nil if it is in the text
	pos    parser.Pos
}

// insert compiles an INSERT.
func (c *statementCompiler) insert(st *parser.Insert) (*insertPlan, error) {
	p := &insertPlan{pos: st.Pos}
	if err := c.target(st.Into, &p.into); err != nil {
		return nil, err
	}
	if err := p.resolveColumns(st); err != nil {
		return nil, err
	}
	s := c.constants("VALUES", onlyConstants)
	for _, row := range st.Rows {
		if err := p.checkWidth(st, row); err != nil {
			return nil, err
		}
		values, err := s.compileAll(row)
		if err != nil {
			return nil, err
		}
		for i := range values {
			v := *values[i]
			v.Pos = row[i].At()
			values[i] = &v
		}
		p.rows = append(p.rows, values)
	}
	for _, e := range st.Expect {
		x, err := c.expectation(&e)
		if err != nil {
			return nil, err
		}
		p.expect = append(p.expect, x)
	}
	if err := p.compileReturning(st.Returning, c.pending()); err != nil {
		return nil, err
	}
	p.conditions = p.hasConditions()
	return p, nil
}

// target resolves the table of an INSERT or EXPECT.
func (c *statementCompiler) target(t *parser.Table, to *target) error {
	to.pos = t.Pos
	if t.Param != nil {
		x, err := expr.Compile(t.Param, c.constants("INTO", onlyConstants))
		to.param = x
		return err
	}
	def, err := c.catalog.table(t)
	if err != nil {
		return err
	}
	events, ok := def.(*eventTable)
	if !ok {
		return errorf(BadStatement, t.Pos,
			"%s cannot be written to; INSERT appends to a stream or to $all", fault.Quoted(def.name()))
	}
	to.all, to.stream = events.all, events.stream
	return nil
}

// evaluate computes the rows of one execution.
func (p *insertPlan) evaluate(in *insertion, en *expr.Env) error {
	stream, err := p.into.name(en)
	if err != nil {
		return err
	}
	in.rows = slices.Grow(in.rows[:0], len(p.rows))[:len(p.rows)]
	for i, exprs := range p.rows {
		r := &in.rows[i]
		r.stream, r.json = stream, execOf(en).session.Settings.JSONRequired
		for k, e := range exprs {
			v := e.Eval(en)
			if en.Err != nil {
				return en.Err
			}
			if wrong := p.writes[k].set(r, v); wrong != "" {
				return errorf(BadArgument, e.Pos, "%s %s", p.writes[k].name, wrong)
			}
		}
	}
	return nil
}

// name returns the stream that the target names, "" for $all.
func (t *target) name(en *expr.Env) (string, error) {
	if t.param == nil {
		return t.stream, nil
	}
	v := t.param.Eval(en)
	if en.Err != nil {
		return "", en.Err
	}
	name, ok := nameOf(v)
	if !ok {
		return "", errorf(BadArgument, t.pos, "the name of a stream takes a text")
	}
	if wrong := nameFaults[engine.CheckStream(name)]; wrong != "" {
		return "", errorf(BadArgument, t.pos, "the name of a stream %s", wrong)
	}
	return name, nil
}

// appends turns rows into appends: one for every run of rows of one stream.
func (p *insertPlan) appends(in *insertion, en *expr.Env) error {
	var err error
	if in.expect, err = evaluateExpectations(en, p.expect, in.expect[:0]); err != nil {
		return err
	}
	if len(in.rows) == 1 {
		p.appendRow(in)
		return nil
	}
	in.appends, in.events = in.appends[:0], slices.Grow(in.events[:0], len(in.rows))
	first := map[string]*newRow{}
	for i := range in.rows {
		r := &in.rows[i]
		if i == 0 || r.stream != in.rows[i-1].stream {
			in.appends = append(in.appends, engine.Append{Stream: r.stream})
		}
		a := &in.appends[len(in.appends)-1]
		if f := first[r.stream]; f == nil {
			first[r.stream] = r
			if r.expects {
				a.Expect = append(a.Expect, r.expected)
			}
		} else if r.expects && r.expected != f.expected {
			return errorf(BadArgument, p.pos,
				"the rows of stream %s give different values for expected_version", fault.Quoted(r.stream))
		}
		in.events = append(in.events, r.event)
		a.Events = in.events[len(in.events)-len(a.Events)-1:]
	}
	if len(first) > 1 {
		if err := p.checkSeveral(len(first)); err != nil {
			return err
		}
	}
	if len(in.appends) > 0 { // the first one's conditions see none of the rows
		in.appends[0].Expect = append(in.appends[0].Expect, in.expect...)
	}
	return nil
}

// checkSeveral refuses an INSERT into n streams that expects something of the version of one.
func (p *insertPlan) checkSeveral(n int) error {
	for _, e := range p.expect {
		if e.kind != parser.ExpectAny && e.kind != parser.ExpectNoEvent {
			return errorf(BadArgument, e.pos,
				"EXPECTING is about one stream, and the rows name %d; use the column expected_version", n)
		}
	}
	return nil
}

// appendRow makes the append of a statement with a single row.
func (p *insertPlan) appendRow(in *insertion) {
	r := &in.rows[0]
	if r.expects {
		in.expect = append(in.expect, r.expected)
	}
	in.events = append(in.events[:0], r.event)
	in.appends = append(in.appends[:0],
		engine.Append{Stream: r.stream, Expect: in.expect, Events: in.events})
}

func (p *insertPlan) query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error) {
	in, en := p.begin(ctx, s, args)
	defer p.finish(in, en)
	done, err := p.run(s, in, en)
	if err != nil {
		return nil, err
	}
	return p.returningRows(s, done, in.rows), nil
}

func (p *insertPlan) exec(ctx context.Context, s *Session, args []expr.Argument) (Outcome, error) {
	in, en := p.begin(ctx, s, args)
	defer p.finish(in, en)
	done, err := p.run(s, in, en)
	out := Outcome{LastPosition: engine.NoPosition}
	if err != nil {
		return out, err
	}
	out.Pending, out.Duplicate = s.Tx != nil, done.Duplicate
	if !out.Duplicate {
		out.RowsAffected = int64(len(in.rows))
	}
	if out.Pending {
		out.Receipt = s.Tx.receipt(len(in.rows))
	} else if n := len(done.Events); n > 0 {
		out.LastPosition = done.Events[n-1].Position
	}
	return out, nil
}

// run appends the rows, or buffers them in the session's transaction.
func (p *insertPlan) run(s *Session, in *insertion, en *expr.Env) (engine.Appended, error) {
	if s.Tx != nil {
		if err := s.Tx.writable(p.pos); err != nil {
			return engine.Appended{}, err
		}
		if err := p.checkPending(); err != nil {
			return engine.Appended{}, err
		}
	}
	if err := p.evaluate(in, en); err != nil {
		return engine.Appended{}, err
	}
	if err := p.appends(in, en); err != nil {
		return engine.Appended{}, err
	}
	if s.Tx == nil {
		return s.Store.Append(en.Ctx, in.appends...)
	}
	if err := s.Tx.add(en.Ctx, in.appends); err != nil || p.returning == nil {
		return engine.Appended{}, err
	}
	return engine.Appended{Events: s.Tx.last(len(in.rows))}, nil
}

// hasConditions reports whether the error of an execution may hold a condition, which holds the
// execution's arguments.
func (p *insertPlan) hasConditions() bool {
	return slices.ContainsFunc(p.expect,
		func(e *expectPlan) bool { return e.kind == parser.ExpectNoEvent })
}

// inserting returns the memory of the session's INSERTs.
func (s *Session) inserting() *insertion {
	if s.insertion == nil {
		s.insertion = &insertion{}
	}
	return s.insertion
}

// bind makes values of the arguments. Of an execution that leaves nothing behind it does so in the
// session's insertion, and does not copy bytes on their way to the store: whoever called
// database/sql leaves them alone until it returns. A transaction copies them, because they wait
// there.
func (p *insertPlan) bind(
	s *Session, params parser.Params, given []driver.NamedValue,
) ([]expr.Argument, error) {
	if p.returning != nil || p.conditions {
		return bindArgs(params, given, nil, bytesKeeper{})
	}
	keep := bytesKeeper{borrow: true}
	if s.Tx != nil {
		keep = bytesKeeper{copies: &s.Tx.texts}
	}
	in := s.inserting()
	var err error
	if in.args, err = bindArgs(params, given, in.args[:0], keep); err != nil {
		in.end()
	}
	return in.args, err
}

// begin starts an execution with the arguments of bind, in the session's insertion unless there is
// RETURNING.
func (p *insertPlan) begin(
	ctx context.Context, s *Session, args []expr.Argument,
) (*insertion, *expr.Env) {
	switch {
	case p.returning != nil:
		in := &insertion{args: args}
		return in, in.begin(ctx, s)
	case p.conditions:
		return s.inserting(), newWriteExecution(ctx, s, args).env(nil)
	}
	in := s.inserting()
	return in, in.begin(ctx, s)
}

// finish ends what begin has begun.
func (p *insertPlan) finish(in *insertion, en *expr.Env) {
	execOf(en).end()
	if p.returning == nil {
		in.end()
	}
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
