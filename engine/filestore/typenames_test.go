package filestore

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// TestEqualTypesOfACursorShareOneString also where their hashes collide, in the cursor's table and
// in the store's.
func TestEqualTypesOfACursorShareOneString(t *testing.T) {
	shared := new(nameTable)
	for range 3 {
		n := typeNames{shared: shared}
		first := map[string]*byte{}
		for i := range 3000 {
			typ := []byte(fmt.Sprintf("type-%d", i*i%1000))
			name := n.intern(typ)
			require.Equal(t, string(typ), name)
			require.NotSame(t, &typ[0], unsafe.StringData(name), "a copy")
			if p, ok := first[name]; ok {
				require.Same(t, p, unsafe.StringData(name), name)
			}
			first[name] = unsafe.StringData(name)
		}
	}
	one, other := typeNames{shared: shared}, typeNames{shared: shared}
	require.Same(t, unsafe.StringData(one.intern([]byte("OrderEvent01"))),
		unsafe.StringData(other.intern([]byte("OrderEvent01"))))
	require.Equal(t, "a", one.intern([]byte("a")))
}
