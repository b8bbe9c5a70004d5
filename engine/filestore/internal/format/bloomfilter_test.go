package format

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIDFilterRarelyErrs: the filter of ids, whose places are in the order of the fingerprints,
// errs as rarely as another.
func TestIDFilterRarelyErrs(t *testing.T) {
	const keys = 40_000
	r := rand.New(rand.NewPCG(61, 62))
	hashes := map[string]func() uint64{
		"ids": func() uint64 { return IDFilterHash(r.Uint32()) },
		"keys": func() uint64 {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], r.Uint64())
			return HashKey(1, b[:])
		},
	}
	for name, hash := range hashes {
		in := make([]uint64, keys)
		for i := range in {
			in[i] = hash()
		}
		filter := NewBloom(in)
		for _, h := range in {
			require.True(t, BloomHas(filter[BloomPlace(h, len(filter)):], h))
		}
		wrong := 0
		for range keys {
			if h := hash(); BloomHas(filter[BloomPlace(h, len(filter)):], h) {
				wrong++
			}
		}
		t.Logf("%s: %.2f %%", name, 100*float64(wrong)/keys)
		require.Less(t, wrong, keys/80)
	}
}
