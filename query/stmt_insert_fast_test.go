package query

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/filestore"
)

// TestInsertsInTheMemoryOfASessionAreThoseOfTheirOwn: a session uses memory again for its INSERTs
// without RETURNING, and bytes of arguments as they are; each of the others has memory of its own.
func TestInsertsInTheMemoryOfASessionAreThoseOfTheirOwn(t *testing.T) {
	const text = "INSERT INTO ? (type, payload, metadata, tags) VALUES (?, ?, ?, ?)%s%s"
	stored := func(returning string, tx bool) []string {
		s := &Session{Store: openStore(t, filestore.Options{})}
		if tx {
			s.Tx = Begin(s.Store, false)
		}
		payload := make([]byte, 0, 64) // which the caller writes to again
		for i := range 300 {
			more := []any{fmt.Sprint("s", i%7), []byte(fmt.Sprint("T", i%5))}
			expect := ""
			if i%3 == 0 {
				expect = " EXPECTING NO EVENT FROM $all WHERE payload->>'$.n' = ?"
			}
			payload = fmt.Appendf(payload[:0], `{"n": %d}`, i)
			more = append(more, payload, []byte(`{"m":1}`), fmt.Sprintf(`["t%d"]`, i))
			if expect != "" {
				more = append(more, int64(i))
			}
			plan := mustCompile(t, fmt.Sprintf(text, expect, returning))
			if returning == "" {
				_, err := plan.Exec(context.Background(), s, named(more))
				require.NoError(t, err)
				continue
			}
			rows, err := plan.Query(context.Background(), s, named(more))
			require.NoError(t, err)
			require.NoError(t, rows.Close())
		}
		if tx {
			require.NoError(t, s.Tx.Commit(context.Background()))
			s.Tx = nil
		}
		list, err := tryRows(context.Background(), s,
			"SELECT position, stream, version, type, payload, metadata, tags FROM $all")
		require.NoError(t, err)
		require.Len(t, list, 300)
		return list
	}
	plain := stored(" RETURNING stream", false)
	require.Equal(t, plain, stored("", false))
	require.Equal(t, plain, stored("", true))
}
