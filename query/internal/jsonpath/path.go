// Package jsonpath looks up places in JSON documents and makes SQL values of what is there.
//
// A [Path] leads to one place; [Paths] are several, which are looked up in one pass over the
// document. What they find is a [Raw], a part of the document's text.
//
// What walks a document, [FindMember] and [ValueEnd] and their like, trusts that it is valid and
// passes over most of it by looking for quotes and brackets alone; of a document that is not, the
// result is some part of it or nothing. That is why there are two readers of JSON text in this
// module: engine.ValidJSON checks every byte of a text that nobody has looked at. [FromJSON5] makes
// JSON of the JSON5 that people write.
package jsonpath

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/query/internal/value"
)

// A Path is a compiled path into a JSON document, in SQLite's syntax: $ is the document, .key or
// ."key" a member of an object (["key"] is one, too, which SQLite does not have), [n] an element of
// an array, [#-n] one counted from the end. [*], which SQLite does not have, is all elements of an
// array.
type Path struct {
	Steps []Step
}

// A Step is one member or one element.
type Step struct {
	key   string // of a member, without escapes
	index int64  // of an element: from 0, or, if fromEnd, how far before the end
	kind  stepKind
}

type stepKind uint8

const (
	stepKey stepKind = iota
	stepIndex
	stepFromEnd
	stepAll
)

// A Raw is one value as it stands in its document, blanks included; "" if there is none.
type Raw string

// MaxSteps is how many parts a path may have. What looks paths up recurses so deep.
const MaxSteps = 1000

// ErrLong is the error for a path of more than MaxSteps parts.
var ErrLong = errors.New("a path has at most 1000 parts")

// ErrSyntax is the error for a text that is no path.
var ErrSyntax = errors.New("a path is $, then .key, .\"key\", [\"key\"], [n], [#-n] or [*]")

// Parse compiles a path that begins with $.
func Parse(s string) (*Path, error) {
	if s == "" || s[0] != '$' {
		return nil, ErrSyntax
	}
	p := &Path{}
	for s = s[1:]; s != ""; {
		step, rest, err := parseStep(s)
		if err != nil {
			return nil, err
		}
		if len(p.Steps) == MaxSteps {
			return nil, ErrLong
		}
		p.Steps, s = append(p.Steps, step), rest
	}
	return p, nil
}

// ParseLabel compiles what stands on the right of -> and ->>: a path, the number of an element
// (from the end if it is negative), [n], or one key.
func ParseLabel(v value.Value) (*Path, error) {
	s := v.Text()
	switch {
	case v.Kind == value.Int && v.N < 0:
		return &Path{Steps: []Step{{kind: stepFromEnd, index: -v.N}}}, nil
	case v.Kind == value.Int:
		return &Path{Steps: []Step{{kind: stepIndex, index: v.N}}}, nil
	case s == "":
		return nil, ErrSyntax
	case s[0] == '$':
		return Parse(s)
	case len(s) >= 3 && s[0] == '[' && s[len(s)-1] == ']':
		return Parse("$" + s)
	}
	return &Path{Steps: []Step{{key: s}}}, nil
}

func parseStep(s string) (step Step, rest string, err error) {
	switch {
	case s[0] == '[':
		return parseIndex(s[1:])
	case s[0] != '.' || len(s) == 1:
		return step, "", ErrSyntax
	case s[1] == '"':
		end := StringEnd(s, 2)
		if end < 0 {
			return step, "", ErrSyntax
		}
		return Step{key: Unescape(s[2 : end-1])}, s[end:], nil
	}
	end := 1
	for end < len(s) && s[end] != '.' && s[end] != '[' {
		end++
	}
	if end == 1 {
		return step, "", ErrSyntax
	}
	return Step{key: s[1:end]}, s[end:], nil
}

// parseIndex reads what follows a [. That may be a key in quotes, as other databases write it.
func parseIndex(s string) (step Step, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		end := StringEnd(s, 1)
		if end < 0 || end == len(s) || s[end] != ']' {
			return step, "", ErrSyntax
		}
		return Step{key: Unescape(s[1 : end-1])}, s[end+1:], nil
	}
	if strings.HasPrefix(s, "*]") {
		return Step{kind: stepAll}, s[2:], nil
	}
	step.kind = stepIndex
	if strings.HasPrefix(s, "#") {
		step.kind, s = stepFromEnd, s[1:]
		if strings.HasPrefix(s, "]") { // one after the last: never there
			return step, s[1:], nil
		}
		if !strings.HasPrefix(s, "-") {
			return step, "", ErrSyntax
		}
		s = s[1:]
	}
	end := value.DigitsEnd(s, 0)
	if end == 0 || end == len(s) || s[end] != ']' {
		return step, "", ErrSyntax
	}
	step.index, _ = strconv.ParseInt(s[:end], 10, 64) // too large is the largest, and beyond every array
	return step, s[end+1:], nil
}

// Then is p followed by q.
func (p *Path) Then(q *Path) *Path {
	steps := make([]Step, 0, len(p.Steps)+len(q.Steps))
	return &Path{Steps: append(append(steps, p.Steps...), q.Steps...)}
}

// FromEnd reports whether a step counts from the end of an array, so that only the document tells
// where p leads.
func (p *Path) FromEnd() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.kind == stepFromEnd })
}

// Key is a text that two paths share exactly if they lead to the same place.
func (p *Path) Key() string { return p.String() }

// String returns the path in its canonical form.
func (p *Path) String() string {
	b := []byte{'$'}
	for _, s := range p.Steps {
		switch s.kind {
		case stepKey:
			b = append(b, '.')
			b = AppendQuoted(b, s.key)
		case stepIndex:
			b = append(strconv.AppendInt(append(b, '['), s.index, 10), ']')
		case stepAll:
			b = append(b, "[*]"...)
		case stepFromEnd:
			b = append(b, "[#"...)
			if s.index > 0 {
				b = strconv.AppendInt(b, -s.index, 10)
			}
			b = append(b, ']')
		}
	}
	return string(b)
}

// ExtractFor is extract with a meter: it gives up, with nothing, when nobody waits for the result
// any more.
//
// A path with a [*] leads nowhere: see Each.
func (p *Path) ExtractFor(m *value.Meter, doc string) Raw {
	i := SkipBlanks(doc, 0)
	for s := range p.Steps {
		at := i
		if i = p.Steps[s].find(doc, i); i < 0 {
			return ""
		}
		if p.Steps[s].kind == stepFromEnd { // which has read all of the array
			at = i - (len(doc) - i)
		}
		if m != nil && !m.Effort(i-at) {
			return ""
		}
	}
	end := ValueEnd(doc, i)
	if end < 0 {
		return ""
	}
	return Raw(doc[i:end])
}

// find returns where the step leads to from the value at i, -1 for nowhere.
func (step *Step) find(doc string, i int) int {
	switch step.kind {
	case stepKey:
		return FindMember(doc, i, step.key)
	case stepIndex:
		return FindElement(doc, i, step.index)
	case stepAll:
		return -1
	}
	if n := CountElements(doc, i); n >= step.index && step.index > 0 {
		return FindElement(doc, i, n-step.index)
	}
	return -1
}

// Extract finds the value that p leads to. The document must be valid JSON; of one that is not, the
// result is some part of it or nothing. Of two members with the same key the first counts. extract
// allocates nothing and never recurses.
func (p *Path) Extract(doc string) Raw { return p.ExtractFor(nil, doc) }

// json returns the value as ->  does: JSON without blanks. NULL if there is none.
func (r Raw) JSON() value.Value {
	if r == "" {
		return value.Value{}
	}
	return value.OfJSON(Compact(string(r)))
}

// sql returns the value as json_extract does: strings decoded, numbers as numbers, true and false
// as 1 and 0, null as NULL, objects and arrays as JSON.
func (r Raw) SQL() value.Value {
	if r == "" {
		return value.Value{}
	}
	switch r[0] {
	case '"':
		return value.OfText(Unescape(string(r[1 : len(r)-1])))
	case '{', '[':
		return r.JSON()
	case 't':
		return value.OfInt(1)
	case 'f':
		return value.OfInt(0)
	case 'n':
		return value.Value{}
	}
	return jsonToNumber(string(r))
}

// Text returns the value as ->> does, as sql but that the text of an object or an array is a text
// like any other: json_array and json_quote quote it.
func (r Raw) Text() value.Value {
	v := r.SQL()
	v.JSON = false
	return v
}

// jsonToNumber returns an integer for a number that is written as one and fits, otherwise a real.
func jsonToNumber(s string) value.Value {
	if len(s) <= 18 {
		if n, ok := smallInt(s); ok {
			return value.OfInt(n)
		}
	}
	return value.NumericPrefix(s).Value()
}

// smallInt reads an integer of at most 18 digits.
func smallInt(s string) (n int64, ok bool) {
	negative := s[0] == '-'
	if negative {
		s = s[1:]
	}
	for i := 0; i < len(s); i++ {
		if !value.IsDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	if negative {
		n = -n
	}
	return n, s != ""
}

// Kind is what json_type gives, NULL for nothing.
func (r Raw) Kind() value.Value {
	if r == "" {
		return value.Value{}
	}
	if kind := jsonKinds[r[0]]; kind != "" {
		return value.OfText(kind)
	}
	if value.NumericPrefix(string(r)).Real {
		return value.OfText("real")
	}
	return value.OfText("integer")
}

// Length is the number of elements of an array, 0 for anything else, NULL for nothing.
func (r Raw) Length() value.Value {
	if r == "" {
		return value.Value{}
	}
	return value.OfInt(CountElements(string(r), 0))
}

// jsonKinds are the names of json_type by the first byte of a value; numbers are integer or real.
var jsonKinds = [256]string{
	'"': "text", '{': "object", '[': "array", 't': "true", 'f': "false", 'n': "null",
}
