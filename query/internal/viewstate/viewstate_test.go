package viewstate

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/exact"
	"github.com/eventfold/eventfold/query/internal/value"
)

var (
	shape  = Shape{Definition: [32]byte{1, 2, 3}, Keys: 2, States: 2}
	levels = []Level{{0, 10, 2}, {10, 12, 1}}
	groups = []Group{
		{[]value.Value{value.OfText("a"), {}}, []State{{N: 3, Sum: -7}, {N: 1, Value: value.OfJSON(`{"a": 1}`)}}},
		{[]value.Value{value.OfInt(math.MinInt64), value.OfBlob("\x00\xff")},
			[]State{{Wraps: -1, Real: true, Total: sumOf(1e300, 1, math.Inf(1))}, {}}},
		{[]value.Value{value.OfReal(math.Copysign(0, -1)), value.OfTime(-5)},
			[]State{{N: -1, Value: value.OfText("")}, {Squares: new(exact.Sum), Value: value.Value{Kind: value.Int, Flag: true}}}},
	}
)

func sumOf(list ...float64) (s exact.Sum) {
	for _, x := range list {
		s.Add(x)
	}
	return s
}

func encoded(t testing.TB) []byte {
	var b bytes.Buffer
	e := NewEncoder(&b, shape, len(levels))
	next := 0
	for _, l := range levels {
		e.Level(l)
		for range l.Groups {
			require.NoError(t, e.Group(&groups[next]))
			next++
		}
	}
	require.NoError(t, e.Flush())
	return b.Bytes()
}

// decodeAll reads everything and returns it encoded again.
func decodeAll(from io.Reader, s Shape) (again []byte, err error) {
	d, err := NewDecoder(from, s)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := NewEncoder(&b, s, int(d.left))
	one := Group{make([]value.Value, s.Keys), make([]State, s.States)}
	for {
		l, ok, err := d.Level()
		if err != nil {
			return nil, err
		}
		if !ok {
			err = e.Flush()
			return b.Bytes(), err
		}
		e.Level(l)
		for range l.Groups {
			if err := d.Group(&one); err != nil {
				return nil, err
			}
			if err := e.Group(&one); err != nil {
				return nil, err
			}
		}
	}
}

func TestGroupsAreReadAsTheyWereWritten(t *testing.T) {
	b := encoded(t)
	again, err := decodeAll(bytes.NewReader(b), shape)
	require.NoError(t, err)
	assert.Equal(t, b, again)
}

func TestGroupsOfAnotherViewAreRefused(t *testing.T) {
	b := encoded(t)
	for _, other := range []Shape{
		{Definition: [32]byte{1, 2, 4}, Keys: 2, States: 2}, {Definition: shape.Definition, Keys: 1, States: 2},
		{Definition: shape.Definition, Keys: 2, States: 3},
	} {
		_, err := decodeAll(bytes.NewReader(b), other)
		assert.ErrorIs(t, err, ErrState)
	}
}

func TestGroupsThatAreCutOrHaveMoreBehindThemAreRefused(t *testing.T) {
	b := encoded(t)
	for n := range b {
		_, err := decodeAll(bytes.NewReader(b[:n]), shape)
		assert.ErrorIs(t, err, ErrState, "%d bytes", n)
	}
	_, err := decodeAll(bytes.NewReader(append(bytes.Clone(b), 0)), shape)
	assert.ErrorIs(t, err, ErrState)
}

func TestAnErrorOfReadingIsNotCalledDamage(t *testing.T) {
	broken := errors.New("broken")
	b := encoded(t)
	_, err := decodeAll(io.MultiReader(bytes.NewReader(b[:len(b)-3]), &failing{broken}), shape)
	assert.ErrorIs(t, err, broken)
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzDecode gives any bytes to the decoder. What it takes is, encoded again, taken again, and nothing
// panics or makes room for more than there is.
func FuzzDecode(f *testing.F) {
	f.Add(encoded(f))
	f.Add(shape.Definition[:])
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := decodeAll(bytes.NewReader(b), shape)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		third, err := decodeAll(bytes.NewReader(again), shape)
		require.NoError(t, err)
		require.Equal(t, again, third)
	})
}
