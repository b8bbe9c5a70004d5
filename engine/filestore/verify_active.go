package filestore

import (
	"context"
	"errors"
	"io/fs"
)

// An activeIndex is the index file of the last segment's first events, which Verify compares with them as soon as it has read so many.
type activeIndex struct {
	seg     *segment
	file    *fileIndex
	decided bool
}

func (a *activeIndex) close() {
	if a != nil {
		a.file.close()
	}
}

// openActive opens the index file of the last segment, nil if there is none. That is an earlier Close's, of the first events, or already that of the whole
// segment, which has become complete since Verify began.
func (v *verification) openActive(seg *segment) (*activeIndex, error) {
	name := seg.indexName()
	m := indexMeta{store: v.index.view.store, number: seg.number, generation: seg.header.Content, base: seg.base}
	f, err := openAnyIndexFile(v.store.fs, name, m, newBlockCache(1, 0))
	var damage *indexDamage
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
func (v *verification) compareActive(a *activeIndex, m *memIndex, end logEnd) error {
	if a == nil || a.decided || m.count() < a.file.count() {
		return nil
	}
	a.decided = true
	v.report.Indexes++
	same := m.count() == a.file.count() // else the file ends inside a frame
	if same {
		meta := a.file.indexMeta
		meta.end, meta.chain = end.offset, end.chain
		var err error
		if same, err = isIndexFile(v.ctx, v.store.fs, a.file.name, m, meta); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wrap("read "+a.file.name, err)
		}
	}
	if !same && !v.replacedActive(a) {
		v.badActive(a.seg, a.file)
	}
	return nil
}

// replacedActive reports whether another file has taken the name since it was opened.
func (v *verification) replacedActive(a *activeIndex) bool {
	now, err := openAnyIndexFile(v.store.fs, a.file.name, a.file.indexMeta, newBlockCache(1, 0))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer now.close()
	return now.indexFooter != a.file.indexFooter
}

// badActive notes that the index file of the last segment is damaged. If this store has begun with it, its events are read again; Close then writes a new file.
func (v *verification) badActive(seg *segment, file *fileIndex) {
	v.report.BadIndexes = append(v.report.BadIndexes, seg.indexName())
	live, ok := seg.index.Load().segmentIndex.(*memIndex)
	if !ok {
		v.store.indexer.rewrite(seg)
		return
	}
	prefix := live.prefixFile()
	if prefix == nil || file != nil && prefix.indexFooter != file.indexFooter {
		return
	}
	r := v.index.reader(context.Background(), len(v.index.view.segments)-1, new(blockMemory))
	damage := error(&indexDamage{seg.indexName(), -1, errIndexOther})
	r.rebuiltPrefix(live, &damage) // what fails here fails again when somebody asks
}
