package query

import (
	"cmp"
	"database/sql/driver"
	"io"
	"time"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// resultRows are the Rows of a statement, whose rows are in en.row.values.
type resultRows struct {
	columns []Column
	op      rows
	en      *expr.Env
	boxes   []box
	begun   bool  // a row was given
	ended   error // what Next goes on returning, nil while there are rows
}

func newRows(columns []Column, op rows, en *expr.Env) *resultRows {
	r := &resultRows{columns: columns, op: op, en: en, boxes: make([]box, len(columns))}
	for i := range r.boxes {
		r.boxes[i].typ = columns[i].Type
		r.boxes[i].jsonText = execOf(en).session.Settings.JSONText
	}
	return r
}

// Columns implements Rows.
func (r *resultRows) Columns() []Column { return r.columns }

// Next implements Rows.
func (r *resultRows) Next(dest []driver.Value) error {
	if r.ended != nil {
		return r.ended
	}
	err := r.en.Ctx.Err()
	ok := false
	if err == nil {
		ok, err = r.op.next(r.en)
	}
	if err == nil && !r.begun { // who reads one row does not come to the end
		err, r.begun = execOf(r.en).noteless(), true
	}
	if err == nil && !ok {
		err = cmp.Or(execOf(r.en).noteless(), io.EOF)
	}
	if err != nil {
		r.ended = err
		return err
	}
	for i := range r.boxes {
		b := &r.boxes[i]
		v := r.en.Row.Values[i]
		if b.typ == EventType && v.Kind == value.Int {
			dest[i] = execOf(r.en).events[v.N]
			continue
		}
		dest[i] = b.box(v)
	}
	return nil
}

// Close implements Rows. Of rows that are left before their end it tells what their end would have.
func (r *resultRows) Close() error {
	if r.op == nil {
		return nil
	}
	op, left := r.op, r.ended == nil
	r.op = nil
	if left {
		r.ended = io.EOF
	}
	err := op.close()
	if left {
		err = cmp.Or(err, execOf(r.en).noteless())
	}
	execOf(r.en).end()
	return err
}

// toDriver turns v, a value of a column of type t, into what database/sql takes. JSON texts are
// []byte, or string if jsonText says so. The []byte it returns is the caller's.
func toDriver(v value.Value, t Type, jsonText bool) driver.Value {
	switch v.Kind {
	case value.Int:
		if t == Real {
			return float64(v.N)
		}
		return v.N
	case value.Float:
		return v.F
	case value.Time:
		if t == Text {
			return value.FormatTime(v.N)
		}
		return time.UnixMicro(v.N).UTC()
	case value.String:
		if t == Blob || t == JSON && !jsonText {
			return []byte(v.S)
		}
		return v.S
	case value.Bytes:
		return []byte(v.S)
	}
	return nil
}
