package jsonpath

import (
	"strconv"

	"github.com/eventfold/eventfold/query/internal/value"
)

// A Walker goes through the values of a JSON document, one after the other, and holds nothing but
// where it is. The document must be valid JSON; of one that is not, it gives some part. One
// goroutine uses it.
type Walker struct {
	doc   string
	tree  bool   // all values, the document's own first; otherwise those directly in it
	path  []byte // to the innermost open container
	open  []level
	at    int // where the current value begins; -1 before the first and behind the last
	id    int64
	begun bool
}

// A level is a container that is open.
type level struct {
	array bool
	id    int64
	index int64  // of the current element
	key   string // of the current member, between its quotes
	path  int    // how much of the path leads to the container
}

const levelSize = 56 // bytes of a level

// NewWalker returns a Walker of the values in doc: with tree of doc itself and of all that is in it,
// parents first; without, of what is directly in it, or of doc itself if it is neither an array nor
// an object. root is the path that leads to doc.
func NewWalker(doc, root string, tree bool) *Walker {
	return &Walker{doc: doc, tree: tree, path: []byte(root), at: -1}
}

// Next goes on to the next value. It returns false behind the last one, and where the meter says
// that nobody waits for it.
func (w *Walker) Next(m *value.Meter) bool {
	from := max(w.at, 0)
	switch {
	case !w.begun:
		w.begun = true
		w.at = SkipBlanks(w.doc, 0)
		if !w.tree && w.Container() && !w.enter() {
			w.at = -1
		}
	case w.at < 0:
		return false
	case w.tree && w.Container() && w.enter():
	default:
		w.skip()
	}
	return w.at >= 0 && m.Effort(value.TermEffort+w.at-from)
}

// enter goes into the current container, to the first value in it; false if it is empty.
func (w *Walker) enter() bool {
	array := w.doc[w.at] == '['
	at := SkipBlanks(w.doc, w.at+1)
	if at >= len(w.doc) || w.doc[at] == ']' || w.doc[at] == '}' {
		return false
	}
	if len(w.open) > 0 {
		w.path = w.appendName(w.path)
	}
	w.open = append(w.open, level{array: array, id: w.id, index: -1, path: len(w.path)})
	w.item(at)
	return true
}

// item goes on to the element or member that begins at i.
func (w *Walker) item(i int) {
	l := &w.open[len(w.open)-1]
	w.id++
	l.index++
	w.at = i
	if l.array {
		return
	}
	w.at = -1
	if i < len(w.doc) && w.doc[i] == '"' {
		if end := StringEnd(w.doc, i+1); end > 0 {
			l.key = w.doc[i+1 : end-1]
			w.at = AfterColon(w.doc, end)
		}
	}
}

// skip goes behind the current value, and out of the containers that end there.
func (w *Walker) skip() {
	i := ValueEnd(w.doc, w.at)
	for w.at = -1; i >= 0 && len(w.open) > 0; {
		if i = SkipBlanks(w.doc, i); i >= len(w.doc) {
			return
		}
		if w.doc[i] == ',' {
			w.item(SkipBlanks(w.doc, i+1))
			return
		}
		i++
		w.open = w.open[:len(w.open)-1]
		if n := len(w.open); n > 0 {
			w.path = w.path[:w.open[n-1].path]
		}
	}
}

// Inside reports whether the current value is in another one that the Walker has passed.
func (w *Walker) Inside() bool { return len(w.open) > 0 }

// Key is the place in an array, or the name in an object, of a value that is Inside.
func (w *Walker) Key() value.Value {
	l := &w.open[len(w.open)-1]
	if l.array {
		return value.OfInt(l.index)
	}
	return value.OfText(Unescape(l.key))
}

// Raw is the current value.
func (w *Walker) Raw() Raw {
	if end := ValueEnd(w.doc, w.at); end > 0 {
		return Raw(w.doc[w.at:end])
	}
	return ""
}

// Container reports whether the current value is an array or an object.
func (w *Walker) Container() bool {
	return w.at < len(w.doc) && (w.doc[w.at] == '[' || w.doc[w.at] == '{')
}

// Kind is what json_type gives for the current value.
func (w *Walker) Kind() value.Value {
	if w.Container() {
		return Raw(w.doc[w.at : w.at+1]).Kind()
	}
	return w.Raw().Kind()
}

// ID numbers the values from 0, in the order of the document.
func (w *Walker) ID() int64 { return w.id }

// Parent is the ID of the value that the current one is in; ok is false if the Walker has not given
// it.
func (w *Walker) Parent() (id int64, ok bool) {
	if !w.tree || len(w.open) == 0 {
		return 0, false
	}
	return w.open[len(w.open)-1].id, true
}

// Path is the path to what the current value is in, and for the first value of a tree to itself.
func (w *Walker) Path() string { return string(w.path) }

// PathSize is the length of Path.
func (w *Walker) PathSize() int { return len(w.path) }

// FullKey is the path to the current value.
func (w *Walker) FullKey() string {
	if len(w.open) == 0 {
		return string(w.path)
	}
	b := make([]byte, 0, w.FullKeySize())
	return value.StringOf(w.appendName(append(b, w.path...)))
}

// FullKeySize is about the length of FullKey, and never less.
func (w *Walker) FullKeySize() int {
	if len(w.open) == 0 {
		return len(w.path)
	}
	return len(w.path) + len(w.open[len(w.open)-1].key) + 22
}

// Held is about how many bytes the Walker takes, without the document.
func (w *Walker) Held() int64 { return int64(cap(w.path) + cap(w.open)*levelSize) }

// appendName appends the part of a path that leads from a container to its current value, as SQLite
// writes it: names of ASCII letters and digits have no quotes.
func (w *Walker) appendName(b []byte) []byte {
	l := &w.open[len(w.open)-1]
	if l.array {
		return append(strconv.AppendInt(append(b, '['), l.index, 10), ']')
	}
	if plainName(l.key) {
		return append(append(b, '.'), l.key...)
	}
	return append(append(append(b, `."`...), l.key...), '"')
}

func plainName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && !value.IsDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// Last returns the name or the place that the last part of a path leads to in a document, NULL for
// the document itself, and the text of the path without that part.
func (p *Path) Last(doc, text string) (key value.Value, before string) {
	if len(p.Steps) == 0 {
		return value.Value{}, text
	}
	rest := text[1:]
	for {
		_, next, err := parseStep(rest)
		if err != nil || next == "" {
			break
		}
		rest = next
	}
	before = text[:len(text)-len(rest)]
	switch step := p.Steps[len(p.Steps)-1]; step.kind {
	case stepKey:
		return value.OfText(step.key), before
	case stepIndex:
		return value.OfInt(step.index), before
	default:
		above := (&Path{Steps: p.Steps[:len(p.Steps)-1]}).Extract(doc)
		return value.OfInt(CountElements(string(above), 0) - step.index), before
	}
}
