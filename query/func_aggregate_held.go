package query

import (
	"math"
	"slices"
	"unsafe"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The aggregates that need all values of a group at once. They hold them, which is counted, and
// cannot be computed in parts.
var heldAggregates = map[string]*aggregate{
	"median": {min: 1, max: 1, typ: middleType, hold: holdMeasure, holding: "measures", final: finalContinuous},
	"percentile": {min: 1, max: 1, fraction: percent, typ: middleType,
		hold: holdMeasure, holding: "measures", final: finalContinuous},
	"percentile_cont": {min: 1, max: 1, fraction: share, within: true, typ: middleType,
		hold: holdMeasure, holding: "measures", final: finalContinuous},
	"percentile_disc": {min: 1, max: 1, fraction: share, within: true, typ: argType,
		hold: holdValue, holding: "values", final: finalDiscrete},
	"mode": {min: 1, max: 1, within: true, typ: argType, hold: holdValue, holding: "values", final: finalMode},
}

// A fractionKind says what the last argument of a percentile is.
type fractionKind uint8

const (
	noFraction fractionKind = iota
	share                   // from 0 to 1
	percent                 // from 0 to 100
)

// middleType is the type of what may lie between two values.
func middleType(args []*expr.Expr) (Type, bool) {
	switch {
	case args[0].IsTime():
		return Timestamp, true
	case args[0].Type == Integer || args[0].Type == Real:
		return Real, true
	}
	return Any, true
}

// heldRows are what an aggregate keeps of the rows of a group: of one of them, or a part of each.
type heldRows struct {
	rows  []value.Value // the values of the rows, one row after the other
	words []uint64      // in place of rows, as long as all are one number or time of a kind
	kind  value.Kind    // of words
	order int           // so many of words, or of rows of one value, are in order
	bytes int64         // that are accounted for
}

const (
	heldRowsSize = int64(unsafe.Sizeof(heldRows{}))
	wordSize     = 8
)

// all returns what the state holds, of which it is accounted for that it is there.
func (s *aggState) all(keep *keeper) (*heldRows, error) {
	if s.held == nil {
		s.held = &heldRows{bytes: heldRowsSize}
		return s.held, keep.account(heldRowsSize)
	}
	return s.held, nil
}

// holdMeasure keeps a number as a REAL, or a time: one of those between which something lies.
func holdMeasure(s *aggState, c *aggregateCall, v []value.Value, keep *keeper) error {
	x := value.AsNumber(v[0])
	switch x.Kind {
	case value.Int, value.Float:
		x = value.OfReal(x.Real())
	case value.Time:
	default:
		return errorf(BadValue, c.pos, "%s() is of numbers or times, not of a %s",
			c.shown(), x.TypeName())
	}
	if s.held != nil && s.held.kind != x.Kind {
		return errorf(BadValue, c.pos, "%s() is of numbers or of times, not of both", c.shown())
	}
	h, err := s.all(keep)
	if err != nil {
		return err
	}
	return h.addWord(x, keep)
}

// holdValue keeps any value.
func holdValue(s *aggState, _ *aggregateCall, v []value.Value, keep *keeper) error {
	h, err := s.all(keep)
	if err != nil {
		return err
	}
	x := v[0]
	plain := (x.Kind == value.Int || x.Kind == value.Float || x.Kind == value.Time) && !x.Flag
	if plain && len(h.rows) == 0 && (len(h.words) == 0 || h.kind == x.Kind) {
		return h.addWord(x, keep)
	}
	if err := h.widen(keep); err != nil {
		return err
	}
	return h.addRow(v[:1], keep)
}

// holdRow keeps the values of a row and what it is sorted by.
func holdRow(s *aggState, _ *aggregateCall, v []value.Value, keep *keeper) error {
	h, err := s.all(keep)
	if err != nil {
		return err
	}
	return h.addRow(v, keep)
}

func (h *heldRows) addWord(v value.Value, keep *keeper) (err error) {
	w := uint64(v.N)
	if v.Kind == value.Float {
		w = math.Float64bits(v.F)
	}
	h.kind = v.Kind
	if h.words, err = roomFor(h, h.words, 1, wordSize, keep); err != nil {
		return err
	}
	h.words = append(h.words, w)
	return nil
}

func (h *heldRows) addRow(row []value.Value, keep *keeper) (err error) {
	if h.rows, err = roomFor(h, h.rows, len(row), valueSize, keep); err != nil {
		return err
	}
	for _, v := range row {
		h.bytes += int64(len(v.S))
		if v, err = keep.value(v); err != nil {
			return err
		}
		h.rows = append(h.rows, v)
	}
	return nil
}

// roomFor makes room for n more elements of a size.
func roomFor[T any](h *heldRows, list []T, n int, size int64, keep *keeper) ([]T, error) {
	need := len(list) + n
	if need <= cap(list) {
		return list, nil
	}
	more := int64(need+need/2+2) * size
	old := int64(cap(list)) * size
	if err := keep.account(more); err != nil { // for a moment there are both
		return list, err
	}
	list = append(make([]T, 0, more/size), list...)
	keep.drop(old)
	h.bytes += more - old
	return list, nil
}

// widen makes rows of words: there is a value that is none.
func (h *heldRows) widen(keep *keeper) (err error) {
	if len(h.words) == 0 {
		return nil
	}
	if h.rows, err = roomFor(h, h.rows, len(h.words)+1, valueSize, keep); err != nil {
		return err
	}
	for i := range h.words {
		h.rows = append(h.rows, h.word(i))
	}
	gone := int64(cap(h.words)) * wordSize
	h.words, h.order = nil, 0
	h.bytes -= gone
	keep.drop(gone)
	return nil
}

func (h *heldRows) word(i int) value.Value {
	if h.kind == value.Float {
		return value.Value{Kind: value.Float, F: math.Float64frombits(h.words[i])}
	}
	return value.Value{Kind: h.kind, N: int64(h.words[i])}
}

// count is how many values are held, where each row has one.
func (h *heldRows) count() int { return max(len(h.words), len(h.rows)) }

// at returns a value where each row has one. They are in order when sort has returned.
func (h *heldRows) at(i int) value.Value {
	if len(h.words) > 0 {
		return h.word(i)
	}
	return h.rows[i]
}

// fewUnsorted is how many values are put into their places one by one among those in order: a frame
// of a window that grows brings one at a time.
const fewUnsorted = 8

// sort puts the values of rows of one value into their order. It is false if nobody waits for it.
func (h *heldRows) sort(collate value.Collation, en *expr.Env) bool {
	ok := true
	if len(h.words) > 0 {
		ok = sortHeld(h.words, h.order, en, wordOrder(h.kind))
	} else {
		ok = sortHeld(h.rows, h.order, en, func(a, b value.Value) int {
			if !en.Effort(min(len(a.S), len(b.S))) {
				return 0
			}
			return value.Compare(a, b, collate)
		})
	}
	if ok {
		h.order = h.count()
	}
	return ok
}

func wordOrder(k value.Kind) func(a, b uint64) int {
	if k == value.Float {
		return func(a, b uint64) int {
			return value.CompareFloats(math.Float64frombits(a), math.Float64frombits(b))
		}
	}
	return func(a, b uint64) int { return value.CompareInts(int64(a), int64(b)) }
}

// sortHeld sorts a list whose beginning is in order.
func sortHeld[T any](list []T, sorted int, en *expr.Env, compare func(a, b T) int) bool {
	metered := func(a, b T) int {
		if !en.Effort(value.TermEffort) {
			return 0
		}
		return compare(a, b)
	}
	if len(list)-sorted > fewUnsorted || sorted == 0 {
		if len(list) > sorted {
			slices.SortFunc(list, metered)
		}
		return en.Err == nil
	}
	for ; sorted < len(list); sorted++ {
		x := list[sorted]
		i, _ := slices.BinarySearchFunc(list[:sorted], x, metered)
		if !en.Effort((sorted - i) / 4) {
			return false
		}
		copy(list[i+1:sorted+1], list[i:sorted])
		list[i] = x
	}
	return en.Err == nil
}

// fractionOf evaluates the last argument of a percentile; ok is false if it is NULL.
func (c *aggregateCall) fractionOf(en *expr.Env) (p float64, ok bool, err error) {
	if c.fraction == nil {
		return 0.5, true, nil
	}
	v := value.AsNumber(c.fraction.Eval(en))
	if en.Err != nil || v.IsNull() {
		return 0, false, en.Err
	}
	most := 1.0
	if c.def.fraction == percent {
		most = 100
	}
	if p = v.Real() / most; !v.Kind.IsNumber() || p < 0 || p > 1 {
		return 0, false, errorf(BadValue, c.fraction.Pos,
			"the fraction of %s() is a number from 0 to %g", c.shown(), most)
	}
	return p, true, nil
}

// sortedValues returns the values in order for a fraction of them; nil where the result is NULL.
func (c *aggregateCall) sortedValues(s *aggState, en *expr.Env) (h *heldRows, p float64, err error) {
	p, ok, err := c.fractionOf(en)
	if !ok || s.held == nil {
		return nil, 0, err
	}
	if !s.held.sort(c.collate, en) {
		return nil, 0, en.Err
	}
	return s.held, p, nil
}

// nth returns the value at a place in the order that the call asks for.
func (c *aggregateCall) nth(h *heldRows, i int) value.Value {
	if c.descending {
		i = h.count() - 1 - i
	}
	return h.at(i)
}

// finalContinuous gives what lies at the fraction, between two values if need be.
func finalContinuous(s *aggState, c *aggregateCall, en *expr.Env) (value.Value, error) {
	h, p, err := c.sortedValues(s, en)
	if h == nil || err != nil {
		return null, err
	}
	place := p * float64(h.count()-1)
	whole := math.Floor(place)
	a := c.nth(h, int(whole))
	if place == whole {
		return a, nil
	}
	b := c.nth(h, int(whole)+1)
	if a.Kind == value.Time {
		return value.OfTime(a.N + int64(math.Round(float64(b.N-a.N)*(place-whole)))), nil
	}
	return value.OfReal(between(a.F, b.F, place-whole)), nil
}

// between is the number at a part of the way from a to b.
func between(a, b, part float64) float64 {
	if a == b {
		return a
	}
	if way := b - a; !math.IsInf(way, 0) {
		return a + way*part
	}
	return a*(1-part) + b*part
}

// finalDiscrete gives the first value of which no smaller part than the fraction is reached with
// it.
func finalDiscrete(s *aggState, c *aggregateCall, en *expr.Env) (value.Value, error) {
	h, p, err := c.sortedValues(s, en)
	if h == nil || err != nil {
		return null, err
	}
	n := float64(h.count())
	k := math.Ceil(p * n)
	if k > 1 && (k-1)/n >= p { // the product was rounded up
		k--
	}
	return c.nth(h, max(int(k), 1)-1), nil
}

// finalMode gives the value that is there most often, of several the first in the order.
func finalMode(s *aggState, c *aggregateCall, en *expr.Env) (value.Value, error) {
	h, _, err := c.sortedValues(s, en)
	if h == nil || err != nil {
		return null, err
	}
	best, most, run := null, 0, 0
	for i := range h.count() {
		v := c.nth(h, i)
		if run++; i > 0 && value.Compare(v, c.nth(h, i-1), c.collate) != 0 {
			run = 1
		}
		if run > most {
			best, most = v, run
		}
		if !en.Effort(value.TermEffort + len(v.S)) {
			return null, en.Err
		}
	}
	return best, nil
}

// finalSorted gives the rows to the function in their order.
func finalSorted(s *aggState, c *aggregateCall, en *expr.Env) (value.Value, error) {
	sub := &aggState{}
	if s.held == nil {
		return c.plain.final(sub, c, en)
	}
	rows, width := s.held.rows, len(c.args)
	places, room, ok := c.sortedPlaces(rows, width, en)
	if !ok || !en.Hold(room) {
		return null, en.Err
	}
	sub.text = make([]byte, 0, room)
	for _, at := range places {
		if !en.Effort(value.TermEffort + len(rows[at].S)) {
			return null, en.Err
		}
		if err := c.plain.step(sub, c, rows[at:at+c.values]); err != nil {
			return null, err
		}
	}
	return c.plain.final(sub, c, en)
}

// sortedPlaces returns where the rows begin, in their order, and how many bytes they make together.
// It is false if nobody waits for it, or memory is short.
func (c *aggregateCall) sortedPlaces(
	rows []value.Value, width int, en *expr.Env,
) (places []int, room int, ok bool) {
	n := len(rows) / width
	if !en.Hold(n * wordSize) {
		return nil, 0, false
	}
	places = make([]int, n)
	for i := range places {
		row := rows[i*width:][:c.values]
		places[i] = i * width
		room += c.plain.room(row)
		if !en.Effort(value.TermEffort + len(row[0].S)) {
			return nil, 0, false
		}
	}
	slices.SortFunc(places, func(a, b int) int {
		x, y := rows[a : a+width][c.keysAt:], rows[b : b+width][c.keysAt:]
		if !en.Effort(sortEffort(x, y)) {
			return 0
		}
		if order := compareKeys(c.order, x, y); order != 0 {
			return order
		}
		return a - b
	})
	return places, room, en.Err == nil
}
