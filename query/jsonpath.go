package query

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A jsonPath is a compiled path into a JSON document, in SQLite's syntax: $ is the document, .key or ."key" a member of
// an object (["key"] is one, too, which SQLite does not have), [n] an element of an array, [#-n] one counted from the end.
type jsonPath struct {
	steps []jsonStep
}

// A jsonStep is one member or one element.
type jsonStep struct {
	key   string // of a member, without escapes
	index int64  // of an element: from 0, or, if fromEnd, how far before the end
	kind  stepKind
}

type stepKind uint8

const (
	stepKey stepKind = iota
	stepIndex
	stepFromEnd
)

// A rawJSON is one value as it stands in its document, blanks included; "" if there is none.
type rawJSON string

// maxPathSteps is how many parts a path may have. What looks paths up recurses so deep.
const maxPathSteps = 1000

var errLongPath = errors.New("a path has at most 1000 parts")

var errPath = errors.New("a path is $, then .key, .\"key\", [\"key\"], [n] or [#-n]")

// parsePath compiles a path that begins with $.
func parsePath(s string) (*jsonPath, error) {
	if s == "" || s[0] != '$' {
		return nil, errPath
	}
	p := &jsonPath{}
	for s = s[1:]; s != ""; {
		step, rest, err := parseStep(s)
		if err != nil {
			return nil, err
		}
		if len(p.steps) == maxPathSteps {
			return nil, errLongPath
		}
		p.steps, s = append(p.steps, step), rest
	}
	return p, nil
}

// parseLabel compiles what stands on the right of -> and ->>: a path, the number of an element (from the end if it is
// negative), [n], or one key.
func parseLabel(v Value) (*jsonPath, error) {
	s := v.text()
	switch {
	case v.kind == Int && v.n < 0:
		return &jsonPath{steps: []jsonStep{{kind: stepFromEnd, index: -v.n}}}, nil
	case v.kind == Int:
		return &jsonPath{steps: []jsonStep{{kind: stepIndex, index: v.n}}}, nil
	case s == "":
		return nil, errPath
	case s[0] == '$':
		return parsePath(s)
	case len(s) >= 3 && s[0] == '[' && s[len(s)-1] == ']':
		return parsePath("$" + s)
	}
	return &jsonPath{steps: []jsonStep{{key: s}}}, nil
}

func parseStep(s string) (step jsonStep, rest string, err error) {
	switch {
	case s[0] == '[':
		return parseIndex(s[1:])
	case s[0] != '.' || len(s) == 1:
		return step, "", errPath
	case s[1] == '"':
		end := stringEnd(s, 2)
		if end < 0 {
			return step, "", errPath
		}
		return jsonStep{key: unescape(s[2 : end-1])}, s[end:], nil
	}
	end := 1
	for end < len(s) && s[end] != '.' && s[end] != '[' {
		end++
	}
	if end == 1 {
		return step, "", errPath
	}
	return jsonStep{key: s[1:end]}, s[end:], nil
}

// parseIndex reads what follows a [. That may be a key in quotes, as other databases write it.
func parseIndex(s string) (step jsonStep, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		end := stringEnd(s, 1)
		if end < 0 || end == len(s) || s[end] != ']' {
			return step, "", errPath
		}
		return jsonStep{key: unescape(s[1 : end-1])}, s[end+1:], nil
	}
	step.kind = stepIndex
	if strings.HasPrefix(s, "#") {
		step.kind, s = stepFromEnd, s[1:]
		if strings.HasPrefix(s, "]") { // one after the last: never there
			return step, s[1:], nil
		}
		if !strings.HasPrefix(s, "-") {
			return step, "", errPath
		}
		s = s[1:]
	}
	end := digitsEnd(s, 0)
	if end == 0 || end == len(s) || s[end] != ']' {
		return step, "", errPath
	}
	step.index, _ = strconv.ParseInt(s[:end], 10, 64) // too large is the largest, and beyond every array
	return step, s[end+1:], nil
}

// then is p followed by q.
func (p *jsonPath) then(q *jsonPath) *jsonPath {
	steps := make([]jsonStep, 0, len(p.steps)+len(q.steps))
	return &jsonPath{steps: append(append(steps, p.steps...), q.steps...)}
}

// key is a text that two paths share exactly if they lead to the same place.
func (p *jsonPath) key() string { return p.String() }

// String returns the path in its canonical form.
func (p *jsonPath) String() string {
	b := []byte{'$'}
	for _, s := range p.steps {
		switch s.kind {
		case stepKey:
			b = append(b, '.')
			b = appendQuotedJSON(b, s.key)
		case stepIndex:
			b = append(strconv.AppendInt(append(b, '['), s.index, 10), ']')
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

// extractFor is extract for an expression: it gives up, with nothing, when nobody waits for the result any more.
func (p *jsonPath) extractFor(e *env, doc string) rawJSON {
	i := skipBlanks(doc, 0)
	for s := range p.steps {
		at := i
		if i = p.steps[s].find(doc, i); i < 0 {
			return ""
		}
		if p.steps[s].kind == stepFromEnd { // which has read all of the array
			at = i - (len(doc) - i)
		}
		if e != nil && !e.effort(i-at) {
			return ""
		}
	}
	end := valueEnd(doc, i)
	if end < 0 {
		return ""
	}
	return rawJSON(doc[i:end])
}

// find returns where the step leads to from the value at i, -1 for nowhere.
func (step *jsonStep) find(doc string, i int) int {
	switch step.kind {
	case stepKey:
		return findMember(doc, i, step.key)
	case stepIndex:
		return findElement(doc, i, step.index)
	}
	if n := countElements(doc, i); n >= step.index && step.index > 0 {
		return findElement(doc, i, n-step.index)
	}
	return -1
}

// extract finds the value that p leads to. The document must be valid JSON; of one that is not, the result is some part
// of it or nothing. Of two members with the same key the first counts. extract allocates nothing and never recurses.
func (p *jsonPath) extract(doc string) rawJSON { return p.extractFor(nil, doc) }

// findMember returns where the value of a member of the object at i begins, -1 if there is no such member.
func findMember(doc string, i int, key string) int {
	if i >= len(doc) || doc[i] != '{' {
		return -1
	}
	for i = skipBlanks(doc, i+1); i < len(doc) && doc[i] == '"'; {
		end, plain := keyEnd(doc, i+1)
		if end < 0 {
			return -1
		}
		raw := doc[i+1 : end-1]
		found := raw == key
		if !plain {
			found = unescape(raw) == key
		}
		if i = afterColon(doc, end); i < 0 || found {
			return i
		}
		if i = nextItem(doc, i); i < 0 {
			return -1
		}
	}
	return -1
}

// afterColon returns where a member's value begins, given where its key ends, -1 if there is no colon.
func afterColon(doc string, i int) int {
	if i < len(doc) && doc[i] != ':' {
		i = skipBlanks(doc, i)
	}
	if i >= len(doc) || doc[i] != ':' {
		return -1
	}
	return skipBlanks(doc, i+1)
}

// keyEnd is stringEnd for short strings; plain tells that the string is ASCII without escapes.
func keyEnd(s string, i int) (end int, plain bool) {
	var care byte
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1, care&utf8.RuneSelf == 0
		case c == '\\':
			return stringEnd(s, i), false
		default:
			care |= c
		}
	}
	return -1, false
}

// needsCare reports whether a string is more than plain ASCII without escapes.
func needsCare(raw string) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' || raw[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// findElement returns where element n of the array at i begins, -1 if there is none.
func findElement(doc string, i int, n int64) int {
	if i >= len(doc) || doc[i] != '[' {
		return -1
	}
	i = skipBlanks(doc, i+1)
	if i >= len(doc) || doc[i] == ']' {
		return -1
	}
	for ; n > 0; n-- {
		if i = nextItem(doc, i); i < 0 {
			return -1
		}
	}
	return i
}

// countElements returns the number of elements of the array at i, 0 if there is no array.
func countElements(doc string, i int) (n int64) {
	for i = findElement(doc, i, 0); i >= 0; i = nextItem(doc, i) {
		n++
	}
	return n
}

// nextItem skips the value at i and the comma after it. It returns -1 where no comma follows.
func nextItem(doc string, i int) int {
	i = valueEnd(doc, i)
	if i < 0 {
		return -1
	}
	if i < len(doc) && doc[i] != ',' {
		i = skipBlanks(doc, i)
	}
	if i >= len(doc) || doc[i] != ',' {
		return -1
	}
	return skipBlanks(doc, i+1)
}

func skipBlanks(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns the end of the value at i, -1 if the document ends within it.
func valueEnd(doc string, i int) int {
	if i >= len(doc) {
		return -1
	}
	switch doc[i] {
	case '"':
		return stringEnd(doc, i+1)
	case '{', '[':
		return containerEnd(doc, i+1)
	}
	start := i
	for i < len(doc) && !ends[doc[i]] {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// ends are the bytes that end a number or a word.
var ends = [256]bool{',': true, '}': true, ']': true, ':': true, ' ': true, '\n': true, '\t': true, '\r': true, '"': true, '{': true, '[': true}

// containerEnd returns the end of an object or array whose inside begins at i, by counting how deep it is.
func containerEnd(doc string, i int) int {
	depth := 1
	for i < len(doc) {
		switch doc[i] {
		case '"':
			if i = stringEnd(doc, i+1); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// stringEnd returns the place after the closing quote of the string whose inside begins at i, -1 if it is not closed.
func stringEnd(s string, i int) int {
	for i < len(s) {
		if i+8 <= len(s) {
			n := quoteOrEscape(s[i : i+8])
			if n == 8 {
				i += 8
				continue
			}
			i += n
		}
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
	return -1
}

// quoteOrEscape returns the place of the first quote or backslash in eight bytes, 8 if there is none. It looks at all
// eight at once: subtracting 1 from a byte borrows into its highest bit only if the byte is zero. (A byte above a zero byte
// may seem to be zero, too, but it is the lowest that counts.)
func quoteOrEscape(s string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	q, e := x^'"'*ones, x^'\\'*ones
	return bits.TrailingZeros64((q-ones)&^q&highs|(e-ones)&^e&highs) / 8
}

// unescape decodes what stands between the quotes of a JSON string. Bytes that are no UTF-8, and halves of surrogate pairs,
// become U+FFFD.
func unescape(raw string) string {
	if !needsCare(raw) || strings.IndexByte(raw, '\\') < 0 && utf8.ValidString(raw) {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] == '\\' && i+1 < len(raw) {
			b, i = appendEscape(b, raw, i+1)
			continue
		}
		r, size := utf8.DecodeRuneInString(raw[i:])
		b = utf8.AppendRune(b, r)
		i += size
	}
	return string(b)
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// appendEscape decodes the escape whose letter is at i and returns what follows.
func appendEscape(b []byte, raw string, i int) ([]byte, int) {
	if raw[i] != 'u' {
		if c := escapes[raw[i]]; c != 0 {
			return append(b, c), i + 1
		}
		return append(b, raw[i]), i + 1
	}
	r, ok := hex4(raw, i+1)
	if !ok {
		return append(b, 'u'), i + 1
	}
	i += 5
	if utf16.IsSurrogate(r) {
		if low, ok := hex4(raw, i+2); ok && raw[i] == '\\' && raw[i+1] == 'u' {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(b, pair), i + 6
			}
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(b, r), i
}

func hex4(s string, i int) (rune, bool) {
	if i+4 > len(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s[i:i+4], 16, 32)
	return rune(n), err == nil
}

// json returns the value as ->  does: JSON without blanks. NULL if there is none.
func (r rawJSON) json() Value {
	if r == "" {
		return null
	}
	return jsonValue(compactJSON(string(r)))
}

// sql returns the value as json_extract does: strings decoded, numbers as numbers, true and false as 1 and 0, null as NULL,
// objects and arrays as JSON.
func (r rawJSON) sql() Value {
	if r == "" {
		return null
	}
	switch r[0] {
	case '"':
		return textValue(unescape(string(r[1 : len(r)-1])))
	case '{', '[':
		return r.json()
	case 't':
		return intValue(1)
	case 'f':
		return intValue(0)
	case 'n':
		return null
	}
	return jsonToNumber(string(r))
}

// text returns the value as ->> does, as sql but that the text of an object or an array is a text like any other: json_array and
// json_quote quote it.
func (r rawJSON) text() Value {
	v := r.sql()
	v.json = false
	return v
}

// jsonToNumber returns an integer for a number that is written as one and fits, otherwise a real.
func jsonToNumber(s string) Value {
	if len(s) <= 18 {
		if n, ok := smallInt(s); ok {
			return intValue(n)
		}
	}
	return numericPrefix(s).value()
}

// smallInt reads an integer of at most 18 digits.
func smallInt(s string) (n int64, ok bool) {
	negative := s[0] == '-'
	if negative {
		s = s[1:]
	}
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	if negative {
		n = -n
	}
	return n, s != ""
}

// compactJSON returns a JSON text without the blanks outside of its strings, and with U+FFFD for bytes that are no UTF-8.
func compactJSON(s string) string {
	if !utf8.ValidString(s) {
		s = validText(s)
	}
	at := firstBlank(s, 0)
	if at < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	b = append(b, s[:at]...)
	for at < len(s) {
		from := skipBlanks(s, at)
		if at = firstBlank(s, from); at < 0 {
			at = len(s)
		}
		b = append(b, s[from:at]...)
	}
	return string(b)
}

// validText returns a text with U+FFFD for each byte that is no UTF-8.
func validText(s string) string {
	b := make([]byte, 0, len(s)+utf8.UTFMax)
	for _, r := range s {
		b = utf8.AppendRune(b, r)
	}
	return stringOf(b)
}

// firstBlank returns the place of the first blank outside of strings at or after i, which is outside of strings; -1 for none.
func firstBlank(s string, i int) int {
	for i < len(s) {
		switch s[i] {
		case '"':
			if i = stringEnd(s, i+1); i < 0 {
				return -1
			}
			continue
		case ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return -1
}
