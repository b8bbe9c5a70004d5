package query

import (
	"database/sql/driver"
	"strings"
	"time"

	"github.com/eventfold/eventfold/query/internal/value"
)

// A box turns the values of one column into driver values, as toDriver does. What was given out
// before, which types, streams and times often are, is not put into a new interface again.
//
// BenchmarkRows/columns of the driver holds it: without the memory of texts a row of all columns
// takes two allocations more, without that of numbers and times nearly two.
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

// How many different texts a box remembers, how long they are at most, and after how many others in
// a row it gives up looking for them.
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
