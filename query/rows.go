package query

import (
	"database/sql/driver"
	"io"
	"strings"
	"time"

	"github.com/eventfold/eventfold/query/internal/value"
)

// resultRows are the Rows of a statement, whose rows are in en.row.values.
type resultRows struct {
	columns []Column
	op      rows
	en      *env
	boxes   []box
	ended   error // what Next goes on returning, nil while there are rows
}

func newRows(columns []Column, op rows, en *env) *resultRows {
	r := &resultRows{columns: columns, op: op, en: en, boxes: make([]box, len(columns))}
	for i := range r.boxes {
		r.boxes[i].typ = columns[i].Type
		r.boxes[i].jsonText = en.exec.session.Settings.JSONText
	}
	return r
}

func (r *resultRows) Columns() []Column { return r.columns }

func (r *resultRows) Next(dest []driver.Value) error {
	if r.ended != nil {
		return r.ended
	}
	err := r.en.ctx.Err()
	ok := false
	if err == nil {
		ok, err = r.op.next(r.en)
	}
	if err == nil && !ok {
		err = io.EOF
	}
	if err != nil {
		r.ended = err
		return err
	}
	for i := range r.boxes {
		b := &r.boxes[i]
		v := r.en.row.values[i]
		if b.typ == EventType && v.Kind == value.Int {
			dest[i] = r.en.exec.events[v.N]
			continue
		}
		dest[i] = b.box(v)
	}
	return nil
}

func (r *resultRows) Close() error {
	if r.op == nil {
		return nil
	}
	op := r.op
	r.op = nil
	if r.ended == nil {
		r.ended = io.EOF
	}
	err := op.close()
	r.en.exec.end()
	return err
}

// A box turns the values of one column into driver values. A text that was given out before, which types and streams
// often are, is not put into a new interface again.
type box struct {
	typ      Type
	jsonText bool
	last     string
	boxed    driver.Value // of last
	lastInt  int64
	boxedInt driver.Value
	lastTime int64
	boxedT   driver.Value
	few      map[string]driver.Value
	missed   int // texts in a row that were not among few
}

// How many different texts a box remembers, how long they are at most, and after how many others in a row it gives up looking for them.
const (
	boxFew  = 64
	boxMiss = 256
	boxText = 256 // longer texts are not remembered
)

func (b *box) box(v value.Value) driver.Value {
	switch v.Kind {
	case value.Null:
		return nil
	case value.String:
		if b.typ == Text || b.typ == Any && !v.JSON {
			return b.text(v.S)
		}
		if b.typ == JSON && !b.jsonText {
			return value.BytesOf(v.S)
		}
	case value.Bytes:
		return value.BytesOf(v.S)
	case value.Int:
		if b.typ == Integer && v.N == b.lastInt && b.boxedInt != nil {
			return b.boxedInt
		}
		if b.typ == Integer {
			b.lastInt, b.boxedInt = v.N, v.N
			return b.boxedInt
		}
	case value.Time:
		if b.typ == Timestamp {
			if b.boxedT == nil || b.lastTime != v.N {
				b.lastTime, b.boxedT = v.N, time.UnixMicro(v.N).UTC()
			}
			return b.boxedT
		}
	}
	return toDriver(v, b.typ, b.jsonText)
}

func (b *box) text(s string) driver.Value {
	if len(s) > boxText { // it would be kept for longer than its row
		return s
	}
	if s == b.last && b.boxed != nil {
		return b.boxed
	}
	if b.missed < boxMiss {
		if v, ok := b.few[s]; ok {
			b.last, b.boxed, b.missed = s, v, 0
			return v
		}
		b.missed++
	}
	remember := len(b.few) < boxFew
	if remember {
		s = strings.Clone(s) // it may be a small part of something large
	}
	b.last, b.boxed = s, s
	if remember {
		if b.few == nil {
			b.few = map[string]driver.Value{}
		}
		b.few[s] = b.boxed
	}
	return b.boxed
}

// toDriver turns v, a value of a column of type t, into what database/sql takes. JSON texts are []byte, or string if
// jsonText says so. The []byte it returns is the caller's.
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
