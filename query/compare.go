package query

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// compareValues orders two values as ORDER BY does: NULL < numbers < texts < blobs, -1, 0 or 1.
// Times among themselves are ordered by time, beside anything else they are the texts that they are read as.
func compareValues(a, b Value, c collation) int {
	if a.kind == b.kind {
		switch a.kind {
		case Int, Time:
			return compareInts(a.n, b.n)
		case Float:
			return compareFloats(a.f, b.f)
		case String:
			return compareTexts(a.s, b.s, c)
		case Bytes:
			return strings.Compare(a.s, b.s)
		}
		return 0
	}
	if ca, cb := a.kind.class(), b.kind.class(); ca != cb {
		return compareInts(int64(ca), int64(cb))
	}
	switch {
	case a.kind == Int: // and b is a Float
		return compareIntFloat(a.n, b.f)
	case b.kind == Int:
		return -compareIntFloat(b.n, a.f)
	}
	return compareTexts(a.text(), b.text(), c) // a Time and a text
}

// class is the place of a kind in the order of kinds.
func (k Kind) class() uint8 {
	return [...]uint8{Null: 0, Int: 1, Float: 1, Time: 2, String: 2, Bytes: 3}[k]
}

func compareInts(a, b int64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

func compareFloats(a, b float64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// compareIntFloat is exact, also where an int64 has more digits than a float64.
func compareIntFloat(n int64, f float64) int {
	if f < -9223372036854775808.0 {
		return 1
	}
	if f >= 9223372036854775808.0 {
		return -1
	}
	whole := int64(f)
	if n != whole {
		return compareInts(n, whole)
	}
	return compareFloats(float64(n), f)
}

func compareTexts(a, b string, c collation) int {
	switch c {
	case collNocase:
		return compareNocase(a, b)
	case collRtrim:
		return strings.Compare(strings.TrimRight(a, " "), strings.TrimRight(b, " "))
	}
	return strings.Compare(a, b)
}

// compareNocase folds the letters A to Z only.
func compareNocase(a, b string) int {
	n := min(len(a), len(b))
	for i := 0; i < n; i++ {
		if x, y := lowerTable[a[i]], lowerTable[b[i]]; x != y {
			return compareInts(int64(x), int64(y))
		}
	}
	return compareInts(int64(len(a)), int64(len(b)))
}

// lowerTable folds the letters A to Z and nothing else.
var lowerTable = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			t[i] = byte(i) + 'a' - 'A'
		}
	}
	return t
}()

// lowerASCII folds the letters A to Z of a value. Names are folded by the parser's LowerASCII: values do not know the parser.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return mapBytes(s, &lowerTable)
		}
	}
	return s
}

func mapBytes(s string, table *[256]byte) string {
	b := make([]byte, len(s))
	for i := range b {
		b[i] = table[s[i]]
	}
	return string(b)
}

// The first byte of a key. Numbers that are equal have the same key whatever their kind, and a Time has the key of its text.
const (
	keyNull byte = iota
	keyInt
	keyFloat
	keyTime
	keyText
	keyBlob
)

// appendKey appends a key for GROUP BY, DISTINCT and hash joins: two values have the same key exactly if they are equal.
// Keys carry their length, so that a sequence of keys is a key of the sequence. They have no order.
func appendKey(dst []byte, v Value, c collation) []byte {
	switch v.kind {
	case Int:
		return appendKey64(dst, keyInt, uint64(v.n))
	case Float:
		if n, ok := isInt(v.f); ok {
			return appendKey64(dst, keyInt, uint64(n))
		}
		return appendKey64(dst, keyFloat, math.Float64bits(v.f))
	case Time:
		return appendKey64(dst, keyTime, uint64(v.n))
	case String:
		if c == collRtrim {
			v.s = strings.TrimRight(v.s, " ")
		}
		if micros, ok := canonicalTime(v.s, c); ok {
			return appendKey64(dst, keyTime, uint64(micros))
		}
		return appendTextKey(dst, keyText, v.s, c)
	case Bytes:
		return appendTextKey(dst, keyBlob, v.s, collBinary)
	}
	return append(dst, keyNull)
}

func appendKey64(dst []byte, tag byte, n uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, tag), n)
}

func appendTextKey(dst []byte, tag byte, s string, c collation) []byte {
	dst = binary.AppendUvarint(append(dst, tag), uint64(len(s)))
	if len(s) > longKey {
		return appendDigest(dst, s, c)
	}
	if c == collNocase {
		for i := 0; i < len(s); i++ {
			dst = append(dst, lowerTable[s[i]])
		}
		return dst
	}
	return append(dst, s...)
}

// longKey is how long a text may be to stand in a key. Of a longer one there is a digest, which nobody can find a second text for.
const longKey = 16 << 10

func appendDigest(dst []byte, s string, c collation) []byte {
	digest := sha256.New()
	for len(s) > 0 {
		n := min(len(s), longKey)
		part := bytesOf(s[:n])
		if c == collNocase {
			part = bytesOf(lowerASCII(s[:n]))
		}
		digest.Write(part)
		s = s[n:]
	}
	return digest.Sum(dst)
}

// A relation is a set of outcomes of a comparison.
type relation uint8

const (
	less relation = 1 << iota
	equal
	greater
)

var relations = map[parser.Op]relation{
	parser.OpEq: equal, parser.OpNe: less | greater,
	parser.OpLt: less, parser.OpLe: less | equal,
	parser.OpGt: greater, parser.OpGe: greater | equal,
}

// holds reports whether the outcome, -1, 0 or 1, is in r.
func (r relation) holds(outcome int) truth { return truth(r >> uint(outcome+1) & 1) }

// mirrored is r with the sides exchanged.
func (r relation) mirrored() relation { return r&equal | r>>2&1 | r<<2&greater }

// A match is how one side of a comparison is made comparable with the other.
type match struct {
	left  affinity // what to convert the left value to first; affNone for nothing
	right *expr    // the right side, converted
	coll  collation
}

// match applies the rules of affinity to the two sides of a comparison. A column or CAST with a numeric type makes a number
// of the other side's text if it is one; a column or CAST of type TEXT makes a text of the other side's number; a time makes
// a time of the other side's text. Literals convert nothing.
func (c *compiler) match(l, r *expr) (match, error) {
	m := match{right: r, coll: commonCollation(l, r)}
	err := c.matchTags(l, r)
	if err != nil {
		return m, err
	}
	switch {
	case l.isTime() && r.isTime():
	case l.isTime():
		m.right, err = c.timeOperand(r)
	case r.isTime():
		m.left = affTime
		_, err = c.timeOperand(l)
	default:
		a := commonAffinity(l.affinity, r.affinity)
		if !unchanged(a, l.typ) {
			m.left = a
		}
		if !unchanged(a, r.typ) {
			m.right = converted(r, a)
		}
	}
	return m, err
}

// matchTags checks what tags are compared with, if one side is tags.
func (c *compiler) matchTags(l, r *expr) error {
	switch {
	case l.tags == r.tags:
		return nil
	case l.tags:
		return c.tagsOperand(r)
	}
	return c.tagsOperand(l)
}

// commonAffinity is the affinity that a comparison applies to both sides.
func commonAffinity(a, b affinity) affinity {
	switch {
	case a == affNone:
		return b
	case b == affNone:
		return a
	case a.numeric() || b.numeric():
		return affNumeric
	}
	return affNone
}

func (a affinity) numeric() bool { return a == affInteger || a == affReal || a == affNumeric }

// conversionFor returns what an affinity does to a value, nil for nothing.
func conversionFor(a affinity) func(Value) Value {
	switch {
	case a.numeric():
		return numericAffinity
	case a == affText:
		return textAffinity
	case a == affTime:
		return timeAffinity
	}
	return nil
}

// commonCollation is the collation of a comparison: an explicit one, the left one first; then that of a column.
func commonCollation(l, r *expr) collation {
	switch {
	case l.explicit:
		return l.collate
	case r.explicit:
		return r.collate
	case l.affinity != affNone:
		return l.collate
	}
	return r.collate
}

// converted is x with its value converted to an affinity. Values that need no conversion cost next to nothing.
func converted(x *expr, a affinity) *expr {
	convert := conversionFor(a)
	if convert == nil {
		return x
	}
	y := *x
	y.test = nil
	if x.fixed {
		y.value = convert(x.value)
		v := y.value
		y.eval = func(*env) Value { return v }
		return &y
	}
	eval := x.eval
	y.eval = func(e *env) Value { return convert(eval(e)) }
	if a.numeric() {
		y.eval = func(e *env) Value {
			v := eval(e)
			if v.kind != String {
				return v
			}
			return numericAffinity(v)
		}
	}
	return &y
}

// unchanged reports whether a conversion by affinity leaves all values of a static type alone.
func unchanged(a affinity, t Type) bool {
	switch {
	case a.numeric():
		return t == Integer || t == Real || t == Blob
	case a == affText:
		return t == Text || t == JSON || t == Blob
	}
	return false
}

// compare compiles x op y for the six comparisons.
func (c *compiler) compare(op parser.Op, l, r *expr, pos parser.Pos) (*expr, error) {
	m, err := c.match(l, r)
	if err != nil {
		return nil, err
	}
	rel := relations[op]
	x := &expr{typ: Integer, nullable: l.nullable || r.nullable, pos: pos}
	left := converted(l, m.left)
	if left.fixed && !m.right.fixed {
		x.test = relate(rel.mirrored(), m.right, left, m.coll)
	} else {
		x.test = relate(rel, left, m.right, m.coll)
	}
	return finish(x, l, r), nil
}

// relate compares two sides that need no more conversion. Comparing with a known number or text is the common case
// of WHERE, and has ways of its own.
func relate(rel relation, l, r *expr, coll collation) func(*env) truth {
	left, right := l.eval, r.eval
	switch {
	case r.fixed && r.value.isNull():
		return func(e *env) truth { return unknown }
	case r.fixed && r.value.kind == Int:
		return relateInt(rel, left, r.value, r.pos)
	case r.fixed && r.value.kind == String && coll == collBinary && rel == equal:
		return equalText(left, r.value.s)
	case r.param > 0:
		return relateParam(rel, l, r, coll)
	}
	return relateAny(rel, left, right, coll, r.pos)
}

func relateAny(rel relation, left, right func(*env) Value, coll collation, pos parser.Pos) func(*env) truth {
	return func(e *env) truth {
		a := left(e)
		if a.kind == Null {
			return unknown
		}
		b := right(e)
		if b.kind == Null {
			return unknown
		}
		if a.kind == Int && b.kind == Int {
			return rel.holds(compareInts(a.n, b.n))
		}
		if (a.kind == Time) != (b.kind == Time) {
			return compareTimes(e, rel, a, b, coll, pos)
		}
		if !e.effort(min(len(a.s), len(b.s))) {
			return unknown
		}
		return rel.between(a, b, coll)
	}
}

// between compares two values, neither of them NULL.
func (r relation) between(a, b Value, coll collation) truth {
	if a.kind == b.kind {
		switch a.kind {
		case Int, Time:
			return r.holds(compareInts(a.n, b.n))
		case String:
			if coll != collBinary {
				break
			}
			if r == equal {
				return truthOf(a.s == b.s)
			}
			return r.holds(strings.Compare(a.s, b.s))
		}
	}
	return r.holds(compareValues(a, b, coll))
}

// relateParam looks at the argument in its place: integers and texts are compared there. The right side's conversion may
// be left out: two texts of which the left one has been converted and is still a text are equal only as texts.
func relateParam(rel relation, l, r *expr, coll collation) func(*env) truth {
	left, i := l.eval, r.param-1
	others := relateAny(rel, left, r.eval, coll, r.pos)
	texts := coll == collBinary && rel == equal
	return func(e *env) truth {
		if uint(i) < uint(len(e.args)) {
			switch b := &e.args[i].Value; {
			case b.kind == Int:
				if a := left(e); a.kind == Int {
					return rel.holds(compareInts(a.n, b.n))
				}
			case b.kind == String && texts:
				if a := left(e); a.kind == String {
					return truthOf(a.s == b.s)
				}
			}
		}
		return others(e)
	}
}

func relateInt(rel relation, left func(*env) Value, b Value, pos parser.Pos) func(*env) truth {
	return func(e *env) truth {
		a := left(e)
		switch a.kind {
		case Int:
			return rel.holds(compareInts(a.n, b.n))
		case Null:
			return unknown
		case Time:
			return compareTimes(e, rel, a, b, collBinary, pos)
		}
		return rel.holds(compareValues(a, b, collBinary))
	}
}

func equalText(left func(*env) Value, s string) func(*env) truth {
	asTime := timeAffinity(textValue(s))
	return func(e *env) truth {
		a := left(e)
		switch a.kind {
		case String:
			return truthOf(a.s == s)
		case Null:
			return unknown
		case Time:
			return truthOf(a == asTime)
		}
		return no
	}
}

// is compiles x IS y and x IS NOT y, which are never NULL. A literal TRUE or FALSE on the right asks for the truth of x.
func (c *compiler) is(e *parser.Binary, l, r *expr) (*expr, error) {
	negate := e.Op == parser.OpIsNot
	if want, ok := boolLiteral(e.Y); ok {
		return isTruth(l, want, negate, e.Pos), nil
	}
	m, err := c.match(l, r)
	if err != nil {
		return nil, err
	}
	left, right, coll, pos := converted(l, m.left).eval, m.right.eval, m.coll, e.Pos
	x := &expr{typ: Integer, pos: e.Pos}
	if r.fixed && r.value.isNull() {
		eval := l.eval
		x.test = func(e *env) truth { return truthOf((eval(e).kind == Null) != negate) }
		return finish(x, l, r), nil
	}
	x.test = func(e *env) truth {
		a, b := left(e), right(e)
		same := a.kind == Null && b.kind == Null
		switch {
		case a.kind == Null || b.kind == Null:
		case (a.kind == Time) != (b.kind == Time):
			same = compareTimes(e, equal, a, b, coll, pos) == yes
		default:
			same = equal.between(a, b, coll) == yes
		}
		return truthOf(same != negate)
	}
	return finish(x, l, r), nil
}

// boolLiteral reports whether e is TRUE or FALSE; x IN () and x NOT IN () are the same as those.
func boolLiteral(e parser.Expr) (value, ok bool) {
	switch e := e.(type) {
	case *parser.Literal:
		value, ok = e.Value.(bool)
	case *parser.In:
		return e.Not, e.Select == nil && len(e.List) == 0
	}
	return value, ok
}

func isTruth(x *expr, want, negate bool, pos parser.Pos) *expr {
	cond := x.condition()
	y := &expr{typ: Integer, pos: pos, test: func(e *env) truth {
		return truthOf((cond(e) == truthOf(want)) != negate)
	}}
	return finish(y, x)
}

// between compiles x [NOT] BETWEEN lo AND hi: x >= lo AND x <= hi with one evaluation of x.
func (c *compiler) between(e *parser.Between) (*expr, error) {
	list, err := c.exprs([]parser.Expr{e.X, e.Lo, e.Hi})
	if err != nil {
		return nil, err
	}
	x, lo, hi := list[0], list[1], list[2]
	ml, err := c.match(x, lo)
	if err != nil {
		return nil, err
	}
	mh, err := c.match(x, hi)
	if err != nil {
		return nil, err
	}
	above, below := ml.tester(greater|equal), mh.tester(less|equal)
	y := &expr{typ: Integer, nullable: x.nullable || lo.nullable || hi.nullable, pos: e.Pos}
	y.test = func(env *env) truth {
		v := x.eval(env)
		t := above(env, v)
		if t != no {
			t = and(t, below(env, v))
		}
		if e.Not {
			return t.not()
		}
		return t
	}
	return finish(y, x, lo, hi), nil
}

// tester returns a function that compares a left value with the right side.
func (m match) tester(rel relation) func(*env, Value) truth {
	convert, right, coll, pos := conversionFor(m.left), m.right.eval, m.coll, m.right.pos
	return func(e *env, a Value) truth {
		if a.kind == Null {
			return unknown
		}
		if convert != nil {
			a = convert(a)
		}
		b := right(e)
		if b.kind == Null {
			return unknown
		}
		if a.kind == Int && b.kind == Int {
			return rel.holds(compareInts(a.n, b.n))
		}
		if (a.kind == Time) != (b.kind == Time) {
			return compareTimes(e, rel, a, b, coll, pos)
		}
		return rel.between(a, b, coll)
	}
}
