package filestore

import (
	"context"
	"errors"
	"io/fs"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// An activeIndex is the index file of the last segment's first events, which Verify compares with
// them as soon as it has read so many.
type activeIndex struct {
	seg     *segment
	file    *index.File
	decided bool
}

func (a *activeIndex) close() {
	if a != nil {
		a.file.Close()
	}
}

// openActive opens the index file of the last segment, nil if there is none. That is an earlier
// Close's, of the first events, or already that of the whole segment, which has become complete
// since Verify began.
func (v *verification) openActive(seg *segment) (*activeIndex, error) {
	name := seg.indexName()
	m := index.Meta{Store: v.index.view.store, Number: seg.number, Generation: seg.header.Content, Base: seg.base}
	f, err := index.OpenAnyFile(v.store.fs, name, m, index.NewBlockCache(1, 0))
	var damage *index.Damage
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.As(err, &damage):
		v.report.Indexes++
		v.badActive(seg, nil)
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &activeIndex{seg: seg, file: f}, nil
}

// compareActive compares the file with m, whose events end at end, if it is about as many.
func (v *verification) compareActive(a *activeIndex, m *index.Memory, end logEnd) error {
	if a == nil || a.decided || m.Count() < a.file.Count() {
		return nil
	}
	a.decided = true
	v.report.Indexes++
	same := m.Count() == a.file.Count() // else the file ends inside a frame
	if same {
		meta := a.file.Meta
		meta.End, meta.Chain = end.offset, end.chain
		var err error
		if same, err = index.IsFile(v.ctx, v.store.fs, a.file.Name, m, meta); err != nil &&
			!errors.Is(err, fs.ErrNotExist) {
			return wrap("read "+a.file.Name, err)
		}
	}
	if !same && !v.replacedActive(a) {
		v.badActive(a.seg, a.file)
	}
	return nil
}

// replacedActive reports whether another file has taken the name since it was opened.
func (v *verification) replacedActive(a *activeIndex) bool {
	now, err := index.OpenAnyFile(v.store.fs, a.file.Name, a.file.Meta, index.NewBlockCache(1, 0))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer now.Close()
	return now.Footer != a.file.Footer
}

// badActive notes that the index file of the last segment is damaged. If this store has begun with
// it, its events are read again; Close then writes a new file.
func (v *verification) badActive(seg *segment, file *index.File) {
	v.report.BadIndexes = append(v.report.BadIndexes, seg.indexName())
	live, ok := seg.memIndex()
	if !ok {
		v.store.indexer.rewrite(seg)
		return
	}
	prefix := live.PrefixFile()
	if prefix == nil || file != nil && prefix.Footer != file.Footer {
		return
	}
	r := v.index.reader(context.Background(), len(v.index.view.segments)-1, new(blockMemory))
	damage := &index.Damage{File: seg.indexName(), Block: -1, Err: index.ErrOther}
	_ = r.rebuildPrefix(live, damage) // what fails here fails again when somebody asks
}
