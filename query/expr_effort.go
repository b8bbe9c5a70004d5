package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/eventfold/eventfold/query/internal/effort"
	"github.com/eventfold/eventfold/query/internal/value"
)

// What expressions cost: the texts that they make are held against the statement's budget as long as the row lasts, and
// every few of the bytes that they look at they ask whether the statement is still wanted.

const (
	roomStep   = 64 << 10 // bytes of texts that are made before the budget is asked
	foldEffort = 4 << 10  // bytes that may be looked at and made while a statement is compiled
	foldText   = 256      // bytes of a text that is computed while a statement is compiled
	termEffort = 16       // what one of very many terms counts for
)

// errDear is why an expression is not computed while the statement is compiled.
var errDear = errors.New("this is computed when the statement runs")

// Hold implements effort.Owner: it holds n bytes until the row is gone.
func (e *env) Hold(n int) bool {
	e.made += int64(n)
	return e.made-e.held <= roomStep || e.holdMade()
}

// TextLimit implements effort.Owner: a text may take a part of the budget.
func (e *env) TextLimit() int {
	if e.exec != nil && e.exec.budget != nil {
		return int(e.exec.budget.text)
	}
	if e.ctx == nil {
		return foldEffort
	}
	return DefaultMemory / textParts
}

// TooLong implements effort.Owner.
func (e *env) TooLong() {
	if e.ctx == nil {
		e.fail(errDear)
		return
	}
	limit := e.TextLimit()
	size := fmt.Sprintf("%d bytes", limit)
	if limit%(1<<20) == 0 {
		size = fmt.Sprintf("%d MiB", limit>>20)
	}
	e.fail(&Error{Kind: BadValue, Pos: -1, Msg: "a text has become longer than " + size,
		Hint: "a text may take a quarter of query_memory"})
}

// holdMade holds the texts that were made since it was called last.
func (e *env) holdMade() bool {
	if e.exec == nil || e.exec.budget == nil {
		return e.err == nil
	}
	n := e.made - e.held
	e.held = e.made
	if err := e.exec.budget.hold(n, "making texts"); err != nil {
		e.fail(err)
		return false
	}
	return true
}

// begin tells that the texts of the last row are gone. Who moves on to another row calls it.
func (e *env) begin() {
	if e.made != 0 {
		e.dropMade()
	}
}

func (e *env) dropMade() {
	made, held := e.made, e.held
	e.made, e.held = 0, 0
	if held != 0 && e.exec != nil {
		e.exec.budget.release(held)
	}
	e.Discard(made)
}

// Discard implements effort.Owner. The bytes were not held, or are not any more.
func (e *env) Discard(n int64) {
	if n >= wasteLeast && e.exec != nil && e.exec.budget != nil {
		e.exec.budget.discard(n)
	}
}

// unmade takes what was made since mark, which was e.made then, off the row's account and returns how much that is: somebody else
// keeps it, and holds it.
func (e *env) unmade(mark int64) int64 {
	n := e.made - mark
	if n <= 0 || e.exec == nil || e.exec.budget == nil {
		return 0
	}
	e.made = mark
	if e.held > mark {
		e.exec.budget.release(e.held - mark)
		e.held = mark
	}
	return n
}

// remember holds what was made since mark until the statement ends.
func (e *env) remember(mark int64) {
	if n := e.unmade(mark); n > 0 {
		if err := e.exec.budget.hold(n, "making texts"); err != nil {
			e.fail(err)
		}
	}
}

// Wanted implements effort.Owner: it looks at the context. Nothing is wanted any more after an error.
func (e *env) Wanted() bool {
	switch {
	case e.err != nil:
		return false
	case e.ctx == nil:
		e.fail(errDear)
		return false
	}
	if err := e.ctx.Err(); err != nil {
		e.fail(err)
		return false
	}
	return true
}

// piece is the value of a part of a text. A small part of a long text is copied: it would keep alive the whole.
func (e *env) piece(part, whole string) string {
	if len(whole) < effort.Step || len(part) > len(whole)/2 || part == "" {
		return part
	}
	if !e.Hold(len(part)) {
		return ""
	}
	return strings.Clone(part)
}

// taken is a value that was taken from a document: a part of its text, or a copy of one.
func (e *env) taken(v value.Value, doc string) value.Value {
	switch {
	case len(v.S) <= effort.SmallPiece && len(doc) < effort.Step:
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
func (e *env) text(b []byte) value.Value {
	if !e.Room(len(b)) {
		return null
	}
	return value.OfText(value.StringOf(b))
}

// A textMaker puts a text together. Its parts are checked before they are appended, so that it never grows beyond the limit.
type textMaker struct {
	e *env
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
	if n > cap(t.b)-len(t.b) && max(n, len(t.b)) > effort.SmallPiece {
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

// fold computes x, whose operands are known, while the statement is compiled, if that is quickly done. An expression that fails
// does so when it is run, not before.
func fold(x *expr) *expr {
	e := folding()
	v := x.eval(e)
	switch {
	case errors.Is(e.err, errDear) || len(v.S) > foldText:
		return once(x)
	case e.err != nil:
		return x
	}
	y := *x
	y.fixed, y.value, y.test = true, v, nil
	y.eval = func(*env) value.Value { return v }
	y.nullable = v.IsNull()
	if y.typ == Any {
		y.typ = staticType(v)
	}
	return &y
}

// folding makes an environment in which something small is prepared while the statement is compiled.
func folding() *env {
	e := newEnv(env{})
	e.AskAfter(foldEffort)
	return e
}
