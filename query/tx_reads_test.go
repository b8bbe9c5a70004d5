package query

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestWhatIsNotedOfReadsIsBounded: by whatever statement, with whatever arguments.
func TestWhatIsNotedOfReadsIsBounded(t *testing.T) {
	testenv.WithoutRace(t)
	store := openStore(t, filestore.Options{})
	fill(t, store, 30_000)
	tests := []struct {
		name, text string
		arg        func(i int) any // nil for none
		times      int
	}{
		{"a sub-query of every row", `SELECT COUNT(*) FROM $all a WHERE NOT EXISTS
			(SELECT 1 FROM $all b WHERE b.stream = a.stream || a.version AND b.payload->>'$.n' > 1)`, nil, 1},
		{"one with a type of every row, too", `SELECT COUNT(*) FROM $all a WHERE NOT EXISTS (SELECT 1 FROM $all b
			WHERE b.stream = a.stream || 'x' AND b.type = a.type || a.version AND b.version > a.version)`, nil, 1},
		{"ids of every row", `SELECT COUNT(*) FROM $all a WHERE NOT EXISTS
			(SELECT 1 FROM $all b WHERE b.id = a.id AND b.type = 'None')`, nil, 1},
		{"arguments", `SELECT COUNT(*) FROM $all WHERE stream = ? AND payload->>'$.n' > 1`,
			func(i int) any { return fmt.Sprint("s", i) }, 3000},
		{"long arguments", `SELECT COUNT(*) FROM $all WHERE stream = 'nobody' AND payload->>'$.n' > ?`,
			func(i int) any { return strings.Repeat("x", 100_000+i) }, 100},
		{"long names", `SELECT COUNT(*) FROM $all WHERE type = ?`,
			func(i int) any { return strings.Repeat("x", 100_000+i) }, 100},
		{"tags of every row", `SELECT COUNT(*) FROM $all a WHERE a.version < 50 AND NOT EXISTS
			(SELECT 1 FROM $all b WHERE HAS(b.tags, a.stream || a.version) AND b.version > 1)`, nil, 1},
		{"long patterns", `SELECT COUNT(*) FROM $all WHERE stream LIKE ?`,
			func(i int) any { return strings.Repeat("9", 10_000+i) + "%" }, 100},
	}
	for _, tt := range tests {
		s := &Session{Store: store, Tx: BeginSerializable(store, false)}
		for i := range tt.times {
			if tt.arg == nil {
				rowsOf(t, s, tt.text)
			} else {
				rowsOf(t, s, tt.text, tt.arg(i))
			}
		}
		reads := s.Tx.reads
		held := 0
		for _, set := range reads.sets {
			assert.LessOrEqual(t, len(set.filters), maxReadFilters, tt.name)
			for _, f := range set.filters {
				held += len(f.Prefix) + 16*len(f.IDs)
				for _, name := range append(append([]string(nil), f.Streams...), f.Types...) {
					held += len(name) + 16
				}
			}
		}
		assert.LessOrEqual(t, len(reads.sets), maxReads, tt.name)
		assert.LessOrEqual(t, held, maxReadTotal*(engine.MaxStreamSize+16), tt.name)
		counted := reads.memory.budget.held.Load()
		t.Logf("%s: %d tables, %d bytes of names, %d counted", tt.name, len(reads.sets), held, counted)
		assert.LessOrEqual(t, counted, int64(64<<10), "%s: counts what it holds, not what it has held", tt.name)
	}
}

// TestWhatIsNotedOfReadsIsMemory: it counts until the transaction ends, in whatever way, and where there
// is no room for it the statement says so, and COMMIT.
func TestWhatIsNotedOfReadsIsMemory(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 10)
	ctx := t.Context()
	long := func(i int) string { return fmt.Sprintf("%0200d", i) }
	for name, read := range map[string]func(i int) (text string, args []any){
		"names": func(i int) (string, []any) { return `SELECT COUNT(*) FROM $all WHERE stream = ?`, []any{long(i)} },
		"arguments": func(i int) (string, []any) {
			return `SELECT COUNT(*) FROM $all WHERE payload->>'$.n' > ? AND stream = 'x'`, []any{long(i)}
		},
		"texts": func(i int) (string, []any) {
			return fmt.Sprintf(`SELECT COUNT(*) FROM $all WHERE type = 'a' /* %s */`, long(i)), nil
		},
		"tables": func(i int) (string, []any) {
			return fmt.Sprintf(`SELECT COUNT(*) FROM $all WHERE type IN ('%s', '%s')`, long(i), long(i)), nil
		},
	} {
		shared := NewMemory(64 << 20)
		run := func(limit int64, count int) (s *Session, err error) {
			s = &Session{Store: store, Settings: Settings{Memory: limit, Shared: shared}}
			s.Tx = BeginSerializable(store, false)
			for i := 0; i < count && err == nil; i++ {
				text, args := read(i)
				named := make([]driver.NamedValue, len(args))
				for k, v := range args {
					named[k] = driver.NamedValue{Ordinal: k + 1, Value: v}
				}
				_, err = runText(ctx, s, text, named)
			}
			return s, err
		}
		s, err := run(0, maxReads-4)
		require.NoError(t, err, name)
		need := s.Tx.reads.memory.budget.held.Load()
		assert.Greater(t, need, int64(50*200), name)
		if need > shareFree {
			assert.GreaterOrEqual(t, shared.Used(), need-shareFree, name)
		}
		s.Tx.Rollback()
		assert.Zero(t, shared.Used(), name)

		s, err = run(need, maxReads-4)
		require.NoError(t, err, name)
		exec(t, s, "INSERT INTO mine (type) VALUES ('T')")
		assert.NoError(t, s.Tx.Commit(ctx), "%s: there is just the room", name)
		assert.Zero(t, shared.Used(), name)

		s, err = run(need-1, maxReads-4)
		checkNoteless(t, err, need-1, name)
		exec(t, s, "INSERT INTO mine (type) VALUES ('T')")
		assert.Zero(t, shared.Used(), "%s: it is given back at once", name)
		checkNoteless(t, s.Tx.Commit(ctx), need-1, name)
	}
}

// checkNoteless checks the error of a transaction that had no memory for its notes.
func checkNoteless(t *testing.T, err error, limit int64, name string) {
	t.Helper()
	var spent *MemoryError
	if assert.ErrorAs(t, err, &spent, name) {
		assert.Equal(t, &MemoryError{Clause: "noting what a serializable transaction reads", Limit: limit}, spent, name)
	}
}

// TestADividedScanIsNotedOnce: from whichever goroutine its parts are read, what comes is a
// conflict.
func TestADividedScanIsNotedOnce(t *testing.T) {
	store := openStore(t, filestore.Options{})
	fill(t, store, 30_000)
	for _, tt := range []struct {
		text     string
		conflict bool
	}{
		{"SELECT type, SUM(payload->>'$.total') FROM $all GROUP BY type", true},
		{"SELECT COUNT(payload) FROM $all WHERE payload->>'$.total' > 500", true},
		{"SELECT COUNT(payload) FROM $all WHERE payload->>'$.total' < 500", false},
		{"SELECT COUNT(payload) FROM $all WHERE type <> 'Late'", false},
	} {
		s := &Session{Store: store, Tx: BeginSerializable(store, false)}
		counting := &countingParts{ReadIndex: s.Tx.index}
		s.Tx.index = counting
		rowsOf(t, s, tt.text)
		require.Positive(t, counting.divided, "the scan was divided")
		require.Len(t, s.Tx.reads.sets, 1, tt.text)
		exec(t, &Session{Store: store}, `INSERT INTO late (type, payload) VALUES ('Late', '{"total": 900}')`)
		exec(t, s, "INSERT INTO mine (type) VALUES ('Decided')")
		err := s.Tx.Commit(context.Background())
		assert.Equal(t, tt.conflict, err != nil, "%s: %v", tt.text, err)
	}
}

// countingParts counts how often a scan was divided.
type countingParts struct {
	engine.ReadIndex
	divided int
}

func (c *countingParts) Parts(what engine.Filter, n int) []engine.Filter {
	parts := c.ReadIndex.(engine.Parter).Parts(what, n)
	if len(parts) > 1 {
		c.divided++
	}
	return parts
}

// TestWhateverAsksTheIndexIsNoted: a way of reading that does not tell by itself what it looks at
// cannot be forgotten, and what was told is not noted a second time.
func TestWhateverAsksTheIndexIsNoted(t *testing.T) {
	store := openStore(t, filestore.Options{})
	exec(t, &Session{Store: store}, "INSERT INTO a (type) VALUES ('T')")
	ctx := context.Background()
	asks := map[string]func(x engine.ReadIndex) error{
		"Scan": func(x engine.ReadIndex) error {
			return x.Scan(ctx, engine.Filter{Streams: []string{"a"}}, engine.ColAll).Close()
		},
		"Count":      func(x engine.ReadIndex) error { _, err := x.Count(ctx, engine.Filter{}); return err },
		"Types":      func(x engine.ReadIndex) error { _, err := x.Types(ctx); return err },
		"Streams":    func(x engine.ReadIndex) error { return x.Streams(ctx, "a").Close() },
		"Version":    func(x engine.ReadIndex) error { _, _, err := x.StreamVersion("a"); return err },
		"ReadAll":    func(x engine.ReadIndex) error { return x.ReadAll(ctx, 0, engine.Forwards).Close() },
		"ReadStream": func(x engine.ReadIndex) error { return x.ReadStream(ctx, "a", 0, engine.Forwards).Close() },
	}
	for name, ask := range asks {
		for _, past := range []bool{false, true} {
			tx := BeginSerializable(store, false)
			x := tx.reads.watch(tx.index, &Settings{})
			if past {
				x = x.At(1)
			}
			require.NoError(t, ask(x), name)
			assert.Equal(t, !past, len(tx.reads.sets) == 1, "%s, past: %v", name, past)
			content := name == "Scan" || strings.HasPrefix(name, "Read")
			assert.Equal(t, content, tx.reads.content.To > 0, "%s, past: %v", name, past)
		}
	}
}
