package filestore

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// The file ERASED names events that were erased in the store after this copy of it was made, so that
// the copy's own log cannot name them. ApplyErasures writes it before it erases them, and once more
// when that is done: what a crash has left undone is hidden by then, and ApplyErasures, or whoever
// writes to the copy, goes on with it.

// readErasedFile reads ERASED. It returns nil if there is none, and ErrErased if it cannot be used,
// whatever has its name.
func readErasedFile(fsys vfs.FS, dir string) (*format.Erased, error) {
	name := vfs.Join(dir, format.ErasedName)
	f, err := vfs.OpenToRead(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.As(err, new(*engine.FormatError)) { // a directory, a named pipe
		return nil, format.ErrErased
	}
	if err != nil {
		return nil, wrap("open "+name, err)
	}
	defer f.Close()
	b, err := readPieces(f, format.MaxErasedSize, format.ErasedPiece, format.MayBeErased)
	if err != nil {
		return nil, wrap("read "+name, err)
	}
	return format.DecodeErased(b, name)
}

// writeErasedFile replaces ERASED.
func writeErasedFile(fsys vfs.FS, dir string, f *format.Erased) error {
	if len(f.Events) > format.MaxErasedSize/format.ErasedEntry {
		return &engine.InvalidError{Event: -1, Field: "ledger", Reason: "names too many events that lie apart"}
	}
	err := replaceFile(fsys, dir, format.ErasedName, format.ErasedTemp, f.Encode())
	return writeError("write "+format.ErasedName, err)
}

// readErased learns what ERASED says. If it is damaged, nobody could tell what must not be shown.
func (l *logState) readErased() error {
	f, err := readErasedFile(l.fs, l.dir)
	name := vfs.Join(l.dir, format.ErasedName)
	switch {
	case errors.Is(err, format.ErrErased) && l.mending:
		f = nil
	case errors.Is(err, format.ErrErased):
		return &engine.CorruptError{File: name, NextGood: engine.NoPosition, Reason: err.Error()}
	case err != nil:
		return err
	case f != nil && f.Store != l.store:
		return &engine.FormatError{File: name, Reason: "belongs to another store"}
	}
	if !sameErased(l.erased, f) {
		l.takeErased(f)
	}
	return nil
}

func sameErased(a, b *format.Erased) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Done == b.Done && slices.Equal(a.Events, b.Events)
}

// takeErased takes over what ERASED says by now. The caller owns l, and publishes it.
func (l *logState) takeErased(f *format.Erased) {
	l.erased, l.erasures.now = f, l.erasures.now.beside(f)
}

// beside returns the erasures of the log with what ERASED says beside it.
func (e *erasures) beside(f *format.Erased) *erasures {
	var next erasures
	if e != nil {
		isForeign := func(o openErasure) bool { return o.foreign }
		next.open = slices.DeleteFunc(slices.Clone(e.open), isForeign)
	}
	if f != nil && !f.Done {
		next.open = append(next.open, openErasure{id: uuid.Nil, position: engine.NoPosition, events: f.Events, foreign: true})
	}
	return next.settled()
}

// foreign returns those of the erasures that the log does not name.
func (e *erasures) foreign() *erasures {
	f := &erasures{}
	if e == nil {
		return f
	}
	for _, o := range e.open {
		if o.foreign {
			f.open = append(f.open, o)
		}
	}
	return f
}

// finishForeign says in ERASED that what it names is erased.
func (x *eraser) finishForeign(ctx context.Context, readers []int) error {
	f := *x.s.view.Load().erased
	f.Done = true
	if err := writeErasedFile(x.s.fs, x.s.dir, &f); err != nil {
		return err
	}
	x.foreignReaders = readers
	return x.s.showErased(ctx, &f)
}

// showErased lets readers see what ERASED says by now.
func (s *FileStore) showErased(ctx context.Context, f *format.Erased) error {
	return s.askWriter(ctx, func(w *writer) error {
		w.log.takeErased(f)
		s.publish(w.log.logState, engine.Position(s.durable.Load()), nil)
		return nil
	})
}

// takeErased gives the backup what ERASED says.
func (b *backup) takeErased() error {
	f := b.index.view.erased
	if f == nil {
		return nil
	}
	return writeNew(b.dst, vfs.Join(b.work, format.ErasedName), f.Encode())
}
