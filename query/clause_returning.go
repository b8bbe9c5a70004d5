package query

import (
	"context"
	"sort"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A returnColumn is one column of RETURNING.
type returnColumn struct {
	Column
	pos    parser.Pos
	needs  engine.ColumnSet
	eval   func(*expr.Env) value.Value // nil for duplicate, which is no event's
	commit commitRole
}

// notOfStar is how many columns at the end of returnColumns are not part of *.
const notOfStar = 3

// returnColumns are the columns that RETURNING can give: those of an event table, and those that
// are not part of *: redacted, category and duplicate.
var returnColumns = func() (list []returnColumn) {
	for i := range eventColumns {
		if c := &eventColumns[i]; !c.hidden {
			list = append(list, c.returned())
		}
	}
	return append(list, eventColumns[ordRedacted].returned(), eventColumns[ordCategory].returned(),
		returnColumn{Column{"duplicate", Integer, false}, -1, 0, nil, commitAssigns})
}()

// returned is the column as RETURNING gives it.
func (c *eventColumn) returned() returnColumn {
	return returnColumn{c.Column, -1, c.needs, c.eval, c.commit}
}

// sortedTags returns tags as the store keeps them.
func sortedTags(tags []string) []string {
	sorted := append([]string(nil), tags...)
	sort.Strings(sorted)
	return sorted
}

// compileReturning resolves RETURNING. If the statement is compiled for a transaction (pending),
// versions and ids may be NULL.
func (p *insertPlan) compileReturning(r *parser.Returning, pending bool) error {
	if r == nil {
		return nil
	}
	if r.Star {
		p.returning = append(p.returning, returnColumns[:len(returnColumns)-notOfStar]...)
	}
	for _, name := range r.Columns {
		found := false
		for _, c := range returnColumns {
			if sameName(c.Name, name.Text) {
				c.pos, found = name.Pos, true
				p.returning = append(p.returning, c)
			}
		}
		if !found {
			e := errorf(UnknownColumn, name.Pos, "there is no column %s to return", fault.Quoted(name.Text))
			e.Hint = "RETURNING gives the columns of an event table, redacted, category and duplicate"
			if column := foreignColumns[parser.LowerASCII(name.Text)]; column != "" {
				e.Hint = "the column is " + column
			}
			return e
		}
	}
	for _, c := range p.returning {
		c.Nullable = c.Nullable || pending && c.commit == commitMayAssign
		p.columns = append(p.columns, c.Column)
	}
	return nil
}

// checkPending refuses to return, in a transaction, what is not known before COMMIT.
func (p *insertPlan) checkPending() error {
	for _, c := range p.returning {
		if c.commit == commitAssigns {
			pos := c.pos
			if pos < 0 {
				pos = p.pos
			}
			return errorf(BadStatement, pos,
				"%s is assigned at COMMIT: RETURNING cannot give it inside a transaction", c.Name)
		}
	}
	return nil
}

// returningRows gives the rows of RETURNING, which are all there. It cannot fail: the events are
// stored, so that nothing of it is counted against the memory of the query.
func (p *insertPlan) returningRows(s *Session, done engine.Appended, rows []newRow) Rows {
	en := &expr.Env{Ctx: context.Background(), Row: expr.Row{Batch: &expr.Batch{
		Len: len(rows), Events: p.returnedEvents(&done, rows), Pending: s.Tx != nil,
	}}}
	out := make([][]value.Value, len(rows))
	for i := range rows {
		en.Row.I = i
		out[i] = make([]value.Value, len(p.returning))
		for k, c := range p.returning {
			if c.eval == nil {
				out[i][k] = value.OfBool(done.Duplicate)
			} else {
				out[i][k] = c.eval(en)
			}
		}
	}
	return listRows(p.columns, out, s)
}

// returnedEvents puts what RETURNING gives of the rows' events into a batch.
func (p *insertPlan) returnedEvents(done *engine.Appended, rows []newRow) *engine.Batch {
	var needs engine.ColumnSet
	for _, c := range p.returning {
		needs |= c.needs
	}
	b := new(engine.Batch)
	b.Reserve(len(rows), needs)
	for i := range rows {
		e, placed := rows[i].event.Unplaced(rows[i].stream), &done.Events[i]
		e.Position, e.Version, e.ID = placed.Position, placed.Version, placed.ID
		e.RecordedAt = done.RecordedAt
		e.JSON = needs&engine.ColPayload != 0 && validJSON(e.Payload)
		b.Add(&e, needs)
	}
	return b
}
