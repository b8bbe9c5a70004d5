package expr

import (
	"io"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// Limits of REGEXP. A regular expression takes time in proportion to the text times the size of its
// program.
const (
	maxRegexp       = 4 << 10 // bytes of a pattern
	maxProgram      = 1000    // instructions, about
	instructionSize = 200     // bytes that one takes in memory, about
	instructionCost = 64      // bytes that making one counts for
	atOnce          = 1 << 20 // text times program that is matched without looking at the context
)

// A regexpProgram is a compiled regular expression.
type regexpProgram struct {
	re   *regexp.Regexp
	size int // in instructions, about
}

// match reports whether the expression matches somewhere in s.
func (r *regexpProgram) match(e *Env, s string) bool {
	if cost := len(s) * r.size; len(s) <= atOnce && cost <= atOnce {
		return e.Effort(cost) && r.re.MatchString(s)
	}
	return r.re.MatchReader(&runeReader{e: e, text: s, cost: r.size})
}

// A runeReader reads a text, which ends early if nobody waits for the result any more.
type runeReader struct {
	e    *Env
	text string
	cost int // of a character
}

// ReadRune implements io.RuneReader.
func (r *runeReader) ReadRune() (c rune, size int, err error) {
	if r.text == "" || !r.e.Effort(r.cost) {
		return 0, 0, io.EOF
	}
	c, size = utf8.DecodeRuneInString(r.text)
	r.text = r.text[size:]
	return c, size, nil
}

// regexp compiles x REGEXP pattern: Go's RE2 syntax, anywhere in x.
func (c *compiler) regexp(x, pattern *Expr, pos parser.Pos) (*Expr, error) {
	re, err := regexpOf(pattern)
	if err != nil {
		return nil, err
	}
	y := &Expr{Type: value.Integer, Nullable: x.Nullable || pattern.Nullable, Pos: pos}
	y.Test = func(e *Env) value.Truth {
		v := x.Eval(e)
		if v.Kind == value.Null {
			return value.Unknown
		}
		r := re(e)
		if r == nil {
			return value.Unknown
		}
		return value.TruthOf(r.match(e, v.Text()))
	}
	return finish(y, x, pattern), nil
}

// A regexpCache keeps the pattern of the last row, for patterns that come from rows.
type regexpCache struct {
	pattern string
	re      *regexpProgram
	held    int64 // of the statement's budget
}

// regexpOf returns how to get the compiled pattern; nil stands for NULL and for a pattern that
// cannot be compiled. One that is known is checked now and compiled when the statement runs, which
// pays for its memory.
func regexpOf(pattern *Expr) (func(*Env) *regexpProgram, error) {
	if pattern.fixed {
		if pattern.value.Kind == value.Null {
			return func(*Env) *regexpProgram { return nil }, nil
		}
		if _, _, err := parseRegexp(pattern.value.Text(), pattern.Pos); err != nil {
			return nil, err
		}
	}
	cache := memoized(func(*Env) *regexpCache { return new(regexpCache) })
	return func(e *Env) *regexpProgram {
		v := pattern.Eval(e)
		if v.Kind == value.Null {
			return nil
		}
		c := cache(e)
		if c.re != nil && (pattern.fixed || v.Kind == value.String && v.S == c.pattern) {
			return c.re
		}
		if err := c.compile(e, v.Text(), pattern.Pos); err != nil {
			e.Fail(err)
			return nil
		}
		return c.re
	}, nil
}

// compile puts another pattern into the cache.
func (c *regexpCache) compile(e *Env, text string, pos parser.Pos) error {
	tree, size, err := parseRegexp(text, pos)
	if err != nil {
		return err
	}
	if !e.Effort(size * instructionCost) {
		return e.Err
	}
	n := int64(size*instructionSize + len(text))
	if e.Exec != nil {
		if err := e.Exec.Hold(n-c.held, "REGEXP"); err != nil {
			return err
		}
	}
	c.held = n
	text = strings.Clone(text) // the row's memory may be used again
	plain := text
	if tree.MaxCap() > 0 {
		plain = withoutGroups(tree).String()
	}
	re, err := regexp.Compile(plain)
	if err != nil {
		return badRegexp(err, pos)
	}
	c.pattern, c.re = text, &regexpProgram{re, size}
	return nil
}

func badRegexp(err error, pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadArgument, Pos: pos, Msg: "a bad regular expression", Err: err}
}

// parseRegexp reads a pattern and tells about how large its program will be.
func parseRegexp(text string, pos parser.Pos) (tree *syntax.Regexp, size int, err error) {
	if len(text) > maxRegexp {
		return nil, 0, &fault.Error{
			Kind: fault.BadArgument, Pos: pos, Msg: "the regular expression is longer than 4096 bytes",
		}
	}
	tree, err = syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, 0, badRegexp(err, pos)
	}
	if size = programSize(tree); size > maxProgram {
		return nil, 0, &fault.Error{Kind: fault.BadArgument, Pos: pos,
			Msg:  "the regular expression needs more than 1000 instructions",
			Hint: "repeat less, or match in steps"}
	}
	return tree, size, nil
}

// classRanges are how many ranges of a class of characters count as one instruction.
const classRanges = 32

// programSize is about how many instructions the program of an expression has, maxProgram + 1 for
// more than maxProgram.
func programSize(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass:
		n = 1 + len(re.Rune)/2/classRanges
	}
	for _, sub := range re.Sub {
		if n += programSize(sub); n > maxProgram {
			return maxProgram + 1
		}
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return min(n, maxProgram+1)
}

// withoutGroups makes groups that only group of groups whose text can be asked for, which would
// cost memory for each thread of the match.
func withoutGroups(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	for i, sub := range re.Sub {
		re.Sub[i] = withoutGroups(sub)
	}
	return re
}
