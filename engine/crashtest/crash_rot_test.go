package crashtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// Every byte of a small store is damaged in many ways (T7): what was acknowledged is there, or the
// damage is reported. Nothing is lost or changed silently.
func TestDamagedFiles(t *testing.T) {
	seed := testenv.Seed(t)
	store := newRottingStore(t, seed)
	stride := max(1, 8000/testenv.Scale(8, 8000))
	damages := store.damages(stride, seed)
	var found rotCounts
	var salvages, saved atomic.Int64
	err := crashtest.Parallel(len(damages), func(i int) error {
		d := &damages[i]
		outcome, err := store.try(t.Context(), d, i%4 == 0 || strings.Contains(d.name, ".idx"))
		found[outcome].Add(1)
		if outcome >= lost {
			return fmt.Errorf("%s: %s: %w", d.name, outcome, err)
		}
		if outcome == detected && i%4 == 0 {
			n, err := store.salvage(t.Context(), d)
			if err != nil {
				return fmt.Errorf("%s: salvage: %w", d.name, err)
			}
			salvages.Add(1)
			saved.Add(int64(n))
		}
		return nil
	})
	report(t, "T7", fmt.Sprintf("%d files with %d bytes, %d damages (every %d. byte): %s; %d damaged "+
		"stores salvaged, %d events saved, the rest named as gaps",
		len(store.fs.Files()), store.size(), len(damages), stride, &found, salvages.Load(), saved.Load()))
	require.NoError(t, err)
	assert.Positive(t, found[detected].Load())
	assert.Positive(t, found[harmless].Load())
}

// A rotOutcome is what came of a damage, the worst last.
type rotOutcome int

const (
	harmless rotOutcome = iota // everything is there, and nothing was said
	rebuilt                    // everything is there, and something derived was made anew
	detected
	lost
	wrong
	rotOutcomes
)

func (o rotOutcome) String() string {
	return [...]string{"harmless", "rebuilt", "detected", "silently lost", "silently wrong"}[o]
}

type rotCounts [rotOutcomes]atomic.Int64

func (c *rotCounts) String() string {
	var parts []string
	for o := range rotOutcomes {
		parts = append(parts, fmt.Sprintf("%s %d", o, c[o].Load()))
	}
	return strings.Join(parts, ", ")
}

// A rottingStore is a closed store with several segments, and what is in it.
type rottingStore struct {
	fs    *crashtest.FS
	model *enginetest.Model
	older map[string][]byte // the files at an earlier time
	seed  uint64
}

func newRottingStore(t *testing.T, seed uint64) *rottingStore {
	return rottingStoreOf(t, seed, func(g *crashtest.Generator) []engine.Append {
		return []engine.Append{g.Append(g.IntN(700)), g.Append(g.IntN(2000), 20)}
	})
}

// rottingStoreOf makes a store of sixty appends.
func rottingStoreOf(t *testing.T, seed uint64, next func(*crashtest.Generator) []engine.Append) *rottingStore {
	r := &rottingStore{fs: crashtest.New(), model: enginetest.NewModel(), older: map[string][]byte{}, seed: seed}
	ctx := context.Background()
	g := crashtest.NewGenerator(seed)
	s, err := filestore.Open(crashtest.Dir, strictOptions(r.fs, seed))
	require.NoError(t, err)
	for i := range 60 {
		batch := next(g)
		done, err := s.Append(ctx, batch...)
		require.NoError(t, err)
		require.NoError(t, r.model.Copy(ctx, done, batch...))
		if i == 40 {
			for _, name := range r.fs.Files() {
				r.older[name] = r.content(name)
			}
		}
	}
	require.NoError(t, s.Close())
	s, err = filestore.Open(crashtest.Dir, strictOptions(r.fs, seed)) // index files that were not ready are now
	require.NoError(t, err)
	require.NoError(t, enginetest.Same(ctx, s, r.model))
	require.NoError(t, s.Close())
	return r
}

func (r *rottingStore) content(name string) []byte {
	content, err := r.fs.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return content
}

func (r *rottingStore) size() (n int) {
	for _, name := range r.fs.Files() {
		n += len(r.content(name))
	}
	return n
}

// A damage is one thing done to the files.
type damage struct {
	name string
	do   func(f *crashtest.FS) error
}

// damages lists all of them, for every stride-th byte.
func (r *rottingStore) damages(stride int, seed uint64) []damage {
	var all []damage
	files := r.fs.Files()
	shift := int(seed % uint64(stride))
	for i, name := range files {
		content := r.content(name)
		if len(content) == 0 {
			continue
		}
		change := func(what string, at int, change func(b []byte) []byte) {
			all = append(all,
				damage{fmt.Sprintf("%s: %s at %d", path.Base(name), what, at), func(f *crashtest.FS) error {
					return f.WriteFile(name, change(bytes.Clone(content)))
				}})
		}
		for at := shift; at < len(content); at += stride {
			if isFarZero(content, at) && at%(stride*64) != shift {
				continue // most of a segment is zeros, behind which nothing comes
			}
			change("one bit", at, func(b []byte) []byte { b[at] ^= 1 << (at % 8); return b })
			change("all bits", at, func(b []byte) []byte { b[at] ^= 0xff; return b })
			if at%(4*stride) < stride {
				change("cut", at, func(b []byte) []byte { return b[:at] })
			}
		}
		sectors := max(1, stride/512) * 512
		for at := int(seed%uint64(sectors)) / 512 * 512; at < len(content); at += sectors {
			end := min(at+512, len(content))
			change("zero sector", at, func(b []byte) []byte { clear(b[at:end]); return b })
			change("ones sector", at,
				func(b []byte) []byte { copy(b[at:end], bytes.Repeat([]byte{0xff}, 512)); return b })
			for _, other := range []int{at + 512, at + 4096, len(content) - at - 512} {
				if other >= 0 && other+512 <= len(content) && end-at == 512 {
					change(fmt.Sprintf("sector swapped with that at %d", other), at, func(b []byte) []byte {
						copy(b[at:end], content[other:])
						copy(b[other:other+512], content[at:end])
						return b
					})
				}
			}
			if old := r.older[name]; end <= len(old) {
				change("stale sector", at, func(b []byte) []byte { copy(b[at:end], old[at:end]); return b })
			}
		}
		all = append(all, damage{path.Base(name) + ": missing", func(f *crashtest.FS) error {
			return f.RemoveFile(name)
		}})
		for _, other := range files[i+1:] {
			all = append(all,
				damage{path.Base(name) + ": exchanged with " + path.Base(other), func(f *crashtest.FS) error {
					return errors.Join(f.WriteFile(name, r.content(other)), f.WriteFile(other, content))
				}})
		}
	}
	return all
}

// isFarZero reports whether the byte and all around it are zero.
func isFarZero(b []byte, at int) bool {
	for _, c := range b[max(at-600, 0):min(at+600, len(b))] {
		if c != 0 {
			return false
		}
	}
	return true
}

// try damages a copy of the store and tells what came of it.
// With byIndex it also asks everything that indexes answer.
func (r *rottingStore) try(ctx context.Context, d *damage, byIndex bool) (rotOutcome, error) {
	f := r.fs.Clone()
	if err := d.do(f); err != nil {
		return wrong, err
	}
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, r.seed))
	if err != nil {
		return complains(err)
	}
	defer s.Close()
	repaired := s.OpenReport()
	outcome, err := r.compare(ctx, s, byIndex)
	if outcome == harmless && (repaired.String() != "") {
		outcome = rebuilt
	}
	return outcome, err
}

// salvage saves what can be read of a damaged copy. Every event is saved unchanged, or in one of
// the gaps that are reported.
func (r *rottingStore) salvage(ctx context.Context, d *damage) (saved int, err error) {
	f := r.fs.Clone()
	if err := d.do(f); err != nil {
		return 0, err
	}
	const to = "/stores/saved"
	report, err := filestore.Salvage(ctx, crashtest.Dir, to, strictOptions(f, r.seed+1))
	if err != nil {
		return 0, err
	}
	s, err := filestore.Open(to, strictOptions(f, r.seed+1))
	if err != nil {
		return 0, err
	}
	defer s.Close()
	c := s.ReadIndex().ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	gaps := report.Gaps
	for p, e := range r.events() {
		if len(gaps) > 0 && gaps[0].From <= engine.Position(p) && engine.Position(p) < gaps[0].To {
			if engine.Position(p)+1 == gaps[0].To {
				gaps = gaps[1:]
			}
			continue
		}
		if !c.Next() {
			if c.Err() == nil && strings.HasSuffix(d.name, "exchanged with TAIL") {
				break // nothing is left that tells how far the log went
			}
			return saved, fmt.Errorf("position %d is neither saved nor in a gap of %+v: %w", p, report, c.Err())
		}
		if got := c.Event(); got.ID != e.ID || got.Stream != e.Stream || got.Type != e.Type ||
			!bytes.Equal(got.Payload, e.Payload) ||
			!bytes.Equal(got.Metadata, e.Metadata) || !slices.Equal(got.Tags, e.Tags) ||
			!got.RecordedAt.Equal(e.RecordedAt) {
			return saved,
				fmt.Errorf("position %d is saved as %s at %d in %s, %+v", p, got.ID, got.Position, got.Stream, report)
		}
		saved++
	}
	if c.Next() || c.Err() != nil || int64(saved) != report.Events || len(gaps) > 0 {
		return saved, fmt.Errorf("%d events saved, gaps %v left, %+v: %w", saved, gaps, report, c.Err())
	}
	return saved, nil
}

// events returns what the store held.
func (r *rottingStore) events() []engine.Event {
	c := r.model.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
	defer c.Close()
	var events []engine.Event
	for c.Next() {
		events = append(events, *c.Event())
	}
	return events
}

// complains classifies an error: damage must be called damage.
func complains(err error) (rotOutcome, error) {
	var corrupt *engine.CorruptError
	var format *engine.FormatError
	if errors.As(err, &corrupt) || errors.As(err, &format) {
		return detected, err
	}
	return wrong, fmt.Errorf("it is no error of damage: %w", err)
}

// compare reads the store in all ways and compares it with the model.
func (r *rottingStore) compare(ctx context.Context, s engine.Store, byIndex bool) (rotOutcome, error) {
	err := enginetest.Same(ctx, s, r.model)
	if err == nil && byIndex {
		err = enginetest.SameByIndex(ctx, s, r.model)
	}
	var corrupt *engine.CorruptError
	switch {
	case err == nil:
		return harmless, nil
	case errors.As(err, &corrupt):
		return detected, err
	case errors.As(err, new(*engine.FormatError)):
		return detected, err
	case s.ReadIndex().Head() < r.model.ReadIndex().Head():
		return lost, err
	}
	return wrong, err
}

// A sector of what another store, or a lost attempt, has written at the same place fits in every
// way but one. (These are the damages for which frames and records carry their place, and frames
// the previous one's checksum.)
func TestDamageThatFits(t *testing.T) {
	ctx := t.Context()
	t.Run("another store's, few events", func(t *testing.T) {
		otherStore(ctx, t, func(g *crashtest.Generator) []engine.Append {
			return []engine.Append{g.Append(g.IntN(700)), g.Append(g.IntN(2000), 20)}
		})
	})
	t.Run("another store's, many events", func(t *testing.T) {
		otherStore(ctx, t, func(g *crashtest.Generator) []engine.Append {
			return []engine.Append{g.Append(g.IntN(50), 20, 20, 20, 20, 20)}
		})
	})
	t.Run("a lost attempt's", func(t *testing.T) { staleFrame(ctx, t) })
}

// otherStore makes two stores that differ in their ids and in a type, and brings the beginnings of
// one's segments into the other.
func otherStore(ctx context.Context, t *testing.T, next func(*crashtest.Generator) []engine.Append) {
	r := rottingStoreOf(t, 1, next)
	other := crashtest.New()
	g := crashtest.NewGenerator(1)
	s, err := filestore.Open(crashtest.Dir, strictOptions(other, 2))
	require.NoError(t, err)
	for range 60 {
		batch := next(g)
		batch[0].Events[0].Type = "other!" // as long as all the others
		_, err := s.Append(ctx, batch...)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	for _, name := range r.fs.Files() {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		theirs, err := other.ReadFile(name)
		require.NoError(t, err)
		for end := 4096 + 512; end <= 32<<10; end += 512 {
			d := damage{name, func(f *crashtest.FS) error {
				b := bytes.Clone(r.content(name))
				copy(b[4096:min(end, len(b))], theirs[4096:min(end, len(theirs))])
				return f.WriteFile(name, b)
			}}
			outcome, err := r.try(ctx, &d, false)
			require.Equal(t, detected, outcome, "%s up to %d: %v", name, end, err)
		}
	}
}

// staleFrame makes an append that a power cut loses, repeats it with another content, and then
// brings the first one back.
func staleFrame(ctx context.Context, t *testing.T) {
	const name = crashtest.Dir + "/000000000001.log"
	f, o, g := crashtest.New(), crashtest.NewOracle(true), crashtest.NewGenerator(3)
	same := func() engine.Append { // of the same size
		e := g.Event(300)
		e.Tags, e.Metadata = nil, nil
		return engine.Append{Stream: "stream-0", Events: []engine.NewEvent{e}}
	}
	s, err := openStrict(f, 3)
	require.NoError(t, err)
	_, err = o.Append(ctx, s, same())
	require.NoError(t, err)
	require.NoError(t, s.Close()) // which promises that it is durable, so that recovery leaves it where it is
	s, err = openStrict(f, 3)
	require.NoError(t, err)

	f.Faults(func(c crashtest.Call) crashtest.Fault {
		if c.Op == crashtest.OpFdatasync && strings.HasSuffix(c.Name, ".log") {
			return crashtest.Fault{Err: syscall.EIO}
		}
		return crashtest.Fault{}
	})
	_, err = o.Append(ctx, s, same())
	require.ErrorIs(t, err, engine.ErrOutcomeUnknown)
	first := f.Kill() // with the lost attempt in its cache
	s.Close()
	var without *crashtest.FS
	for without = range first.Crashes(crashtest.Mode{}).All() {
		break // the first state has nothing that was not synced
	}
	stale, err := first.ReadFile(name)
	require.NoError(t, err)

	s, err = openStrict(without, 3)
	require.NoError(t, err)
	require.NoError(t, o.Check(ctx, s))
	for range 2 {
		_, err = o.Append(ctx, s, same())
		require.NoError(t, err)
	}
	require.NoError(t, o.Check(ctx, s))
	next := without.Kill()
	s.Close()
	log, err := next.ReadFile(name)
	require.NoError(t, err)
	at, end := differing(log, stale)
	require.Less(t, at, end)
	copy(log[at:end], stale[at:end])
	require.NoError(t, next.WriteFile(name, log))
	s, err = openStrict(next, 3)
	if err == nil {
		err = o.Check(ctx, s)
		s.Close()
	}
	outcome, err := complains(err)
	require.Equal(t, detected, outcome, err)
}

// differing returns where b, which is a beginning and then zeros, differs from a.
func differing(a, b []byte) (from, to int) {
	for from < len(b) && a[from] == b[from] {
		from++
	}
	for to = len(b); to > from && b[to-1] == 0; to-- {
	}
	return from, to
}
