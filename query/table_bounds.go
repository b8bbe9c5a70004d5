package query

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A bound is a condition on one column of an event table that lets the engine read less.
// Its operands do not depend on the scan's row; they are evaluated when the scan is opened.
type bound struct {
	ord      int
	op       parser.Op // OpEq with one or more operands (IN), OpLt, OpLe, OpGt, OpGe; 0 for the kinds below
	operands []*expr.Expr
	tag      bool       // HAS(tags, operand)
	like     bool       // stream LIKE operand
	fold     bool       // stream ILIKE operand
	gate     bool       // the operand is the whole condition: without it nothing is read
	floor    *timeFloor // of recorded_at: what is compared is the time, rounded down; nil for the time itself
	pushed   bool       // into a sub-query: an error of the operands is one of the condition, not of the sub-query

	// alternatives are bounds of stream, type and tag, of which one must hold with all its parts. They
	// stand instead of everything above.
	alternatives [][]*bound
}

// A narrowing is what the bounds of a scan come to for one execution. All of them hold together.
type narrowing struct {
	empty    bool // they contradict each other: nothing is read
	inexact  bool // rows that pass the filter may still fail the conditions
	position span
	version  span
	time     span     // recorded_at, microseconds
	streams  []string // nil for any
	types    []string
	// The categories of streams, nil for any. Only listStreams and the prefix use them.
	categories []string
	ids        []uuid.UUID
	prefix     string
	like       string // a LIKE pattern of the stream that begins with something, "" for none
	tags       []string
	any        []engine.Alternative // nil for any event
	seen       *seenScan            // in a serializable transaction: the scan that is to be noted
}

// A span is an inclusive range of integers.
type span struct{ lo, hi int64 }

var everything = span{math.MinInt64, math.MaxInt64}

func newNarrowing() *narrowing {
	return &narrowing{position: everything, version: everything, time: everything}
}

// filter returns the engine's filter. The narrowing must not be empty.
func (w *narrowing) filter(backwards bool) engine.Filter {
	f := engine.Filter{
		Streams: w.streams, Types: w.types, IDs: w.ids, Prefix: w.prefix, Tags: w.tags, Any: w.any,
	}
	if backwards {
		f.Direction = engine.Backwards
	}
	f.From = engine.Position(max(w.position.lo, 0))
	if w.position.hi != math.MaxInt64 {
		f.To = engine.Position(w.position.hi + 1)
	}
	f.MinVersion = engine.Version(max(w.version.lo, 0))
	if w.version.hi != math.MaxInt64 {
		f.MaxVersion, f.HasMaxVersion = engine.Version(w.version.hi), true
	}
	if w.time.lo != math.MinInt64 {
		f.Since = time.UnixMicro(w.time.lo).UTC()
	}
	if w.time.hi != math.MaxInt64 {
		f.Before = time.UnixMicro(w.time.hi + 1).UTC()
		if f.Before.IsZero() { // which would be no bound; there are no events of that time
			f.Before = f.Before.Add(-time.Microsecond)
		}
	}
	return f
}

// narrowTo intersects a span with another one and notes when nothing is left.
func (w *narrowing) narrowTo(s *span, lo, hi int64) {
	s.lo, s.hi = max(s.lo, lo), min(s.hi, hi)
	if s.lo > s.hi {
		w.empty = true
	}
}

// apply evaluates the bound's operands and narrows w.
func (b *bound) apply(w *narrowing, en *expr.Env) {
	if b.alternatives != nil {
		w.alternativesBound(b.alternatives, en)
		return
	}
	operands, values := b.evaluate(en)
	if en.Err != nil {
		return
	}
	switch {
	case b.gate:
		w.empty = w.empty || values[0].Truth() != value.Yes
	case b.tag:
		w.tagBound(values[0])
	case b.like:
		w.likeBound(values[0], b.fold)
	case b.ord == ordPosition:
		w.numberBound(&w.position, b.op, values)
		w.narrowTo(&w.position, 0, math.MaxInt64)
	case b.ord == ordVersion:
		w.numberBound(&w.version, b.op, values)
		w.narrowTo(&w.version, 0, math.MaxInt64)
	case b.floor != nil:
		w.flooredBound(b.floor, b.op, operands, values)
	case b.ord == ordRecordedAt:
		w.timeBound(b.op, values)
	case b.ord == ordID:
		w.idBound(operands, values)
	case b.ord == ordStream:
		w.streams = w.textBound(w.streams, operands, values)
	case b.ord == ordType:
		w.types = w.textBound(w.types, operands, values)
	case b.ord == ordCategory:
		w.categoryBound(operands, values)
	}
}

// applyPushed is apply of a bound that was pushed into a sub-query. If its operands cannot be computed
// it narrows nothing: the condition itself tells of that, as soon as there is a row.
func (b *bound) applyPushed(w *narrowing, en *expr.Env) {
	before := *w
	if b.apply(w, en); en.Err != nil {
		*w = before
	}
}

// evaluate returns the values of the operands, each with the operand that it is of: a slice in an
// IN gives many.
func (b *bound) evaluate(en *expr.Env) (operands []*expr.Expr, values []value.Value) {
	operands, values = b.operands, make([]value.Value, len(b.operands))
	if !slices.ContainsFunc(operands, func(o *expr.Expr) bool { return o.IsList(en) }) {
		for i, o := range operands {
			values[i] = o.Eval(en)
		}
		return operands, values
	}
	n := 0
	for _, o := range operands {
		n += o.Elements(en)
	}
	if size := en.HoldElements(n); size > 0 { // the set of the condition holds them for longer
		defer execOf(en).budget.release(size)
	}
	operands, values = make([]*expr.Expr, 0, n), make([]value.Value, 0, n)
	for _, o := range b.operands {
		o.Each(en,
			func(one *expr.Env) { operands, values = append(operands, o), append(values, o.Eval(one)) })
	}
	return operands, values
}

// numberBound narrows a range of integers. Several values are those of an IN.
func (w *narrowing) numberBound(s *span, op parser.Op, values []value.Value) {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range values {
		l, h, some, exact := numberSpan(op, v)
		if !exact {
			w.inexact = true
		}
		if some {
			lo, hi = min(lo, l), max(hi, h)
		}
	}
	if len(values) > 1 { // the values between the least and the greatest of an IN
		w.inexact = true
	}
	w.narrowTo(s, lo, hi)
}

// numberSpan returns the integers n for which "n op v" may hold; some is false if there are none.
func numberSpan(op parser.Op, v value.Value) (lo, hi int64, some, exact bool) {
	if v.Kind == value.String {
		v = value.AsNumber(v)
	}
	switch v.Kind {
	case value.Null:
		return 0, 0, false, true
	case value.Int:
		return intSpan(op, v.N)
	case value.Float:
		return floatSpan(op, v.F)
	case value.String, value.Bytes: // every number is smaller than any text
		if op == parser.OpLt || op == parser.OpLe {
			return math.MinInt64, math.MaxInt64, true, true
		}
		return 0, 0, false, true
	}
	return math.MinInt64, math.MaxInt64, true, false
}

func intSpan(op parser.Op, n int64) (lo, hi int64, some, exact bool) {
	lo, hi = math.MinInt64, math.MaxInt64
	switch op {
	case parser.OpEq:
		lo, hi = n, n
	case parser.OpLt:
		if n == math.MinInt64 {
			return 0, 0, false, true
		}
		hi = n - 1
	case parser.OpLe:
		hi = n
	case parser.OpGt:
		if n == math.MaxInt64 {
			return 0, 0, false, true
		}
		lo = n + 1
	case parser.OpGe:
		lo = n
	}
	return lo, hi, true, true
}

func floatSpan(op parser.Op, f float64) (lo, hi int64, some, exact bool) {
	down := math.Floor(f)
	if down < -1<<63 || down >= 1<<63 || math.IsNaN(f) {
		below := down < -1<<63
		if op == parser.OpEq || (op == parser.OpLt || op == parser.OpLe) == below {
			return 0, 0, false, true
		}
		return math.MinInt64, math.MaxInt64, true, true
	}
	n := int64(down)
	if down == f {
		return intSpan(op, n)
	}
	switch op { // n < f < n+1
	case parser.OpLt, parser.OpLe:
		return intSpan(parser.OpLe, n)
	case parser.OpGt, parser.OpGe:
		return intSpan(parser.OpGt, n)
	}
	return 0, 0, false, true
}

// timeBound narrows recorded_at. Texts that are no times give no bound: comparing with them is an
// error, or decided by the filter.
func (w *narrowing) timeBound(op parser.Op, values []value.Value) {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range values {
		micros, ok := v.N, v.Kind == value.Time
		if v.Kind == value.String {
			micros, ok = value.ParseTime(v.S)
		}
		if v.Kind == value.Null {
			continue
		}
		if !ok {
			w.inexact = true
			return
		}
		l, h, some, _ := intSpan(op, micros)
		if some {
			lo, hi = min(lo, l), max(hi, h)
		}
	}
	if len(values) > 1 {
		w.inexact = true
	}
	w.narrowTo(&w.time, lo, hi)
}

// textBound narrows a set of names to those that are among the values, too. A value that is not a
// text gives no bound, because comparing it may convert it.
func (w *narrowing) textBound(set []string, operands []*expr.Expr, values []value.Value) []string {
	list := []string{}
	for i, v := range values {
		switch {
		case v.Kind == value.Null:
		case v.Kind == value.String && plainText(operands[i]):
			list = append(list, v.S)
		default:
			w.inexact = true
			return set
		}
	}
	if set != nil {
		list = intersect(set, list)
	}
	if len(list) == 0 {
		w.empty = true
	}
	return unique(list)
}

// plainText reports whether a text that e gives is compared with a column of texts byte by byte.
func plainText(e *expr.Expr) bool {
	return (e.Affinity == value.AffNone || e.Affinity == value.AffText) && e.Collate == value.Binary
}

func intersect(a, b []string) []string {
	in := make(map[string]bool, len(a))
	for _, s := range a {
		in[s] = true
	}
	list := []string{}
	for _, s := range b {
		if in[s] {
			list = append(list, s)
		}
	}
	return list
}

func unique(list []string) []string {
	seen := make(map[string]bool, len(list))
	out := list[:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// idBound narrows id. The column's text is the canonical one, so that any other text equals no id.
func (w *narrowing) idBound(operands []*expr.Expr, values []value.Value) {
	list := []uuid.UUID{}
	for i, v := range values {
		switch {
		case v.Kind == value.Null:
		case v.Kind == value.String && plainText(operands[i]):
			if id, err := uuid.Parse(v.S); err == nil && id.String() == v.S {
				list = append(list, id)
			}
		default:
			w.inexact = true
			return
		}
	}
	if w.ids != nil {
		w.inexact = true
		return
	}
	w.ids = list
	w.empty = w.empty || len(list) == 0
}

// tagBound adds a tag that every event must have.
func (w *narrowing) tagBound(v value.Value) {
	switch v.Kind {
	case value.String:
		w.tags = append(w.tags, v.S)
	case value.Null:
		w.empty = true
	default:
		w.inexact = true
	}
}

// alternativesBound narrows to events that pass one of the alternatives.
func (w *narrowing) alternativesBound(alternatives [][]*bound, en *expr.Env) {
	passing := make([]engine.Alternative, 0, len(alternatives))
	for _, parts := range alternatives {
		one := newNarrowing()
		for _, part := range parts {
			if part.apply(one, en); en.Err != nil {
				return
			}
		}
		w.inexact = w.inexact || one.inexact
		switch {
		case one.empty:
		case one.streams == nil && one.types == nil && one.tags == nil: // a value of a kind that gives no bound
			return
		default:
			passing = append(passing,
				engine.Alternative{Streams: one.streams, Types: one.types, Tags: one.tags})
		}
	}
	switch {
	case len(passing) == 0:
		w.empty = true
	case w.any != nil: // a second OR is left to the conditions
		w.inexact = true
	default:
		w.any = passing
	}
}

// likeBound narrows the stream to the beginning of a LIKE pattern, up to its first wildcard or
// ASCII letter: LIKE takes upper and lower case of those for the same. ILIKE does that with all
// letters: with others in its pattern it narrows nothing.
func (w *narrowing) likeBound(v value.Value, fold bool) {
	w.inexact = true
	if v.Kind == value.Null {
		w.empty = true
		return
	}
	if v.Kind != value.String || fold && !value.IsASCII(v.S) {
		return
	}
	end := strings.IndexFunc(v.S, func(r rune) bool {
		return r == '%' || r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	})
	prefix := v.S
	if end >= 0 {
		prefix = v.S[:end]
	}
	if likePrefix(v.S) != "" && len(v.S) <= value.MaxPattern {
		w.like = v.S
	}
	if len(prefix) > len(w.prefix) {
		w.prefix = prefix
	}
}

// describe says what the narrowing makes the engine read.
func (w *narrowing) describe(b *strings.Builder, head engine.Position) {
	if w.empty {
		b.WriteString(" nothing: no event can satisfy the conditions")
		return
	}
	describeSpan(b, "positions", w.position, int64(head)-1)
	describeSpan(b, "versions", w.version, math.MaxInt64)
	if w.time != everything {
		lo, hi := "", ""
		if w.time.lo != math.MinInt64 {
			lo = value.OfTime(w.time.lo).Text()
		}
		if w.time.hi != math.MaxInt64 {
			hi = value.OfTime(w.time.hi).Text()
		}
		fmt.Fprintf(b, " times [%s, %s]", lo, hi)
	}
	describeNames(b, "streams", w.streams)
	if w.prefix != "" {
		fmt.Fprintf(b, " streams %q...", w.prefix)
	}
	describeNames(b, "types", w.types)
	describeNames(b, "tags", w.tags)
	for i, a := range w.any {
		if i > 0 {
			b.WriteString(" or")
		}
		describeNames(b, "streams", a.Streams)
		describeNames(b, "types", a.Types)
		describeNames(b, "tags", a.Tags)
	}
	if w.ids != nil {
		fmt.Fprintf(b, " %d ids", len(w.ids))
	}
}

func describeSpan(b *strings.Builder, what string, s span, last int64) {
	if s == everything {
		return
	}
	hi := "end"
	if s.hi < last {
		hi = fmt.Sprint(s.hi)
	}
	fmt.Fprintf(b, " %s [%d, %s]", what, max(s.lo, 0), hi)
}

func describeNames(b *strings.Builder, what string, names []string) {
	const shown = 5
	if names == nil {
		return
	}
	list := names[:min(len(names), shown)]
	fmt.Fprintf(b, " %s [%s", what, strings.Join(list, ", "))
	if len(names) > shown {
		fmt.Fprintf(b, " and %d more", len(names)-shown)
	}
	b.WriteString("]")
}
