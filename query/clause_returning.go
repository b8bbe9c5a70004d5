package query

import (
	"sort"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A returnColumn is one column of RETURNING.
type returnColumn struct {
	Column
	pos     parser.Pos
	unknown bool // in a transaction it is never known before COMMIT
	value   func(*returnedRow) value.Value
}

// A returnedRow is one event as RETURNING gives it.
type returnedRow struct {
	row    *newRow
	placed engine.Placed
	done   *engine.Appended
}

// returnColumns are the columns that RETURNING can give. All but the last two are part of *.
var returnColumns = []returnColumn{
	{Column{"position", Integer, false}, -1, true,
		func(r *returnedRow) value.Value { return value.OfInt(int64(r.placed.Position)) }},
	{Column{"stream", Text, false}, -1, false,
		func(r *returnedRow) value.Value { return value.OfText(r.row.stream) }},
	{Column{"version", Integer, false}, -1, false,
		func(r *returnedRow) value.Value { return versionValue(r.placed.Version) }},
	{Column{"id", Text, false}, -1, false,
		func(r *returnedRow) value.Value { return idValue(r.placed.ID) }},
	{Column{"type", Text, false}, -1, false,
		func(r *returnedRow) value.Value { return value.OfText(r.row.event.Type) }},
	{Column{"payload", JSON, true}, -1, false,
		func(r *returnedRow) value.Value { return payloadValue(r.row.event.Payload) }},
	{Column{"metadata", JSON, false}, -1, false,
		func(r *returnedRow) value.Value { return value.OfJSON(metadataText(r.row.event.Metadata)) }},
	{Column{"tags", JSON, false}, -1, false,
		func(r *returnedRow) value.Value { return value.OfJSON(tagsText(sortedTags(r.row.event.Tags))) }},
	{Column{"recorded_at", Timestamp, false}, -1, true,
		func(r *returnedRow) value.Value { return value.OfTime(r.done.RecordedAt.UnixMicro()) }},
	{Column{"duplicate", Integer, false}, -1, true,
		func(r *returnedRow) value.Value { return value.OfBool(r.done.Duplicate) }},
	{Column{"redacted", Integer, false}, -1, false,
		func(*returnedRow) value.Value { return value.OfBool(false) }},
}

// idValue is NULL for an id that COMMIT will assign.
func idValue(id uuid.UUID) value.Value {
	if id == uuid.Nil {
		return null
	}
	return value.OfText(id.String())
}

// metadataText is what the store keeps for the metadata of an event.
func metadataText(m []byte) string {
	if m == nil {
		return "{}"
	}
	return value.StringOf(m)
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
		p.returning = append(p.returning, returnColumns[:len(returnColumns)-2]...)
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
			e.Hint = "RETURNING gives the columns of an event table and duplicate"
			if column := foreignColumns[parser.LowerASCII(name.Text)]; column != "" {
				e.Hint = "the column is " + column
			}
			return e
		}
	}
	for _, c := range p.returning {
		if pending && (c.Name == eventSchema[ordVersion].Name || c.Name == eventSchema[ordID].Name) {
			c.Nullable = true
		}
		p.columns = append(p.columns, c.Column)
	}
	return nil
}

// checkPending refuses to return, in a transaction, what is not known before COMMIT.
func (p *insertPlan) checkPending() error {
	for _, c := range p.returning {
		if c.unknown {
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

// returningRows gives the rows of RETURNING, which are all there.
func (p *insertPlan) returningRows(s *Session, done engine.Appended, rows []newRow) (Rows, error) {
	out := make([][]value.Value, len(rows))
	for i := range rows {
		r := &returnedRow{row: &rows[i], placed: done.Events[i], done: &done}
		out[i] = make([]value.Value, len(p.returning))
		for k, c := range p.returning {
			out[i][k] = c.value(r)
		}
	}
	return listRows(p.columns, out, s), nil
}

// payloadValue gives a payload as a value: JSON if it is, otherwise a blob.
func payloadValue(p []byte) value.Value {
	switch {
	case p == nil:
		return null
	case engine.ValidJSON(p):
		return value.OfJSON(value.StringOf(p))
	}
	return value.OfBlob(value.StringOf(p))
}
