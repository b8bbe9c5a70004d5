package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// What expressions cost: the texts that they make are held against the statement's budget as long
// as the row lasts, and every few of the bytes that they look at they ask whether the statement is
// still wanted.

const (
	roomStep         = 64 << 10 // bytes of texts that are made before the budget is asked
	defaultTextLimit = 64 << 20 // bytes of a text without an execution
	foldEffort       = 4 << 10  // bytes that may be looked at and made while a statement is compiled
	foldText         = 256      // bytes of a text that is computed while a statement is compiled
)

// errDear is why an expression is not computed while the statement is compiled.
var errDear = errors.New("this is computed when the statement runs")

// Hold implements value.MeterOwner: it holds n bytes until the row is gone.
func (e *Env) Hold(n int) bool {
	e.Made += int64(n)
	return e.Made-e.held <= roomStep || e.holdMade()
}

// TextLimit implements value.MeterOwner: a text may take a part of the budget.
func (e *Env) TextLimit() int {
	if e.Exec != nil {
		return e.Exec.TextLimit()
	}
	if e.Ctx == nil {
		return foldEffort
	}
	return defaultTextLimit
}

// TooLong implements value.MeterOwner.
func (e *Env) TooLong() {
	if e.Ctx == nil {
		e.Fail(errDear)
		return
	}
	limit := e.TextLimit()
	size := fmt.Sprintf("%d bytes", limit)
	if limit%(1<<20) == 0 {
		size = fmt.Sprintf("%d MiB", limit>>20)
	}
	e.Fail(&fault.Error{Kind: fault.BadValue, Pos: -1, Msg: "a text has become longer than " + size,
		Hint: "a text may take a quarter of query_memory"})
}

// holdMade holds the texts that were made since it was called last.
func (e *Env) holdMade() bool {
	if e.Exec == nil {
		return e.Err == nil
	}
	n := e.Made - e.held
	e.held = e.Made
	if err := e.Exec.Hold(n, "making texts"); err != nil {
		e.Fail(err)
		return false
	}
	return true
}

// Begin tells that the texts of the last row are gone. Who moves on to another row calls it.
func (e *Env) Begin() {
	if e.Made != 0 {
		e.dropMade()
	}
}

func (e *Env) dropMade() {
	made, held := e.Made, e.held
	e.Made, e.held = 0, 0
	if held != 0 && e.Exec != nil {
		e.Exec.Release(held)
	}
	e.Discard(made)
}

// Discard implements value.MeterOwner. The bytes were not held, or are not any more.
func (e *Env) Discard(n int64) {
	if n > 0 && e.Exec != nil {
		e.Exec.Discard(n)
	}
}

// Unmade takes what was made since mark, which was e.made then, off the row's account and returns
// how much that is: somebody else keeps it, and holds it.
func (e *Env) Unmade(mark int64) int64 {
	n := e.Made - mark
	if n <= 0 || e.Exec == nil {
		return 0
	}
	e.Made = mark
	if e.held > mark {
		e.Exec.Release(e.held - mark)
		e.held = mark
	}
	return n
}

// Remember holds what was made since mark until the statement ends.
func (e *Env) Remember(mark int64) {
	if n := e.Unmade(mark); n > 0 {
		if err := e.Exec.Hold(n, "making texts"); err != nil {
			e.Fail(err)
		}
	}
}

// Wanted implements value.MeterOwner: it looks at the context. Nothing is wanted any more after an
// error.
func (e *Env) Wanted() bool {
	switch {
	case e.Err != nil:
		return false
	case e.Ctx == nil:
		e.Fail(errDear)
		return false
	}
	if err := e.Ctx.Err(); err != nil {
		e.Fail(err)
		return false
	}
	return true
}

// piece is the value of a part of a text. A small part of a long text is copied: it would keep
// alive the whole.
func (e *Env) piece(part, whole string) string {
	if len(whole) < value.EffortStep || len(part) > len(whole)/2 || part == "" {
		return part
	}
	if !e.Hold(len(part)) {
		return ""
	}
	return strings.Clone(part)
}

// Taken is a value that was taken from a document: a part of its text, or a copy of one.
func (e *Env) Taken(v value.Value, doc string) value.Value {
	switch {
	case len(v.S) <= value.SmallPiece && len(doc) < value.EffortStep:
	case liesIn(v.S, doc):
		v.S = e.piece(v.S, doc)
	case !e.Hold(len(v.S)):
		return null
	}
	return v
}

// liesIn reports whether a text lies within the memory of another.
func liesIn(part, whole string) bool {
	if part == "" || whole == "" {
		return false
	}
	from := uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	at := uintptr(unsafe.Pointer(unsafe.StringData(part)))
	return at >= from && at < from+uintptr(len(whole))
}

// text returns b as a text. It is not written to again.
func (e *Env) text(b []byte) value.Value {
	if !e.Room(len(b)) {
		return null
	}
	return value.OfText(value.StringOf(b))
}

// A textMaker puts a text together. Its parts are checked before they are appended, so that it
// never grows beyond the limit.
type textMaker struct {
	e *Env
	b []byte
}

// fits asks whether n more bytes may be appended.
func (t *textMaker) fits(n int) bool {
	if n > t.e.TextLimit()-len(t.b) {
		t.e.TooLong()
		return false
	}
	return t.e.Effort(n)
}

// grow makes room for n more bytes at once: what is left behind by growing is as large as the text.
func (t *textMaker) grow(n int) {
	if n > cap(t.b)-len(t.b) && max(n, len(t.b)) > value.SmallPiece {
		old := cap(t.b)
		t.b = slices.Grow(t.b, n)
		t.e.Discard(int64(old))
	}
}

// add appends a value's text.
func (t *textMaker) add(v value.Value) bool {
	if !t.fits(len(v.S)) {
		return false
	}
	t.grow(len(v.S))
	t.b = value.AppendText(t.b, v)
	return true
}

// fold computes x, whose operands are known, while the statement is compiled, if that is quickly
// done. An expression that fails does so when it is run, not before.
func fold(x *Expr) *Expr {
	e := folding()
	v := x.Eval(e)
	switch {
	case errors.Is(e.Err, errDear) || len(v.S) > foldText:
		return once(x)
	case e.Err != nil:
		return x
	}
	y := *x
	y.fixed, y.value, y.Test = true, v, nil
	y.Eval = func(*Env) value.Value { return v }
	y.Nullable = v.IsNull()
	if y.Type == value.Any {
		y.Type = staticType(v)
	}
	return &y
}

// folding makes an environment in which something small is prepared while the statement is
// compiled.
func folding() *Env {
	e := NewEnv(Env{})
	e.AskAfter(foldEffort)
	return e
}
