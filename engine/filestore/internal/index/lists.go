package index

import (
	"bytes"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A Lister is an Index that can give all keys with their events in one go.
type Lister interface {
	// Lists is Keys with the ordinals below limit of each key's events, which live until yield
	// returns.
	Lists(d Dictionary, prefix string, limit uint32, yield func(e Entry, ords []uint32) bool) error
}

// Lists implements Lister.
func (x *File) Lists(d Dictionary, prefix string, limit uint32, yield func(Entry, []uint32) bool) error {
	lists := x.Reader()
	defer lists.Done()
	w, err := x.walk(d, format.BytesOf(prefix))
	if err != nil {
		return err
	}
	defer w.done()
	var ords []uint32
	for {
		ok, err := w.next()
		if err != nil || !ok || !bytes.HasPrefix(w.key, format.BytesOf(prefix)) {
			return err
		}
		if w.entry.first >= limit {
			continue
		}
		ords = append(ords[:0], w.entry.first)
		if w.entry.count > 1 {
			s, err := lists.scan(d, &w.entry, 0)
			if err == nil {
				ords, err = s.appendTo(ords, 0, limit)
			}
			if err != nil {
				return err
			}
		}
		e := w.entry
		e.count, e.last = uint32(len(ords)), ords[len(ords)-1]
		if !yield(e.named(string(w.key)), ords) {
			return nil
		}
	}
}

// ListsOneByOne is Lists for an index that has no short cut.
func ListsOneByOne(
	x Index, d Dictionary, prefix string, limit uint32, yield func(Entry, []uint32) bool,
) error {
	var ords []uint32
	var failed error
	err := x.Keys(d, prefix, limit, func(e Entry) bool {
		if ords, failed = x.Postings(d, e.Key, 0, limit, ords[:0]); failed != nil {
			return false
		}
		return yield(e, ords)
	})
	if failed != nil {
		return failed
	}
	return err
}
