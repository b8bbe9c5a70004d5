package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// What expressions cost: the texts that they make are held against the statement's budget as long as the row lasts, and
// every few of the bytes that they look at they ask whether the statement is still wanted.

const (
	effortStep = 64 << 10 // bytes that are looked at before the context is
	roomStep   = 64 << 10 // bytes of texts that are made before the budget is asked
	foldEffort = 4 << 10  // bytes that may be looked at and made while a statement is compiled
	foldText   = 256      // bytes of a text that is computed while a statement is compiled
	termEffort = 16       // what one of very many terms counts for
	smallPiece = 1 << 10  // bytes of a text taken from another that are not counted
)

// errDear is why an expression is not computed while the statement is compiled.
var errDear = errors.New("this is computed when the statement runs")

// room asks for a text of n bytes that is about to be made. It is false if that may not be: then there is an error, and the
// value is NULL. What was asked for is held until the row is gone.
func (e *env) room(n int) bool {
	if limit := e.textLimit(); n > limit {
		e.tooLong(limit)
		return false
	}
	return e.count(n) && e.effort(n)
}

// count holds n bytes until the row is gone.
func (e *env) count(n int) bool {
	e.made += int64(n)
	return e.made-e.held <= roomStep || e.holdMade()
}

// textLimit is how long a text may become.
func (e *env) textLimit() int {
	if e.exec != nil && e.exec.budget != nil {
		return int(e.exec.budget.text)
	}
	if e.ctx == nil {
		return foldEffort
	}
	return DefaultMemory / textParts
}

// tooLong is the error for a text beyond textLimit.
func (e *env) tooLong(limit int) Value {
	if e.ctx == nil {
		return e.fail(errDear)
	}
	size := fmt.Sprintf("%d bytes", limit)
	if limit%(1<<20) == 0 {
		size = fmt.Sprintf("%d MiB", limit>>20)
	}
	return e.fail(&Error{Kind: BadValue, Pos: -1, Msg: "a text has become longer than " + size,
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
	e.discard(made)
}

// discard tells that n bytes are no longer used, which were not held, or are not any more.
func (e *env) discard(n int64) {
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

// effort tells that n bytes are about to be looked at. It is false if nobody waits for the result any more, or if there was
// an error before: then whatever is returned does not matter.
func (e *env) effort(n int) bool {
	e.work += n
	return e.work < effortStep || e.wanted()
}

// wanted looks at the context.
func (e *env) wanted() bool {
	switch {
	case e.err != nil: // work is left as it is: whoever asks again gets the same answer
		return false
	case e.ctx == nil:
		e.fail(errDear)
		return false
	}
	e.work = 0
	if err := e.ctx.Err(); err != nil {
		e.fail(err)
		return false
	}
	return true
}

// piece is the value of a part of a text. A small part of a long text is copied: it would keep alive the whole.
func (e *env) piece(part, whole string) string {
	if len(whole) < effortStep || len(part) > len(whole)/2 || part == "" {
		return part
	}
	if !e.count(len(part)) {
		return ""
	}
	return strings.Clone(part)
}

// taken is a value that was taken from a document: a part of its text, or a copy of one.
func (e *env) taken(v Value, doc string) Value {
	switch {
	case len(v.s) <= smallPiece && len(doc) < effortStep:
	case liesIn(v.s, doc):
		v.s = e.piece(v.s, doc)
	case !e.count(len(v.s)):
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
func (e *env) text(b []byte) Value {
	if !e.room(len(b)) {
		return null
	}
	return textValue(stringOf(b))
}

// A textMaker puts a text together. Its parts are checked before they are appended, so that it never grows beyond the limit.
type textMaker struct {
	e *env
	b []byte
}

// fits asks whether n more bytes may be appended.
func (t *textMaker) fits(n int) bool {
	if limit := t.e.textLimit(); n > limit-len(t.b) {
		t.e.tooLong(limit)
		return false
	}
	return t.e.effort(n)
}

// grow makes room for n more bytes at once: what is left behind by growing is as large as the text.
func (t *textMaker) grow(n int) {
	if n > cap(t.b)-len(t.b) && max(n, len(t.b)) > smallPiece {
		old := cap(t.b)
		t.b = slices.Grow(t.b, n)
		t.e.discard(int64(old))
	}
}

// add appends a value's text.
func (t *textMaker) add(v Value) bool {
	if !t.fits(len(v.s)) {
		return false
	}
	t.grow(len(v.s))
	t.b = appendText(t.b, v)
	return true
}

// fold computes x, whose operands are known, while the statement is compiled, if that is quickly done. An expression that fails
// does so when it is run, not before.
func fold(x *expr) *expr {
	e := env{work: effortStep - foldEffort}
	v := x.eval(&e)
	switch {
	case errors.Is(e.err, errDear) || len(v.s) > foldText:
		return once(x)
	case e.err != nil:
		return x
	}
	y := *x
	y.fixed, y.value, y.test = true, v, nil
	y.eval = func(*env) Value { return v }
	y.nullable = v.isNull()
	if y.typ == Any {
		y.typ = v.staticType()
	}
	return &y
}

// folding makes an environment in which something small is prepared while the statement is compiled.
func folding() *env { return &env{work: effortStep - foldEffort} }
