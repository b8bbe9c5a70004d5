package crashtest_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

const (
	ledgerCopy   = "/backup"
	ledgerMarker = "a name that is to be forgotten"
)

// A ledgerCase is a copy of a store, and a ledger to be applied to it.
type ledgerCase struct {
	fs     *crashtest.FS
	ledger []byte
	head   engine.Head
	kept   []engine.Event // of the copy, as they are to be at the end
	seed   uint64
}

// newLedgerCase makes a store with complete segments, a backup of it, and then erases.
func newLedgerCase(t *testing.T) *ledgerCase {
	ctx, seed := t.Context(), testenv.Seed(t)
	c := &ledgerCase{fs: crashtest.New(), seed: seed}
	s, err := filestore.Open(crashtest.Dir, strictOptions(c.fs, seed))
	require.NoError(t, err)
	for i := range 12 {
		e := engine.NewEvent{Type: "t", Payload: bytes.Repeat([]byte{'x'}, 5000)}
		if i%5 == 1 {
			e.Payload = []byte(strings.Repeat(ledgerMarker, 1+i))
		}
		_, err := s.Append(ctx, engine.Append{Stream: "s", Events: []engine.NewEvent{e}})
		require.NoError(t, err)
	}
	report, err := s.Backup(ctx, ledgerCopy)
	require.NoError(t, err)
	c.head = report.Head
	_, err = s.Append(ctx, engine.Append{Erase: &engine.Erasure{
		Events: engine.Spans{{From: 1, To: 2}, {From: 6, To: 7}, {From: 11, To: 12}}, Reason: "crashtest",
	}})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, s.WriteLedger(ctx, &b))
	c.ledger = b.Bytes()
	c.kept = readCopy(t, s.ReadIndex().At(c.head.Position))
	require.NoError(t, s.Close())
	return c
}

func readCopy(t *testing.T, index engine.ReadIndex) (events []engine.Event) {
	cursor := index.ReadAll(t.Context(), 0, engine.Forwards)
	defer cursor.Close()
	for cursor.Next() {
		events = append(events, *cursor.Event())
	}
	require.NoError(t, cursor.Err())
	return events
}

// apply applies the ledger to the copy in a file system.
func (c *ledgerCase) apply(ctx context.Context, f *crashtest.FS) error {
	_, err := filestore.ApplyErasures(ctx, bytes.NewReader(c.ledger), ledgerCopy, strictOptions(f, c.seed))
	return err
}

// check checks that a copy has everything it had, and of what was erased, if that is done, nothing.
func (c *ledgerCase) check(t *testing.T, f *crashtest.FS, done bool, when string) {
	o := strictOptions(f, c.seed)
	o.ReadOnly, o.Expect = true, &c.head
	s, err := filestore.Open(ledgerCopy, o)
	require.NoError(t, err, when)
	defer s.Close()
	_, err = f.ReadFile(ledgerCopy + "/ERASED")
	hidden := done || err == nil
	events := readCopy(t, s.ReadIndex())
	require.Len(t, events, len(c.kept), when)
	for i, e := range events {
		if want := c.kept[i]; hidden || !want.Redacted || e.Redacted {
			require.Equal(t, want, e, when)
		}
	}
	if !done { // the end of the log may wait for its recovery
		return
	}
	_, err = s.Verify(t.Context())
	require.NoError(t, err, when)
	for _, name := range f.Files() {
		if strings.HasPrefix(name, ledgerCopy+"/") {
			b, err := f.ReadFile(name)
			require.NoError(t, err)
			require.NotContains(t, string(b), ledgerMarker, "%s in %s", when, name)
		}
	}
}

// The power fails at any moment while a ledger is applied: the copy can be read, whatever has been
// done by then, and applying the ledger again comes to the end.
func TestCrashWhileALedgerIsApplied(t *testing.T) {
	c := newLedgerCase(t)
	c.check(t, c.fs.Clone(), false, "before")
	f := c.fs.Clone()
	recorder := crashtest.Record(f, crashtest.NewOracle(true))
	require.NoError(t, c.apply(t.Context(), f))
	c.check(t, f, true, "at the end")
	r := rand.New(rand.NewPCG(c.seed, 1))
	moments := recorder.Moments()
	require.Greater(t, len(moments), 20)
	states := 0
	for i := range moments {
		m := &moments[i]
		for _, mode := range []crashtest.Mode{{Ordered: true}, {}, {Ordered: true, Garbled: true}} {
			for range testenv.Scale(1, 20) {
				state := m.FS.Crashes(mode).Sample(r)
				c.check(t, state.Clone(), false, fmt.Sprintf("%s, %+v", m, mode))
				require.NoError(t, c.apply(t.Context(), state), "%s, %+v", m, mode)
				c.check(t, state, true, fmt.Sprintf("%s, %+v, and again", m, mode))
				states++
			}
		}
	}
	report(t, "T1 (ledger)", fmt.Sprintf("%d moments, %d crash states, violations: 0", len(moments), states))
}

// A disk that is full stops it, at any moment, and loses nothing; with room again it comes to the
// end.
func TestAFullDiskWhileALedgerIsApplied(t *testing.T) {
	c := newLedgerCase(t)
	failed, whole := 0, 0
	for limit := int64(4 << 10); whole < 3; limit += 4 << 10 {
		f := c.fs.Clone()
		f.Limit(limit)
		err := c.apply(t.Context(), f)
		if err == nil {
			whole++
			continue
		}
		failed++
		require.ErrorIs(t, err, engine.ErrFull, "with a limit of %d bytes", limit)
		c.check(t, f, false, "full")
		f.Limit(0)
		require.NoError(t, c.apply(t.Context(), f))
		c.check(t, f, true, "with room again")
	}
	assert.Greater(t, failed, 10)
}
