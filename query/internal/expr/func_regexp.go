package expr

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

var regexpFunctions = []function{
	{name: "regexp_replace", min: 3, max: 4, typ: value.Text, compile: compileRegexpReplace},
	{name: "regexp_extract", min: 2, max: 3, typ: value.Text, compile: compileRegexpExtract},
	{name: "regexp_substr", min: 2, max: 2, typ: value.Text, compile: compileRegexpExtract},
}

// A finder finds where a pattern matches, with its groups. It belongs to one execution.
type finder struct {
	pattern, flags string
	first          *regexp.Regexp // finds from the beginning of a text
	next           *regexp.Regexp // finds from the second character of a text; nil until it is needed
	text           string         // of the pattern with its flags
	groups, size   int
	all            bool // the flag g
	held           int64
}

// atOncePart is text times program that is searched without looking at the context.
const atOncePart = 64 << 10

// set makes the finder one of another pattern.
func (f *finder) set(e *Env, pattern, flags string, pos parser.Pos) error {
	prefix, all, err := regexpFlags(flags, pos)
	if err != nil {
		return err
	}
	text := strings.Clone(prefix + pattern) // the row's memory may be used again
	tree, size, err := parseRegexp(text, pos)
	if err != nil {
		return err
	}
	groups := tree.MaxCap()
	size += 2 * groups
	if !e.Effort(2 * size * instructionCost) {
		return e.Err
	}
	// Two programs, and what a match keeps for each place of one.
	n := int64(2*size*instructionSize + 16*size*(groups+1) + len(text))
	if e.Exec != nil {
		if err := e.Exec.Hold(n-f.held, "a regular expression"); err != nil {
			return err
		}
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return badRegexp(err, pos)
	}
	*f = finder{pattern: text[len(prefix):], flags: strings.Clone(flags), text: text, first: re,
		groups: groups, size: size, all: all, held: n}
	return nil
}

// regexpFlags makes of flags what stands in front of a pattern.
func regexpFlags(flags string, pos parser.Pos) (prefix string, all bool, err error) {
	var set strings.Builder
	for _, c := range flags {
		switch c {
		case 'g':
			all = true
		case 'i', 'm', 's':
			set.WriteRune(c)
		case 'c':
		default:
			return "", false, &fault.Error{Kind: fault.BadArgument, Pos: pos,
				Msg:  fmt.Sprintf("regular expressions know no flag %q", c),
				Hint: "g replaces all matches, i ignores case, c does not, m is for lines, s lets . match their ends"}
		}
	}
	if set.Len() == 0 {
		return "", all, nil
	}
	return "(?" + set.String() + ")", all, nil
}

// find returns where the first match at or behind pos begins and ends in s, and its groups, -1 for
// those that take no part; nil if there is none. What stands before pos counts for ^ and \b.
func (f *finder) find(e *Env, s string, pos int) []int {
	if pos == 0 {
		return f.search(e, f.first, s)
	}
	if f.next == nil {
		f.next = regexp.MustCompile(`\A(?s:.)(?s:.*?)(` + f.text + `)`) // as large as first, about
	}
	_, size := utf8.DecodeLastRuneInString(s[:pos])
	m := f.search(e, f.next, s[pos-size:])
	if m == nil {
		return nil
	}
	m = m[2:]
	for i := range m {
		if m[i] >= 0 {
			m[i] += pos - size
		}
	}
	return m
}

func (f *finder) search(e *Env, re *regexp.Regexp, s string) []int {
	cost := f.size * (f.groups + 1)
	if len(s) > atOncePart || len(s)*cost > atOncePart {
		m := re.FindReaderSubmatchIndex(&runeReader{e: e, text: s, cost: cost})
		if e.Err != nil {
			return nil
		}
		return m
	}
	if !e.Effort(len(s) * cost) {
		return nil
	}
	return re.FindStringSubmatchIndex(s)
}

// finderOf returns how to get the finder of a pattern and flags; nil for NULL and after an error. What
// is known is checked now and compiled when the statement runs, which pays for its memory.
func finderOf(pattern, flags *Expr) (func(*Env) *finder, error) {
	if pattern.fixed && !pattern.value.IsNull() {
		if _, _, err := parseRegexp(pattern.value.Text(), pattern.Pos); err != nil {
			return nil, err
		}
	}
	if flags.fixed {
		if _, _, err := regexpFlags(flags.value.Text(), flags.Pos); err != nil {
			return nil, err
		}
	}
	cache := memoized(func(*Env) *finder { return new(finder) })
	return func(e *Env) *finder {
		v, w := pattern.Eval(e), flags.Eval(e)
		if v.Kind == value.Null || w.Kind == value.Null {
			return nil
		}
		f, text, set := cache(e), v.Text(), w.Text()
		if f.first != nil && f.pattern == text && f.flags == set {
			return f
		}
		if err := f.set(e, text, set, pattern.Pos); err != nil {
			e.Fail(err)
			return nil
		}
		return f
	}, nil
}

// noFlags stands for flags that are not given.
func noFlags(pos parser.Pos) *Expr { return fixed(value.OfText(""), pos) }

// compileRegexpReplace is regexp_replace(x, pattern, replacement[, flags]): PostgreSQL's. Only the first
// match is replaced without the flag g.
func compileRegexpReplace(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	flags := noFlags(pos)
	if len(args) > 3 {
		flags = args[3]
	}
	finder, err := finderOf(args[1], flags)
	if err != nil {
		return nil, err
	}
	y := &Expr{Type: value.Text, Nullable: true, Pos: pos}
	y.Eval = func(e *Env) value.Value {
		v, by := args[0].Eval(e), args[2].Eval(e)
		f := finder(e)
		if f == nil || v.Kind == value.Null || by.Kind == value.Null || !e.Effort(len(v.S)+len(by.S)) {
			return null
		}
		out := f.replace(e, v.Text(), by.Text())
		e.Err = fault.At(e.Err, args[2].Pos)
		return out
	}
	return finish(y, args...), nil
}

// replace replaces the first match in s, or all. An empty match directly behind another is none.
func (f *finder) replace(e *Env, s, by string) value.Value {
	t := textMaker{e: e}
	copied, last := 0, -1
	for pos := 0; pos <= len(s); {
		m := f.find(e, s, pos)
		if m == nil {
			break
		}
		if m[1] > m[0] || m[0] != last {
			if !t.add(value.OfText(s[copied:m[0]])) || !f.expand(&t, s, by, m) {
				return null
			}
			copied, last = m[1], m[1]
			if !f.all {
				break
			}
		}
		if pos = m[1]; m[1] == m[0] {
			if pos == len(s) {
				break
			}
			_, size := utf8.DecodeRuneInString(s[pos:])
			pos += size
		}
	}
	if e.Err != nil || !t.add(value.OfText(s[copied:])) {
		return null
	}
	return e.text(t.b)
}

// expand appends a replacement, in which \1 to \9 are the groups of the match, \0 and \& all of it.
func (f *finder) expand(t *textMaker, s, by string, m []int) bool {
	for {
		i := strings.IndexByte(by, '\\')
		if i < 0 || i+1 == len(by) {
			return t.add(value.OfText(by))
		}
		if !t.add(value.OfText(by[:i])) {
			return false
		}
		c, part := by[i+1], by[i:i+2]
		switch {
		case c == '\\':
			part = `\`
		case c == '&':
			part = s[m[0]:m[1]]
		case value.IsDigit(c):
			group := int(c - '0')
			if group > f.groups {
				t.e.Fail(f.noGroup(int64(group), -1))
				return false
			}
			if part = ""; m[2*group] >= 0 {
				part = s[m[2*group]:m[2*group+1]]
			}
		}
		if !t.add(value.OfText(part)) {
			return false
		}
		by = by[i+2:]
	}
}

func (f *finder) noGroup(group int64, pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadArgument, Pos: pos,
		Msg: fmt.Sprintf("there is no group %d: the pattern has %d", group, f.groups)}
}

// compileRegexpExtract is regexp_extract(x, pattern[, group]), DuckDB's: the first match or one of its
// groups, and no letters if there is none; and regexp_substr(x, pattern), PostgreSQL's: the first match,
// and NULL if there is none.
func compileRegexpExtract(_ *compiler, f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	finder, err := finderOf(args[1], noFlags(pos))
	if err != nil {
		return nil, err
	}
	group := fixed(value.OfInt(0), pos)
	if len(args) > 2 {
		group = args[2]
	}
	none := value.OfText("")
	if f.name == "regexp_substr" {
		none = null
	}
	y := &Expr{Type: value.Text, Nullable: true, Pos: pos}
	y.Eval = func(e *Env) value.Value {
		v, g := args[0].Eval(e), group.Eval(e)
		f := finder(e)
		if f == nil || v.Kind == value.Null || g.Kind == value.Null || !e.Effort(len(v.S)) {
			return null
		}
		n := value.ToInt(g)
		if n < 0 || n > int64(f.groups) {
			return e.Fail(f.noGroup(n, group.Pos))
		}
		s := v.Text()
		m := f.find(e, s, 0)
		if m == nil || m[2*n] < 0 {
			return none
		}
		return value.OfText(e.piece(s[m[2*n]:m[2*n+1]], s))
	}
	return finish(y, args...), nil
}
