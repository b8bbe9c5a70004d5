package value

import (
	"testing"
)

func FuzzPrintf(f *testing.F) {
	f.Add("%-+5.3d|%s", "x", 1.5, int64(3))
	f.Add("%!.17g%,f%%%c", "é", 1e300, int64(-1))
	f.Fuzz(func(t *testing.T, format, s string, x float64, n int64) {
		owner := &shortTexts{limit: 64 << 20}
		m := MeterOf(owner)
		v := Printf(&m, []Value{OfText(format), OfInt(n % 1000), OfReal(x), OfText(s), OfReal(x), OfInt(n % 1000)})
		if !owner.refused && v.Kind != String {
			t.Fatal(v)
		}
	})
}

// shortTexts is an owner of a meter whose texts may be so long.
type shortTexts struct {
	limit   int
	refused bool
}

func (s *shortTexts) Wanted() bool   { return true }
func (s *shortTexts) TextLimit() int { return s.limit }
func (s *shortTexts) TooLong()       { s.refused = true }
func (s *shortTexts) Hold(int) bool  { return true }
func (s *shortTexts) Discard(int64)  {}
