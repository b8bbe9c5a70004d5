package crashtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// secret is in events that are erased, and in nothing else.
const secret = "to-be-erased-in-every-process"

// eraseChild appends secrets and others, and erases the secrets of a while ago, until it is killed.
func eraseChild(dir string) error {
	s, err := filestore.Open(dir, filestore.Options{SegmentSize: childSegmentSize})
	if err != nil {
		return err
	}
	fmt.Println("open")
	var life uint64
	if _, err := fmt.Sscan(testenv.Get("EVENTFOLD_TEST_LIFE"), &life); err != nil {
		return err
	}
	ctx, g := context.Background(), crashtest.NewGenerator(life)
	for n := 0; ; n++ {
		a := g.Append(g.IntN(2000), g.IntN(5000))
		a.Events[0].Payload = fmt.Appendf(nil, `{"secret":"%s %d %d"}`, secret, life, n)
		done, err := s.Append(ctx, a)
		if err != nil {
			return err
		}
		if p := done.Events[0].Position; n%10 == 9 {
			if _, err := s.Append(ctx, g.Erase(engine.Span{From: p, To: p + 1})); err != nil {
				return err
			}
			fmt.Println("erased", p)
		}
	}
}

// erasuresChild reads until it is killed, in turn from the store as it is and from an index that it
// keeps for a while, and fails when an event that is erased shows its content, or another one none.
func erasuresChild(dir string) error {
	s, err := filestore.Open(dir, filestore.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	fmt.Println("open")
	ctx := context.Background()
	old := s.ReadIndex()
	for n := 0; ; n++ {
		index := s.ReadIndex()
		gone, err := erasedIn(ctx, index)
		if err != nil {
			return err
		}
		if err := showsNothing(ctx, index, gone, false); err != nil {
			return fmt.Errorf("as it is: %w", err)
		}
		if err := showsNothing(ctx, old, gone, true); err != nil {
			return fmt.Errorf("as it was: %w", err)
		}
		if n%5 == 4 {
			old = index
		}
		fmt.Println("seen", index.Head())
	}
}

// erasedIn returns what the erasures that an index sees name.
func erasedIn(ctx context.Context, index engine.ReadIndex) (gone engine.Spans, err error) {
	c := index.Scan(ctx, engine.Filter{Streams: []string{engine.ErasuresStream}, Types: []string{engine.ErasedType}},
		engine.ColPayload)
	defer c.Close()
	for b := c.Next(); b != nil; b = c.Next() {
		for _, payload := range b.Payloads {
			told, err := engine.ParseErased(payload)
			if err != nil {
				return nil, err
			}
			gone = gone.Union(told.Events)
		}
	}
	return gone, c.Err()
}

// showsNothing checks that all that is gone, and nothing else, has no content. Of an older index
// that may, or may not, be so.
func showsNothing(ctx context.Context, index engine.ReadIndex, gone engine.Spans, older bool) error {
	c := index.ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	for c.Next() {
		e := c.Event()
		if e.Redacted && !gone.Has(e.Position) {
			return fmt.Errorf("position %d is redacted, and nothing names it", e.Position)
		}
		if !older && gone.Has(e.Position) && (!e.Redacted || bytes.Contains(e.Payload, []byte(secret))) {
			return fmt.Errorf("position %d shows %s", e.Position, e.Payload)
		}
	}
	return errors.Join(c.Err(), c.Close())
}

// A process that erases is killed again and again while others read, and come and go. Nobody sees
// what is erased, and in the end no file has it.
func TestErasingBesideOtherProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	var readers []*childProcess
	for life := range testenv.Scale(3, 40) {
		writer := startChild(t, "erase", dir, life+1)
		require.NoError(t, writer.waitOpen())
		readers = append(readers, startChild(t, "erasures", dir, 0))
		writer.waitLine(t)
		time.Sleep(400 * time.Millisecond)
		writer.kill()
	}
	s, err := filestore.Open(dir, filestore.Options{SegmentSize: childSegmentSize})
	require.NoError(t, err)
	defer s.Close()
	ctx := t.Context()
	gone, err := erasedIn(ctx, s.ReadIndex())
	require.NoError(t, err)
	require.NotEmpty(t, gone)
	kept := engine.Spans{}
	c := s.ReadIndex().ReadAll(ctx, 0, engine.Forwards)
	for c.Next() {
		if p := c.Event().Position; bytes.Contains(c.Event().Payload, []byte(secret)) {
			kept.Add(engine.Span{From: p, To: p + 1})
		}
	}
	require.NoError(t, errors.Join(c.Err(), c.Close()))
	_, err = s.Append(ctx, engine.Append{Erase: &engine.Erasure{Events: kept, Reason: "all of it"}})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		list, err := s.Erasures(ctx)
		require.NoError(t, err)
		for _, e := range list {
			if e.DoneAt.IsZero() {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		assert.NotContains(t, string(content), secret, entry.Name())
	}
	require.NoError(t, verified(ctx, s))
	for _, r := range readers {
		r.waitLine(t)
		r.kill()
		for _, line := range r.lines {
			require.False(t, strings.HasPrefix(line, "error"), "a reader: %s", line)
		}
	}
}
