package index

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// An Run is the merged index of adjacent sealed segments. It knows the streams, with their last
// versions, and the ids, and nothing else: it lets the writer prove that a stream or an id is new
// by asking one file in the place of many. Ordinals count from the base of the first of its
// segments. It is derived from their index files, which stay.
//
// The file has the format of an index file without columns, frames, types, tags and postings. It is
// bound to all events up to its end by the chain value there.
type Run struct {
	*File
	From, To int64 // numbers of the first and the last segment
}

// Span returns the number of segments.
func (r *Run) Span() int64 { return r.To - r.From + 1 }

// RunName returns the name of the run over the segments from one number to another, both included.
func RunName(from, to int64) string { return fmt.Sprintf("%012d-%012d.idx", from, to) }

// ParseRunName undoes RunName. ok is false for any other name.
func ParseRunName(name string) (from, to int64, ok bool) {
	a, b, _ := strings.Cut(strings.TrimSuffix(name, ".idx"), "-")
	from, err := strconv.ParseInt(a, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if to, err = strconv.ParseInt(b, 10, 64); err != nil {
		return 0, 0, false
	}
	return from, to, from < to && RunName(from, to) == name
}

// WriteRunFile writes the run of the events that m describes. parts are the indexes, by position,
// that have them all.
func WriteRunFile(ctx context.Context, fs vfs.FS, name string, parts []*File, m Meta) error {
	return ReplaceFile(fs, name, func(f vfs.File) error { return WriteRun(ctx, f, parts, m) })
}

// WriteRun writes to f what WriteRunFile writes.
func WriteRun(ctx context.Context, f vfs.File, parts []*File, m Meta) error {
	w := newIndexWriter(ctx, f, m)
	w.footer.Run = true
	for _, p := range parts {
		w.footer.span.Join(&p.span)
	}
	for i := range sectionIDs {
		w.section(i, nil)
	}
	w.idSections(func(yield func(uint64) bool) error { return mergeIDs(parts, m.Base, yield) })
	w.runStreams(parts)
	for d := range Dictionaries {
		if d == ByStream {
			continue // a run has the streams alone
		}
		w.newKeys(d).finish(d)
		w.section(KeysSection(d, KeysPostings), nil)
		w.section(KeysSection(d, KeysFilter), nil)
	}
	w.finish()
	return w.err
}

// runStreams writes the streams of a run and their filter.
func (w *indexWriter) runStreams(parts []*File) {
	k := w.newKeys(ByStream)
	err := mergeStreams(parts, w.footer.Base, func(key []byte, e *Entry) bool {
		k.add(key, e, 0)
		return w.err == nil
	})
	k.finish(ByStream)
	w.section(KeysSection(ByStream, KeysPostings), nil)
	filter := make([]byte, format.BloomSize(k.count))
	if err == nil && w.err == nil { // only now it is known how many streams there are
		err = mergeStreams(parts, w.footer.Base, func(key []byte, _ *Entry) bool {
			hash := format.HashKey(k.seed, key)
			format.BloomAdd(filter[format.BloomPlace(hash, len(filter)):], hash)
			return w.ctx.Err() == nil
		})
	}
	w.section(KeysSection(ByStream, KeysFilter), filter)
	if err != nil {
		w.fail(err)
	}
}

// mergeStreams yields the streams of adjacent indexes in the order of their names, with ordinals
// from base. key and entry live until yield returns.
func mergeStreams(parts []*File, base engine.Position, yield func(key []byte, e *Entry) bool) error {
	walks := make([]*keyWalk, 0, len(parts))
	defer func() {
		for _, w := range walks {
			w.done()
		}
	}()
	more := make([]bool, len(parts)) // whether a walk has a key
	for i, p := range parts {
		w, err := p.walk(ByStream, nil)
		if err != nil {
			return err
		}
		walks = append(walks, w)
		if more[i], err = w.next(); err != nil {
			return err
		}
	}
	var key []byte
	for {
		least := -1
		for i, w := range walks {
			if more[i] && (least < 0 || bytes.Compare(w.key, walks[least].key) < 0) {
				least = i
			}
		}
		if least < 0 {
			return nil
		}
		key = append(key[:0], walks[least].key...)
		var e Entry
		for i := least; i < len(walks); i++ {
			w := walks[i]
			if !more[i] || !bytes.Equal(w.key, key) {
				continue
			}
			e.addPart(&w.entry, uint32(parts[i].Base-base))
			var err error
			if more[i], err = w.next(); err != nil {
				return err
			}
		}
		if !yield(key, &e) {
			return nil
		}
	}
}

// mergeIDs yields fingerprint<<32 | ordinal of the ids of adjacent indexes, sorted, with ordinals
// from base.
func mergeIDs(parts []*File, base engine.Position, yield func(id uint64) bool) error {
	const none = ^uint64(0) // no ordinal is that large
	readers, next, smallest := make([]*blockReader, len(parts)), make([]uint32, len(parts)), make([]uint64, len(parts))
	for i, p := range parts {
		readers[i] = p.Reader()
		defer readers[i].Done()
	}
	step := func(i int) error {
		if next[i] == parts[i].Count() {
			smallest[i] = none
			return nil
		}
		fingerprint, ord, err := readers[i].idEntry(next[i])
		smallest[i] = uint64(fingerprint)<<32 | uint64(ord+uint32(parts[i].Base-base))
		next[i]++
		return err
	}
	for i := range parts {
		if err := step(i); err != nil {
			return err
		}
	}
	for {
		least := 0
		for i := range smallest {
			if smallest[i] < smallest[least] {
				least = i
			}
		}
		if smallest[least] == none || !yield(smallest[least]) {
			return nil
		}
		if err := step(least); err != nil {
			return err
		}
	}
}

// LastVersion returns the version of a stream's last event in the run. ok is false if it has none.
func (r *Run) LastVersion(stream string, hash uint64) (v engine.Version, ok bool, err error) {
	if r.Excludes(ByStream, hash) {
		return engine.NoVersion, false, nil
	}
	e, ok, err := r.Lookup(ByStream, stream, r.Count())
	if err != nil || !ok {
		return engine.NoVersion, false, err
	}
	return e.LastVersion(), true, nil
}
