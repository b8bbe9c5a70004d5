package filestore

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

var errUnread = errors.New("cannot be read")

// A readFaultFS asks fail before every opening and reading.
type readFaultFS struct {
	vfs.FS
	fail atomic.Pointer[func(op, name string) error]
}

func (f *readFaultFS) ask(op, name string) error {
	if fail := f.fail.Load(); fail != nil {
		return (*fail)(op, name)
	}
	return nil
}

func (f *readFaultFS) Open(name string, flag int) (vfs.File, error) {
	if err := f.ask("open", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &readFaultFile{file, f, name}, nil
}

type readFaultFile struct {
	vfs.File
	fs   *readFaultFS
	name string
}

func (f *readFaultFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.fs.ask("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

// followed opens a store that another one writes, with an event in it, and makes a subscription
// of it that has read that.
func followed(t *testing.T) (s, reader *FileStore, fsys *readFaultFS, next func() error) {
	mem := vfs.NewMem()
	s = openStore(t, "store", Options{FS: mem, SegmentSize: MinSegmentSize})
	mustAppend(t, s, "s", engine.Any, one("1")...)
	fsys = &readFaultFS{FS: mem}
	reader = openStore(t, "store", Options{FS: fsys, ReadOnly: true})
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	t.Cleanup(cancel)
	sub := engine.Subscribe(ctx, reader, engine.Filter{}, engine.ColType)
	t.Cleanup(func() { sub.Close() })
	next = func() error {
		_, err := sub.Next()
		return err
	}
	require.NoError(t, next()) // the event
	require.NoError(t, next()) // that there is no more
	return s, reader, fsys, next
}

// TestAnErrorThatStaysEndsASubscription: of another process's log TAIL or a segment cannot be
// opened, or read.
func TestAnErrorThatStaysEndsASubscription(t *testing.T) {
	for _, c := range []struct{ name, op, suffix string }{
		{"TAIL cannot be opened", "open", format.TailName},
		{"TAIL cannot be read", "read", format.TailName},
		{"no next segment can be opened", "open", ".log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, reader, fsys, next := followed(t)
			fail := on(c.op, c.suffix, errUnread)
			fsys.fail.Store(&fail)
			for s.Stats().Segments < 3 {
				mustAppend(t, s, "s", engine.Any, one(payloadOf(1))...)
			}
			err := next()
			for err == nil { // what could be read before it
				err = next()
			}
			require.ErrorIs(t, err, errUnread)
			require.ErrorIs(t, reader.Wait(bg, engine.Position(1<<40)), errUnread, "who comes later")

			fsys.fail.Store(nil)
			require.Equal(t, s.ReadIndex().Head(), reader.ReadIndex().Head())
			require.NoError(t, reader.Wait(bg, 1), "who comes when it is over")
		})
	}
}

func TestAnErrorThatPassesEndsNoSubscription(t *testing.T) {
	s, _, fsys, next := followed(t)
	var failed atomic.Int32
	fail := func(op, name string) error {
		if on("read", format.TailName, errUnread)(op, name) != nil && failed.Add(1) < maxLookFailures {
			return errUnread
		}
		return nil
	}
	fsys.fail.Store(&fail)
	mustAppend(t, s, "s", engine.Any, one("2")...)
	require.NoError(t, next())
	require.GreaterOrEqual(t, failed.Load(), int32(maxLookFailures))
}
