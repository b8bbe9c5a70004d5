package jsonpath

import (
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold/query/internal/value"
)

// maxJSON5Depth is how deep the objects and arrays of JSON5 may be nested.
const maxJSON5Depth = 1000

// A json5 turns JSON5, in which JSON is written by people, into JSON without blanks, as SQLite
// does: comments, keys without quotes, single quotes, commas at the end, +1, .5, 5., 0x1F, NaN
// (null) and Infinity (9e999).
type json5 struct {
	meter *value.Meter
	in    string
	at    int
	out   []byte
	seen  int // how much of in the meter knows of
	held  int // bytes of out that the meter has given room for
	depth int
}

// FromJSON5 returns JSON5 as JSON; ok is false if it is neither, if it becomes longer than a text
// may be, or if the meter says no. The meter has given room for what is returned.
func FromJSON5(m *value.Meter, s string) (doc []byte, ok bool) {
	p := &json5{meter: m, in: s}
	p.blanks()
	if !p.value() {
		return nil, false
	}
	p.blanks()
	if p.at < len(p.in) || !p.account() {
		return nil, false
	}
	return p.out, true
}

// wanted tells the meter, after each step, how much has been read and made. If it is false, the
// rest is not to be read.
func (p *json5) wanted() bool {
	return p.at-p.seen < value.EffortStep && len(p.out)-p.held < value.EffortStep || p.account()
}

func (p *json5) account() bool {
	read, made := p.at-p.seen, cap(p.out)-p.held
	p.seen, p.held = p.at, cap(p.out)
	if len(p.out) > p.meter.TextLimit() {
		p.meter.TooLong()
		return false
	}
	return p.meter.Effort(read) && (made <= 0 || p.meter.Room(made))
}

// blanks passes over white space and comments. A comment that is not closed is left, and then is no
// value.
func (p *json5) blanks() {
	for p.at < len(p.in) {
		rest := p.in[p.at:]
		switch r, size := utf8.DecodeRuneInString(rest); {
		case json5Blank(r):
			p.at += size
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return
			}
			p.at += end + 4
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexAny(rest, "\n\r\u2028\u2029")
			if end < 0 {
				end = len(rest)
			}
			p.at += end
		default:
			return
		}
	}
}

func json5Blank(r rune) bool {
	return r == ' ' || r >= '\t' && r <= '\r' || r >= 0xa0 && strings.ContainsRune(
		"\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"+
			"\u2028\u2029\u202f\u205f\u3000\ufeff", r)
}

// take passes over a byte if it is the next one.
func (p *json5) take(c byte) bool {
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return true
	}
	return false
}

// value reads a value, without blanks around it.
func (p *json5) value() bool {
	if p.at == len(p.in) {
		return false
	}
	switch c := p.in[p.at]; {
	case c == '{':
		return p.container('}', p.member)
	case c == '[':
		return p.container(']', p.value)
	case c == '"' || c == '\'':
		return p.text()
	case value.IsDigit(c) || c == '+' || c == '-' || c == '.':
		return p.number()
	}
	return p.word()
}

// container reads an object or an array, whose last item may have a comma behind it.
func (p *json5) container(end byte, item func() bool) bool {
	if p.depth++; p.depth > maxJSON5Depth {
		return false
	}
	defer func() { p.depth-- }()
	p.out = append(p.out, p.in[p.at])
	p.at++
	for n := 0; p.wanted(); n++ {
		p.blanks()
		if p.take(end) {
			p.out = append(p.out, end)
			return true
		}
		if n > 0 {
			p.out = append(p.out, ',')
		}
		if !item() {
			return false
		}
		p.blanks()
		if p.take(',') {
			continue
		}
		if !p.take(end) {
			return false
		}
		p.out = append(p.out, end)
		return true
	}
	return false
}

func (p *json5) member() bool {
	if !p.key() {
		return false
	}
	p.blanks()
	if !p.take(':') {
		return false
	}
	p.out = append(p.out, ':')
	p.blanks()
	return p.value()
}

// key reads a text or a name: letters, digits, _ and $, everything that is not ASCII, and \u with
// four digits.
func (p *json5) key() bool {
	if p.at < len(p.in) && (p.in[p.at] == '"' || p.in[p.at] == '\'') {
		return p.text()
	}
	start := p.at
	for p.at < len(p.in) {
		c := p.in[p.at]
		_, escaped := hex4(p.in, p.at+2)
		switch {
		case c == '\\' && escaped && p.in[p.at+1] == 'u':
			p.at += 6
		case c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$' || c >= utf8.RuneSelf ||
			value.IsDigit(c) && p.at > start:
			p.at++
		default:
			return p.name(start)
		}
	}
	return p.name(start)
}

func (p *json5) name(start int) bool {
	p.out = append(append(append(p.out, '"'), p.in[start:p.at]...), '"')
	return p.at > start
}

// text reads a text in quotes of either kind.
func (p *json5) text() bool {
	quote := p.in[p.at]
	p.at++
	p.out = append(p.out, '"')
	for p.at < len(p.in) && p.wanted() {
		c := p.in[p.at]
		p.at++
		switch {
		case c == quote:
			p.out = append(p.out, '"')
			return true
		case c == '\\':
			if !p.escape() {
				return false
			}
		case c == '"':
			p.out = append(p.out, '\\', '"')
		case c < ' ':
			p.control(c)
		default:
			p.out = append(p.out, c)
		}
	}
	return false
}

// control appends a control character, of which JSON is six times as long.
func (p *json5) control(c byte) {
	quoted := AppendQuoted(nil, string(rune(c)))
	p.out = append(p.out, quoted[1:len(quoted)-1]...)
}

// escape reads what follows a backslash in a text.
func (p *json5) escape() bool {
	rest := p.in[p.at:]
	if rest == "" {
		return false
	}
	c := rest[0]
	size := 1
	switch {
	case c == 'u':
		if _, ok := hex4(rest, 1); !ok {
			return false
		}
		size = 5
		p.out = append(append(p.out, '\\'), rest[:size]...)
	case escapes[c] != 0:
		p.out = append(p.out, '\\', c)
	case c == '\'':
		p.out = append(p.out, c)
	case c == 'v':
		p.control('\v')
	case c == '0' && (len(rest) == 1 || !value.IsDigit(rest[1])):
		p.control(0)
	case c == 'x' && len(rest) > 2 && value.HexDigit(rest[1]) >= 0 && value.HexDigit(rest[2]) >= 0:
		size = 3
		p.out = append(append(p.out, "\\u00"...), rest[1:size]...)
	default: // a line's end, which does not count
		if size = lineEnd(rest); size == 0 {
			return false
		}
	}
	p.at += size
	return true
}

// lineEnd is the size of the line's end at the beginning of s.
func lineEnd(s string) int {
	for _, end := range []string{"\r\n", "\n", "\r", "\u2028", "\u2029"} {
		if strings.HasPrefix(s, end) {
			return len(end)
		}
	}
	return 0
}

// number reads a number and writes it as JSON does.
func (p *json5) number() bool {
	if !p.take('+') && p.take('-') {
		p.out = append(p.out, '-')
	}
	s := p.in[p.at:]
	switch {
	case s == "":
		return false
	case len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && value.HexDigit(s[2]) >= 0:
		return p.hexadecimal()
	case s[0]|0x20 == 'i':
		return p.word()
	}
	whole := value.DigitsEnd(s, 0)
	if whole > 1 && s[0] == '0' {
		return false
	}
	end, fraction := whole, ""
	if whole < len(s) && s[whole] == '.' {
		end = value.DigitsEnd(s, whole+1)
		fraction = s[whole+1 : end]
		if whole+len(fraction) == 0 {
			return false
		}
		fraction = "." + fraction + zeroFor(fraction)
	}
	if end == 0 {
		return false
	}
	exponent := value.ExponentEnd(s, end)
	p.out = append(append(append(append(p.out, s[:whole]...), zeroFor(s[:whole])...), fraction...),
		s[end:exponent]...)
	p.at += exponent
	return true
}

// zeroFor is the digit that JSON wants where JSON5 has none.
func zeroFor(digits string) string {
	if digits == "" {
		return "0"
	}
	return ""
}

// hexadecimal reads 0x1F. What has more than 64 bits is an infinity, as in SQLite.
func (p *json5) hexadecimal() bool {
	end := p.at + 2
	for end < len(p.in) && value.HexDigit(p.in[end]) >= 0 {
		end++
	}
	digits := strings.TrimLeft(p.in[p.at+2:end], "0")
	p.at = end
	if len(digits) > 16 {
		p.out = append(p.out, "9.0e999"...)
		return true
	}
	n, _ := new(big.Int).SetString("0"+digits, 16) // cannot fail: these are digits
	p.out = n.Append(p.out, 10)
	return true
}

// json5Words are the words of JSON, which are written in lower case, and those of JSON5, which are
// not.
var json5Words = []struct {
	word, as string
	anyCase  bool
}{
	{"true", "true", false}, {"false", "false", false}, {"null", "null", false},
	{"infinity", "9e999", true}, {"inf", "9e999", true}, {"nan", "null", true}, {"qnan", "null", true},
	{"snan", "null", true},
}

// word reads a word. A letter or digit may not follow it.
func (p *json5) word() bool {
	end := p.at
	for end < len(p.in) &&
		(value.IsDigit(p.in[end]) || p.in[end]|0x20 >= 'a' && p.in[end]|0x20 <= 'z') {
		end++
	}
	word := p.in[p.at:end]
	p.at = end
	for _, w := range json5Words {
		if word == w.word || w.anyCase && strings.EqualFold(word, w.word) {
			p.out = append(p.out, w.as...)
			return true
		}
	}
	return false
}
