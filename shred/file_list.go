package shred

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// A SubjectInfo tells of a subject of a keyring, and nothing that opens what was sealed for it.
type SubjectInfo struct {
	Subject   string
	Revision  int     // of its last key, from 1
	Forgotten bool    // that key is destroyed
	Fences    []Fence // of the keys that are destroyed, the first one first
}

// Subjects lists the subjects whose names begin with prefix, in byte order. What the package itself
// keeps, under names that begin with $, is not among them.
func (f *File) Subjects(ctx context.Context, prefix string) ([]SubjectInfo, error) {
	if f.readOnly {
		if err := f.refresh(ctx); err != nil {
			return nil, err
		}
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return nil, ErrClosed
	}
	var list []SubjectInfo
	for _, name := range slices.Sorted(maps.Keys(f.state.all)) {
		if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, reserved) {
			s := f.state.all[name]
			list = append(list, SubjectInfo{name, s.revision, s.forgotten(), slices.Clone(s.fences)})
		}
	}
	return list, nil
}

// Rotate begins a new epoch: all keys are wrapped anew under another epoch key, and the one before is
// destroyed, and with it every copy of the keyring that was made until then. The keys of subjects
// stay what they are. After an error call it, or OpenFile, again; what was begun is finished.
func (f *File) Rotate(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case f.closed:
		return ErrClosed
	case f.readOnly:
		return ErrReadOnly
	}
	if err := f.finish(ctx); err != nil { // an erasure that was begun
		return err
	}
	f.state.next = newName()
	return f.finish(ctx)
}
