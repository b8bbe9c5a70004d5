package query

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/value"
)

// TestABoxGivesWhatThePlainWayGives: whatever came before, a value comes out as toDriver has it.
func TestABoxGivesWhatThePlainWayGives(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	one := func() value.Value {
		n := r.Int63n(200)
		switch r.Intn(8) {
		case 0:
			return null
		case 1:
			return value.OfInt(n / 50)
		case 2:
			return value.OfReal(float64(n) / 2)
		case 3:
			return value.OfTime(n / 50)
		case 4:
			return value.OfBlob(fmt.Sprint(n))
		case 5:
			return value.OfJSON(fmt.Sprint(n))
		}
		return value.OfText(fmt.Sprintf("%0*d", r.Intn(2)*2*boxText+1, n))
	}
	for _, typ := range []Type{Any, Integer, Real, Text, Blob, JSON, Timestamp} {
		for _, jsonText := range []bool{false, true} {
			b := box{typ: typ, jsonText: jsonText}
			for range 5000 {
				v := one()
				require.Equal(t, toDriver(v, typ, jsonText), b.box(v), "%v as %v", v, typ)
			}
		}
	}
}
