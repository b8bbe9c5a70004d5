package filestore

import (
	"context"
	"errors"
	"io/fs"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
)

// checkRuns compares the merged indexes in dir with what the index files of their segments give,
// and gives up those that differ. It returns how many it has compared and the names of the bad
// ones.
func (x *indexer) checkRuns(
	ctx context.Context, dir string, segments []*segment,
) (compared int, bad []string, err error) {
	if len(segments) == 0 {
		return 0, nil, nil
	}
	names, err := x.fs.List(dir)
	if err != nil {
		return 0, nil, err
	}
	loaded := map[string]*index.Run{}
	for _, r := range x.runList() {
		loaded[r.Name] = r
	}
	for _, file := range names {
		from, to, ok := index.ParseRunName(file)
		if !ok {
			continue
		}
		name := vfs.Join(dir, file)
		known, same, err := x.checkRun(ctx, name, runSegments(segments, from, to))
		if err != nil {
			return compared, bad, err
		}
		if !known {
			continue
		}
		compared++
		if same {
			continue
		}
		bad = append(bad, name)
		if r := loaded[name]; r != nil {
			x.dropRun(r)
		}
	}
	return compared, bad, nil
}

// runSegments returns the segments that a run with these numbers is about, nil if they are not all
// there and complete.
func runSegments(segments []*segment, from, to int64) []*segment {
	first := segments[0].number
	if from < first || to-first >= int64(len(segments)) {
		return nil
	}
	part := segments[from-first : to-first+1]
	for _, seg := range part {
		if seg.sealed.Load() == nil {
			return nil
		}
	}
	return part
}

// checkRun compares a run with what the index files of its segments give. known is false if it
// cannot be compared now, and need not be: it has gone meanwhile, is about segments that are not,
// or the file of one of those must be made anew first.
func (x *indexer) checkRun(ctx context.Context, name string, segments []*segment) (known, same bool, err error) {
	parts := partsOf(segments)
	if parts == nil {
		return false, false, nil
	}
	m := indexRunMeta(segments)
	same, err = index.IsSame(x.fs, name, func(f vfs.File) error { return index.WriteRun(ctx, f, parts, m) })
	var damage *index.Damage
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &damage) {
		return false, false, nil
	}
	return err == nil, same, err
}

// partsOf returns the index files of segments, nil if they do not all have one.
func partsOf(segments []*segment) (parts []*index.File) {
	for _, seg := range segments {
		f, ok := seg.fileIndex()
		if !ok {
			return nil
		}
		parts = append(parts, f)
	}
	return parts
}
