package query

import (
	"errors"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// conditions are what COMMIT expects of the reads.
func (r *txReads) conditions() []engine.Expectation {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	var list []engine.Expectation
	if len(r.sets) > 0 {
		list = append(list, r.nothingSeen())
	}
	if r.content.From < r.content.To {
		list = append(list, r.nothingErased())
	}
	return list
}

// nothingSeen is that no event has come which some statement would have seen.
func (r *txReads) nothingSeen() *engine.Condition {
	c := &engine.Condition{After: r.head - 1, LogOnly: true, Read: true}
	if first := r.sets[0]; len(r.sets) == 1 && len(first.filters) == 1 {
		c.Where, c.Columns, c.Match = first.filters[0], first.columns, first.match
		return c
	}
	c.Where.Any = alternatives(r.sets)
	c.Columns = filterColumns
	for _, set := range r.sets {
		c.Columns |= set.columns
	}
	c.Match = func(b *engine.Batch, row int) (bool, error) { return r.seenBy(b, row) != nil, nil }
	return c
}

// nothingErased is that content which was read is still there: otherwise the transaction would have
// come before the erasure for itself, and behind it for everybody else.
func (r *txReads) nothingErased() *engine.Condition {
	return &engine.Condition{
		After: r.head - 1, LogOnly: true, Read: true, Columns: engine.ColPayload,
		Where: engine.Filter{
			Streams: []string{engine.ErasuresStream}, Types: []string{engine.ErasedType},
		},
		Match: func(b *engine.Batch, row int) (bool, error) {
			e, err := engine.ParseErased(b.Payloads[row])
			return err != nil || len(e.Events.Within(r.content)) > 0, nil
		},
	}
}

// seenBy returns the first set that would have seen an event, nil if none would. The batch has
// filterColumns and what the sets need.
func (r *txReads) seenBy(b *engine.Batch, row int) *readSet {
	e := filterEvent(b, row)
	for _, set := range r.sets {
		passes := func(f engine.Filter) bool { return f.Passes(&e) }
		if !slices.ContainsFunc(set.filters, passes) {
			continue
		}
		if set.match == nil {
			return set
		}
		if ok, err := set.match(b, row); ok || err != nil {
			return set
		}
	}
	return nil
}

// guard adds what COMMIT expects of the reads to a batch.
func (r *txReads) guard(batch []engine.Append) []engine.Append {
	if r == nil || len(batch) == 0 {
		return batch
	}
	expect := r.conditions()
	if len(expect) == 0 {
		return batch
	}
	stream := schemaName // the store asks for a name, of which conditions make no use
	if batch[0].Stream != "" {
		stream = batch[0].Stream
	}
	return append(batch, engine.Append{Stream: stream, Expect: expect})
}

// explain lets a conflict name the statements that have read, each with its events.
func (r *txReads) explain(err error) error {
	if r == nil || err == nil {
		return err
	}
	var conflict *engine.ConflictError
	if !errors.As(err, &conflict) {
		return err
	}
	told := &engine.ConflictError{Head: conflict.Head}
	for _, check := range conflict.Checks {
		if check.Condition == nil || !check.Condition.Read {
			told.Checks = append(told.Checks, check)
			continue
		}
		told.Checks = append(told.Checks, r.perStatement(check)...)
	}
	return told
}

// perStatement divides a failed check into one for each statement.
func (r *txReads) perStatement(check engine.FailedCheck) (list []engine.FailedCheck) {
	at := map[readPlace]int{}
	for i := range check.Conflicts {
		e := &check.Conflicts[i]
		place := r.by
		if check.Condition.Where.Types == nil || e.Stream != engine.ErasuresStream {
			place = r.placeOf(e)
		}
		k, known := at[place]
		if !known {
			k = len(list)
			at[place] = k
			list = append(list, place.check(check))
		}
		if list[k].Conflicts = append(list[k].Conflicts, *e); list[k].Stream != e.Stream {
			list[k].Stream = ""
		}
		if len(list[k].Conflicts) == 1 {
			list[k].Stream = e.Stream
		}
	}
	if len(list) == 0 {
		return []engine.FailedCheck{check}
	}
	return list
}

// placeOf returns which statement would have seen an event.
func (r *txReads) placeOf(e *engine.Event) readPlace {
	b := &engine.Batch{}
	b.Add(e, engine.ColAll)
	if set := r.seenBy(b, 0); set != nil {
		return set.place
	}
	return readPlace{}
}

// maxReadText is how much of a statement an error shows, in bytes.
const maxReadText = 400

// check returns a failed check of what was read here, without its events.
func (p readPlace) check(failed engine.FailedCheck) engine.FailedCheck {
	c := *failed.Condition
	c.Text = strings.Join(strings.Fields(p.text), " ")
	if len(c.Text) > maxReadText {
		c.Text = strings.ToValidUTF8(c.Text[:maxReadText], "") + "..."
	}
	if p.text != "" && p.pos >= 0 {
		c.Line, c.Column = parser.Locate(p.text, p.pos)
	}
	failed.Condition, failed.Conflicts, failed.Stream = &c, nil, ""
	return failed
}
