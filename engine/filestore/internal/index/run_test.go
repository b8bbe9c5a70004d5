package index_test

import (
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/stretchr/testify/require"
)

func TestIndexRunNames(t *testing.T) {
	from, to, ok := index.ParseRunName(index.RunName(17, 24))
	require.True(t, ok)
	require.Equal(t, []int64{17, 24}, []int64{from, to})
	for _, name := range []string{"", "000000000001.idx", "000000000001-000000000001.idx",
		"000000000009-000000000008.idx",
		"1-8.idx", "000000000001-000000000008.log", "000000000001-000000000008", "000000000001-x.idx"} {
		_, _, ok := index.ParseRunName(name)
		require.False(t, ok, name)
	}
}
